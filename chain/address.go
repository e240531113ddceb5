package chain

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math/bits"

	"github.com/btcsuite/btcd/btcutil/bech32"
)

// addressVersion is the one version of addresses: Ed25519 public keys.
const addressVersion = 1

// The human-readable parts of addresses.
const (
	PrefixMain = "ios"  // value
	PrefixTest = "iost" // test networks
)

// Address names the owner of an output: SHA-256 of the version and the owner's
// Ed25519 public key. Its top bits name its shard.
type Address [32]byte

// AddressOf is the address of an Ed25519 public key.
func AddressOf(publicKey *[32]byte) Address {
	var buf [1 + len(tagAddress) + 1 + 32]byte
	buf[0] = byte(len(tagAddress))
	n := 1 + copy(buf[1:], tagAddress)
	buf[n] = addressVersion
	copy(buf[n+1:], publicKey[:])
	return sha256.Sum256(buf[:])
}

// Shard is the shard of a among shards, a power of two: the top log2(shards)
// bits of the address.
func (a Address) Shard(shards int) ShardID {
	return ShardID(be.Uint32(a[:4]) >> 16 >> (16 - bits.Len(uint(shards-1))))
}

// Hex is a in hexadecimal, for logs that know no network.
func (a Address) Hex() string { return hex.EncodeToString(a[:]) }

// Text is a as bech32m (BIP-350) under the prefix: "ios1…".
func (a Address) Text(prefix string) string {
	data, err := bech32.ConvertBits(a[:], 8, 5, true)
	if err != nil {
		panic(err) // 8 to 5 bits with padding cannot fail
	}
	s, err := bech32.EncodeM(prefix, append([]byte{addressVersion}, data...))
	if err != nil {
		panic(err) // all values are below 32
	}
	return s
}

// ParseAddress reads an address of the network with the prefix. Its error says
// what is wrong: the checksum, the network, the version or the length.
func ParseAddress(prefix, text string) (a Address, err error) {
	hrp, data, version, err := bech32.DecodeGeneric(text)
	var sum bech32.ErrInvalidChecksum // its text has the one that would be right
	switch {
	case errors.As(err, &sum):
		return a, Rule(ErrAddress, "%q: the checksum is wrong; check it for typing errors", text)
	case err != nil:
		return a, Rule(ErrAddress, "%q: %v; check it for typing errors", text, err)
	case version != bech32.VersionM:
		return a, Rule(ErrAddress, "%q has a bech32 checksum, bech32m is wanted", text)
	case hrp != prefix:
		return a, Rule(ErrAddress, "%q is an address of network %q, this one is %q", text, hrp, prefix)
	case len(data) == 0 || data[0] != addressVersion:
		return a, Rule(ErrAddress, "%q has an unknown address version", text)
	}
	raw, err := bech32.ConvertBits(data[1:], 5, 8, false)
	if err != nil || len(raw) != len(a) {
		return a, Rule(ErrAddress, "%q does not hold %d bytes", text, len(a))
	}
	copy(a[:], raw)
	return a, nil
}
