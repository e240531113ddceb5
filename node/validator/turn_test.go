package validator

import (
	"bytes"
	"testing"

	"ios/chain"
	"ios/chain/sig"
	"ios/transepoch"
)

func turnPlan(t testing.TB, epoch uint64, old transepoch.Assignment) *transepoch.Plan {
	t.Helper()
	p, err := transepoch.MakePlan(&transepoch.Input{
		ChainID: chain.Hash{1}, Epoch: epoch, Random: chain.Hash{byte(epoch)}, Old: old,
		Members: []chain.ValidatorID{0, 1, 2, 3, 4, 5, 6, 7}, SwapPermille: 500, BatchSize: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func bodyWith(turn []byte) *chain.Body {
	return &chain.Body{Payload: chain.TurnPayloadOf(turn, nil, nil)}
}

// The first turn in a block's order that counts is taken, and no other.
func TestTheFirstTurnThatCountsIsTaken(t *testing.T) {
	plan := turnPlan(t, 2, transepoch.Assignment{{0, 1, 2, 3}, {4, 5, 6, 7}})
	plans := func(e uint64) *transepoch.Plan {
		if e == 2 {
			return plan
		}
		return nil
	}
	enter := func(e uint64) []byte { return (&transepoch.Enter{Epoch: e, EpochBlock: chain.Hash{9}}).AppendTo(nil) }
	swap := func(e uint64, b uint32) []byte { return (&transepoch.SwapRecord{Epoch: e, Batch: b}).AppendTo(nil) }
	s := succession{state: transepoch.State{Chain: chain.Hash{1}, Epoch: 1}}
	at := uint64(0)
	block := func(turns ...[]byte) chain.Term {
		at++
		h := chain.Header{Height: at, Epoch: s.state.Epoch, Batch: s.state.Batch}
		bodies := []*chain.Body{{Payload: chain.PayloadOf(nil, nil)}, {Payload: []byte("garbage")}}
		for _, turn := range turns {
			bodies = append(bodies, bodyWith(turn))
		}
		s.execute(&h, bodies, plans)
		s.finalize(&chain.Block{Header: h})
		return s.next()
	}
	for _, c := range []struct {
		what  string
		want  chain.Term
		turns [][]byte
	}{
		{"nothing", chain.Term{Epoch: 1}, nil},
		{"what is no turn, an epoch that is over, a batch of another one", chain.Term{Epoch: 1}, [][]byte{{7}, enter(1), swap(2, 1)}},
		{"an epoch", chain.Term{Epoch: 2}, [][]byte{enter(2), enter(3)}},
		{"a batch that is not the next, and the next", chain.Term{Epoch: 2, Batch: 1}, [][]byte{swap(2, 2), swap(2, 1), enter(3)}},
		{"an epoch whose plan is not known here", chain.Term{Epoch: 4}, [][]byte{swap(2, 1), enter(4), swap(2, 2)}},
	} {
		if got := block(c.turns...); got != c.want {
			t.Errorf("%s leads to term %v, want %v", c.what, got, c.want)
		}
	}
	if s.state.Entered != at || len(s.state.Absent) != 1 {
		t.Errorf("%+v", s.state)
	}
	h := chain.Header{Height: at + 1, Epoch: 4}
	if s.execute(&h, []*chain.Body{bodyWith(swap(4, 1))}, plans); s.err == nil {
		t.Error("a batch of an unknown plan is executed")
	}
	if s.execute(&h, []*chain.Body{bodyWith(enter(5))}, plans); s.err != nil || s.open == nil {
		t.Error("an error outlives its execution")
	}
}

func TestRootsOfFinalBlocksAreKept(t *testing.T) {
	s := succession{state: transepoch.State{Chain: chain.Hash{1}, Epoch: 1, Entered: 3}}
	var hashes []chain.Hash
	for h := uint64(1); h <= 10; h++ {
		b := &chain.Block{Header: chain.Header{Height: h}}
		hashes = append(hashes, b.Header.Hash())
		s.finalize(b)
	}
	again, rest, err := readSuccession(append(s.appendTo(nil), "rest"...))
	if err != nil || string(rest) != "rest" {
		t.Fatal(err)
	}
	for h := uint64(0); h <= 12; h++ {
		for i, s := range []*succession{&s, &again} {
			root, known := s.root(h)
			if want := h >= 1 && h <= 10 && (i == 0 || h >= 3); known != want || known && root != hashes[h-1] {
				t.Errorf("height %d, copy %d: %v %v", h, i, known, root.Short())
			}
		}
	}
	for h := uint64(11); h <= 3*maxRoots; h++ {
		s.finalize(&chain.Block{Header: chain.Header{Height: h}})
	}
	if _, known := s.root(2*maxRoots + 1); !known || len(s.roots) > 2*maxRoots {
		t.Errorf("%d are kept", len(s.roots))
	}
	if _, known := s.root(2 * maxRoots); known {
		t.Error("too old a root is known")
	}
}

func FuzzReadSuccession(f *testing.F) {
	s := succession{state: transepoch.State{Chain: chain.Hash{1}, Epoch: 2, Entered: 1}}
	s.finalize(&chain.Block{Header: chain.Header{Height: 1}})
	f.Add(s.appendTo(nil))
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, rest, err := readSuccession(raw)
		if err != nil {
			return
		}
		s.root(s.top)
		// What is not needed any more may be left out.
		again, more, err := readSuccession(append(s.appendTo(nil), rest...))
		if err != nil || !bytes.Equal(more, rest) || !bytes.Equal(again.appendTo(nil), s.appendTo(nil)) {
			t.Fatal("it does not read back", err)
		}
	})
}

func FuzzDecodeEnvelope(f *testing.F) {
	seed := [32]byte{3}
	key, err := sig.FromSeed(seed[:])
	if err != nil {
		f.Fatal(err)
	}
	r := &transepoch.Ready{Epoch: 2, Batch: 1, Height: 7}
	r.Sign(key)
	b := bodyWith([]byte("turn"))
	b.SignBody(key)
	f.Add((&Envelope{Protocol: protoTransition, Msg: r}).AppendTo(nil))
	f.Add((&Envelope{Protocol: protoHandover, Msg: &Handover{b}}).AppendTo(nil))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if e, err := Decode(poolParams, raw); err == nil && !bytes.Equal(e.AppendTo(nil), raw) {
			t.Fatal("two encodings of one envelope")
		}
	})
}
