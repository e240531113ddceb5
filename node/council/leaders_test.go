package council

import (
	"slices"
	"testing"
	"time"

	"ios/chain"
	"ios/drp"
	"ios/eds"
	"ios/internal/sim"
	"ios/internal/sm"
	"ios/pob/byzcoin"
	"ios/transepoch/identity"
)

// leader is whom most validators that are up back now.
func (w *world) leader() (sm.NodeID, bool) {
	count := map[sm.NodeID]int{}
	for _, id := range w.ids {
		if c := w.core(id); c != nil && c.beacon != nil && c.beacon.round.Known {
			count[c.beacon.round.Leader]++
		}
	}
	for _, id := range w.ids {
		if count[id] > len(w.ids)/2 {
			return id, true
		}
	}
	return 0, false
}

// phase reports whether some honest validator sees the phase, and there is a
// leader.
func (w *world) phase(p Phase) func() bool {
	return func() bool {
		if _, ok := w.leader(); !ok {
			return false
		}
		return slices.ContainsFunc(w.ids, func(id sm.NodeID) bool {
			c := w.core(id)
			return c != nil && !w.hostile[id] && c.status().Phase == p
		})
	}
}

// carries reports whether a message holds a body of the sender with such an op.
func carries(msg sm.Message, kind identity.Kind) bool {
	e, ok := msg.(*Envelope)
	if !ok {
		return false
	}
	b, ok := byzcoin.Untag(e.Msg).(*byzcoin.Body)
	if !ok {
		return false
	}
	p, err := identity.DecodePayload(b.Body.Payload)
	return err == nil && slices.ContainsFunc(p.Ops, func(op identity.Op) bool { return op.Kind() == kind })
}

// drop is a filter that loses what the condition is true for.
func drop(cond func(to sm.NodeID, msg sm.Message) bool) sim.Filter {
	return func(_ time.Time, to sm.NodeID, msg sm.Message) []sim.Parcel {
		if cond(to, msg) {
			return nil
		}
		return sim.Pass(to, msg)
	}
}

// A leader that dies, in whatever phase, costs its round and nothing else.
func TestALeaderDiesInEachPhase(t *testing.T) {
	t.Parallel()
	for _, phase := range []Phase{Dealing, Signing, Collecting} {
		t.Run(phase.String(), func(t *testing.T) {
			w := newWorld(t, plan{validators: 4, seed: 7, faults: calm})
			w.toEpoch(2, time.Minute)
			w.eventually("a leader", w.phase(phase), time.Minute)
			id, _ := w.leader()
			w.net.Crash(id)
			w.toEpoch(3, time.Minute)
			w.net.Restart(id)
			w.toEpoch(4, time.Minute)
			w.drawn()
			if w.core(id).state.Book().Current().Number != w.epoch() {
				t.Error("the leader that died does not follow")
			}
		})
	}
}

// What a leader knows and does not say, another says.
func TestTheOutputIsTheSameWhoeverCollects(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plan{validators: 7, seed: 3, faults: calm})
	var silenced []sm.NodeID
	for len(silenced) < 2 {
		w.eventually("an output that somebody knows", func() bool {
			for _, id := range w.ids {
				if c := w.core(id); !slices.Contains(silenced, id) && c != nil && c.beacon != nil && c.beacon.result != nil {
					w.net.Crash(id) // the body is not on its way, or was lost with it
					silenced = append(silenced, id)
					return true
				}
			}
			return false
		}, time.Minute)
	}
	known := len(w.outputs)
	w.toEpoch(2, time.Minute)
	w.drawn()
	if known != 1 || w.outputs[2] != w.book.Current().Random {
		t.Error("the output that was known at first is not the one that came to be")
	}
}

// Leaders that collect and put nothing up: all three of a view. In the next one
// everybody collects.
func TestAllLeadersOfAViewWithholdTheOutput(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plan{validators: 7, seed: 5, faults: calm})
	w.chaotic = true // the bodies that get lost are insisted on
	var withheld []sm.NodeID
	w.net.RunUntil(w.phase(Collecting), time.Minute)
	view := w.core(0).beacon.round.View
	for _, id := range w.ids {
		w.net.FilterOut(id, func(_ time.Time, to sm.NodeID, msg sm.Message) []sim.Parcel {
			if c := w.core(id); carries(msg, identity.KindOutput) && c != nil && c.beacon != nil && c.beacon.epoch == 2 && c.beacon.round.View == view {
				if !slices.Contains(withheld, id) {
					withheld = append(withheld, id)
				}
				return nil
			}
			return sim.Pass(to, msg)
		})
	}
	w.toEpoch(2, 2*time.Minute)
	w.drawn()
	if len(withheld) < 2 {
		t.Errorf("only %d leaders withheld", len(withheld))
	}
}

// Nobody starts as a leader: tickets come, nothing else, for two rounds.
func TestLeadersThatDoNotStart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plan{validators: 4, seed: 2, faults: calm})
	for _, id := range w.ids {
		w.net.FilterOut(id, drop(func(_ sm.NodeID, msg sm.Message) bool {
			e, ok := msg.(*Envelope)
			_, ask := e.Msg.(*drp.Ask)
			c := w.core(id)
			return ok && (ask || carries(msg, identity.KindSeed)) && c != nil && c.beacon != nil && c.beacon.round.Round < 2
		}))
	}
	w.toEpoch(3, time.Minute)
	w.drawn()
}

// A ticket that is late, or shown to half of the members only, costs a round at
// most.
func TestTicketsLateOrShownToSome(t *testing.T) {
	t.Parallel()
	for seed := uint64(1); seed <= 2; seed++ {
		w := newWorld(t, plan{validators: 7, seed: seed, faults: calm})
		for _, id := range w.ids[:2] {
			w.hostile[id] = true
			w.net.FilterOut(id, func(_ time.Time, to sm.NodeID, msg sm.Message) []sim.Parcel {
				if e := msg.(*Envelope); e.Protocol == protoLottery {
					_, ticket := e.Msg.(*eds.Ticket)
					if ticket && (to%2 == 0 || w.net.Random().IntN(4) > 0) {
						return nil
					}
				}
				return sim.Pass(to, msg)
			})
		}
		w.toEpoch(4, 2*time.Minute)
		w.drawn()
	}
}

// impose makes a validator believe that it leads.
func (w *world) impose(id sm.NodeID) {
	c := w.core(id)
	c.beacon.round = eds.Round{Round: c.beacon.round.Round, View: c.beacon.round.View, Leader: id, Known: true}
	w.net.Do(id, sm.Fire{Key: timerCore})
}

// A seed by somebody who was not drawn is held back by all, until there is
// another.
func TestASeedByNobodysLeader(t *testing.T) {
	t.Parallel()
	p := plan{validators: 7, seed: 11, faults: calm}
	first := newWorld(t, p)
	first.eventually("a leader", first.phase(Dealing), time.Minute)
	leader, _ := first.leader()
	impostor, witness := (leader+1)%7, (leader+2)%7

	w := newWorld(t, p)
	w.chaotic = true
	w.hostile[impostor] = true
	w.net.FilterOut(impostor, drop(func(_ sm.NodeID, msg sm.Message) bool { return msg.(*Envelope).Protocol == protoLottery }))
	w.eventually("the preparation", func() bool { return w.core(impostor).beacon.begun }, time.Minute)
	w.net.RunFor(20 * time.Millisecond) // tickets are not weighed yet
	w.impose(impostor)
	w.eventually("its seed", func() bool { return len(w.core(witness).gate.seeds) > 0 }, time.Minute)
	w.toEpoch(2, time.Minute)
	w.drawn()
	if w.seeders[0] == impostor {
		t.Error("its seed is the first")
	}
}

// A leader that shows its ticket to some members only, and its seed to all, with
// others that take no part in the agreement: what some stand for and others do not
// is ordered, or does not stop the chain for long.
func TestASeedThatSomeDoNotBack(t *testing.T) {
	t.Parallel()
	p := plan{validators: 7, seed: 20, faults: calm, policy: func(p *chain.Policy) { p.EpochLength += 2 * time.Millisecond }}
	first := newWorld(t, p)
	first.eventually("a leader", first.phase(Dealing), time.Minute)
	id, _ := first.leader()
	other := (id + 1) % 7
	for _, shown := range [][]sm.NodeID{{}, {6}, {1, 6}, {0, 1, 3, 4}, {3, 4, 5, 6}} {
		w := newWorld(t, p)
		w.hostile[id], w.hostile[other], w.chaotic = true, true, true
		w.net.FilterOut(id, drop(func(to sm.NodeID, msg sm.Message) bool {
			return votes(msg) || msg.(*Envelope).Protocol == protoLottery && !slices.Contains(shown, to)
		}))
		w.net.FilterOut(other, drop(func(_ sm.NodeID, msg sm.Message) bool {
			return votes(msg) || msg.(*Envelope).Protocol == protoCouncil
		}))
		w.toEpoch(2, 3*time.Minute)
		if late := w.net.Elapsed() - w.genesis.Policy.EpochLength; late > 3*w.core(0).cfg.roundTime()/2 {
			t.Errorf("shown to %v: epoch 2 after %v, the seeds are by %v", shown, late, w.seeders)
		}
		w.drawn()
	}
}

// What is held back is let go for each of the reasons, and not before.
func TestNothingIsHeldBackForEver(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plan{validators: 7, seed: 1, faults: calm})
	w.eventually("a leader", w.phase(Dealing), time.Minute)
	leader, _ := w.leader()
	c := w.core((leader + 3) % 7)
	other := (leader + 1) % 7
	c.gate = gate{}
	seed := func(view uint64) *heldSeed {
		return &heldSeed{ref: chain.BodyRef{Author: other, Number: 1}, view: view}
	}
	if !c.wanted(&heldSeed{ref: chain.BodyRef{Author: leader}}) {
		t.Error("the leader's is held back")
	}
	if c.wanted(&heldSeed{ref: chain.BodyRef{Author: leader}, view: 1}) {
		t.Error("one of a view to come is not held back")
	}
	round := c.beacon.round
	c.beacon.round.Round, c.beacon.round.View = round.Round+eds.Ranks, round.View+1
	if !c.wanted(&heldSeed{ref: chain.BodyRef{Author: leader}}) || c.wanted(&heldSeed{ref: chain.BodyRef{Author: leader}, view: 1}) {
		t.Error("the leader of the view before is held back, or may take another view's choice")
	}
	c.beacon.round.Round, c.beacon.round.View = round.Round+2*eds.Ranks, round.View+2
	if c.wanted(&heldSeed{ref: chain.BodyRef{Author: leader}}) {
		t.Error("one of a view that is long over is not held back")
	}
	c.beacon.round = round
	h := seed(0)
	if c.wanted(h) {
		t.Error("it is not held back")
	}
	c.onEndorsed(other, &Endorsed{2, []chain.BodyRef{h.ref}})
	c.onEndorsed(leader, &Endorsed{2, []chain.BodyRef{h.ref}})
	c.onEndorsed(leader, &Endorsed{2, []chain.BodyRef{h.ref}})
	if c.wanted(h) {
		t.Error("two of seven, its author among them, are enough")
	}
	third := (leader + 2) % 7
	c.onEndorsed(third, &Endorsed{2, []chain.BodyRef{h.ref}})
	if !c.wanted(h) {
		t.Error("three of seven are not enough")
	}
	for i := range maxEndorsed { // what is too much takes its place
		c.onEndorsed(third, &Endorsed{2, []chain.BodyRef{{Author: other, Number: uint64(2 + i)}}})
	}
	if c.wanted(h) {
		t.Error("what a member stood for long ago counts")
	}
	c.beacon.round.View++
	if !c.wanted(h) || c.wanted(seed(0)) {
		t.Error("it is another view for what came before, and only for that")
	}
	alone := seed(0)
	alone.until = c.now.Add(time.Second)
	c.beacon = nil
	if c.wanted(alone) {
		t.Error("without a lottery nothing is held back")
	}
	if c.now = alone.until; !c.wanted(alone) {
		t.Error("without a lottery it is held back for ever")
	}
}

// votes reports whether a message takes part in making blocks, other than by acks.
func votes(msg sm.Message) bool {
	switch byzcoin.Untag(msg.(*Envelope).Msg).(type) {
	case *byzcoin.Share, *byzcoin.Proposal, *byzcoin.Certified, *byzcoin.ViewChange, *byzcoin.NewView:
		return true
	}
	return false
}
