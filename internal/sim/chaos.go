package sim

import (
	"math/rand/v2"
	"time"

	"ios/internal/sm"
)

// Mix is a mix of faults that the seed chooses: some runs are calm, some lose a
// fifth of all messages.
func Mix(seed uint64) Faults {
	r := rand.New(rand.NewPCG(seed, 0xfa17))
	pick := func(of ...float64) float64 { return of[r.IntN(len(of))] }
	return Faults{
		MinDelay:  time.Millisecond,
		MaxDelay:  time.Duration(pick(2, 10, 50, 150)) * time.Millisecond,
		Loss:      pick(0, 0, 0.01, 0.05, 0.2),
		Duplicate: pick(0, 0, 0.02, 0.2),
		Reorder:   pick(0, 0.1, 1),
		MinSync:   0,
		MaxSync:   time.Duration(pick(0, 5, 20)) * time.Millisecond,
	}
}

// Chaos is crashes and partitions at random times.
type Chaos struct {
	Until time.Duration // after which everybody runs and is connected again
	Nodes []sm.NodeID   // which may crash
	Down  int           // how many of them at most at once, 0 for any
	Every time.Duration // about, between two events
	Pause time.Duration // at most, until a crashed node restarts
}

// Unleash schedules the chaos. When it is over, links and disks are as calm says.
func (n *Network) Unleash(c Chaos, calm Faults) {
	down := map[sm.NodeID]bool{}
	end := n.now.Add(c.Until)
	var next func()
	next = func() {
		if !n.now.Before(end) {
			return
		}
		n.disturb(c, down)
		n.After(n.between(c.Every/4, 2*c.Every), next)
	}
	n.After(n.between(0, c.Every), next)
	n.at(end, func() {
		n.Heal()
		n.SetFaults(calm)
		for _, id := range n.cfg.Nodes {
			n.Restart(id)
		}
	})
}

func (n *Network) disturb(c Chaos, down map[sm.NodeID]bool) {
	switch n.random.IntN(6) {
	case 0:
		n.Heal()
	case 1:
		var sides [2][]sm.NodeID
		for _, id := range n.cfg.Nodes {
			i := n.random.IntN(2)
			sides[i] = append(sides[i], id)
		}
		n.Partition(sides[0], sides[1])
	case 2: // one alone
		id := n.cfg.Nodes[n.random.IntN(len(n.cfg.Nodes))]
		n.Partition(nil, []sm.NodeID{id})
	default:
		if len(c.Nodes) == 0 {
			return
		}
		id := c.Nodes[n.random.IntN(len(c.Nodes))]
		if down[id] || c.Down > 0 && len(down) >= c.Down {
			return
		}
		down[id] = true
		n.Crash(id)
		n.After(n.between(0, c.Pause), func() {
			delete(down, id)
			n.Restart(id)
		})
	}
}
