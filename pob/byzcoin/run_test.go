package byzcoin

import (
	"fmt"
	"testing"
	"time"

	"ios/chain/cosi"
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
	for seed := range uint64(30) {
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
