package council

import (
	"slices"
	"time"

	"ios/chain"
	"ios/transepoch/identity"
)

// Carry tells of a bundle by which a shard, in which the validator is a member,
// shows the registry something. All members of the shard tell theirs.
type Carry struct{ Bundle *chain.Bundle }

// cargo are bundles of our shards until the chain has taken them up.
type cargo struct {
	loads []*load
	bytes int
}

// load is one bundle.
type load struct {
	bundle *chain.Bundle
	at     time.Time // when to look whether it is still wanted
	tries  int
}

// Bounds of the cargo. What finds no room, or is put up in vain so often, is told
// again by its shard in the next epoch.
const (
	maxLoads      = 256
	maxCargoBytes = 16 << 20
	maxTries      = 4
)

func (c *Core) carry(ev Carry) {
	b, s := ev.Bundle, &c.cargo
	switch {
	case int(b.Header.Shard) >= c.cfg.Genesis.Shards || b.Segment.Dest != chain.IdentityShard:
		return
	case len(s.loads) >= maxLoads || s.bytes+len(b.Encode()) > maxCargoBytes || !c.state.Wants(b):
		return
	case slices.ContainsFunc(s.loads, func(l *load) bool {
		return l.bundle.Header == b.Header && l.bundle.Place.Index == b.Place.Index
	}):
		return
	}
	turn, ok := c.shardTurn(&b.Header, b.Header.Height)
	if !ok {
		return
	}
	s.bytes += len(b.Raw)
	s.loads = append(s.loads, &load{bundle: b, at: c.now.Add(time.Duration(turn) * c.cfg.patience())})
}

// shardTurn is after how many members of a shard it is ours to show a block of
// it; false if the block convinces nobody.
func (c *Core) shardTurn(h *chain.Header, draw uint64) (int, bool) {
	committee, err := c.state.Book().Committee(h.Shard, h.Term())
	if err != nil {
		return 0, false
	}
	n := len(committee.Members)
	turn := n
	if seat := committee.Seat(c.cfg.Self); seat >= 0 {
		turn = (seat + int(draw%uint64(n))) % n
	}
	return min(turn, maxStagger), true
}

// unload puts up the bundles whose time has come, if they are still wanted.
func (c *Core) unload() {
	s := &c.cargo
	s.loads = slices.DeleteFunc(s.loads, func(l *load) bool {
		if c.now.Before(l.at) {
			c.wake(l.at)
			return false
		}
		_, convinces := c.shardTurn(&l.bundle.Header, 0)
		if l.tries == maxTries || c.bft.Seat() < 0 || !convinces || !c.state.Wants(l.bundle) {
			s.bytes -= len(l.bundle.Raw)
			return true
		}
		l.tries++
		l.at = c.now.Add(4 * c.cfg.patience() << l.tries)
		c.wake(l.at)
		c.put(&identity.Carried{Raw: l.bundle.Raw})
		return false
	})
}
