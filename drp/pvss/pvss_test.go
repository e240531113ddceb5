package pvss

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"pgregory.net/rapid"
)

// stream is a random stream for tests.
func stream(seed uint64) *rand.ChaCha8 {
	return rand.NewChaCha8(sha256.Sum256(binary.BigEndian.AppendUint64(nil, seed)))
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// group is receivers with their secrets.
type group struct {
	keys []SecretKey
	r    *Receivers
}

func newGroup(c int, seed uint64) *group {
	g := &group{}
	var public []PublicKey
	for i := range c {
		k := must(Generate(stream(seed<<16 + uint64(i))))
		g.keys = append(g.keys, k)
		public = append(public, must(k.Public()))
	}
	g.r = must(ParseReceivers(public))
	return g
}

func ctxOf(dealer uint16) Context { return Context{Session: [32]byte{1, 2, 3}, Dealer: dealer} }

// deal has a receiver deal to its group.
func (g *group) deal(dealer uint16, seed uint64) *Parsed {
	d := must(Deal(ctxOf(dealer), g.r, g.keys[int(dealer)%len(g.keys)], stream(seed)))
	return must(g.r.Parse(ctxOf(dealer), d))
}

func (g *group) open(index int, of []*Parsed, seed uint64) *Opened {
	d := must(Decrypt(Binding{9}, g.r, index, of, g.keys[index], stream(seed)))
	return must(g.r.Open(Binding{9}, index, of, d))
}

func right(items ...Item) bool {
	var b Batch
	for _, it := range items {
		b.Add(it)
	}
	return len(b.Check()) == 0
}

// secretPoly makes the polynomial of a dealing again from what Deal was given.
func secretPoly(p *Parsed, src *source) (poly []number) {
	about := append(p.ctx.Session[:], byte(p.ctx.Dealer>>8), byte(p.ctx.Dealer))
	for _, k := range p.to.keys {
		about = append(about, k[:]...)
	}
	for k := range p.commitments {
		poly = append(poly, src.scalar(tagPoly, about, k))
	}
	return poly
}

// secretOf is the dealt secret.
func secretOf(p *Parsed, key SecretKey, seed uint64) [32]byte {
	src := must(newSource(key, stream(seed)))
	return encode(curve.NewRistrettoPoint().MulBasepoint(tableG, &secretPoly(p, &src)[0]))
}

// Any t receivers recover the sum of the dealt secrets, whatever the size.
func TestAnyThresholdRecoversTheSum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := rapid.IntRange(1, 12).Draw(t, "receivers")
		m := rapid.IntRange(1, 4).Draw(t, "dealings")
		seed := rapid.Uint64Range(1, 1000).Draw(t, "seed")
		g := newGroup(c, seed)
		var of []*Parsed
		var batch Batch
		want := curve.NewRistrettoPoint()
		for i := range m {
			p := g.deal(uint16(i), seed+uint64(i))
			of = append(of, p)
			batch.Add(p)
			var s point
			raw := secretOf(p, g.keys[i%c], seed+uint64(i))
			if err := decodePoint(&s, raw[:]); err != nil {
				t.Fatal(err)
			}
			want.Add(want, &s)
		}
		who := rapid.Permutation(indices(c)).Draw(t, "who")[:Threshold(c)]
		var opened []*Opened
		for _, j := range who {
			o := g.open(j, of, seed)
			opened = append(opened, o)
			batch.Add(o)
		}
		if wrong := batch.Check(); wrong != nil {
			t.Fatalf("items %v are wrong", wrong)
		}
		var sum Sum
		if err := sum.Add(opened); err != nil {
			t.Fatal(err)
		}
		if sum.Bytes() != encode(want) {
			t.Fatal("another sum than was dealt")
		}
	})
}

func indices(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}

// One share less than the threshold is refused, and interpolates to another value.
func TestFewerSharesSayNothing(t *testing.T) {
	g := newGroup(7, 1)
	of := []*Parsed{g.deal(0, 1)}
	var sum Sum
	opened := []*Opened{g.open(0, of, 1), g.open(1, of, 1)}
	if err := sum.Add(opened); err == nil {
		t.Error("2 shares of 3 are enough")
	}
	if err := sum.Add([]*Opened{opened[0], opened[1], opened[1]}); err == nil {
		t.Error("one share counts twice")
	}
	if err := sum.Add(nil); err == nil {
		t.Error("no share is enough")
	}
	var parts combination
	for i, w := range lagrange([]int{0, 1}) {
		parts.add(w, &opened[i].shares[0])
	}
	if encode(parts.total()) == secretOf(of[0], g.keys[0], 1) {
		t.Error("two shares interpolate to the secret")
	}
}

// The batch names exactly the items that are wrong, as does checking each by the
// textbook's equations.
func TestBatchNamesTheWrong(t *testing.T) {
	g, h := newGroup(5, 1), newGroup(4, 2)
	rapid.Check(t, func(t *rapid.T) {
		var batch Batch
		var want []int
		for i := range rapid.IntRange(1, 6).Draw(t, "items") {
			grp := g
			if rapid.Bool().Draw(t, "other group") {
				grp = h
			}
			p := grp.deal(uint16(i%4), uint64(i))
			if rapid.IntRange(0, 3).Draw(t, "wrong") == 0 {
				raw := slices.Clone(p.raw)
				n := rapid.IntRange(0, len(raw)/size-1).Draw(t, "part")
				part := raw[n*size : (n+1)*size]
				// A point or scalar that is well formed, but another one.
				if n < len(raw)/size-grp.r.Count() {
					copy(part, grp.r.keys[0][:])
				} else {
					part[0] ^= 1
				}
				q, err := grp.r.Parse(p.ctx, raw)
				if err != nil {
					t.Skip("it does not decode")
				}
				p = q
			}
			n := batch.Add(p)
			if !naive(p) {
				want = append(want, n)
			}
		}
		if got := batch.Check(); !slices.Equal(got, want) {
			t.Fatalf("the batch names %v, the equations %v", got, want)
		}
	})
}

// naive checks a dealing share by share.
func naive(p *Parsed) bool {
	for j := range p.shares {
		x := position(j)
		at := curve.NewRistrettoPoint()
		for k := len(p.commitments) - 1; k >= 0; k-- {
			at.Mul(at, &x)
			at.Add(at, &p.commitments[k])
		}
		var a, b, v point
		a.Add(a.Mul(genH, &p.responses[j]), v.Mul(at, &p.challenge))
		b.Add(b.Mul(&p.to.points[j], &p.responses[j]), v.Mul(&p.shares[j], &p.challenge))
		if a.Equal(&p.toH[j]) != 1 || b.Equal(&p.toX[j]) != 1 {
			return false
		}
	}
	return true
}

// No byte of a dealing or decryption can change, and neither counts in another
// context.
func TestEveryByteCounts(t *testing.T) {
	g := newGroup(4, 1)
	p := g.deal(2, 1)
	for i := range p.raw {
		raw := slices.Clone(p.raw)
		raw[i] ^= 1 << (i % 8)
		if q, err := g.r.Parse(p.ctx, raw); err == nil && right(q) {
			t.Fatalf("byte %d of a dealing can change", i)
		}
	}
	of := []*Parsed{p, g.deal(1, 2)}
	o := g.open(3, of, 1)
	for i := range o.raw {
		for _, flip := range []byte{1, 0x80} {
			raw := slices.Clone(o.raw)
			raw[i] ^= flip
			if q, err := g.r.Open(Binding{9}, 3, of, raw); err == nil && right(q) {
				t.Fatalf("byte %d of a decryption can change", i)
			}
		}
	}
	if !right(p, o) {
		t.Fatal("what was not changed is wrong")
	}
	for _, ctx := range []Context{{p.ctx.Session, 3}, {[32]byte{}, 2}} {
		if q, err := g.r.Parse(ctx, p.raw); err == nil && right(q) {
			t.Errorf("the dealing counts as %v", ctx)
		}
	}
	if q, err := g.r.Open(Binding{8}, 3, of, o.raw); err == nil && right(q) {
		t.Error("the decryption counts under another binding")
	}
	if q, err := g.r.Open(Binding{9}, 3, []*Parsed{of[1], of[0]}, o.raw); err == nil && right(q) {
		t.Error("the decryption counts in another order")
	}
}

func TestWrongSizesAreRefused(t *testing.T) {
	g, h := newGroup(4, 1), newGroup(4, 2)
	p := g.deal(0, 1)
	for _, n := range []int{0, 1, len(p.raw) - 1, len(p.raw) + 1, len(p.raw) - size} {
		if _, err := g.r.Parse(p.ctx, append(slices.Clone(p.raw), 0)[:min(n, len(p.raw)+1)]); err == nil {
			t.Errorf("a dealing of %d bytes is accepted", n)
		}
	}
	of := []*Parsed{p}
	o := g.open(0, of, 1)
	if _, err := g.r.Open(Binding{9}, 0, of, o.raw[size:]); err == nil {
		t.Error("a short decryption is accepted")
	}
	if _, err := g.r.Open(Binding{9}, 4, of, o.raw); err == nil {
		t.Error("receiver 4 of 4")
	}
	if _, err := g.r.Open(Binding{9}, -1, of, o.raw); err == nil {
		t.Error("receiver -1")
	}
	if _, err := h.r.Open(Binding{9}, 0, of, o.raw); err == nil {
		t.Error("receivers of another group open")
	}
	if _, err := g.r.Open(Binding{9}, 0, nil, nil); err == nil {
		t.Error("nothing is opened")
	}
	if _, err := Decrypt(Binding{9}, g.r, 0, of, g.keys[1], stream(1)); err == nil {
		t.Error("somebody else's key decrypts")
	}
	if _, err := ParseReceivers(nil); err == nil {
		t.Error("no receivers")
	}
	if _, err := ParseReceivers([]PublicKey{g.r.keys[0], g.r.keys[1], g.r.keys[0]}); err == nil {
		t.Error("one key twice")
	}
	if _, err := ParseReceivers([]PublicKey{{}}); err == nil {
		t.Error("the neutral element as a key")
	}
}

func TestPossession(t *testing.T) {
	k, other := must(Generate(stream(1))), must(Generate(stream(2)))
	public := must(k.Public())
	proof := must(ProvePossession(k, []byte("chain, validator 7"), stream(3)))
	if err := VerifyPossession(public, []byte("chain, validator 7"), proof); err != nil {
		t.Fatal(err)
	}
	if VerifyPossession(public, []byte("chain, validator 8"), proof) == nil {
		t.Error("the proof counts for another validator")
	}
	if VerifyPossession(must(other.Public()), []byte("chain, validator 7"), proof) == nil {
		t.Error("the proof counts for another key")
	}
	if VerifyPossession(PublicKey{}, []byte("chain, validator 7"), proof) == nil {
		t.Error("the proof counts for the neutral element")
	}
	for i := range proof {
		bad := proof
		bad[i] ^= 4
		if VerifyPossession(public, []byte("chain, validator 7"), bad) == nil {
			t.Errorf("byte %d of a proof can change", i)
		}
	}
}

// A stream that repeats itself never gives one nonce to two statements: that
// would give away the key, or the shares.
func TestNoncesDependOnTheStatement(t *testing.T) {
	g := newGroup(4, 1)
	a, b := g.deal(0, 7), must(g.r.Parse(ctxOf(4), must(Deal(ctxOf(4), g.r, g.keys[0], stream(7)))))
	if !right(a, b) {
		t.Fatal("the dealings are wrong")
	}
	if encode(&a.toH[0]) == encode(&b.toH[0]) || encode(&a.commitments[0]) == encode(&b.commitments[0]) {
		t.Error("two sessions have a nonce or a secret in common")
	}
	x := must(Decrypt(Binding{1}, g.r, 2, []*Parsed{a}, g.keys[2], stream(7)))
	y := must(Decrypt(Binding{2}, g.r, 2, []*Parsed{a}, g.keys[2], stream(7)))
	if bytes.Equal(x[size:2*size], y[size:2*size]) {
		t.Error("two decryptions have a nonce in common")
	}
	again := must(Deal(ctxOf(0), g.r, g.keys[0], stream(7)))
	if !bytes.Equal(again, a.raw) {
		t.Error("the same statement under the same stream differs")
	}
}

func TestSecretsHide(t *testing.T) {
	k := must(Generate(stream(5)))
	raw := fmt.Sprintf("%x", k.Bytes())
	inside := struct{ Key SecretKey }{k}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		for _, v := range []any{k, &k, inside, &inside} {
			if got := fmt.Sprintf(format, v); strings.Contains(strings.ToLower(got), raw[:16]) {
				t.Errorf("%s of a %T shows the key", format, v)
			}
		}
	}
	back := must(ParseSecret(k.Bytes()))
	if !back.Equal(k) || back.Equal(must(Generate(stream(6)))) || back.Equal(SecretKey{}) {
		t.Error("Equal")
	}
	k.Wipe()
	if _, err := k.Public(); err == nil {
		t.Error("a wiped key has a public key")
	}
	g := newGroup(1, 1)
	if _, err := Deal(ctxOf(0), g.r, k, stream(1)); err == nil {
		t.Error("a wiped key deals")
	}
	if _, err := (SecretKey{}).Public(); err == nil {
		t.Error("the zero key has a public key")
	}
	if _, err := ParseSecret(make([]byte, 32)); err == nil {
		t.Error("zero is a key")
	}
	if _, err := ParseSecret(bytes.Repeat([]byte{255}, 32)); err == nil {
		t.Error("a number above the order is a key")
	}
	if _, err := SecretFromSeed(make([]byte, 31)); err == nil {
		t.Error("31 bytes are a seed")
	}
}
