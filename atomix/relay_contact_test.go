package atomix

import (
	"testing"

	"ios/chain"
	"ios/internal/sm"
)

// lockOne makes shard 1 lock a transfer to shard 0 and gives what the relay
// sends when that is final under a leader.
func lockOne(o *one, i int, view uint64) []sm.Effect {
	tx := o.w.tx([]coin{o.w.coin(1, i)}, pay{o.w.wallet(0), 99})
	f := o.w.shards[1].submit(tx)
	block := *f.block
	block.Cert.View = view
	return o.step(Decided{Block: &block, Report: f.report})
}

func bundleTo(t *testing.T, effects []sm.Effect) chain.ValidatorID {
	t.Helper()
	s := only[sm.Send](t, effects)
	if _, ok := content(s).(*BundleMsg); !ok {
		t.Fatalf("sent %T", s.Msg)
	}
	return s.To[0]
}

// A dead member of the other shard costs its patience once, not with every
// block; and whoever sends good proofs is told first.
func TestTheRelayPrefersWhoIsAlive(t *testing.T) {
	w := newWorld(t, 2, 100, 100, 100, 100, 100, 100)
	o := newOne(t, w) // validator 4 has seat 0 of shard 1
	o.nothing(lockOne(o, 0, 1))
	dead := bundleTo(t, lockOne(o, 1, 0))
	o.wait(2 * patience)
	if !o.r.slow(dead) {
		t.Fatal("the member that did not answer is not passed over")
	}
	for i := 2; i < 5; i++ {
		if to := bundleTo(t, lockOne(o, i, 4)); to == dead {
			t.Error("told the dead member again")
		}
	}
	tx := w.tx([]coin{w.coin(0, 0)}, pay{w.wallet(1), 99})
	w.shards[0].submit(tx)
	alive := (dead + 2) % 4
	check := only[CheckProof](t, o.receive(alive, &BundleMsg{w.shards[0].bundle(tx.ID, 1)}))
	o.step(ProofChecked{check.Key, nil})
	if to := bundleTo(t, lockOne(o, 5, 0)); to != alive {
		t.Errorf("told validator %d, want %d who was heard last", to, alive)
	}
}
