// Package vrf is the verifiable random function of the project:
// ECVRF-EDWARDS25519-SHA512-ELL2 of RFC 9381. The holder of a secret key computes
// from any input one output that nobody else can foresee, and a proof by which
// everybody knows that it is the one.
//
// The key is a validator's own for this purpose. It must never be that of its
// signatures, and takes part only in randomness that was not known when it was
// registered: otherwise its holder could try keys until an output pleases.
//
// A holder can make many proofs of one output, which is why only outputs are
// compared and hashed, never proofs.
package vrf

import (
	"errors"
	"fmt"
	"io"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519"
	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519/extra/ecvrf"
)

// The sizes of encodings.
const (
	SeedSize   = ed25519.SeedSize
	ProofSize  = ecvrf.ProofSize
	OutputSize = ecvrf.OutputSize
)

// PublicKey is what proofs are verified by.
type PublicKey [32]byte

// Proof shows what an output is.
type Proof [ProofSize]byte

// Output is the value of the function. Nobody can tell it from random bytes
// before its proof is shown.
type Output [OutputSize]byte

// Check refuses what is no key: points that are not encoded canonically, and
// those of a small order, under which an input has the output that the holder
// likes.
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

// Verify returns the output of the function for the input, if the proof is good
// for both and the key passes [PublicKey.Check].
func (k *PublicKey) Verify(input []byte, proof *Proof) (out Output, ok bool) {
	ok, hash := ecvrf.Verify(k[:], proof[:], input)
	copy(out[:], hash)
	return out, ok
}

// Output is the output that the proof is of. The proof must have been verified,
// or made here.
func (p *Proof) Output() (out Output, err error) {
	hash, err := ecvrf.ProofToHash(p[:])
	if err != nil {
		return out, fmt.Errorf("vrf: %w", err)
	}
	copy(out[:], hash)
	return out, nil
}

// ErrSecret is a secret key that is empty or was wiped.
var ErrSecret = errors.New("vrf: there is no secret key")

// Secret is a secret key. It does not print itself, in whatever struct it lies.
// A copy shares the bytes, so that Wipe reaches all of them. The zero Secret
// proves nothing.
type Secret struct {
	// Behind a function, because fmt prints the unexported fields of a struct
	// that holds a Secret without asking its String method.
	reveal func() *[ed25519.PrivateKeySize]byte
}

// SecretFromSeed makes the key of 32 secret bytes, as RFC 8032 makes one.
func SecretFromSeed(seed []byte) (Secret, error) {
	if len(seed) != SeedSize {
		return Secret{}, fmt.Errorf("vrf: a seed of %d bytes, %d are wanted", len(seed), SeedSize)
	}
	key := new([ed25519.PrivateKeySize]byte)
	private := ed25519.NewKeyFromSeed(seed)
	copy(key[:], private)
	clear(private)
	return Secret{func() *[ed25519.PrivateKeySize]byte { return key }}, nil
}

// Generate makes the key of 32 bytes of random.
func Generate(random io.Reader) (Secret, error) {
	var seed [SeedSize]byte
	defer clear(seed[:])
	if _, err := io.ReadFull(random, seed[:]); err != nil {
		return Secret{}, fmt.Errorf("vrf: reading randomness for a key: %w", err)
	}
	return SecretFromSeed(seed[:])
}

// Seed is what SecretFromSeed takes, nothing for the zero Secret.
func (s Secret) Seed() []byte {
	if s.reveal == nil {
		return nil
	}
	return append([]byte(nil), s.reveal()[:SeedSize]...)
}

// Public is the key that verifies the proofs of s.
func (s Secret) Public() (k PublicKey) {
	if s.reveal != nil {
		copy(k[:], s.reveal()[SeedSize:])
	}
	return k
}

// Prove computes the function for the input. The same input gives the same
// proof.
func (s Secret) Prove(input []byte) (p Proof, err error) {
	if s.reveal == nil || *s.reveal() == [ed25519.PrivateKeySize]byte{} {
		return p, ErrSecret
	}
	copy(p[:], ecvrf.Prove(s.reveal()[:], input))
	return p, nil
}

// Wipe overwrites the key, and with it all copies of s.
func (s Secret) Wipe() {
	if s.reveal != nil {
		clear(s.reveal()[:])
	}
}

// String tells nothing.
func (s Secret) String() string { return "vrf.Secret(hidden)" }

// GoString tells nothing.
func (s Secret) GoString() string { return s.String() }
