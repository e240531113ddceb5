package pvss

import (
	"bytes"
	"testing"

	"go.dedis.ch/kyber/v3"
	"go.dedis.ch/kyber/v3/share"
	"pgregory.net/rapid"

	"ios/drp/ristretto"
)

// kyberPoint carries a point over by its encoding.
func kyberPoint(t interface{ Fatal(...any) }, p *point) kyber.Point {
	q := ristretto.Group{}.Point()
	b := encode(p)
	if err := q.UnmarshalBinary(b[:]); err != nil {
		t.Fatal(err)
	}
	return q
}

// kyber's polynomials over the same group agree: the encrypted shares are those of
// the committed polynomial, and its interpolation gives the same secret.
func TestAgreesWithKyberShares(t *testing.T) {
	suite := ristretto.Group{}
	rapid.Check(t, func(t *rapid.T) {
		c := rapid.IntRange(1, 9).Draw(t, "receivers")
		seed := rapid.Uint64Range(1, 1000).Draw(t, "seed")
		g := newGroup(c, seed)
		of := []*Parsed{g.deal(0, seed)}
		var commitments []kyber.Point
		for k := range of[0].commitments {
			commitments = append(commitments, kyberPoint(t, &of[0].commitments[k]))
		}
		public := share.NewPubPoly(suite, kyberPoint(t, genH), commitments)
		var opened []*Opened
		var shares []*share.PubShare
		for _, j := range rapid.Permutation(indices(c)).Draw(t, "who")[:Threshold(c)] {
			o := g.open(j, of, seed)
			opened = append(opened, o)
			shares = append(shares, &share.PubShare{I: j, V: kyberPoint(t, &o.shares[0])})
			x := suite.Scalar()
			if err := x.UnmarshalBinary(g.keys[j].Bytes()); err != nil {
				t.Fatal(err)
			}
			if !suite.Point().Mul(x, shares[len(shares)-1].V).Equal(kyberPoint(t, &of[0].shares[j])) {
				t.Fatalf("share %d does not encrypt to what was dealt", j)
			}
		}
		secret, err := share.RecoverCommit(suite, shares, Threshold(c), c)
		if err != nil {
			t.Fatal(err)
		}
		want, _ := secret.MarshalBinary()
		var sum Sum
		if err := sum.Add(opened); err != nil {
			t.Fatal(err)
		}
		if got := sum.Bytes(); !bytes.Equal(got[:], want) {
			t.Fatalf("the secret is %x, kyber's %x", got, want)
		}
		// The polynomial in the exponent of H, interpolated, is its constant.
		var onH []*share.PubShare
		for j := range c {
			onH = append(onH, public.Eval(j))
		}
		constant, err := share.RecoverCommit(suite, onH, Threshold(c), c)
		if err != nil || !constant.Equal(commitments[0]) {
			t.Fatalf("the commitments are of another polynomial: %v", err)
		}
	})
}
