package council

import (
	"testing"
	"time"

	"ios/chain"
	"ios/internal/sim"
	"ios/internal/sm"
)

// chaos is a world in which everything goes wrong for a while: crashes of any and
// of all, partitions, lossy links, snapshots in between, and in every second one as
// many liars as there may be. Afterwards the epochs go on.
func chaos(t *testing.T, seed uint64) *world {
	sizes := []int{1, 4, 5, 6, 7, 8, 10}
	n := sizes[seed%uint64(len(sizes))]
	w := newWorld(t, plan{
		validators: n, seed: seed, faults: sim.Mix(seed), shards: 1 + int(seed%2)*min(1, n/4),
		policy: func(p *chain.Policy) { p.EpochLength, p.AbsentEpochs = 3*time.Second, 100 },
	})
	w.chaotic = true
	if names := viceNames(); seed%2 == 0 {
		for _, i := range w.net.Random().Perm(n)[:(n-1)/3] {
			id := w.ids[i]
			w.hostile[id] = true
			w.net.FilterOut(id, vices[names[w.net.Random().IntN(len(names))]](w, id))
		}
	}
	down := 0 // any, and all
	if seed%3 == 0 {
		down = max(1, (n-1)/3)
	}
	w.net.Unleash(sim.Chaos{Until: 30 * time.Second, Nodes: w.ids, Down: down, Every: 700 * time.Millisecond, Pause: 3 * time.Second}, calm)
	var snaps func()
	snaps = func() {
		if w.net.Elapsed() < 30*time.Second && w.net.Err() == nil {
			w.snap(w.ids[w.net.Random().IntN(len(w.ids))])
			w.net.After(time.Second, snaps)
		}
	}
	w.net.After(time.Second, snaps)
	w.net.RunFor(31 * time.Second)
	w.ok()
	reached := w.epoch()
	w.toEpoch(reached+2, 5*time.Minute)
	w.drawn()
	return w
}

func TestTheSameSeedGivesTheSameRun(t *testing.T) {
	t.Parallel()
	run := func(seed uint64) [32]byte {
		w := newWorld(t, plan{validators: 4, seed: seed, faults: sim.Mix(seed)})
		w.chaotic = true
		w.net.Unleash(sim.Chaos{Until: 8 * time.Second, Nodes: w.ids, Every: time.Second, Pause: time.Second}, calm)
		w.net.RunFor(12 * time.Second)
		w.ok()
		return w.net.Hash()
	}
	if run(3) != run(3) {
		t.Error("one seed gives two runs")
	}
	if run(3) == run(4) {
		t.Error("two seeds give one run")
	}
}

// If all validators forget what they stored after an output is known, another one
// comes to be: that is what records are for, and that the invariants see it.
func TestForgottenSeedsAreNoticed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plan{validators: 4, seed: 5, faults: calm})
	w.eventually("an output", func() bool { return len(w.outputs) > 0 }, time.Minute)
	for _, id := range w.ids {
		w.net.Crash(id)
		w.net.SetRecords(id, nil)
		w.mine[id] = nil
	}
	for _, id := range w.ids {
		w.net.Restart(id)
	}
	if w.net.RunUntil(w.reached(3), time.Minute) || w.net.Err() == nil {
		t.Error("nobody notices")
	}
}

var _ sm.Machine = (*Core)(nil)
