package atomix

import (
	"testing"

	"ios/chain"
	"ios/internal/sm"
)

// entriesTo are the entries of the only bundle among effects, which goes to a
// validator.
func entriesTo(t *testing.T, effects []sm.Effect, to chain.ValidatorID) []chain.Entry {
	t.Helper()
	s := only[sm.Send](t, effects)
	b, ok := content(s).(*BundleMsg)
	if !ok || s.To[0] != to {
		t.Fatalf("%T is sent to %d, a bundle to %d is wanted", content(s), s.To[0], to)
	}
	return b.Bundle.Segment.Entries
}

// A no that came before the other shard had the transaction open is shown to who
// then says yes: whether its yes comes after our block, or waits for its check when
// the block is made.
func TestANoThatCameTooEarlyIsShownAgain(t *testing.T) {
	for _, crossing := range []bool{false, true} {
		w := newWorld(t, 4, 100)
		gone := w.coin(1, 0)
		w.shards[1].submit(w.tx([]coin{gone}, pay{w.wallet(1), 99})) // so that shard 1 says no
		tx := w.tx([]coin{w.coin(0, 0), gone, w.coin(2, 0)}, pay{w.wallet(3), 299})
		o := newOne(t, w)
		w.shards[0].submit(tx)
		first := w.shards[0].bundle(tx.ID, 1)
		w.shards[2].carry(w.shards[0].bundle(tx.ID, 2))
		yes := w.shards[2].bundle(tx.ID, 1)
		if crossing {
			only[CheckProof](t, o.receive(8, &BundleMsg{yes}))
		}
		f := w.shards[1].carry(first)
		w.shards[1].expect(tx.ID, chain.Rejected)
		f.block.Cert.View = 1 // another member tells of it
		effects := o.step(Decided{Block: f.block, Report: f.report})
		if !crossing {
			o.nothing(effects)
			effects = o.receive(8, &BundleMsg{yes})
		}
		if e := entriesTo(t, effects, 8); len(e) != 1 || e[0] != (chain.Entry{ID: tx.ID, Outcome: chain.Rejected}) {
			t.Errorf("crossing %v: shown %v", crossing, e)
		}
		// One of our own only hands on.
		o.nothing(o.step(sm.Receive{From: 5, Msg: &Letter{From: 1, Msg: &BundleMsg{yes}}}))
	}
}

// A yes without the transaction is told again, by the leader, when a shard is heard
// that may not have had it open then.
func TestAYesThatCameTooEarlyIsToldAgain(t *testing.T) {
	for _, leads := range []bool{true, false} {
		w := newWorld(t, 4, 100)
		tx := w.tx([]coin{w.coin(0, 0), w.coin(2, 0), w.coin(3, 0)}, pay{w.wallet(1), 299})
		o := newOne(t, w)
		w.shards[0].submit(tx)
		f := w.shards[1].carry(w.shards[0].bundle(tx.ID, 1))
		told := 0
		for _, e := range o.step(Decided{Block: f.block, Report: f.report}) {
			if s, ok := e.(sm.Send); ok && s.To[0]/perShard == 2 {
				told++
				if b := content(s).(*BundleMsg).Bundle; len(b.Txs) != 0 {
					t.Fatal("shard 1 passes on witnesses that it has not checked")
				}
			}
		}
		if told != 1 {
			t.Fatalf("shard 2 is told %d times", told)
		}
		w.shards[2].carry(w.shards[0].bundle(tx.ID, 2))
		f = w.shards[1].carry(w.shards[2].bundle(tx.ID, 1))
		if !leads {
			f.block.Cert.View = 1
			o.nothing(o.step(Decided{Block: f.block, Report: f.report}))
			continue
		}
		s := only[sm.Send](t, o.step(Decided{Block: f.block, Report: f.report}))
		if s.To[0]/perShard != 2 || content(s).(*BundleMsg).Bundle.Segment.Entries[0].ID != tx.ID {
			t.Errorf("told validator %d again", s.To[0])
		}
	}
}
