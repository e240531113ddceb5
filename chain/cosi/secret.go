package cosi

import (
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"math/big"

	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"
)

// SecretSize is the length of a secret key, a scalar in big endian.
const SecretSize = 32

// MinSeedSize is the least entropy that a key is made from.
const MinSeedSize = 32

// Secret is a secret signing key. It does not print itself, in whatever struct
// it lies. A copy shares the bytes, so that Wipe reaches all of them. The zero
// Secret signs nothing.
type Secret struct {
	// Behind a function, because fmt prints the unexported fields of a struct
	// that holds a Secret without asking its String method, and for some verbs
	// follows a pointer there.
	reveal func() *[SecretSize]byte
}

func newSecret(k *big.Int) Secret {
	scalar := new([SecretSize]byte)
	k.FillBytes(scalar[:])
	return Secret{func() *[SecretSize]byte { return scalar }}
}

// SecretFromSeed makes the key of a seed of at least 32 bytes of entropy. It is
// KeyGen of draft-irtf-cfrg-bls-signature-04 with empty key_info, the same as
// derive_master_SK of EIP-2333.
func SecretFromSeed(seed []byte) (Secret, error) {
	if len(seed) < MinSeedSize {
		return Secret{}, fmt.Errorf("cosi: seed of %d bytes, at least %d are needed: %w", len(seed), MinSeedSize, ErrSecret)
	}
	const okmSize = 48 // ceil(3 * ceil(log2(r)) / 16), so that the bias is negligible
	info := string(binary.BigEndian.AppendUint16(nil, okmSize))
	ikm := append(append(make([]byte, 0, len(seed)+1), seed...), 0)
	defer clear(ikm)
	salt := []byte("BLS-SIG-KEYGEN-SALT-")
	// The loop is in the standard; it turns once but for one seed in 2^255.
	for {
		sum := sha256.Sum256(salt)
		salt = sum[:]
		okm, err := hkdf.Key(sha256.New, ikm, salt, info, okmSize)
		if err != nil {
			return Secret{}, fmt.Errorf("cosi: derive a key from a seed: %w", err)
		}
		k := new(big.Int).SetBytes(okm)
		clear(okm)
		k.Mod(k, fr.Modulus())
		if k.Sign() == 0 {
			continue
		}
		defer wipe(k)
		return newSecret(k), nil
	}
}

// ParseSecret takes the 32 bytes that Bytes gave.
func ParseSecret(raw []byte) (Secret, error) {
	if len(raw) != SecretSize {
		return Secret{}, fmt.Errorf("cosi: secret key of %d bytes, not %d: %w", len(raw), SecretSize, ErrSecret)
	}
	k := new(big.Int).SetBytes(raw)
	defer wipe(k)
	if k.Sign() == 0 || k.Cmp(fr.Modulus()) >= 0 {
		return Secret{}, fmt.Errorf("cosi: secret key is not between 1 and the group order: %w", ErrSecret)
	}
	return newSecret(k), nil
}

// Bytes is the key to be stored, in a file that others cannot read. The zero
// Secret has none.
func (s Secret) Bytes() []byte {
	if s.reveal == nil {
		return nil
	}
	return append([]byte(nil), s.reveal()[:]...)
}

// Equal compares in constant time.
func (s Secret) Equal(other Secret) bool {
	if s.reveal == nil || other.reveal == nil {
		return s.reveal == nil && other.reveal == nil
	}
	return subtle.ConstantTimeCompare(s.reveal()[:], other.reveal()[:]) == 1
}

// Wipe overwrites the key, and with it all copies of s. They sign no more.
func (s Secret) Wipe() {
	if s.reveal != nil {
		clear(s.reveal()[:])
	}
}

// String tells nothing.
func (s Secret) String() string { return "cosi.Secret(hidden)" }

// GoString tells nothing.
func (s Secret) GoString() string { return s.String() }

// int is the key as a number, which the caller wipes.
func (s Secret) int() (*big.Int, error) {
	if s.reveal == nil {
		return nil, fmt.Errorf("cosi: empty secret key: %w", ErrSecret)
	}
	k := new(big.Int).SetBytes(s.reveal()[:])
	if k.Sign() == 0 {
		return nil, fmt.Errorf("cosi: wiped secret key: %w", ErrSecret)
	}
	return k, nil
}

// wipe overwrites the words of a number.
func wipe(k *big.Int) { clear(k.Bits()[:cap(k.Bits())]) }
