package pvss

import (
	"crypto/sha512"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"

	"github.com/oasisprotocol/curve25519-voi/curve"
)

// KeySize is the length of a public key and of a secret key.
const KeySize = size

// MinSeedSize is the least entropy that a key is made from.
const MinSeedSize = 32

// PublicKey is the encoding of a receiver's key. It is only known to be one
// once it was checked.
type PublicKey [KeySize]byte

// Check refuses what is no key. Whether its owner knows the secret is for
// [VerifyPossession] to say.
func (k PublicKey) Check() error {
	var p point
	return k.parse(&p)
}

func (k PublicKey) parse(p *point) error {
	if err := decodePoint(p, k[:]); err != nil {
		return fmt.Errorf("pvss key: %w", err)
	}
	if p.IsIdentity() {
		return errors.New("pvss key: it is the neutral element")
	}
	return nil
}

// SecretKey is a receiver's secret. It does not print itself, in whatever struct
// it lies. A copy shares the bytes, so that Wipe reaches all of them. The zero
// SecretKey does nothing.
type SecretKey struct {
	// Behind a function, because fmt prints the unexported fields of a struct
	// that holds a SecretKey without asking its String method.
	reveal func() *[KeySize]byte
}

var errNoSecret = errors.New("pvss: empty or wiped secret key")

// Generate makes a key from 32 bytes of random.
func Generate(random io.Reader) (SecretKey, error) {
	var seed [MinSeedSize]byte
	if _, err := io.ReadFull(random, seed[:]); err != nil {
		return SecretKey{}, fmt.Errorf("pvss: reading randomness for a key: %w", err)
	}
	defer clear(seed[:])
	return SecretFromSeed(seed[:])
}

// SecretFromSeed makes the key of a seed of at least 32 bytes of entropy.
func SecretFromSeed(seed []byte) (SecretKey, error) {
	if len(seed) < MinSeedSize {
		return SecretKey{}, fmt.Errorf("pvss: seed of %d bytes, at least %d are needed", len(seed), MinSeedSize)
	}
	w := newWriter(sha512.New(), tagSecret)
	w.Write(seed)
	x := w.challenge()
	defer x.Zero()
	return ParseSecret(appendNumber(nil, &x))
}

// ParseSecret takes the 32 bytes that Bytes gave.
func ParseSecret(raw []byte) (SecretKey, error) {
	var x number
	defer x.Zero()
	if len(raw) != KeySize {
		return SecretKey{}, fmt.Errorf("pvss: secret key of %d bytes, %d are wanted", len(raw), KeySize)
	}
	if _, err := x.SetCanonicalBytes(raw); err != nil || subtle.ConstantTimeCompare(raw, make([]byte, KeySize)) == 1 {
		return SecretKey{}, errors.New("pvss: secret key is not between 1 and the order of the group")
	}
	bytes := [KeySize]byte(raw)
	return SecretKey{func() *[KeySize]byte { return &bytes }}, nil
}

// Bytes is the key to be stored, in a file that others cannot read. The zero
// SecretKey has none.
func (s SecretKey) Bytes() []byte {
	if s.reveal == nil {
		return nil
	}
	return append([]byte(nil), s.reveal()[:]...)
}

// Equal compares in constant time.
func (s SecretKey) Equal(other SecretKey) bool {
	if s.reveal == nil || other.reveal == nil {
		return s.reveal == nil && other.reveal == nil
	}
	return subtle.ConstantTimeCompare(s.reveal()[:], other.reveal()[:]) == 1
}

// Wipe overwrites the key, and with it all copies of s.
func (s SecretKey) Wipe() {
	if s.reveal != nil {
		clear(s.reveal()[:])
	}
}

// String tells nothing.
func (s SecretKey) String() string { return "pvss.SecretKey(hidden)" }

// GoString tells nothing.
func (s SecretKey) GoString() string { return s.String() }

// number is the key as a scalar, which the caller wipes.
func (s SecretKey) number() (x number, err error) {
	if s.reveal == nil || subtle.ConstantTimeCompare(s.reveal()[:], make([]byte, KeySize)) == 1 {
		return x, errNoSecret
	}
	return x, decodeNumber(&x, s.reveal()[:])
}

// Public is the public key.
func (s SecretKey) Public() (k PublicKey, err error) {
	x, err := s.number()
	if err != nil {
		return k, err
	}
	defer x.Zero()
	return encode(curve.NewRistrettoPoint().MulBasepoint(tableG, &x)), nil
}
