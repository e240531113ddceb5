// Package sig is the one Ed25519 of the project: signatures of transactions,
// bodies and messages under the ZIP-215 rules, by which single and batch
// verification agree on every input. Libraries with other rules would fork the
// chain.
package sig

import (
	"errors"
	"fmt"
	"io"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519"
)

// PublicKey is an Ed25519 public key.
type PublicKey [32]byte

// Check refuses what is no key, or one under which signatures prove nothing:
// points that are not encoded canonically or have a small order. Signatures are
// judged by the ZIP-215 rules all the same; this is for registering keys.
func (k *PublicKey) Check() error {
	y := curve.CompressedEdwardsY(*k)
	p, err := curve.NewEdwardsPoint().SetCompressedY(&y)
	switch {
	case err != nil:
		return fmt.Errorf("%x is not a point of the curve", *k)
	case !y.IsCanonicalVartime() || p.IsSmallOrder():
		return errors.New("it is not canonical or has a small order")
	}
	return nil
}

// SeedSize is the length of a seed in bytes.
const SeedSize = ed25519.SeedSize

var options = &ed25519.Options{Verify: ed25519.VerifyOptionsZIP_215}

// Key is a private key. It never prints itself.
type Key struct {
	private ed25519.PrivateKey
	public  PublicKey
}

// FromSeed makes the key of a 32-byte seed (RFC 8032).
func FromSeed(seed []byte) (*Key, error) {
	if len(seed) != SeedSize {
		return nil, fmt.Errorf("a signing seed of %d bytes, %d are wanted", len(seed), SeedSize)
	}
	k := &Key{private: ed25519.NewKeyFromSeed(seed)}
	copy(k.public[:], k.private[32:])
	return k, nil
}

// Generate makes a key from 32 bytes of random.
func Generate(random io.Reader) (*Key, error) {
	var seed [SeedSize]byte
	if _, err := io.ReadFull(random, seed[:]); err != nil {
		return nil, fmt.Errorf("reading randomness for a key: %w", err)
	}
	return FromSeed(seed[:])
}

// Seed is what FromSeed takes.
func (k *Key) Seed() []byte { return k.private.Seed() }

// Public is the public key.
func (k *Key) Public() PublicKey { return k.public }

// String hides the key.
func (k *Key) String() string { return "private key" }

// Format hides the key from every verb.
func (k *Key) Format(f fmt.State, _ rune) { io.WriteString(f, "private key") }

// Sign signs msg.
func (k *Key) Sign(msg []byte) (s [64]byte) {
	copy(s[:], ed25519.Sign(k.private, msg))
	return s
}

// Verify checks one signature.
func Verify(key *PublicKey, msg []byte, s *[64]byte) bool {
	return ed25519.VerifyWithOptions(key[:], msg, s[:], options)
}
