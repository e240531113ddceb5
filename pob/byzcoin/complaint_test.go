package byzcoin

import (
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
	s.receive(3, &Complaint{0})
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
		s.receive(3, &Complaint{view})
		if s.m.complaints[3] != 0 {
			t.Fatalf("it takes a complaint about view %d", view)
		}
	}
	// One may lie about how far it is: f+1 count, so an honest one decides where to.
	s.receive(3, &Complaint{1 << 20})
	s.wait(time.Second + 500*time.Millisecond)
	if s.m.joined != 1 {
		t.Fatalf("it goes to view %d", s.m.joined)
	}
}

// A member hears nothing for a while and would leave the view; the others went on
// and are idle. It is back without another block and without another view, and
// counts when the next one fails.
func TestWhoWasCutOffIsBackInAnIdleCommittee(t *testing.T) {
	for seed := range seeds(t, 12) {
		c := newCluster(t, 4, options{seed: seed})
		c.synced()
		cut := c.ids[3]
		c.net.FilterIn(cut, func(_ time.Time, _ sm.NodeID, msg sm.Message) []sim.Parcel {
			if _, ok := msg.(*Body); !ok {
				return nil // it gets bodies, and hears of nothing that becomes of them
			}
			return sim.Pass(0, msg)
		})
		c.load(c.seatsFrom(0), 8, 200*time.Millisecond)
		c.eventually("the others go on", func() bool { return len(c.bodies) >= 6 }, 5*time.Second)
		c.eventually("it complains", func() bool { return c.machine(3).complaints[3] > 0 }, 20*time.Second)
		c.net.FilterIn(cut, nil)
		c.eventually("it is back", func() bool {
			return c.settled() && c.status[cut].Phase == Voting && c.machine(3).canVote()
		}, 5*time.Second)
		if view := c.machine(0).view; view != 0 {
			t.Errorf("seed %d: the others are in view %d", seed, view)
		}
		c.net.Crash(c.ids[1])
		top := c.top
		c.author(2, "more")
		c.eventually("its vote counts", func() bool { return c.top > top }, time.Second)
	}
}

// One that has left the view all the same, so that it cannot come back, is
// followed after a while; who does so again waits longer.
func TestWhoLeftAloneIsFollowed(t *testing.T) {
	s := newSolo(t, 4, 2)
	timeout := s.m.cfg.Policy.ViewTimeout
	var waits []time.Duration
	for view := uint64(1); view <= 5; view++ {
		s.receive(3, s.wish(3, view))
		start := s.now
		for s.m.joined < view && s.now.Sub(start) < 100*timeout {
			s.wait(100 * time.Millisecond)
		}
		waits = append(waits, s.now.Sub(start))
		nv := &NewView{View: view}
		for _, seat := range []int{0, 1, 3} {
			nv.Changes = append(nv.Changes, s.wish(seat, view).Change)
		}
		s.receive(1, nv)
		if s.m.view != view {
			t.Fatalf("it is in view %d, not in %d", s.m.view, view)
		}
	}
	round := 6 * s.m.cfg.Policy.StatusInterval
	for i, want := range []time.Duration{4, 8, 16, 32, 32} {
		if want *= timeout; waits[i] < want || waits[i] > want+round {
			t.Errorf("for the %d. time it is followed after %v, not %v", i+1, waits[i], want)
		}
	}
}
