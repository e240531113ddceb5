package council

import (
	"errors"
	"strings"
	"testing"
	"time"

	"ios/chain/cosi"
	"ios/chain/cosi/cositest"
	"ios/internal/sim"
	"ios/internal/sm"
	"ios/pob/byzcoin"
	"ios/transepoch/identity"
)

// A validator whose registry cannot enter the epoch that was recorded says so and
// halts: it votes for nothing more, after a restart too, and the others go on. When
// the cause is gone it starts from the same records.
func TestARegistryThatCannotGoOnHalts(t *testing.T) {
	t.Parallel()
	const broken = sm.NodeID(3)
	cause := errors.New("its memory is bad")
	bad := cositest.New("council")
	w := newWorld(t, plan{validators: 4, seed: 3, faults: calm, schemes: map[sm.NodeID]cosi.Scheme{broken: bad}})
	w.hostile[broken] = true // it reports what honest ones must not
	var sent int
	w.net.FilterOut(broken, func(_ time.Time, to sm.NodeID, msg sm.Message) []sim.Parcel {
		if w.core(broken) != nil && w.core(broken).Err() != nil {
			sent++
		}
		return sim.Pass(to, msg)
	})
	w.eventually("the output", func() bool { return len(w.outputs) > 0 }, time.Minute)
	bad.Refuse = func() error { return cause }
	for range 2 {
		w.eventually("the halt", func() bool { return w.agreed[broken].Phase == byzcoin.Halted }, time.Minute)
		c := w.core(broken)
		for _, reason := range []string{c.Status().Reason, w.agreed[broken].Reason} {
			if c.Status().Phase != Halted || !strings.Contains(reason, cause.Error()) {
				t.Errorf("%v: %s", c.Status().Phase, reason)
			}
		}
		out := c.Step(c.now, Events{Submit{Ops: []identity.Op{&identity.Leave{}}, Tag: 1}})
		if a, ok := out[0].(sm.Deliver).Value.(Answer); !ok || len(out) != 1 || a.Err == nil {
			t.Errorf("a submission is answered by %+v", out)
		}
		w.toEpoch(w.epoch()+1, time.Minute)
		w.net.Crash(broken)
		delete(w.agreed, broken)
		parsed := 0
		bad.Refuse = func() error { // all but the genesis and its committee
			if parsed++; parsed > 2 {
				return cause
			}
			return nil
		}
		w.net.Restart(broken)
	}
	if sent > 0 {
		t.Errorf("it sent %d messages after it had halted", sent)
	}
	bad.Refuse = nil
	w.net.Crash(broken)
	w.net.Restart(broken)
	w.eventually("it follows", func() bool { return w.core(broken).state.Book().Current().Number == w.epoch() }, time.Minute)
	w.ok()
	w.drawn()
}
