package council

import (
	"fmt"
	"testing"
	"time"

	"ios/internal/sim"
	"ios/internal/sm"
	"ios/pob/byzcoin"
	"ios/transepoch/identity"
)

// All validators restart at once, in whatever phase, from their logs or from
// snapshots: nobody deals twice, and the epoch has its output.
func TestAllRestartInEachPhase(t *testing.T) {
	t.Parallel()
	for _, phase := range []Phase{Dealing, Signing, Collecting} {
		for _, snapshots := range []bool{false, true} {
			t.Run(fmt.Sprint(phase, snapshots), func(t *testing.T) {
				faults := calm
				faults.MaxSync = 0 // so that a snapshot counts at once
				w := newWorld(t, plan{validators: 4, seed: 9, faults: faults})
				for epoch := uint64(2); epoch <= 3; epoch++ {
					w.eventually("the phase", w.allIn(phase), time.Minute)
					for _, id := range w.ids {
						if snapshots {
							w.net.RunFor(0)
							w.snap(id)
						}
						w.net.Crash(id)
					}
					for _, id := range w.ids {
						w.net.Restart(id)
					}
					w.toEpoch(epoch, time.Minute)
				}
				w.drawn()
				if snapshots && w.fromSnap < len(w.ids) {
					t.Errorf("%d restarts were from snapshots", w.fromSnap)
				}
			})
		}
	}
}

// allIn reports whether all validators see the phase, and if it is one in which
// something is gathered, that nobody has it all.
func (w *world) allIn(p Phase) func() bool {
	return func() bool {
		for _, id := range w.ids {
			c := w.core(id)
			if s := c.status(); s.Phase != p || !s.Known || c.beacon.result != nil {
				return false
			}
		}
		return true
	}
}

// An output that comes before the seed is final here is checked when it is.
func TestAnOutputBeforeTheSeed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plan{validators: 4, seed: 3, faults: calm})
	w.eventually("a leader", w.phase(Dealing), time.Minute)
	leader, _ := w.leader()
	late, third := (leader+1)%4, (leader+2)%4
	healed := false
	w.net.FilterIn(late, func(_ time.Time, from sm.NodeID, msg sm.Message) []sim.Parcel {
		if carries(msg, identity.KindOutput) {
			healed = true
		} else if _, body := byzcoin.Untag(msg.(*Envelope).Msg).(*byzcoin.Body); !body && !healed {
			return nil // not even that a seed is final
		}
		return sim.Pass(late, msg)
	})
	w.eventually("the seed", func() bool { return w.choice != nil }, time.Minute)
	w.net.Crash(third) // so that it does not go on without us
	w.eventually("the output", func() bool { return len(w.core(late).gate.later) > 0 }, time.Minute)
	body := w.core(late).gate.later[0]
	before := w.checks[late][body.Hash]
	w.toEpoch(2, time.Minute)
	w.net.Restart(third)
	w.toEpoch(3, time.Minute)
	if after := w.checks[late][body.Hash]; before != 1 || after != 2 {
		t.Errorf("it was checked %d times before and %d times in all", before, after)
	}
	w.drawn()
}
