package byzcoin

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"ios/chain"
	"ios/internal/sim"
	"ios/internal/sm"
)

// Who finds a view too slow, but is alone with it, goes on voting in it.
func TestWhoComplainsAloneGoesOnVoting(t *testing.T) {
	s := newSolo(t, 4, 2)
	p := s.proposal(0, s.body(1, 1, "a"))
	s.wait(3 * time.Second)
	complaints := 0
	for _, msg := range s.sent {
		switch msg := msg.(type) {
		case *ViewChange:
			t.Fatal("it leaves the view alone")
		case *Complaint:
			complaints++
			if msg.View != 0 {
				t.Fatalf("it complains about view %d", msg.View)
			}
		}
	}
	if complaints < 2 {
		t.Fatalf("it complains %d times, though nobody heard it", complaints)
	}
	s.receive(0, p)
	s.receive(0, s.certified(p, chain.Prepare, 0, 1, 2))
	if votes := s.shares(); len(votes) != 2 {
		t.Fatalf("it sends %d of 2 votes after it complained", len(votes))
	}
	s.receive(0, s.certified(p, chain.Commit, 0, 1, 2))
	if s.m.height != 1 || s.m.complaints[2] != 0 {
		t.Fatalf("at height %d it would still go to view %d", s.m.height, s.m.complaints[2])
	}
	// The complaint is settled: another's alone moves nobody.
	s.receive(3, &Complaint{0, s.m.height})
	s.wait(3 * time.Second)
	if s.m.joined != 0 {
		t.Fatal("it leaves the view with one that complains alone")
	}
	// With f+1 that complain, itself included, it leaves.
	s.body(1, 2, "b")
	s.wait(time.Second)
	if s.m.joined != 1 {
		t.Fatal("it stays with f+1 that complain")
	}
}

// A complaint about a view in which the others are not moves nobody.
func TestComplaintsOutOfRange(t *testing.T) {
	s := newSolo(t, 4, 2)
	s.body(1, 1, "a")
	for _, view := range []uint64{1<<64 - 1, maxLeap} {
		s.receive(3, &Complaint{view, s.m.height})
		if s.m.complaints[3] != 0 {
			t.Fatalf("it takes a complaint about view %d", view)
		}
	}
	// One may lie about how far it is: f+1 count, so an honest one decides where to.
	s.receive(3, &Complaint{1 << 20, s.m.height})
	s.wait(time.Second + 500*time.Millisecond)
	if s.m.joined != 1 {
		t.Fatalf("it goes to view %d", s.m.joined)
	}
}

// onlyBodies lets a member get bodies, and hear of nothing that becomes of them.
func (c *cluster) onlyBodies(seat int) {
	c.net.FilterIn(c.ids[seat], func(_ time.Time, _ sm.NodeID, msg sm.Message) []sim.Parcel {
		if _, ok := msg.(*Body); !ok {
			return nil
		}
		return sim.Pass(0, msg)
	})
}

// A member hears nothing for a while and would leave the view; the others went on
// and are idle. It is back without another block and without another view, and
// counts when the next one fails. Its complaint is forgotten: another one that is cut
// off later does not leave with it.
func TestWhoWasCutOffIsBackInAnIdleCommittee(t *testing.T) {
	for seed := range seeds(t, 12) {
		c := newCluster(t, 4, options{seed: seed})
		c.synced()
		for _, seat := range []int{3, 2} {
			c.onlyBodies(seat)
			c.load(c.seatsFrom(0), 8, 200*time.Millisecond)
			m := c.machine(seat)
			c.eventually("it complains", func() bool { return m.complaints[seat] > 0 }, 20*time.Second)
			c.net.RunFor(100 * time.Millisecond)
			c.net.FilterIn(c.ids[seat], nil)
			c.eventually("it is back", func() bool {
				return c.settled() && c.status[c.ids[seat]].Phase == Voting && m.canVote() && m.complaints[seat] == 0
			}, 5*time.Second)
			c.net.RunFor(30 * time.Second)
		}
		if view := c.machine(0).view; view != 0 {
			t.Errorf("seed %d: the others are in view %d", seed, view)
		}
		c.net.Crash(c.ids[1])
		top := c.top
		c.author(2, "more")
		c.eventually("its vote counts", func() bool { return c.top > top }, time.Second)
	}
}

// A complaint is about what was final then, and about a view: neither a block nor a
// new view lets it stand.
func TestComplaintsEnd(t *testing.T) {
	s := newSolo(t, 4, 2)
	p := s.proposal(0, s.body(1, 1, "a"))
	s.receive(0, p)
	s.receive(0, s.certified(p, chain.Prepare, 0, 1, 2))
	s.receive(0, s.certified(p, chain.Commit, 0, 1, 2))
	s.receive(3, &Complaint{0, 0}) // about the block that is final
	s.body(1, 2, "b")
	s.wait(1500 * time.Millisecond)
	if s.m.joined != 0 {
		t.Fatal("it leaves with one that complains about a block that is final")
	}
	s.receive(3, &Complaint{0, 1})
	for _, seat := range []int{0, 3} {
		s.receive(seat, s.wish(seat, 1))
	}
	s.wait(3 * time.Second)
	if s.m.joined != 1 || s.m.complaints[2] != 2 {
		t.Fatalf("it is at view %d and would go to %d", s.m.joined, s.m.complaints[2])
	}
	s.receive(3, s.newView(1))
	s.sent = nil
	s.receive(3, &Complaint{1, 1})
	s.wait(500 * time.Millisecond)
	if s.m.joined != 1 || slices.ContainsFunc(s.sent, func(msg sm.Message) bool { _, ok := msg.(*Complaint); return ok }) {
		t.Fatal("it complains about a view that just began")
	}
}

// newView installs a view with all the others in it.
func (s *solo) newView(view uint64) *NewView {
	nv := &NewView{View: view}
	for seat := range s.c.ids {
		if seat != s.seat {
			nv.Changes = append(nv.Changes, s.wish(seat, view).Change)
		}
	}
	return nv
}

// Who leaves a view with others gives the next one as long as they do.
func TestWhoFollowsBacksOffToo(t *testing.T) {
	s := newSolo(t, 4, 2)
	for view := uint64(1); view <= 3; view++ {
		for _, seat := range []int{0, 3} {
			s.receive(seat, s.wish(seat, view))
		}
		s.receive(3, s.newView(view))
	}
	if timeout := s.m.viewTimeout(); timeout != 8*s.m.cfg.Policy.ViewTimeout {
		t.Errorf("after three views that failed it waits %v", timeout)
	}
}

// A member that leaves alone as soon as it can, so that it cannot come back, is
// followed after a while, and not soon again.
func TestLonersAreFollowedRarely(t *testing.T) {
	for _, size := range []int{4, 7} {
		c := newCluster(t, size, options{seed: 1, shirks: []int{size - 1}})
		c.chaotic = true
		c.synced()
		timeout := c.machine(0).cfg.Policy.ViewTimeout
		loner, began := c.ids[size-1], c.net.Elapsed()
		var ends []time.Duration // of views
		for step := 0; c.net.Elapsed() < 80*timeout; step++ {
			m := c.machine(0)
			if int(m.view) > len(ends) {
				ends = append(ends, c.net.Elapsed()-began)
				began = c.net.Elapsed()
			}
			for seat := range size - 1 {
				v := &ViewChange{Change: SignedChange{Seat: uint16(size - 1), View: m.joined + 1, Final: m.last}}
				v.Change.Signature = c.keys[size-1].Sign(m.changeBytes(&v.Change))
				c.net.Inject(loner, c.ids[seat], v)
			}
			if step%5 == 0 {
				c.author(step%(size-1), fmt.Sprint("payload ", step))
			}
			c.net.RunFor(100 * time.Millisecond)
		}
		c.ok()
		// The first waits for the others to notice, and they look now and then.
		slack := 6 * c.machine(0).cfg.Policy.StatusInterval
		for i, took := range ends {
			want := calmTimeouts * timeout
			if i == 0 {
				want = lonerTimeouts * timeout
			}
			if took < want || took > want+slack {
				t.Errorf("of %d, one leaves alone; view %d lasted %v", size, i, took)
			}
		}
		if len(ends) < 2 {
			t.Errorf("of %d, one leaves alone, and is followed %d times", size, len(ends))
		}
	}
}

// A cheat shows each member another body under one number: none will ever be held.
// An idle committee does not change its view for that.
func TestSplitBodiesDoNotMakeWork(t *testing.T) {
	c := newCluster(t, 4, options{seed: 1, shirks: []int{3}})
	c.synced()
	for seat := range 3 {
		b := &chain.Body{Chain: c.cfg.ChainID, Shard: c.cfg.Shard, Epoch: c.cfg.Epoch, Batch: c.cfg.Batch, Author: c.ids[3], Number: 1, Payload: []byte{byte(seat)}}
		b.SignBody(c.keys[3])
		c.net.Inject(c.ids[3], c.ids[seat], &Body{b})
	}
	c.net.RunFor(time.Minute)
	c.ok()
	if m := c.machine(0); m.acked != 1 || m.view > 1 {
		t.Errorf("with %d bodies of a cheat to come it is in view %d", m.acked, m.view)
	}
}

// Who complains alone in a large committee that is idle does not say that the others
// are away before it has asked them all.
func TestWhoComplainsDoesNotMissThoseWhoAreThere(t *testing.T) {
	c := newCluster(t, 40, options{seed: 1})
	c.synced()
	m := c.machine(5)
	c.eventually("most were not heard of lately", func() bool {
		n := 0
		for i := range m.peers {
			if m.now.Sub(m.peers[i].heard) > 4*m.cfg.Policy.StatusInterval {
				n++
			}
		}
		return n > 30
	}, time.Minute)
	c.net.FilterOut(c.ids[5], func(_ time.Time, to sm.NodeID, msg sm.Message) []sim.Parcel {
		switch msg.(type) {
		case *Body, *Insist:
			return nil
		}
		return sim.Pass(to, msg)
	})
	c.author(5, "shown to nobody")
	c.eventually("it complains", func() bool { return m.complaints[5] > 0 }, 10*time.Second)
	for range 80 {
		if s := c.status[c.ids[5]]; s.Phase != Voting {
			t.Fatalf("all are there: %+v", s)
		}
		c.net.RunFor(100 * time.Millisecond)
	}
}
