package council

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"ios/drp"
	"ios/internal/sim"
	"ios/internal/sm"
	"ios/pob/byzcoin"
	"ios/transepoch/identity"
)

// Each rule of the beacon and the lottery is broken once on purpose in all honest
// validators, while somebody makes use of that. With the rule the same attack does
// nothing; without it what must hold is seen to break.
func broken(t *testing.T, p plan, off func(*sabotage), attack func(w *world), want string) {
	t.Parallel()
	for _, breaks := range []bool{false, true} {
		q := p
		if breaks {
			off(&q.sabotage)
		}
		w := newWorld(t, q)
		w.chaotic = true
		attack(w)
		on := w.net.RunUntil(w.reached(3), time.Minute)
		err := w.net.Err()
		if err == nil && !on {
			err = errors.New("the epochs do not go on")
		}
		switch {
		case breaks && err == nil:
			t.Error("nobody notices")
		case breaks && !strings.Contains(err.Error(), want):
			t.Errorf("noticed is something else: %v", err)
		case !breaks && err != nil:
			t.Errorf("the rule does not help: %v", err)
		}
	}
}

// leads runs to where a leader is known, and makes it hostile.
func (w *world) leads() sm.NodeID {
	w.eventually("a leader", w.phase(Dealing), time.Minute)
	id, _ := w.leader()
	w.hostile[id] = true
	return id
}

// A leader that learns the output before its choice is signed off could take
// another one.
func TestServersThatOpenBeforeTheSignOffAreNoticed(t *testing.T) {
	broken(t, plan{validators: 4, seed: 7, faults: calm}, func(s *sabotage) { s.credulous = true }, func(w *world) {
		id := w.leads()
		w.net.FilterOut(id, func(_ time.Time, to sm.NodeID, msg sm.Message) []sim.Parcel {
			if !carries(msg, identity.KindSeed) {
				return sim.Pass(to, msg)
			}
			p := must(identity.DecodePayload(byzcoin.Untag(msg.(*Envelope).Msg).(*byzcoin.Body).Body.Payload))
			choice := must(drp.DecodeChoice(seedOf(p).Choice))
			show := &drp.Show{Epoch: seedOf(p).Epoch, View: choice.View, Choice: choice.Hash(), SignOff: []byte("trust me")}
			w.seen.listen[id] = func(_ time.Time, from sm.NodeID, msg sm.Message) []sim.Parcel {
				if m, ok := msg.(*Envelope).Msg.(*drp.Want); ok && m.Choice == show.Choice {
					w.net.Inject(id, from, &Envelope{protoBeacon, &drp.Full{Epoch: m.Epoch, Raw: choice.Raw}})
				}
				return sim.Pass(id, msg)
			}
			return []sim.Parcel{{To: to, Msg: &Envelope{protoBeacon, show}}}
		})
	}, "which is not signed off")
}

// A server that forgets its dealing makes another one, and a leader could take
// whichever suits it.
func TestServersThatDealTwiceAreNoticed(t *testing.T) {
	const forgetful = 2
	broken(t, plan{validators: 4, seed: 6, faults: calm}, func(s *sabotage) { s.forgetful, s.forgets = forgetful, true }, func(w *world) {
		for _, id := range w.ids { // leaders get nowhere in the first round
			w.net.FilterOut(id, drop(func(_ sm.NodeID, msg sm.Message) bool {
				c := w.core(id)
				return carries(msg, identity.KindSeed) && c != nil && c.beacon != nil && c.beacon.round.Round < 2
			}))
		}
		again := false
		w.net.RunUntil(func() bool {
			for _, id := range w.ids {
				c := w.core(id)
				if id != forgetful && !again && c.beacon != nil && c.beacon.proposal != nil {
					again = true
					w.net.Crash(forgetful)
					w.net.Restart(forgetful)
				}
			}
			return w.epoch() > 1
		}, time.Minute)
	}, "two dealings for view 0")
}

// Who puts up an output of its own wins, if nobody looks at the transcript.
func TestOutputsThatNobodyVerifiesAreNoticed(t *testing.T) {
	broken(t, plan{validators: 4, seed: 7, faults: calm}, func(s *sabotage) { s.blind = true }, func(w *world) {
		id := w.leads()
		w.net.FilterOut(id, vices["wrong outputs"](w, id))
	}, "the transcript of epoch 2 does not verify")
}

// A choice that a leader has altered is not one that the servers dealt for.
func TestChoicesThatNobodyChecksAreNoticed(t *testing.T) {
	broken(t, plan{validators: 4, seed: 7, faults: calm}, func(s *sabotage) { s.blind = true }, func(w *world) {
		id := w.leads()
		w.net.FilterOut(id, vices["wrong choices"](w, id))
	}, "the epochs do not go on")
}

// Who was not drawn leads, if members ack the first seed that they see.
func TestSeedsByNobodysLeaderAreNoticed(t *testing.T) {
	broken(t, plan{validators: 10, seed: 11, faults: calm}, func(s *sabotage) { s.gullible = true }, func(w *world) {
		w.eventually("the preparation", func() bool { return w.core(0).beacon.begun }, time.Minute)
		impostor := w.ids[slices.IndexFunc(w.ids, func(id sm.NodeID) bool { return !w.drawnFor(id, 2, 0) })]
		w.hostile[impostor] = true
		w.net.FilterOut(impostor, drop(func(_ sm.NodeID, msg sm.Message) bool { return msg.(*Envelope).Protocol == protoLottery }))
		w.eventually("its preparation", func() bool { return w.core(impostor).beacon.begun }, time.Minute)
		w.net.RunFor(20 * time.Millisecond) // tickets are not weighed yet
		w.impose(impostor)
	}, "which the lottery has not drawn")
}
