package validator

import (
	"errors"
	"testing"

	"pgregory.net/rapid"

	"ios/chain"
)

// Whatever happens to bodies and terms, every submission is answered once: with a
// refusal for each transaction that was given up, and not before all others are
// held. Nothing that was held leaves the pool without being final or given up.
func TestSubmissionsSurviveTheEndOfTerms(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := newPool(Limits{QueueTxs: 40, QueueBytes: 1 << 20, BodyTxs: 5, BodyBytes: 1 << 20, Bundles: 4, Bodies: 100})
		answered := map[*submission]int{}
		held, gone := map[chain.TxID]bool{}, map[chain.TxID]bool{}
		answer := func(s *submission) {
			if answered[s]++; answered[s] > 1 {
				t.Fatal("answered twice")
			}
			refused := map[int]bool{}
			for _, r := range s.refusals {
				refused[r.Index] = true
				if errors.Is(r.Err, chain.ErrExpired) && !gone[s.ids[r.Index]] {
					t.Fatal("a transaction is refused that was not given up")
				}
			}
			for i, id := range s.ids {
				if !refused[i] && !held[id] {
					t.Fatal("answered before all is held")
				}
			}
		}
		var submissions []*submission
		bodies := map[uint64][]chain.Tx{}
		number := uint64(0)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch rapid.IntRange(0, 5).Draw(t, "what") {
			case 0, 1:
				s := &submission{}
				var txs []chain.Tx
				for range rapid.IntRange(0, 8).Draw(t, "n") {
					if tx := poolTx(rapid.IntRange(0, 30).Draw(t, "tx")); !gone[tx.ID] {
						txs = append(txs, tx)
					}
				}
				submissions = append(submissions, s)
				if p.submit(s, txs, allow) {
					answer(s)
				}
			case 2:
				if d := p.draft(); len(d.Txs) > 0 {
					number++
					p.take(d, number)
					bodies[number] = d.Txs
				}
			case 3:
				n := uint64(rapid.IntRange(1, int(number)+1).Draw(t, "body"))
				for i := range bodies[n] {
					held[bodies[n][i].ID] = true
				}
				if p.held(n, answer); rapid.Bool().Draw(t, "final") {
					p.final(n, answer)
					delete(bodies, n)
				}
			case 4: // the term ends
				for n := uint64(1); n <= number; n++ {
					if txs, ok := bodies[n]; ok {
						p.requeue(n, txs)
					}
				}
				p.forget()
				bodies, number = map[uint64][]chain.Tx{}, 0
				if len(p.bodies) > 0 {
					t.Fatal("a body outlives its term")
				}
			case 5: // some expire
				least := uint64(rapid.IntRange(0, 10).Draw(t, "epoch"))
				out := p.sieve(func(tx *chain.Tx) error {
					if tx.Expiry < least {
						gone[tx.ID] = true
						return chain.Rule(chain.ErrExpired, "epoch %d", least)
					}
					return nil
				}, answer)
				for i := range out {
					if p.pending(out[i].ID) || out[i].Expiry >= least {
						t.Fatalf("%d was given up in epoch %d", out[i].Expiry, least)
					}
				}
			}
			consistent(t, p)
		}
		for n, txs := range bodies {
			for i := range txs {
				held[txs[i].ID] = true
			}
			p.final(n, answer)
		}
		for d := p.draft(); len(d.Txs) > 0; d = p.draft() {
			number++
			p.take(d, number)
			for i := range d.Txs {
				held[d.Txs[i].ID] = true
			}
			p.final(number, answer)
		}
		for _, s := range submissions {
			if answered[s] == 0 {
				t.Fatalf("never answered: %+v", s)
			}
		}
		if len(p.ids)+len(p.again)+len(p.bodies)+p.waiters.len()+p.bytes > 0 {
			t.Fatalf("%+v is left", p)
		}
	})
}

// consistent compares the pool's counts with what it holds.
func consistent(t *rapid.T, p *pool) {
	bytes, waiting, queuedIDs := 0, 0, 0
	for _, tx := range p.txs.all() {
		bytes += len(tx.Raw)
		if n, ok := p.ids[tx.ID]; !ok || n != queued {
			t.Fatal("a transaction in the queue is said to be elsewhere")
		}
	}
	for _, w := range p.waiters.all() {
		waiting += w.n
	}
	for _, n := range p.ids {
		if n == queued {
			queuedIDs++
		} else if p.bodies[n] == nil {
			t.Fatal("a transaction is said to be in a body that there is not")
		}
	}
	if bytes != p.bytes || waiting != p.txs.len() || queuedIDs != p.txs.len() {
		t.Fatalf("%d bytes counted as %d, %d transactions with waiters for %d and %d ids", bytes, p.bytes, p.txs.len(), waiting, queuedIDs)
	}
}

// A transaction of another member takes room like any other.
func TestATransactionOfAnotherMemberIsAdopted(t *testing.T) {
	p := newPool(Limits{QueueTxs: 2, QueueBytes: 1 << 20, BodyTxs: 2, BodyBytes: 1 << 20, Bundles: 1, Bodies: 1})
	a, b, c := poolTx(1), poolTx(2), poolTx(3)
	if !p.adopt(&a) || !p.adopt(&a) || !p.adopt(&b) || p.adopt(&c) || p.txs.len() != 2 {
		t.Fatalf("%d are in the queue", p.txs.len())
	}
	p.take(p.draft(), 1)
	p.held(1, func(*submission) { t.Error("somebody is answered") })
	p.final(1, nil)
	if p.pending(a.ID) || len(p.bodies) > 0 {
		t.Error("it is pending although final")
	}
}
