package validator_test

import (
	"testing"
	"time"

	"ios/atomix"
	"ios/internal/testenv"
	"ios/node/validator/simnet"
)

// A transfer that is under way while a shard goes from term to term meets members
// that have left, that do not know of their seat yet, or that have not heard of the
// epoch. Hardly ever does that make it wait until a relay asks who should have answered.
func TestTransfersDoNotWaitForTransitions(t *testing.T) {
	first := testenv.Setting(t, "IOS_SEED", 5)
	for seed := range testenv.Setting(t, "IOS_SEEDS", 1) {
		seed += first
		p := changing(seed, 2, 4, 5, 4, 4)
		p.Until, p.Payments, p.EpochEvery = 5*time.Second, 700, 2*time.Second
		p.Spread, p.SwapPermille = 300*time.Millisecond, 500
		p.Wealth, p.Alone = 1_000_000, true
		p.Limits.Bundles, p.Policy.Quota, p.Policy.Window = 64, 4, 16
		r, err := simnet.Run(p)
		if err != nil {
			t.Fatal(err)
		}
		n := len(r.Transfers)
		if n < 50 || r.Left < 10 {
			t.Fatalf("seed %d: %d transfers met a transition, in which validators left %d shards", seed, n, r.Left)
		}
		policy := p.Policy.WithDefaults()
		patience := atomix.DefaultPatience(policy.Delta, policy.BlockInterval)
		t.Logf("seed %d: of %d transfers that met a transition half took up to %v, 90 %% %v, 99 %% %v, all %v; the patience is %v",
			seed, n, r.Transfers[n/2], r.Transfers[n*9/10], r.Transfers[n*99/100], r.Transfers[n-1], patience)
		if slow := r.Transfers[n*9/10]; slow >= patience/2 {
			t.Errorf("seed %d: one in ten transfers took %v and more", seed, slow)
		}
		// Where a yes crosses a no, one may: that is no matter of transitions.
		if slow := r.Transfers[n*49/50]; slow >= patience {
			t.Errorf("seed %d: one in fifty transfers took %v and more", seed, slow)
		}
	}
}
