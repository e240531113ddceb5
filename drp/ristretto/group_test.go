package ristretto

import (
	"bytes"
	"math/big"
	"testing"

	"go.dedis.ch/kyber/v3/group/edwards25519"
	"go.dedis.ch/kyber/v3/share"
	"go.dedis.ch/kyber/v3/util/random"
	kybertest "go.dedis.ch/kyber/v3/util/test"
)

// kyber's own tests of what a group must do.
func TestIsAGroup(t *testing.T) { kybertest.GroupTest(t, Group{}) }

// The scalars are those of kyber's Edwards25519, which has the same order and
// encoding.
func TestScalarsAgreeWithEdwards25519(t *testing.T) {
	other := edwards25519.NewBlakeSHA256Ed25519()
	for range 50 {
		raw := make([]byte, 1+random.Int(big.NewInt(70), random.New()).Int64())
		draw(random.New(), raw)
		a, b := Group{}.Scalar().SetBytes(raw), other.Scalar().SetBytes(raw)
		for range 3 {
			x, _ := a.MarshalBinary()
			y, _ := b.MarshalBinary()
			if !bytes.Equal(x, y) {
				t.Fatalf("%x and %x", x, y)
			}
			a.Add(a.Mul(a, a), a.Clone().SetInt64(-7))
			b.Add(b.Mul(b, b), b.Clone().SetInt64(-7))
			a.Div(a, a.Clone().SetInt64(3))
			b.Div(b, b.Clone().SetInt64(3))
		}
	}
}

// Shamir's secret sharing of kyber runs over it, commitments and all.
func TestSharesOfKyber(t *testing.T) {
	g := Group{}
	secret := g.Scalar().Pick(random.New())
	poly := share.NewPriPoly(g, 3, secret, random.New())
	public := poly.Commit(nil)
	var points []*share.PubShare
	for _, s := range poly.Shares(7) {
		if !public.Check(s) {
			t.Errorf("share %d does not fit the commitments", s.I)
		}
		points = append(points, &share.PubShare{I: s.I, V: g.Point().Mul(s.V, nil)})
	}
	got, err := share.RecoverCommit(g, points[2:6], 3, 7)
	if err != nil || !got.Equal(g.Point().Mul(secret, nil)) {
		t.Errorf("another secret is recovered: %v", err)
	}
}

func FuzzUnmarshal(f *testing.F) {
	one, _ := Group{}.Point().Base().MarshalBinary()
	f.Add(one)
	f.Add(make([]byte, size))
	f.Add(bytes.Repeat([]byte{255}, size))
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, s := Group{}.Point(), Group{}.Scalar()
		if p.UnmarshalBinary(raw) == nil {
			if back, _ := p.MarshalBinary(); !bytes.Equal(back, raw) {
				t.Fatal("two encodings of one point")
			}
			if _, err := p.Data(); err != nil && raw[0]>>1 <= embedded {
				t.Fatal(err)
			}
		}
		if s.UnmarshalBinary(raw) == nil {
			if back, _ := s.MarshalBinary(); !bytes.Equal(back, raw) {
				t.Fatal("two encodings of one scalar")
			}
		}
	})
}
