package pvss

import (
	"bytes"
	"testing"
)

// What parses is canonical: put together again from its points and scalars, it
// has the same bytes.
func FuzzParse(f *testing.F) {
	g := newGroup(4, 1)
	f.Add([]byte(g.deal(0, 1).raw))
	f.Add(make([]byte, DealingSize(4)))
	f.Add(bytes.Repeat([]byte{255}, DealingSize(4)))
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := g.r.Parse(ctxOf(0), raw)
		if err != nil {
			return
		}
		if !bytes.Equal(assemble(p), raw) {
			t.Fatal("two encodings of one dealing")
		}
		if right(p) != naive(p) {
			t.Fatal("the batch disagrees with the equations")
		}
	})
}

func FuzzOpen(f *testing.F) {
	g := newGroup(4, 1)
	of := []*Parsed{g.deal(0, 1), g.deal(1, 2)}
	f.Add(0, []byte(g.open(0, of, 1).raw))
	f.Add(3, make([]byte, DecryptionSize(2)))
	f.Fuzz(func(t *testing.T, index int, raw []byte) {
		o, err := g.r.Open(Binding{9}, index, of, raw)
		if err != nil {
			return
		}
		var back Decryption
		for _, list := range [][]point{o.shares, o.announced} {
			for i := range list {
				back = appendPoint(back, &list[i])
			}
		}
		if !bytes.Equal(appendNumber(back, &o.response), raw) {
			t.Fatal("two encodings of one decryption")
		}
		right(o)
	})
}

func FuzzPossession(f *testing.F) {
	k := must(Generate(stream(1)))
	public := must(k.Public())
	proof := must(ProvePossession(k, nil, stream(2)))
	f.Add(public[:], proof[:])
	f.Fuzz(func(t *testing.T, key, raw []byte) {
		if len(key) != KeySize || len(raw) != ProofSize {
			return
		}
		if VerifyPossession(PublicKey(key), nil, Proof(raw)) == nil && (!bytes.Equal(key, public[:]) || !bytes.Equal(raw, proof[:])) {
			t.Fatal("a proof that nobody made")
		}
	})
}
