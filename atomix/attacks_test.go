package atomix

import (
	"errors"
	"testing"
	"time"

	"ios/chain"
	"ios/chain/cosi"
	"ios/internal/sm"
)

func TestAttackAnInputOf10ThatClaims1000(t *testing.T) {
	w := newWorld(t, 2, 10)
	a := w.coin(0, 0)
	lie := a
	lie.amount = 1000
	local := w.tx([]coin{lie}, pay{a.owner, 999})
	w.shards[0].submit(local).expectSkip(t, SkipClaim)
	if err := w.shards[0].state.Validate(local, 1); !errors.Is(err, chain.ErrClaim) {
		t.Fatal(err)
	}
	across := w.tx([]coin{lie}, pay{w.wallet(1), 999})
	w.shards[0].submit(across).expectSkip(t, SkipClaim)
	w.shards[0].expect(across.ID, 0)
	// Another shard's lock does not make the claim true.
	both := w.tx([]coin{w.coin(1, 0), lie}, pay{w.wallet(1), 1009})
	w.shards[1].submit(both)
	w.shards[0].carry(w.shards[1].bundle(both.ID, 0))
	w.shards[0].expect(both.ID, chain.Rejected)
	w.shards[1].carry(w.shards[0].bundle(both.ID, 1))
	w.shards[1].expect(both.ID, chain.Aborted)
	w.shards[0].expectBalance(a.owner, 10)
}

func TestAttackAnotherOwnersInput(t *testing.T) {
	w := newWorld(t, 2, 10)
	a, thief := w.coin(0, 0), w.wallet(0)
	stolen := a
	stolen.owner = thief
	w.shards[0].submit(w.tx([]coin{stolen}, pay{thief, 9})).expectSkip(t, SkipMissing)
	w.shards[0].expectBalance(a.owner, 10)
}

func TestAttackAWitnessListWithoutOneOfTheOwners(t *testing.T) {
	w := newWorld(t, 2, 10)
	a, b := w.coin(0, 0), w.coin(1, 0)
	bob := w.wallet(0)
	good, bad := w.tx([]coin{a, b}, pay{bob, 19}), w.tx([]coin{a, b}, pay{bob, 19})
	bad.Witnesses = bad.Witnesses[:1]
	w.params.Seal(bad)
	twice := w.tx([]coin{a, b}, pay{w.wallet(0), 18})
	twice.Witnesses[1] = twice.Witnesses[0]
	w.params.Seal(twice)
	for _, tx := range []*chain.Tx{bad, twice} {
		for _, l := range w.shards {
			if _, err := l.try([]*chain.Tx{tx}, nil); !errors.Is(err, chain.ErrWitness) {
				t.Fatal(err)
			}
		}
	}
	w.shards[0].submit(good)
	proof := w.shards[0].bundle(good.ID, 1)
	proof.Raw, proof.Txs = nil, []chain.Tx{*bad} // one id, another witness list
	if _, err := w.shards[1].try(nil, []*chain.Bundle{proof}); !errors.Is(err, chain.ErrWitness) {
		t.Fatal(err)
	}
}

// garbage is the transaction with signatures that sign nothing.
func (w *world) garbage(t *chain.Tx) *chain.Tx {
	g := newRecord(t).tx
	for i := range g.Witnesses {
		g.Witnesses[i].Signature = [64]byte{1, 2, 3}
	}
	w.params.Seal(g)
	return g
}

func TestAttackAStrangersTransactionWithAGarbageWitness(t *testing.T) {
	w := newWorld(t, 2, 10)
	tx := w.tx([]coin{w.coin(0, 0), w.coin(1, 0)}, pay{w.wallet(1), 19})
	bad := w.garbage(tx)
	if bad.ID != tx.ID {
		t.Fatal("the id covers the witnesses")
	}
	if _, err := w.shards[0].try([]*chain.Tx{bad}, nil); !errors.Is(err, chain.ErrSignature) {
		t.Fatal(err)
	}
	w.shards[0].expect(tx.ID, 0)
	w.shards[0].submit(tx)
	// In a bundle, whose certificate does not cover it, too.
	proof := w.shards[0].bundle(tx.ID, 1)
	proof.Txs = []chain.Tx{*bad}
	if _, err := w.shards[1].try(nil, []*chain.Bundle{proof}); !errors.Is(err, chain.ErrSignature) {
		t.Fatal(err)
	}
	w.shards[1].expect(tx.ID, 0)
	w.shards[1].carry(w.shards[0].bundle(tx.ID, 1))
	w.shards[1].expect(tx.ID, chain.Committed)
}

// An output shard does not check signatures of a transaction that comes with a
// lock proof. Wrong ones that it got must not make it look guilty later.
func TestAttackGarbageWitnessesByWayOfAnOutputShard(t *testing.T) {
	w := newWorld(t, 4, 10)
	n := newRelayNet(w, 1, calm)
	tx := w.tx([]coin{w.coin(0, 0), w.coin(1, 0)}, pay{w.wallet(2), 19})
	n.net.Partition(n.members(0), n.members(1), append(n.members(2), n.members(3)...))
	n.submit(0, tx)
	n.net.RunFor(2 * interval)
	proof := w.shards[0].bundle(tx.ID, 2)
	proof.Txs = []chain.Tx{*w.garbage(tx)}
	n.net.Heal()
	n.net.Partition(n.members(0), n.members(1)) // the others reach 2 through a hostile member only
	n.net.Inject(0, 8, &Letter{Msg: &BundleMsg{proof}})
	n.net.Do(8, sm.Receive{From: 0, Msg: &Letter{Msg: &BundleMsg{proof}}})
	n.net.RunFor(4 * interval)
	w.shards[2].expect(tx.ID, chain.Accepted)
	n.net.Heal()
	n.settle(30*patience, tx)
	w.shards[1].expect(tx.ID, chain.Committed)
	if len(n.blamed) > 0 {
		t.Error(n.blamed)
	}
}

func TestAttackATransactionBeforeItsInputExists(t *testing.T) {
	w := newWorld(t, 2, 10)
	bob := w.wallet(0)
	first := w.tx([]coin{w.coin(0, 0)}, pay{bob, 9})
	second := w.tx([]coin{out(first, 0, bob)}, pay{w.wallet(1), 8})
	w.shards[0].submit(second).expectSkip(t, SkipMissing)
	w.shards[0].expect(second.ID, 0)
	w.shards[1].expect(second.ID, 0)
	w.shards[0].submit(first)
	w.shards[0].submit(second)
	w.shards[1].carry(w.shards[0].bundle(second.ID, 1))
	w.shards[1].expect(second.ID, chain.Committed)
}

// Who is in no position to answer leaves no trace, whatever is sent there.
func TestAttackAnAnswerFromWhoHoldsNothing(t *testing.T) {
	w := newWorld(t, 4, 10)
	tx := w.tx([]coin{w.coin(0, 0)}, pay{w.wallet(1), 9})
	for _, s := range []chain.ShardID{1, 2} {
		if _, err := w.shards[s].try([]*chain.Tx{tx}, nil); !errors.Is(err, chain.ErrWrongShard) {
			t.Fatal(err)
		}
		// Even a body that got past the check.
		l := w.shards[s]
		l.state.Execute(&chain.Header{Epoch: 1, Height: l.state.Height() + 1}, []*chain.Body{{Content: &chain.Payload{Txs: []chain.Tx{*tx}}}})
		if r := l.state.Report(); len(r.Tree) != 0 || r.Skipped[0].Reason != SkipWrongShard {
			t.Fatalf("%+v", r)
		}
		l.state.Revert()
	}
	w.shards[0].submit(tx)
	real := w.shards[0].bundle(tx.ID, 1)
	for _, c := range []struct {
		from, at chain.ShardID
		outcome  chain.Outcome
		want     Skip
	}{
		{2, 1, chain.Accepted, SkipUninvolved},
		{0, 2, chain.Accepted, SkipWrongShard},
		{0, 1, chain.Rejected, SkipNothingOpen},
		{0, 1, chain.Aborted, SkipNothingOpen},
		{0, 1, chain.Committed, SkipNothingOpen},
	} {
		s := w.shards[c.at].state
		b := *real
		b.Header.Shard, b.Segment.Entries = c.from, []chain.Entry{{ID: tx.ID, Outcome: c.outcome}}
		s.Execute(&chain.Header{Epoch: 1, Height: s.Height() + 1}, []*chain.Body{{Content: &chain.Payload{Bundles: []*chain.Bundle{&b}}}})
		if r := s.Report(); r.Ignored[c.want] != 1 || len(r.Outcomes) != 0 {
			t.Fatalf("%+v: %+v", c, r)
		}
		s.Revert()
	}
	// An open transfer listens to involved shards only.
	s := w.shards[0].state
	for _, from := range []chain.ShardID{0, 2, 3} {
		b := *real
		b.Header.Shard, b.Segment.Entries = from, []chain.Entry{{ID: tx.ID, Outcome: chain.Committed}, {ID: tx.ID, Outcome: chain.Rejected}}
		s.Execute(&chain.Header{Epoch: 1, Height: s.Height() + 1}, []*chain.Body{{Content: &chain.Payload{Bundles: []*chain.Bundle{&b}}}})
		if r := s.Report(); r.Ignored[SkipUninvolved] != 2 || len(r.Outcomes) != 0 {
			t.Fatalf("from %d: %+v", from, r)
		}
		s.Revert()
	}
}

func TestAttackAReplayedProof(t *testing.T) {
	w := newWorld(t, 2, 10)
	bob := w.wallet(1)
	tx := w.tx([]coin{w.coin(0, 0)}, pay{bob, 9})
	w.shards[0].submit(tx)
	proof := w.shards[0].bundle(tx.ID, 1)
	w.shards[1].carry(proof, proof)
	w.shards[1].expectBalance(bob, 9)
	w.shards[1].submit(w.tx([]coin{out(tx, 0, bob)}, pay{w.wallet(1), 8})) // the output is gone again
	f := w.shards[1].carry(proof)
	w.shards[1].expectBalance(bob, 0)
	if len(f.report.Outcomes) != 0 || f.report.Ignored[SkipDecided] != 1 {
		t.Fatalf("%+v", f.report)
	}
	back := w.shards[1].bundle(tx.ID, 0)
	w.shards[0].carry(back, back)
	if f := w.shards[0].carry(back); len(f.report.Outcomes) != 0 {
		t.Fatalf("%+v", f.report)
	}
}

func TestAttackAForgedProof(t *testing.T) {
	w := newWorld(t, 2, 10, 10)
	tx := w.tx([]coin{w.coin(0, 0)}, pay{w.wallet(1), 9})
	other := w.tx([]coin{w.coin(0, 1)}, pay{w.wallet(1), 9})
	w.shards[0].submit(tx)
	fresh := func() *chain.Bundle { return w.shards[0].bundle(tx.ID, 1) }
	for name, forge := range map[string]func(b *chain.Bundle){
		"another transaction": func(b *chain.Bundle) {
			b.Segment.Entries = []chain.Entry{{ID: other.ID, Outcome: chain.Accepted}}
			b.Txs = []chain.Tx{*other}
		},
		"another outcome": func(b *chain.Bundle) { b.Segment.Entries = []chain.Entry{{ID: tx.ID, Outcome: chain.Committed}} },
		"another tree": func(b *chain.Bundle) {
			b.Segment.Entries = []chain.Entry{{ID: other.ID, Outcome: chain.Accepted}}
			b.Txs, b.Place = []chain.Tx{*other}, chain.Place{Total: 1}
			b.Header.Outcomes = chain.OutcomeTree{b.Segment}.Root()
		},
		"another height": func(b *chain.Bundle) { b.Header.Height++ },
		"another view":   func(b *chain.Bundle) { b.Cert.View++ },
		"only prepared":  func(b *chain.Bundle) { b.Cert.Phase = chain.Prepare },
		"two signers": func(b *chain.Bundle) {
			l := w.shards[0]
			msg := chain.VoteBytes(&b.Header, b.Header.Hash(), 0, chain.Commit)
			c := cosi.NewCollector(l.committee, msg)
			for i := range 2 {
				s, _ := l.scheme.Sign(l.secrets[i], msg)
				if err := c.AddShare(i, s); err != nil {
					t.Fatal(err)
				}
			}
			sum, err := c.Aggregate()
			if err != nil {
				t.Fatal(err)
			}
			b.Cert.Certificate = cosi.Certificate{Mask: sum.Mask, Sig: sum.Sig}
		},
		"nothing": func(b *chain.Bundle) { b.Segment.Entries, b.Txs = nil, nil },
	} {
		b := fresh()
		forge(b)
		if _, err := w.shards[1].try(nil, []*chain.Bundle{b}); !errors.Is(err, chain.ErrProof) {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.shards[1].carry(fresh())
	w.shards[1].expect(tx.ID, chain.Committed)
}

func TestAttackAProofOfAnotherChainOrShard(t *testing.T) {
	w, other := newWorld(t, 4, 10), newWorld(t, 4, 10)
	other.params = chain.NewParams(chain.Hash{0xee}, chain.PrefixTest, 4, 1)
	for i, l := range other.shards {
		l.state = NewState(other.params, chain.ShardID(i), [16]byte{})
		if err := l.state.Genesis(other.allocs); err != nil {
			t.Fatal(err)
		}
	}
	for i := range other.coins {
		other.coins[i].Tx = chain.AllocationTx(other.params.ChainID)
	}
	foreign := other.tx([]coin{other.coin(0, 0)}, pay{other.wallet(1), 9})
	other.shards[0].submit(foreign)
	b := other.shards[0].bundle(foreign.ID, 1)
	b.Txs = nil // its transactions have other ids here
	if _, err := w.shards[1].try(nil, []*chain.Bundle{b}); !errors.Is(err, chain.ErrWrongChain) {
		t.Error(err)
	}
	b.Header.Chain = w.params.ChainID
	if _, err := w.shards[1].try(nil, []*chain.Bundle{b}); !errors.Is(err, chain.ErrProof) {
		t.Error(err)
	}
	tx := w.tx([]coin{w.coin(0, 0)}, pay{w.wallet(1), 9})
	w.shards[0].submit(tx)
	for _, l := range []*ledger{w.shards[0], w.shards[2]} {
		if _, err := l.try(nil, []*chain.Bundle{w.shards[0].bundle(tx.ID, 1)}); !errors.Is(err, chain.ErrWrongShard) {
			t.Error(err)
		}
	}
	// Shard 2 passes shard 0's proof off as its own.
	c := w.shards[0].bundle(tx.ID, 1)
	c.Header.Shard = 2
	if _, err := w.shards[1].try(nil, []*chain.Bundle{c}); !errors.Is(err, chain.ErrProof) {
		t.Error(err)
	}
	w.shards[1].expect(tx.ID, 0)
}

// What one item of a block did, the next ones see.
func TestAttackADoubleSpendWithinABlock(t *testing.T) {
	w := newWorld(t, 2, 10, 10)
	a := w.coin(0, 0)
	one, two := w.tx([]coin{a}, pay{w.wallet(0), 9}), w.tx([]coin{a}, pay{w.wallet(1), 9})
	f := w.shards[0].submit(one, two, one)
	if len(f.report.Outcomes) != 1 || len(f.report.Skipped) != 2 {
		t.Fatalf("%+v", f.report)
	}
	x := w.tx([]coin{w.coin(0, 1)}, pay{w.wallet(1), 9})
	f = w.shards[0].submit(x, x, x)
	if len(f.report.Outcomes) != 1 || len(f.report.Opened) != 1 || f.report.Skipped[0].Reason != SkipDecided {
		t.Fatalf("%+v", f.report)
	}
}

// A validator that hides its shard's proof, and sends it again and again, gets
// one body for it.
func TestAttackOneProofSentManyTimes(t *testing.T) {
	w := newWorld(t, 2, 10)
	n := newRelayNet(w, 1, calm)
	tx := w.tx([]coin{w.coin(0, 0)}, pay{w.wallet(1), 9})
	n.submit(0, tx)
	n.net.RunFor(interval + time.Millisecond)
	for range 50 {
		n.net.Inject(0, 4, &Letter{Msg: &BundleMsg{w.shards[0].bundle(tx.ID, 1)}})
	}
	n.settle(2*patience, tx)
	if n.submits > 4 {
		t.Errorf("%d bodies with proofs", n.submits)
	}
}
