package council

import (
	"slices"
	"testing"
	"time"

	"ios/chain"
	"ios/internal/sim"
	"ios/internal/sm"
	"ios/transepoch/identity"
)

func longEpochs(p *chain.Policy) { p.EpochLength = 20 * time.Second }

// Restarts do not make an epoch longer, the first neither.
func TestAnEpochIsAsLongAcrossRestarts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plan{validators: 4, seed: 1, faults: calm, policy: longEpochs})
	for epoch := uint64(2); epoch <= 3; epoch++ {
		begin := w.net.Elapsed()
		for range 3 {
			w.net.RunFor(5 * time.Second)
			for _, id := range w.ids {
				w.net.Crash(id)
				w.snap(id)
				w.net.Restart(id)
			}
		}
		w.toEpoch(epoch, time.Minute)
		if took := w.net.Elapsed() - begin; took < 20*time.Second || took > 25*time.Second {
			t.Errorf("epoch %d came after %v", epoch, took)
		}
	}
	w.drawn()
}

// A crash between the block that begins an epoch and the record of when that was
// does not make the epoch end at once.
func TestACrashBeforeTheTimeIsStored(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plan{validators: 1, seed: 2, faults: sim.Faults{}, policy: longEpochs})
	w.toEpoch(2, time.Minute)
	w.net.Crash(0)
	log := w.net.Records(0)
	if last := log[len(log)-1]; last.Kind != RecordOutcomes {
		t.Fatalf("the last record is of kind %d", last.Kind)
	}
	w.net.SetRecords(0, log[:len(log)-1])
	w.net.Restart(0)
	w.net.RunFor(15 * time.Second)
	if w.epoch() != 2 || w.core(0).beacon.begun {
		t.Error("the epoch is over")
	}
	w.toEpoch(3, time.Minute)
}

// Those who do not know when the epoch began follow those who do.
func TestLateClocksFollow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plan{validators: 7, seed: 3, faults: calm, policy: longEpochs})
	w.net.RunFor(15 * time.Second)
	for _, id := range w.ids[:4] {
		w.net.Crash(id)
		w.net.SetRecords(id, nil)
		w.net.Restart(id)
	}
	w.eventually("all have begun", func() bool {
		return !slices.ContainsFunc(w.ids, func(id sm.NodeID) bool { return !w.core(id).beacon.begun })
	}, 6*time.Second)
	if w.choice != nil {
		t.Error("a seed came first")
	}
	w.toEpoch(2, 6*time.Second)
}

// One alone, or as many as may be faulty, do not make the others begin.
func TestEarlyClocksAreNotFollowed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plan{validators: 7, seed: 4, faults: calm, policy: longEpochs})
	for _, id := range w.ids[:2] {
		w.hostile[id] = true
		w.core(id).began = sim.Start.Add(-time.Hour)
		w.net.Do(id, sm.Fire{Key: timerCore})
	}
	w.net.RunFor(15 * time.Second)
	w.ok()
	if w.epoch() != 1 || w.core(5).beacon.begun {
		t.Error("others have begun")
	}
	w.toEpoch(3, time.Minute)
	w.drawn()
}

// The shards' blocks are shown in time, by one member of each, whoever is away.
func TestBasesAreShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plan{validators: 8, seed: 5, faults: calm, shards: 2, policy: func(p *chain.Policy) { p.AbsentEpochs = 50 }})
	w.toEpoch(4, time.Minute)
	if n := w.ops[identity.KindBase]; n < 4 || n > 8 {
		t.Errorf("%d blocks of shards were shown in 3 epochs, of which 2 had some", n)
	}
	w.net.Crash(3)
	w.net.Crash(6)
	w.toEpoch(8, 2*time.Minute)
	for _, e := range w.records {
		if n := len(e.Epoch.Stalled.List()); n > 0 {
			t.Errorf("%d shards are stalled in epoch %d", n, e.Epoch.Number)
		}
	}
	w.drawn()
}

// Who has news of a shard that is behind is heard even though others are not.
func TestShardsThatMakeNoBlocksAreStalled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plan{validators: 8, seed: 6, faults: calm, shards: 2, still: true})
	w.toEpoch(4, time.Minute)
	w.drawn()
	if got := w.book.Current().Stalled.List(); !slices.Equal(got, []chain.ShardID{0, 1}) {
		t.Errorf("stalled are %v", got)
	}
	if w.ops[identity.KindBase] > 0 {
		t.Error("somebody shows what nobody knows")
	}
	w.shardsGoOn()
	w.toEpoch(5, time.Minute)
	if n := len(w.book.Current().Stalled.List()); n > 0 {
		t.Errorf("%d shards are stalled", n)
	}
}

// What an operator sees.
func TestThePhasesAreTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plan{validators: 4, seed: 7, faults: calm})
	var phases []Phase
	w.eventually("epoch 2", func() bool {
		s, ok := w.status[1]
		if !ok {
			return false
		}
		if n := len(phases); n == 0 || phases[n-1] != s.Phase {
			phases = append(phases, s.Phase)
		}
		return w.status[1].Epoch == 2
	}, time.Minute)
	if want := []Phase{Running, Dealing, Signing, Collecting, Running}; !slices.Equal(phases, want) {
		t.Errorf("%v, %v are wanted", phases, want)
	}
	if s := w.status[1]; !s.Due.Equal(w.core(1).began.Add(4 * time.Second)) {
		t.Errorf("due at %v", s.Due)
	}
}

// A leader that does not wait for the shards' blocks, which are on their way,
// leaves no shard behind: members hold its seed back for as long as an honest one
// would have waited.
func TestALeaderThatDoesNotWaitForTheShards(t *testing.T) {
	t.Parallel()
	for seed := uint64(1); seed <= 3; seed++ {
		w := newWorld(t, plan{validators: 8, seed: seed, faults: calm, shards: 2})
		for _, id := range w.ids {
			w.net.FilterOut(id, func(_ time.Time, to sm.NodeID, msg sm.Message) []sim.Parcel {
				if carries(msg, identity.KindBase) {
					w.net.After(150*time.Millisecond, func() { w.net.Inject(id, to, msg) })
					return nil
				}
				return sim.Pass(to, msg)
			})
		}
		hasty := func() bool {
			for _, id := range w.ids {
				if c := w.core(id); c.beacon != nil {
					c.beacon.ledAt = time.Time{}
				}
			}
			return w.reached(6)()
		}
		w.eventually("epoch 6", hasty, 2*time.Minute)
		w.drawn()
		for _, e := range w.records[1:] { // before the first no shard has made a block
			if n := len(e.Epoch.Stalled.List()); n > 0 {
				t.Errorf("seed %d: %d shards are stalled in epoch %d", seed, n, e.Epoch.Number)
			}
		}
	}
}
