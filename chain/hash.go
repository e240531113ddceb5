package chain

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// Hash is a SHA-256 value. It names blocks, bodies and transactions.
type Hash [32]byte

// TxID names a transaction. It covers everything but the witnesses.
type TxID = Hash

// IsZero reports whether h is the zero value, which names nothing.
func (h Hash) IsZero() bool { return h == Hash{} }

// String is h in hexadecimal.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// Short is the first 4 bytes of h in hexadecimal, for logs.
func (h Hash) Short() string { return hex.EncodeToString(h[:4]) }

// MarshalText implements encoding.TextMarshaler.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *Hash) UnmarshalText(text []byte) error {
	v, err := ParseHash(string(text))
	if err == nil {
		*h = v
	}
	return err
}

// ParseHash reads 64 hexadecimal digits.
func ParseHash(s string) (h Hash, err error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(h) {
		return h, fmt.Errorf("%q is not a hash: 64 hexadecimal digits are wanted", s)
	}
	copy(h[:], b)
	return h, nil
}

// Tags keep the domains of hashes and signatures apart.
const (
	tagAddress = "ios/address/v1"
	tagGenesis = "ios/genesis/v1"
	tagKeys    = "ios/validator-keys/v1"
	tagTx      = "ios/tx/v1"
	tagTxSig   = "ios/tx-signature/v1"
	tagBody    = "ios/body/v1"
	tagBodySig = "ios/body-signature/v1"
	tagHeader  = "ios/header/v1"
	tagRefs    = "ios/body-refs/v1"
	tagVote    = "ios/vote/v1"
)

// tagged hashes the parts behind a length-prefixed tag.
func tagged(tag string, parts ...[]byte) (h Hash) {
	d := sha256.New()
	d.Write([]byte{byte(len(tag))})
	d.Write([]byte(tag))
	for _, p := range parts {
		d.Write(p)
	}
	d.Sum(h[:0])
	return h
}
