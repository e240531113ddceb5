package byzcoin

import (
	"fmt"
	"testing"
	"time"

	"ios/internal/sim"
	"ios/internal/sm"
)

// A validator without a seat follows the chain, and one that starts late catches
// up in ranges from several members, past one that sends garbage.
func TestLateMemberCatchesUp(t *testing.T) {
	o := options{seed: 1, shirks: []int{1}}
	o.policy.FetchBlocks = 4
	o.policy.Quota, o.policy.Window = 1, 4
	c := newCluster(t, 5, o)
	c.synced()
	c.net.Crash(c.ids[4])
	for i := range 60 {
		c.net.After(time.Duration(i)*30*time.Millisecond, func() { c.author(i%4, fmt.Sprint(i)) })
	}
	c.eventually("blocks are final", func() bool { return c.top >= 40 }, 10*time.Second)
	asked := map[sm.NodeID]int{}
	for _, id := range c.ids[:4] {
		c.net.FilterIn(id, func(_ time.Time, from sm.NodeID, msg sm.Message) []sim.Parcel {
			if _, ok := msg.(*Fetch); ok {
				asked[id]++
			}
			return sim.Pass(from, msg)
		})
	}
	c.net.FilterOut(c.ids[1], func(_ time.Time, to sm.NodeID, msg sm.Message) []sim.Parcel { return sim.Pass(to, msg) })
	c.net.FilterIn(c.ids[4], func(_ time.Time, from sm.NodeID, msg sm.Message) []sim.Parcel {
		if s, ok := msg.(*SyncReply); ok && from == c.ids[1] {
			for i := range s.Blocks {
				s.Blocks[i].Block.Cert.Sig[40] ^= 1
				s.Blocks[i].raw = s.Blocks[i].Block.AppendTo(nil)
			}
		}
		return sim.Pass(from, msg)
	})
	c.net.Restart(c.ids[4])
	c.eventually("the late member has caught up", func() bool { return c.machine(4).height == c.top && c.settled() }, 10*time.Second)
	if !c.accused(1, FaultCertificate) {
		t.Error("the sender of garbage is not named")
	}
	if len(asked) < 3 {
		t.Errorf("only %d members were asked: %v", len(asked), asked)
	}
}

func TestFollowerWithoutASeat(t *testing.T) {
	c := newCluster(t, 4, options{seed: 2})
	c.synced()
	cfg := c.cfg
	app := &ledger{}
	cfg.App = app
	m, err := New(cfg)
	must(t, err)
	c.load(c.seatsFrom(0), 20, time.Second)
	c.eventually("all is final", func() bool { return len(c.held) == 20 && c.settled() }, 3*time.Second)
	// Its runner is this loop: what it sends is answered by seat 2 at once.
	now := c.net.Now()
	work := m.Step(now, Start{})
	for range 200 {
		var next []sm.Effect
		for _, e := range work {
			send, ok := e.(sm.Send)
			if !ok {
				continue
			}
			for _, to := range send.To {
				peer := c.machine(c.seat(to))
				for _, back := range peer.Step(now, sm.Receive{From: 999, Msg: send.Msg}) {
					switch back := back.(type) {
					case sm.Send:
						next = append(next, m.Step(now, sm.Receive{From: to, Msg: back.Msg})...)
					case Serve:
						reply, err := serve(c.net.Records(to), back)
						must(t, err)
						decoded, err := Decode(reply.AppendTo(nil))
						must(t, err)
						next = append(next, m.Step(now, sm.Receive{From: to, Msg: decoded})...)
					}
				}
			}
		}
		now = now.Add(50 * time.Millisecond)
		for kind := range timerKinds {
			if due := m.timers[kind]; !due.IsZero() && !due.After(now) {
				next = append(next, m.Step(now, sm.Fire{Key: sm.TimerKey{Kind: kind}})...)
			}
		}
		work = next
	}
	if m.height != c.top || app.state != c.apps[c.ids[0]].state {
		t.Errorf("it is at height %d of %d", m.height, c.top)
	}
}
