package pvss

import (
	"crypto/sha512"
	"fmt"
	"io"

	"github.com/oasisprotocol/curve25519-voi/curve"
)

// ProofSize is the length of a proof of possession.
const ProofSize = 2 * size

// Proof shows that whoever registers a key knows its secret: a Schnorr signature
// by the key on itself and a context.
type Proof [ProofSize]byte

// ProvePossession makes the proof for a context, which says where it counts: a
// chain and a validator, say.
func ProvePossession(key SecretKey, context []byte, random io.Reader) (proof Proof, err error) {
	x, err := key.number()
	if err != nil {
		return proof, err
	}
	defer x.Zero()
	public, err := key.Public()
	if err != nil {
		return proof, err
	}
	src, err := newSource(key, random)
	if err != nil {
		return proof, err
	}
	defer src.wipe()
	k := src.scalar(tagNonce, append([]byte(tagPossession), context...), 0)
	defer k.Zero()
	announced := encode(curve.NewRistrettoPoint().MulBasepoint(tableG, &k))
	c := possessionChallenge(public, context, announced[:])
	x.Mul(&x, &c)
	x.Add(&x, &k)
	copy(proof[:], announced[:])
	copy(proof[size:], appendNumber(nil, &x))
	return proof, nil
}

// VerifyPossession checks a proof that ProvePossession made for the context. A key
// without one must never be registered.
func VerifyPossession(key PublicKey, context []byte, proof Proof) error {
	var x, announced point
	var s number
	if err := key.parse(&x); err != nil {
		return err
	}
	if err := decodePoint(&announced, proof[:]); err != nil {
		return fmt.Errorf("pvss: proof of possession: announcement: %w", err)
	}
	if err := decodeNumber(&s, proof[size:]); err != nil {
		return fmt.Errorf("pvss: proof of possession: response: %w", err)
	}
	c := possessionChallenge(key, context, proof[:size])
	c.Neg(&c)
	got := curve.NewRistrettoPoint().DoubleScalarMulBasepointVartime(&c, &x, &s)
	if got.Equal(&announced) != 1 {
		return fmt.Errorf("pvss: the proof of possession of key %x… does not verify; make it again with the key and for this chain and validator", key[:8])
	}
	return nil
}

func possessionChallenge(key PublicKey, context, announced []byte) number {
	w := newWriter(sha512.New(), tagPossession)
	w.number(len(context))
	w.Write(context)
	w.Write(bytesG[:])
	w.Write(key[:])
	w.Write(announced)
	return w.challenge()
}
