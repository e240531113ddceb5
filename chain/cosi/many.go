package cosi

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// Signed is a certificate, and what it is on.
type Signed struct {
	Msg  []byte
	Cert Certificate
}

// VerifyAll checks certificates together, at a quarter of what each costs alone if
// there are many by few sets of seats: the blocks that somebody catches up with. It
// says that they are all right, or that one is not; which, Verify tells.
//
// It checks one sum of all equations, each times a number that nobody can choose
// the certificates to suit: 128 bits of a hash of all of them. So it takes no
// randomness, and comes to the same everywhere.
func (c *Committee) VerifyAll(list []Signed) error {
	claims := make([]Claim, len(list))
	all := sha256.New()
	for i := range list {
		cert := &list[i].Cert
		if cert.Mask.seats != c.Size() || cert.Mask.Count() < c.Quorum() {
			return c.Verify(list[i].Msg, *cert)
		}
		p, err := c.parsed.Point(cert.Sig)
		if err != nil {
			return err
		}
		m, err := c.parsed.Message(list[i].Msg)
		if err != nil {
			return err
		}
		claims[i] = Claim{Mask: cert.Mask, Message: m, Point: p}
		all.Write(cert.AppendTo(binary.BigEndian.AppendUint64(nil, uint64(len(list[i].Msg)))))
		all.Write(list[i].Msg)
	}
	seed := all.Sum([]byte("ios/cosi/many"))
	for i := range claims {
		h := sha256.Sum256(binary.BigEndian.AppendUint64(seed[:len(seed):len(seed)], uint64(i)))
		claims[i].Weight = [16]byte(h[:])
	}
	if !c.parsed.CheckAll(claims) {
		return fmt.Errorf("cosi: one of %d certificates: %w", len(list), ErrSignature)
	}
	return nil
}
