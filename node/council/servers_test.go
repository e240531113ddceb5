package council

import (
	"maps"
	"slices"
	"testing"
	"time"

	"ios/chain"
	"ios/drp"
	"ios/internal/sim"
	"ios/internal/sm"
	"ios/pob/byzcoin"
	"ios/transepoch/identity"
)

// vices are what servers and leaders of the beacon do wrong.
var vices = map[string]func(w *world, id sm.NodeID) sim.Filter{
	"silent": func(*world, sm.NodeID) sim.Filter {
		return drop(func(_ sm.NodeID, msg sm.Message) bool { return msg.(*Envelope).Protocol == protoBeacon })
	},
	"garbage": func(w *world, _ sm.NodeID) sim.Filter {
		return func(_ time.Time, to sm.NodeID, msg sm.Message) []sim.Parcel {
			e := msg.(*Envelope)
			spoil := func(raw []byte) []byte {
				bad := slices.Clone(raw)
				bad[w.net.Random().IntN(len(bad))] ^= 1 << w.net.Random().IntN(8)
				return bad
			}
			switch m := e.Msg.(type) {
			case *drp.Deal:
				e = &Envelope{e.Protocol, &drp.Deal{Epoch: m.Epoch, Raw: spoil(m.Raw)}}
			case *drp.Open:
				e = &Envelope{e.Protocol, &drp.Open{Epoch: m.Epoch, Choice: m.Choice, Shares: spoil(m.Shares)}}
			case *drp.Show:
				e = &Envelope{e.Protocol, &drp.Show{Epoch: m.Epoch, View: m.View, Choice: m.Choice, SignOff: spoil(m.SignOff)}}
			}
			return sim.Pass(to, e)
		}
	},
	"secretive": func(w *world, _ sm.NodeID) sim.Filter { // with its tickets, and what it stands for
		return drop(func(to sm.NodeID, msg sm.Message) bool {
			p := msg.(*Envelope).Protocol
			return p == protoCouncil || p == protoLottery && (int(to)+w.lives[to])%2 == 0
		})
	},
	"no votes": func(*world, sm.NodeID) sim.Filter {
		return drop(func(_ sm.NodeID, msg sm.Message) bool { return votes(msg) })
	},
	"wrong choices": func(w *world, id sm.NodeID) sim.Filter {
		return w.altered(id, identity.KindSeed, func(op identity.Op) { s := op.(*identity.Seed); s.Choice[len(s.Choice)-70] ^= 1 })
	},
	"wrong outputs": func(w *world, id sm.NodeID) sim.Filter {
		return w.altered(id, identity.KindOutput, func(op identity.Op) { op.(*identity.Output).Random[0] ^= 1 })
	},
	"hidden seeds": func(w *world, _ sm.NodeID) sim.Filter { // from half of the members
		return drop(func(to sm.NodeID, msg sm.Message) bool { return carries(msg, identity.KindSeed) && to%2 == 0 })
	},
	"hidden outputs": func(*world, sm.NodeID) sim.Filter {
		return drop(func(_ sm.NodeID, msg sm.Message) bool { return carries(msg, identity.KindOutput) })
	},
	"no openings": func(*world, sm.NodeID) sim.Filter {
		return drop(func(_ sm.NodeID, msg sm.Message) bool {
			_, open := msg.(*Envelope).Msg.(*drp.Open)
			return open
		})
	},
}

// altered has a validator put up other bodies than it made: those with an op of the
// kind.
func (w *world) altered(id sm.NodeID, kind identity.Kind, change func(op identity.Op)) sim.Filter {
	known := map[chain.Hash]*chain.Body{}
	return func(_ time.Time, to sm.NodeID, msg sm.Message) []sim.Parcel {
		if !carries(msg, kind) {
			return sim.Pass(to, msg)
		}
		tag, b := msg.(*Envelope).Msg.(*byzcoin.Tagged), byzcoin.Untag(msg.(*Envelope).Msg).(*byzcoin.Body).Body
		if b.Author != id {
			return sim.Pass(to, msg)
		}
		bad := known[b.Hash]
		if bad == nil {
			other := *b
			p := must(identity.DecodePayload(slices.Clone(b.Payload)))
			for _, op := range p.Ops {
				if op.Kind() == kind {
					change(op)
				}
			}
			other.Payload = p.AppendTo(nil)
			other.SignBody(w.keys[id].signing)
			bad = &other
			known[b.Hash] = bad
		}
		return sim.Pass(to, Agreement(tag.Term, &byzcoin.Body{Body: bad}))
	}
}

// viceNames are in a fixed order.
func viceNames() []string {
	names := slices.Collect(maps.Keys(vices))
	slices.Sort(names)
	return names
}

// As many servers as the committee can bear may do what they want.
func TestFaultyServers(t *testing.T) {
	t.Parallel()
	for _, name := range viceNames() {
		vice := vices[name]
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, plan{validators: 7, seed: 4, faults: calm})
			for _, id := range []sm.NodeID{1, 4} {
				w.hostile[id] = true
				w.net.FilterOut(id, vice(w, id))
			}
			w.toEpoch(3, 2*time.Minute)
			w.drawn()
		})
	}
}

// A server that forgets what it dealt deals again, and is found out when a leader
// sees both.
func TestAServerDealsTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plan{validators: 4, seed: 6, faults: calm})
	w.chaotic = true // the bodies that get lost are insisted on
	forget := sm.NodeID(2)
	w.hostile[forget] = true
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
			if id == forget || again || c == nil || c.beacon == nil || c.beacon.proposal == nil {
				continue
			}
			again = true
			w.net.Crash(forget)
			w.net.SetRecords(forget, slices.DeleteFunc(slices.Clone(w.net.Records(forget)), func(p sm.Persist) bool { return p.Kind == RecordBeacon }))
			w.net.Restart(forget)
		}
		return w.epoch() > 1
	}, time.Minute)
	w.toEpoch(3, time.Minute)
	w.drawn()
	if !again {
		t.Error("nobody proposed anything in the first round")
	}
	for _, a := range w.accused {
		if a.Who != forget || len(a.Evidence) == 0 {
			t.Errorf("%+v", a)
		}
	}
}

// With more than a third away nothing is decided, and the status says who is
// missed; when they are back it goes on.
func TestTooManyAreAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plan{validators: 7, seed: 8, faults: calm})
	w.toEpoch(2, time.Minute)
	w.chaotic = true
	away := []sm.NodeID{2, 5, 6}
	for _, id := range away {
		w.net.Crash(id)
	}
	w.net.RunFor(20 * time.Second)
	w.ok()
	if w.epoch() != 2 {
		t.Fatalf("epoch %d with %d of 7 away", w.epoch(), len(away))
	}
	for _, id := range []sm.NodeID{0, 1, 3, 4} {
		if s := w.status[id]; !slices.Equal(s.Awaited, away) {
			t.Errorf("validator %d waits for %v: %s", id, s.Awaited, s.Reason)
		}
	}
	for _, id := range away {
		w.net.Restart(id)
	}
	w.toEpoch(4, time.Minute)
	w.drawn()
}

// A group that does not open its secrets makes the epoch void: everybody stays
// where they are, those who were silent are named, and the next epoch is drawn.
func TestAGroupWithholds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plan{validators: 18, seed: 1, faults: calm, shards: 2, policy: func(p *chain.Policy) { p.GroupSize = 9 }})
	w.eventually("the seed", func() bool { return w.choice != nil }, time.Minute)
	choice := must(drp.DecodeChoice(w.choice))
	cfg := w.book.Beacon()
	group := drp.Groups(cfg, choice.View)[1]
	mute := slices.Clone(group[:6])
	old := must(w.book.Plan(1)).New
	for _, id := range mute {
		w.hostile[id] = true
		w.net.FilterOut(id, drop(func(_ sm.NodeID, msg sm.Message) bool {
			m, open := msg.(*Envelope).Msg.(*drp.Open)
			return open && m.Epoch == 2 || carries(msg, identity.KindOutput)
		}))
	}
	w.toEpoch(2, 3*time.Minute)
	e := w.book.Current()
	if e.Course != identity.Void || !e.Old.Equal(old) || !must(w.book.Plan(2)).New.Equal(old) {
		t.Errorf("epoch 2 is %v", e.Course)
	}
	if !slices.Equal(e.Silent, mute) {
		t.Errorf("silent are %v, %v were", e.Silent, mute)
	}
	for _, id := range mute {
		w.net.FilterOut(id, nil)
		delete(w.hostile, id)
	}
	w.toEpoch(3, time.Minute)
	if e := w.book.Current(); e.Course != identity.Drawn || len(e.Silent) > 0 {
		t.Errorf("epoch 3 is %v", e.Course)
	}
}
