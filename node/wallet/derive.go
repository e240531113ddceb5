package wallet

import (
	"crypto/hmac"
	"crypto/sha512"
	"encoding/binary"

	"ios/chain"
	"ios/chain/sig"
)

// extended is a private key and its chain code (SLIP-0010, Ed25519).
type extended struct {
	key  [32]byte
	code [32]byte
}

func (e *extended) set(secret []byte, data ...[]byte) {
	mac := hmac.New(sha512.New, secret)
	for _, d := range data {
		mac.Write(d)
	}
	sum := mac.Sum(nil)
	copy(e.key[:], sum[:32])
	copy(e.code[:], sum[32:])
	clear(sum)
}

// master is m.
func master(seed []byte) (m extended) {
	m.set([]byte("ed25519 seed"), seed)
	return m
}

// hardened marks an index; Ed25519 has no other children.
const hardened = 1 << 31

// child is the hardened child index'.
func (e *extended) child(index uint32) (c extended) {
	var n [4]byte
	binary.BigEndian.PutUint32(n[:], index|hardened)
	c.set(e.code[:], []byte{0}, e.key[:], n[:])
	return c
}

// The coins of the path, as SLIP-0044 counts them.
const (
	coinTest = 1
	coinMain = 0x494f53
)

// branch is m/44'/coin'/0', whose children are the wallet's keys.
func branch(seed []byte, prefix string) extended {
	coin := uint32(coinMain)
	if prefix != chain.PrefixMain {
		coin = coinTest
	}
	m := master(seed)
	for _, i := range []uint32{44, coin, 0} {
		m = m.child(i)
	}
	return m
}

// Key is one of a wallet's addresses with what signs for it.
type Key struct {
	Index   uint32 // of the path
	Address chain.Address
	signer  *sig.Key
}

// keyAt is the branch's child of the index.
func (e *extended) keyAt(index uint32) (*Key, error) {
	c := e.child(index)
	defer clear(c.key[:])
	signer, err := sig.FromSeed(c.key[:])
	if err != nil {
		return nil, err
	}
	public := signer.Public()
	return &Key{Index: index, Address: chain.AddressOf((*[32]byte)(&public)), signer: signer}, nil
}
