package validator

import (
	"testing"

	"pgregory.net/rapid"

	"ios/chain"
)

var poolParams = chain.NewParams(chain.Hash{1}, chain.PrefixTest, 1, 0)

// poolTx is transaction n; it is never checked.
func poolTx(n int) chain.Tx {
	t := chain.Tx{Expiry: uint64(n), Inputs: make([]chain.Input, 1), Outputs: make([]chain.Output, 1), Witnesses: make([]chain.Witness, 1)}
	poolParams.Seal(&t)
	return t
}

func allow(*chain.Tx) error { return nil }

// Whatever the order of submissions, repetitions, bodies, acks and final blocks:
// every submission is answered once, and not before all its transactions are
// held or refused.
func TestEverySubmissionIsAnsweredOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := newPool(Limits{QueueTxs: 40, QueueBytes: 1 << 20, BodyTxs: 5, BodyBytes: 1 << 20, Bundles: 4, Bodies: 100})
		answered := map[*submission]int{}
		answer := func(s *submission) { answered[s]++ }
		wants := map[*submission][]chain.TxID{}
		held := map[chain.TxID]bool{}
		bodies := map[uint64][]chain.TxID{}
		number := uint64(0)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch rapid.IntRange(0, 3).Draw(t, "what") {
			case 0:
				s := &submission{}
				var txs []chain.Tx
				for range rapid.IntRange(0, 12).Draw(t, "n") {
					txs = append(txs, poolTx(rapid.IntRange(0, 30).Draw(t, "tx")))
				}
				for i := range txs {
					wants[s] = append(wants[s], txs[i].ID)
				}
				if p.submit(s, txs, allow) {
					answer(s)
				}
			case 1:
				if d := p.draft(); len(d.Txs) > 0 {
					number++
					p.take(d, number)
					for i := range d.Txs {
						bodies[number] = append(bodies[number], d.Txs[i].ID)
					}
				}
			case 2, 3:
				n := uint64(rapid.IntRange(1, int(number)+1).Draw(t, "body"))
				final := rapid.Bool().Draw(t, "final")
				for _, id := range bodies[n] {
					held[id] = true
				}
				if final {
					p.final(n, answer)
					for _, id := range bodies[n] {
						if p.pending(id) {
							t.Fatal("pending although final")
						}
						delete(held, id) // it may be submitted again
					}
					delete(bodies, n)
				} else {
					p.held(n, answer)
				}
			}
			for s, ids := range wants {
				if answered[s] > 1 {
					t.Fatal("answered twice")
				}
				if answered[s] == 1 {
					continue
				}
				waiting := false
				for _, id := range ids {
					waiting = waiting || p.pending(id) && !held[id]
				}
				if !waiting {
					t.Fatal("not answered although nothing is waited for")
				}
			}
		}
	})
}

func TestAFullPoolRefusesAndSaysSo(t *testing.T) {
	p := newPool(Limits{QueueTxs: 3, QueueBytes: 1 << 20, BodyTxs: 2, BodyBytes: 1 << 20, Bundles: 1, Bodies: 1})
	s := &submission{}
	txs := []chain.Tx{poolTx(1), poolTx(2), poolTx(3), poolTx(4), poolTx(1)}
	if p.submit(s, txs, allow) {
		t.Fatal("answered before anything is held")
	}
	if len(s.refusals) != 1 || s.refusals[0].Index != 3 {
		t.Errorf("refused: %v", s.refusals)
	}
	if s.waiting != 4 {
		t.Errorf("it waits for %d, want 4: the repeated one counts", s.waiting)
	}
	if !p.addBundle(&chain.Bundle{Raw: []byte{1}}) || p.addBundle(&chain.Bundle{Raw: []byte{2}}) {
		t.Error("the bundles are not bounded")
	}
}

func TestADraftFitsABody(t *testing.T) {
	size := len(poolTx(0).Raw)
	p := newPool(Limits{QueueTxs: 100, QueueBytes: 1 << 20, BodyTxs: 50, BodyBytes: 10*size + 1, Bundles: 9, Bodies: 1})
	s := &submission{}
	var txs []chain.Tx
	for i := range 30 {
		txs = append(txs, poolTx(i))
	}
	p.submit(s, txs, allow)
	for _, want := range []int{10, 10, 10, 0} {
		d := p.draft()
		if len(d.Txs) != want {
			t.Fatalf("%d transactions, want %d", len(d.Txs), want)
		}
		p.take(d, uint64(len(p.bodies)+1))
	}
	if p.bytes != 0 {
		t.Errorf("%d bytes are left in an empty queue", p.bytes)
	}
}

// Proofs of other shards do not wait in a body for clients' signatures.
func TestBundlesGoFirstAndByThemselves(t *testing.T) {
	p := newPool(Limits{QueueTxs: 10, QueueBytes: 1 << 20, BodyTxs: 50, BodyBytes: 250, Bundles: 9, Bodies: 9})
	p.submit(&submission{}, []chain.Tx{poolTx(1)}, allow)
	for range 3 {
		p.addBundle(&chain.Bundle{Raw: make([]byte, 100)})
	}
	for i, want := range []struct{ bundles, txs int }{{2, 0}, {1, 0}, {0, 1}, {0, 0}} {
		d := p.draft()
		if len(d.Bundles) != want.bundles || len(d.Txs) != want.txs {
			t.Errorf("body %d has %d bundles and %d transactions, want %+v", i, len(d.Bundles), len(d.Txs), want)
		}
		p.take(d, uint64(i+1))
	}
}
