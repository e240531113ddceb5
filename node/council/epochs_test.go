package council

import (
	"testing"
	"time"

	"ios/chain"
	"ios/internal/sim"
)

var calm = sim.Faults{MinDelay: time.Millisecond, MaxDelay: 20 * time.Millisecond, MaxSync: 3 * time.Millisecond}

func TestEveryEpochHasItsBeacon(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 4, 7} {
		w := newWorld(t, plan{validators: n, seed: uint64(n), faults: calm})
		w.toEpoch(4, time.Minute)
		w.drawn()
	}
}

func TestWithoutEpochsNothingHappens(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plan{validators: 4, seed: 1, faults: calm, policy: func(p *chain.Policy) { p.EpochLength = 0 }})
	w.net.RunFor(10 * time.Minute)
	w.ok()
	if w.top != 0 {
		t.Errorf("%d blocks", w.top)
	}
}
