package byzcoin

import (
	"fmt"
	"testing"
	"time"

	"ios/chain/cosi"
	"ios/internal/sim"
	"ios/internal/sm"
)

func TestBlocksBecomeFinal(t *testing.T) {
	for _, size := range []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 20} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			c := newCluster(t, size, options{seed: uint64(size)})
			c.synced()
			c.load(c.seatsFrom(0), 3*size, 300*time.Millisecond)
			c.eventually("all bodies are final everywhere", func() bool { return c.authored == 3*size && len(c.held) == 3*size && c.settled() }, 5*time.Second)
			for seat := range c.ids {
				if m := c.machine(seat); m.view != 0 {
					t.Errorf("seat %d is in view %d without a fault", seat, m.view)
				}
				if app := c.apps[c.ids[seat]]; app.state != c.apps[c.ids[0]].state {
					t.Errorf("seat %d has another state", seat)
				}
			}
		})
	}
}

func TestBlocksBecomeFinalWithBLS(t *testing.T) {
	c := newCluster(t, 4, options{seed: 1, scheme: cosi.BLS{}})
	c.synced()
	c.load(c.seatsFrom(0), 8, 100*time.Millisecond)
	c.eventually("all bodies are final everywhere", func() bool { return len(c.held) == 8 && c.settled() }, 5*time.Second)
}

func TestRestart(t *testing.T) {
	c := newCluster(t, 4, options{seed: 3})
	c.synced()
	c.load(c.seatsFrom(0), 8, 100*time.Millisecond)
	c.net.RunFor(30 * time.Millisecond)
	c.net.Crash(c.ids[2])
	c.net.RunFor(60 * time.Millisecond)
	c.net.Restart(c.ids[2])
	c.eventually("all are final everywhere", func() bool { return c.net.Elapsed() > 200*time.Millisecond && c.settled() }, 10*time.Second)
}

func TestRestartOfAll(t *testing.T) {
	for seed := range seeds(t, 12) {
		c := newCluster(t, 4, options{seed: seed})
		c.synced()
		c.load(c.seatsFrom(0), 12, 100*time.Millisecond)
		c.net.RunUntil(func() bool { return len(c.held) > 2 }, time.Second)
		c.net.RunFor(time.Duration(seed) * time.Millisecond)
		for _, id := range c.ids {
			c.net.Crash(id)
		}
		c.net.RunFor(time.Second)
		for _, id := range c.ids {
			c.net.Restart(id)
		}
		c.eventually("what was held is final everywhere", func() bool { return c.net.Elapsed() > 1500*time.Millisecond && c.settled() }, 20*time.Second)
	}
}

// After a restart of all, a quorum suffices to go on.
func TestRestartOfAQuorum(t *testing.T) {
	c := newCluster(t, 4, options{seed: 1})
	c.synced()
	c.author(1, "before")
	c.eventually("a block", func() bool { return c.top == 1 && c.settled() }, time.Second)
	for _, id := range c.ids {
		c.net.Crash(id)
	}
	for _, id := range c.ids[1:] {
		c.net.Restart(id)
	}
	c.synced()
	c.author(2, "after")
	c.eventually("another block", func() bool { return c.top == 2 }, 5*time.Second)
}

// A body that is lost is sent again by its author, long before anybody has to
// insist on it.
func TestLostBodyIsSentAgain(t *testing.T) {
	c := newCluster(t, 4, options{seed: 1, policy: Policy{Delta: 10 * time.Second}})
	c.synced()
	lost := map[sm.NodeID]bool{}
	c.net.FilterOut(c.ids[1], func(_ time.Time, to sm.NodeID, msg sm.Message) []sim.Parcel {
		if _, ok := msg.(*Body); ok && !lost[to] {
			lost[to] = true
			return nil
		}
		return sim.Pass(to, msg)
	})
	c.author(1, "lost at first")
	c.eventually("it is held", func() bool { return len(c.held) == 1 }, time.Second)
}

func TestWhoMayGiveWhichShares(t *testing.T) {
	c := newCluster(t, 20, options{seed: 1})
	mask := func(seats ...int) cosi.Mask {
		m := cosi.NewMask(20)
		for _, seat := range seats {
			m.Set(seat)
		}
		return m
	}
	root := c.machine(0)
	inner := c.machine(2)
	leaf := inner.below(2)[0]
	for i, x := range []struct {
		at   *Machine
		from int
		mask cosi.Mask
		want bool
	}{
		{root, 2, mask(2), true},
		{root, 2, mask(append(root.below(2), 2)...), true},
		{root, 2, mask(2, root.below(3)[0]), false},
		{root, leaf, mask(leaf), true},
		{root, leaf, mask(leaf, 2), false},
		{root, leaf, mask(2), false},
		{root, 2, mask(), false},
		{root, 2, cosi.NewMask(19), false},
		{inner, leaf, mask(leaf), true},
		{inner, leaf, mask(leaf, inner.below(2)[1]), false},
		{inner, 3, mask(3), false},
		{inner, inner.below(3)[0], mask(inner.below(3)[0]), false},
	} {
		if got := x.at.mayGive(x.from, x.mask); got != x.want {
			t.Errorf("case %d: %v", i, got)
		}
	}
}
