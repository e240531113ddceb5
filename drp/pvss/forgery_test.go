package pvss

import (
	"crypto/sha512"
	"slices"
	"testing"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"go.dedis.ch/kyber/v3"
	"go.dedis.ch/kyber/v3/group/edwards25519"
	"go.dedis.ch/kyber/v3/proof/dleq"
	"go.dedis.ch/kyber/v3/share"
	kyberpvss "go.dedis.ch/kyber/v3/share/pvss"
)

// A verifier that takes the challenge from the proof accepts any share: with c and
// r chosen first, the announcements follow. kyber v3.1.0 is such a verifier.
func TestForgedChallenge(t *testing.T) {
	suite := edwards25519.NewBlakeSHA256Ed25519()
	h := suite.Point().Pick(suite.XOF([]byte("H")))
	x := suite.Scalar().Pick(suite.XOF([]byte("x")))
	key := suite.Point().Mul(x, nil)
	committed := suite.Point().Pick(suite.XOF([]byte("p(1)H")))
	garbage := suite.Point().Pick(suite.XOF([]byte("anything")))
	c, r := suite.Scalar().Pick(suite.XOF([]byte("c"))), suite.Scalar().Pick(suite.XOF([]byte("r")))
	toH := suite.Point().Add(suite.Point().Mul(r, h), suite.Point().Mul(c, committed))
	toX := suite.Point().Add(suite.Point().Mul(r, key), suite.Point().Mul(c, garbage))
	forged := &kyberpvss.PubVerShare{
		S: share.PubShare{I: 0, V: garbage},
		P: dleq.Proof{C: c, R: r, VG: toH, VH: toX},
	}
	if err := kyberpvss.VerifyEncShare(suite, h, key, committed, forged); err != nil {
		t.Errorf("the forgery does not work where it should: %v", err)
	}

	// The same against a dealing with garbage shares, for challenges that are known
	// before the announcements: any, and the one of other announcements.
	g := newGroup(4, 1)
	raw := slices.Clone(g.deal(0, 1).raw)
	shares := raw[Threshold(4)*size:]
	for j := range 4 {
		copy(shares[j*size:], multiple(j+5))
	}
	p := must(g.r.Parse(ctxOf(0), raw))
	var zero, one number
	for _, c := range []number{zero, *one.One(), p.challenge} {
		solveAnnouncements(p, &c)
		q := must(g.r.Parse(ctxOf(0), assemble(p)))
		if right(q) {
			t.Error("shares of nothing pass: the challenge does not depend on the announcements")
		}
		q.challenge = c
		if !right(q) {
			t.Error("the forger's equations do not hold")
		}
	}
	// With everything else fixed, the shares follow.
	p = must(g.r.Parse(ctxOf(0), g.deal(0, 1).raw))
	for j := range p.toX {
		must(0, decodePoint(&p.toX[j], multiple(j+5)))
	}
	p = must(g.r.Parse(ctxOf(0), assemble(p)))
	honest := must(g.r.Parse(ctxOf(0), g.deal(0, 1).raw))
	solveShares(p, honest)
	q := must(g.r.Parse(ctxOf(0), assemble(p)))
	if right(q) {
		t.Error("shares of nothing pass: the challenge does not depend on the shares")
	}
	q.challenge = p.challenge
	if !right(q) {
		t.Error("the forger's equations do not hold")
	}
}

// solveShares chooses shares that satisfy the equations for the challenge of p,
// whose responses are made anew from the honest dealing's.
func solveShares(p, honest *Parsed) {
	var inverse number
	inverse.Invert(&p.challenge)
	g := newGroup(4, 1)
	src := must(newSource(g.keys[0], stream(1)))
	secret := secretPoly(honest, &src)
	for j := range p.shares {
		value := evaluate(secret, j)
		// v_j = r_j + c·p(j) of the honest dealing; A_j stays.
		var v, w number
		v.Add(&honest.responses[j], w.Mul(&honest.challenge, &value))
		p.responses[j].Sub(&v, w.Mul(&p.challenge, &value))
		var x point
		x.Mul(&p.to.points[j], &p.responses[j])
		p.shares[j].Mul(x.Sub(&p.toX[j], &x), &inverse)
	}
}

// multiple is the encoding of n·G.
func multiple(n int) []byte {
	var s number
	s.SetUint64(uint64(n))
	b := encode(curve.NewRistrettoPoint().MulBasepoint(tableG, &s))
	return b[:]
}

// solveAnnouncements chooses announcements that satisfy the equations for a
// challenge.
func solveAnnouncements(p *Parsed, c *number) {
	for j := range p.shares {
		x := position(j)
		at := curve.NewRistrettoPoint()
		for k := len(p.commitments) - 1; k >= 0; k-- {
			at.Mul(at, &x)
			at.Add(at, &p.commitments[k])
		}
		var v point
		p.toH[j].Add(v.Mul(genH, &p.responses[j]), at.Mul(at, c))
		p.toX[j].Add(v.Mul(&p.to.points[j], &p.responses[j]), at.Mul(&p.shares[j], c))
	}
}

func assemble(p *Parsed) Dealing {
	var d Dealing
	for _, list := range [][]point{p.commitments, p.shares, p.toH, p.toX} {
		for i := range list {
			d = appendPoint(d, &list[i])
		}
	}
	for i := range p.responses {
		d = appendNumber(d, &p.responses[i])
	}
	return d
}

// A verifier whose challenge leaves out the decrypted share accepts a wrong one:
// with the announcements and so the challenge fixed, the share follows. kyber
// v4.0.1 checks decrypted shares like that.
func TestForgedBase(t *testing.T) {
	g := newGroup(4, 1)
	d := g.deal(0, 1)
	of := []*Parsed{d}
	x := must(g.keys[2].number())
	y := &d.shares[2]
	honest := g.open(2, of, 1)

	var v, c, r, w number
	v.SetUint64(1234)
	w.SetUint64(99)
	toG := curve.NewRistrettoPoint().MulBasepoint(tableG, &v)
	toS := curve.NewRistrettoPoint().Mul(genH, &w) // anything
	hash := sha512.New()
	for _, p := range []*point{&g.r.points[2], y, toG, toS} {
		b := encode(p)
		hash.Write(b[:])
	}
	reduce(&c, hash.Sum(nil))
	r.Sub(&v, r.Mul(&c, &x))
	// toS = r·S + c·Y, so S = (toS - c·Y)/r.
	var inverse number
	inverse.Invert(&r)
	forged := curve.NewRistrettoPoint().Mul(y, &c)
	forged.Sub(toS, forged)
	forged.Mul(forged, &inverse)
	if forged.Equal(&honest.shares[0]) == 1 {
		t.Fatal("the forged share is the right one")
	}
	// The verifier that hashes (X, Y, announcements) only:
	var left point
	left.Add(left.Mul(forged, &r), curve.NewRistrettoPoint().Mul(y, &c))
	if left.Equal(toS) != 1 {
		t.Error("the forgery does not work where it should")
	}
	// Ours, for the challenge that the right share would have: with its coefficient
	// e, toS = r·e·S + c·e·Y.
	e := honest.folding[0]
	statement := g.r.opening(tagOpening, &Binding{9}, 2, of, honest.raw[:size])
	statement.Write(appendPoint(appendPoint(nil, toG), toS))
	c = statement.challenge()
	r.Sub(&v, r.Mul(&c, &x))
	inverse.Invert(inverse.Mul(&r, &e))
	forged.Mul(y, c.Mul(&c, &e))
	forged.Sub(toS, forged)
	forged.Mul(forged, &inverse)
	var raw Decryption
	for _, p := range []*point{forged, toG, toS} {
		raw = appendPoint(raw, p)
	}
	raw = appendNumber(raw, &r)
	o := must(g.r.Open(Binding{9}, 2, of, raw))
	if right(o) {
		t.Error("a share that was chosen to fit passes")
	}
	o.challenge = statement.challenge()
	o.folding[0] = e
	if !right(o) {
		t.Error("the forger's equations do not hold")
	}
}

// A verifier whose challenge leaves out the index lets a share count at another
// place, where it interpolates to another secret. In kyber v3.1.0 it is free.
func TestUnboundIndex(t *testing.T) {
	suite := edwards25519.NewBlakeSHA256Ed25519()
	h := suite.Point().Pick(suite.XOF([]byte("H")))
	var secrets []kyber.Scalar
	var keys []kyber.Point
	for range 4 {
		x := suite.Scalar().Pick(suite.RandomStream())
		secrets, keys = append(secrets, x), append(keys, suite.Point().Mul(x, nil))
	}
	secret := suite.Scalar().Pick(suite.RandomStream())
	enc, commit, err := kyberpvss.EncShares(suite, h, keys, secret, 2)
	if err != nil {
		t.Fatal(err)
	}
	var dec []*kyberpvss.PubVerShare
	for i := range 2 {
		d, err := kyberpvss.DecShare(suite, h, keys[i], commit.Eval(i).V, secrets[i], enc[i])
		if err != nil {
			t.Fatal(err)
		}
		dec = append(dec, d)
	}
	dec[1].S.I = 3
	got, err := kyberpvss.RecoverSecret(suite, suite.Point().Base(), keys[:2], enc[:2], dec, 2, 4)
	if err != nil || got.Equal(suite.Point().Mul(secret, nil)) {
		t.Errorf("the forgery does not work where it should: %v", err)
	}

	g := newGroup(4, 1)
	of := []*Parsed{g.deal(0, 1)}
	o := g.open(1, of, 1)
	for _, index := range []int{0, 2, 3} {
		moved := must(g.r.Open(Binding{9}, index, of, o.raw))
		if right(moved) {
			t.Errorf("the share of receiver 1 counts for receiver %d", index)
		}
		// Not even if the other has the same key and encrypted share.
		twin := *of[0]
		twin.to = &Receivers{keys: slices.Clone(g.r.keys), points: slices.Clone(g.r.points)}
		twin.to.keys[index], twin.to.points[index] = g.r.keys[1], g.r.points[1]
		twin.shares = slices.Clone(twin.shares)
		twin.shares[index] = twin.shares[1]
		twin.raw = assemble(&twin)
		moved = must(twin.to.Open(Binding{9}, index, []*Parsed{&twin}, o.raw))
		if right(moved) {
			t.Errorf("the share of receiver 1 counts for receiver %d with its key", index)
		}
	}
}

// On the curve itself a share plus a point of small order passes whenever the
// order divides the challenge, one time in eight. In ristretto255 there is no
// such point: what differs by one is the same element with the same encoding, and
// the points of small order decode to nothing but the neutral element.
func TestSmallOrder(t *testing.T) {
	torsion := curve.EIGHT_TORSION
	accepted := 0
	for c := range uint64(64) {
		var challenge number
		challenge.SetUint64(c)
		// B = r·X + c·Y on the curve, and Y' = Y + T.
		for i := 1; i < 8; i++ {
			y := curve.NewEdwardsPoint().Add(curve.ED25519_BASEPOINT_POINT, torsion[i])
			var a, b curve.EdwardsPoint
			a.Mul(curve.ED25519_BASEPOINT_POINT, &challenge)
			b.Mul(y, &challenge)
			if a.Equal(&b) == 1 && y.Equal(curve.ED25519_BASEPOINT_POINT) != 1 {
				accepted++
			}
		}
	}
	if accepted < 64*7/8 {
		t.Errorf("on the curve only %d of %d wrong shares pass", accepted, 64*7)
	}
	for i := 1; i < 8; i++ {
		var raw curve.CompressedEdwardsY
		raw.SetEdwardsPoint(torsion[i])
		var p point
		if err := decodePoint(&p, raw[:]); err == nil && !p.IsIdentity() {
			t.Errorf("the point %d of small order is an element", i)
		}
	}
	// Every element has the order of the group, whatever bytes it came from.
	var order number
	order.SetUint64(1)
	order.Neg(&order) // l - 1
	rng := stream(1)
	for found := 0; found < 50; {
		var raw [size]byte
		rng.Read(raw[:])
		raw[31] &= 0x7f
		var p, q point
		if decodePoint(&p, raw[:]) != nil {
			continue
		}
		found++
		if q.Add(q.Mul(&p, &order), &p); !q.IsIdentity() {
			t.Errorf("%x has another order", raw)
		}
	}
}
