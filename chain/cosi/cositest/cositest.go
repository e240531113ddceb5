// Package cositest has a stand-in for BLS that costs a hash instead of a
// pairing, so that a simulation of thousands of rounds spends its time on the
// protocol. It is for tests: nothing that a program is built of may import it.
//
// Its shares are hashes under a key that the scheme itself holds, so that
// whoever goes through its methods cannot sign without a secret, while it checks
// a signature by making it again. Sums are taken modulo 2^256. Wrong masks,
// wrong messages, wrong or cancelling shares and encodings that are none fail as
// they do with BLS, and with the same errors. What it does not have is rogue
// keys: public keys do not add up.
package cositest

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/bits"

	"ios/chain/cosi"
)

// Scheme is a stand-in for [cosi.BLS]. Parties that are to understand each
// other use schemes of one seed.
type Scheme struct {
	key [32]byte
	// Refuse, if it is set and says why, has no keys parsed: a fault of whoever
	// holds this scheme.
	Refuse func() error
}

var _ cosi.Scheme = (*Scheme)(nil)

// New is the scheme of a seed.
func New(seed string) *Scheme {
	return &Scheme{key: sha256.Sum256([]byte("cositest key " + seed))}
}

// mark fills the bytes of keys and signatures that hold no hash, so that
// hostile bytes can fail to parse.
var mark = sha256.Sum256([]byte("cositest"))

// Public is a hash of the secret.
func (s *Scheme) Public(secret cosi.Secret) (key cosi.PublicKey, err error) {
	raw := secret.Bytes()
	if raw == nil || [cosi.SecretSize]byte(raw) == ([cosi.SecretSize]byte{}) {
		return key, fmt.Errorf("cositest: empty secret key: %w", cosi.ErrSecret)
	}
	sum := sha256.Sum256(append([]byte("public"), raw...))
	copy(key[:], sum[:])
	copy(key[32:], mark[:])
	copy(key[64:], mark[:])
	return key, nil
}

// Sign is a hash of key and message.
func (s *Scheme) Sign(secret cosi.Secret, msg []byte) (cosi.Signature, error) {
	return s.sign(secret, digest('s', msg))
}

// Prove is a hash of the key under another tag.
func (s *Scheme) Prove(secret cosi.Secret) (cosi.Signature, error) {
	key, err := s.Public(secret)
	if err != nil {
		return cosi.Signature{}, err
	}
	return s.sign(secret, digest('p', key[:]))
}

func (s *Scheme) sign(secret cosi.Secret, d [32]byte) (cosi.Signature, error) {
	key, err := s.Public(secret)
	if err != nil {
		return cosi.Signature{}, err
	}
	return encode(s.share(key, d)), nil
}

// VerifyPossession makes the proof again.
func (s *Scheme) VerifyPossession(key cosi.PublicKey, proof cosi.Signature) error {
	if err := parseKey(key); err != nil {
		return err
	}
	n, err := parse(proof)
	if err != nil {
		return err
	}
	if n != s.share(key, digest('p', key[:])) {
		return fmt.Errorf("cositest: proof of possession of key %x…: %w", key[:8], cosi.ErrSignature)
	}
	return nil
}

// NewCommittee checks the form of the keys.
func (s *Scheme) NewCommittee(keys []cosi.PublicKey) (*cosi.Committee, error) {
	return cosi.NewCommitteeOf(keys, (&committee{scheme: s}).Derive)
}

// Secret is the i-th of the secrets that tests use, with any scheme.
func Secret(i int) cosi.Secret {
	seed := sha256.Sum256(binary.BigEndian.AppendUint64([]byte("cositest secret"), uint64(i)))
	secret, err := cosi.SecretFromSeed(seed[:])
	if err != nil {
		panic(err) // the seed has the length that is asked for
	}
	return secret
}

// digest is the hash of a message under a tag.
func digest(tag byte, msg []byte) [32]byte {
	h := sha256.New()
	h.Write([]byte{tag})
	h.Write(msg)
	return [32]byte(h.Sum(nil))
}

// share is the one signature of a key on the message of a digest.
func (s *Scheme) share(key cosi.PublicKey, d [32]byte) number {
	var buf [96]byte
	copy(buf[:], s.key[:])
	copy(buf[32:], key[:32])
	copy(buf[64:], d[:])
	sum := sha256.Sum256(buf[:])
	var n number
	for i := range n {
		n[i] = binary.BigEndian.Uint64(sum[8*i:])
	}
	return n
}

// number is an integer modulo 2^256, the lowest limb first.
type number [4]uint64

func (n number) plus(m number) (sum number) {
	var carry uint64
	for i := range n {
		sum[i], carry = bits.Add64(n[i], m[i], carry)
	}
	return sum
}

func encode(n number) (sig cosi.Signature) {
	for i, limb := range n {
		binary.BigEndian.PutUint64(sig[8*i:], limb)
	}
	copy(sig[32:], mark[:])
	return sig
}

func parse(sig cosi.Signature) (n number, err error) {
	for i := range n {
		n[i] = binary.BigEndian.Uint64(sig[8*i:])
	}
	if n == (number{}) || encode(n) != sig {
		return n, fmt.Errorf("cositest: signature %x…: %w", sig[:8], cosi.ErrPoint)
	}
	return n, nil
}

func parseKey(key cosi.PublicKey) error {
	if [32]byte(key[32:]) != mark || [32]byte(key[64:]) != mark {
		return fmt.Errorf("cositest: key %x…: %w", key[:8], cosi.ErrKey)
	}
	return nil
}
