package byzcoin

import (
	"testing"
	"time"
)

func TestDeadLeaderIsReplacedWithinThreeBlockIntervals(t *testing.T) {
	for _, size := range []int{4, 7, 20} {
		c := newCluster(t, size, options{seed: uint64(size)})
		c.synced()
		c.author(1, "first")
		c.eventually("a first block", func() bool { return c.top == 1 && c.settled() }, time.Second)
		c.net.Crash(c.ids[0])
		start := c.net.Elapsed()
		c.author(2, "second")
		c.eventually("a block under the next leader", func() bool { return c.top == 2 }, 10*time.Second)
		interval := c.cfg.Policy.WithDefaults().BlockInterval
		if took := c.net.Elapsed() - start; took > 3*interval {
			t.Errorf("%d members: the leader was replaced after %v, three intervals are %v", size, took, 3*interval)
		}
		c.net.Restart(c.ids[0])
		c.eventually("the old leader follows", func() bool { return c.settled() && c.machine(0).view == 1 }, 10*time.Second)
	}
}

func TestFDeadGoesOn(t *testing.T) {
	c := newCluster(t, 7, options{seed: 1})
	c.synced()
	c.net.Crash(c.ids[0])
	c.net.Crash(c.ids[1])
	c.load(c.seatsFrom(2), 10, time.Second)
	c.eventually("all is final without two of seven", func() bool { return len(c.bodies) == 10 }, 20*time.Second)
}

func TestTooManyDeadStopsAndSaysSo(t *testing.T) {
	c := newCluster(t, 4, options{seed: 1})
	c.synced()
	c.net.Crash(c.ids[2])
	c.net.Crash(c.ids[3])
	c.author(0, "held by nobody")
	c.eventually("the others say that they wait, and for whom", func() bool {
		for _, seat := range []int{0, 1} {
			s := c.status[c.ids[seat]]
			if s.Phase != Waiting || len(s.WaitsFor) != 2 {
				return false
			}
		}
		return true
	}, 30*time.Second)
	if c.top != 0 {
		t.Fatal("a block is final without a quorum")
	}
	c.net.Restart(c.ids[3])
	c.eventually("it goes on with a quorum", func() bool { return c.top == 1 }, 60*time.Second)
	c.net.Restart(c.ids[2])
	c.eventually("all are back", c.settled, 60*time.Second)
}

// A committee without work notices, too, that it has no quorum any more, and that it
// has one again.
func TestAnIdleCommitteeNoticesThatTooManyAreDead(t *testing.T) {
	for _, size := range []int{4, 40} {
		c := newCluster(t, size, options{seed: 1})
		c.synced()
		faults := (size - 1) / 3
		for seat := range faults {
			c.net.Crash(c.ids[seat])
		}
		c.net.RunFor(2 * time.Minute)
		for _, seat := range c.seatsFrom(faults) {
			if s := c.status[c.ids[seat]]; s.Phase != Voting {
				t.Fatalf("of %d, %d are dead: %+v", size, faults, s)
			}
		}
		c.net.Crash(c.ids[faults])
		c.eventually("all miss a quorum", func() bool {
			for _, seat := range c.seatsFrom(faults + 1) {
				if s := c.status[c.ids[seat]]; s.Phase != Waiting || len(s.WaitsFor) != faults+1 {
					return false
				}
			}
			return true
		}, time.Minute)
		c.net.Restart(c.ids[0])
		c.eventually("all have one again", func() bool {
			for _, seat := range append(c.seatsFrom(faults+1), 0) {
				if c.status[c.ids[seat]].Phase != Voting {
					return false
				}
			}
			return true
		}, time.Minute)
	}
}
