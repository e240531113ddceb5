package byzcoin

import (
	"strconv"
	"testing"
	"time"

	"ios/internal/sim"
	"ios/internal/testenv"
)

// seeds is how many random runs a test makes: IOS_SEEDS=1000 for a soak.
func seeds(t *testing.T, usual uint64) uint64 { return testenv.Setting(t, "IOS_SEEDS", usual) }

func firstSeed(t *testing.T) uint64 { return testenv.Setting(t, "IOS_SEED", 1) }

var calm = sim.Faults{MinDelay: time.Millisecond, MaxDelay: 5 * time.Millisecond, MaxSync: time.Millisecond}

// TestChaos runs committees of all sizes through every fault at once. When it is
// over, all that was held becomes final everywhere.
func TestChaos(t *testing.T) {
	first := firstSeed(t)
	for seed := first; seed < first+seeds(t, 6); seed++ {
		chaos(t, seed)
	}
}

func chaos(t *testing.T, seed uint64) {
	size := 1 + int(seed%10)
	if seed%13 == 0 {
		size = 20
	}
	o := options{seed: seed, faults: sim.Mix(seed)}
	o.policy.BlockInterval = 300 * time.Millisecond
	c := newCluster(t, size, o)
	if f := (size - 1) / 3; seed/10%2 == 0 {
		for seat := range f {
			seat = (seat*3 + int(seed)) % size
			c.shirks[c.ids[seat]] = true
			c.corrupt(seat, seed)
		}
	}
	down := 0 // of all, at any time
	if seed%3 != 0 {
		down = max(1, (size-1)/3)
	}
	c.chaotic = true
	c.net.Unleash(sim.Chaos{Until: 12 * time.Second, Nodes: c.ids, Down: down, Every: 400 * time.Millisecond, Pause: time.Second}, calm)
	c.load(c.seatsFrom(0), 40, 11*time.Second)
	c.net.RunFor(12 * time.Second)
	if c.net.Err() == nil {
		c.net.RunFor(100 * time.Millisecond)
		c.load(c.seatsFrom(0), size, 50*time.Millisecond)
		c.net.RunFor(100 * time.Millisecond)
	}
	c.eventually("all that is held is final everywhere, with seed "+strconv.FormatUint(seed, 10), c.settled, time.Minute)
	if testing.Verbose() {
		var views uint64
		for _, v := range c.views {
			views = max(views, v)
		}
		t.Logf("seed %d: %d members, %d Byzantine, %d faults seen, %d blocks, %d bodies held, %d refused, view %d, %d steps", seed, size, len(c.shirks), len(c.faults), c.top, len(c.held), c.refused, views, c.net.Steps())
	}
}

func TestSameSeedSameRun(t *testing.T) {
	run := func(seed uint64) [32]byte {
		c := newCluster(t, 5, options{seed: seed, faults: sim.Mix(9)})
		c.chaotic = true
		c.net.Unleash(sim.Chaos{Until: 3 * time.Second, Nodes: c.ids, Down: 2, Every: 300 * time.Millisecond, Pause: time.Second}, calm)
		c.load(c.seatsFrom(0), 20, 3*time.Second)
		c.net.RunFor(5 * time.Second)
		c.ok()
		return c.net.Hash()
	}
	if run(4) != run(4) {
		t.Error("two runs of one seed differ")
	}
	if run(4) == run(5) {
		t.Error("two seeds give one run")
	}
}
