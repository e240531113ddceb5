package cosi

import (
	"fmt"

	bls "github.com/consensys/gnark-crypto/ecc/bls12-381"
)

// The suite of draft-irtf-cfrg-bls-signature with signatures in G1 and proofs
// of possession. The second tag keeps a proof from ever being a signature.
const (
	signatureTag  = "BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_"
	possessionTag = "BLS_POP_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_"
)

// lines is what pairing with a point of G2 needs of it. It takes a sixth of a
// pairing check to compute, and 24 kB.
type lines = [2][len(bls.LoopCounter) - 1]bls.LineEvaluationAff

// negG2 is the generator of G2, negated: e(sig, -g2)·e(H(m), key) = 1 is the
// verification equation in the form of one product.
var negG2 = func() lines {
	_, _, _, g2 := bls.Generators()
	g2.Neg(&g2)
	return bls.PrecomputeLines(g2)
}()

// BLS is the scheme in use: BLS12-381 with signatures in G1.
type BLS struct{}

var _ Scheme = BLS{}

// Public is the secret times the generator of G2.
func (BLS) Public(secret Secret) (PublicKey, error) {
	k, err := secret.int()
	if err != nil {
		return PublicKey{}, err
	}
	defer wipe(k)
	var p bls.G2Affine
	p.ScalarMultiplicationBase(k)
	return p.Bytes(), nil
}

// Sign is the secret times the hash of msg to G1.
func (BLS) Sign(secret Secret, msg []byte) (Signature, error) {
	return multiplyHash(secret, msg, signatureTag)
}

// Prove signs the public key under the tag of proofs.
func (s BLS) Prove(secret Secret) (Signature, error) {
	key, err := s.Public(secret)
	if err != nil {
		return Signature{}, err
	}
	return multiplyHash(secret, key[:], possessionTag)
}

// VerifyPossession parses both and checks the proof.
func (BLS) VerifyPossession(key PublicKey, proof Signature) error {
	p, err := parseKey(key)
	if err != nil {
		return err
	}
	sig, err := parseSignature(proof)
	if err != nil {
		return fmt.Errorf("cosi: proof of possession: %w", err)
	}
	h, err := hashToG1(key[:], possessionTag)
	if err != nil {
		return err
	}
	if l := bls.PrecomputeLines(p); !pairs(&sig, &h, &l) {
		return fmt.Errorf("cosi: proof of possession of key %x…: %w", key[:8], ErrSignature)
	}
	return nil
}

// NewCommittee parses keys, about 0.1 ms each.
func (BLS) NewCommittee(keys []PublicKey) (*Committee, error) {
	return NewCommitteeOf(keys, new(blsKeys).Derive)
}

func multiplyHash(secret Secret, msg []byte, tag string) (Signature, error) {
	k, err := secret.int()
	if err != nil {
		return Signature{}, err
	}
	defer wipe(k)
	h, err := hashToG1(msg, tag)
	if err != nil {
		return Signature{}, err
	}
	h.ScalarMultiplication(&h, k)
	return h.Bytes(), nil
}

// hashToG1 is hash_to_curve of RFC 9380 under a tag.
func hashToG1(msg []byte, tag string) (bls.G1Affine, error) {
	h, err := bls.HashToG1(msg, []byte(tag))
	if err != nil {
		return h, fmt.Errorf("cosi: hash a message to the curve: %w", err)
	}
	return h, nil
}

// parseKey checks that key is a point of G2 and not the neutral element, under
// which the neutral signature would verify for every message.
func parseKey(key PublicKey) (p bls.G2Affine, err error) {
	if _, err := p.SetBytes(key[:]); err != nil {
		return p, fmt.Errorf("cosi: key %x…: %w: %w", key[:8], ErrKey, err)
	}
	if p.IsInfinity() {
		return p, fmt.Errorf("cosi: key is the neutral element: %w", ErrKey)
	}
	return p, nil
}

// parseSignature checks that sig is a point of G1 and not the neutral element.
func parseSignature(sig Signature) (p bls.G1Affine, err error) {
	if _, err := p.SetBytes(sig[:]); err != nil {
		return p, fmt.Errorf("cosi: signature %x…: %w: %w", sig[:8], ErrPoint, err)
	}
	if p.IsInfinity() {
		return p, fmt.Errorf("cosi: signature is the neutral element: %w", ErrPoint)
	}
	return p, nil
}

// pairs reports whether sig is the signature on hash under the key with these
// lines.
func pairs(sig, hash *bls.G1Affine, key *lines) bool {
	both := [2]lines{negG2, *key} // copies: the Miller loop works in place
	ok, err := bls.PairingCheckFixedQ([]bls.G1Affine{*sig, *hash}, both[:])
	return err == nil && ok
}
