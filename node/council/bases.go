package council

import (
	"time"

	"ios/chain"
	"ios/transepoch/identity"
)

// bases is what we know of the shards' chains, and have to show.
type bases struct {
	known map[chain.ShardID]*shardBase
	seen  map[chain.ShardID]chain.Term // the newest that others put up in this epoch
	since time.Time                    // when the coming epoch began to be prepared, zero before
	alive bool                         // our sign of life was put up
}

// shardBase is the newest final block of a shard that we were told of.
type shardBase struct {
	base  identity.Base
	floor uint64     // the height that was known when the preparation began
	at    time.Time  // when we knew of the term
	shown chain.Term // of what we put up in this epoch
}

func (s *bases) turn() {
	s.since, s.alive, s.seen = time.Time{}, false, make(map[chain.ShardID]chain.Term)
	for _, k := range s.known {
		k.shown = chain.Term{}
	}
}

func (s *bases) begin(c *Core) {
	s.since = c.now
	for _, k := range s.known {
		k.floor, k.at = k.base.Header.Height, c.now
	}
}

// shardAt takes note of a shard's newest block. That it is one is for the owner
// to know; others check it.
func (c *Core) shardAt(ev *ShardAt) {
	h := &ev.Header
	if int(h.Shard) >= c.cfg.Genesis.Shards || h.Chain != c.cfg.Genesis.ID() {
		return
	}
	k := c.bases.known[h.Shard]
	switch {
	case k == nil:
		k = &shardBase{at: c.now}
		c.bases.known[h.Shard] = k
	case h.Height <= k.base.Header.Height:
		return
	case h.Term() != k.base.Header.Term():
		k.at = c.now
	}
	k.base = identity.Base{Header: *h, Cert: ev.Cert}
}

// behind reports whether we would show a newer block of the shard.
func (s *bases) behind(shard chain.ShardID, base identity.Point) bool {
	k := s.known[shard]
	if k == nil {
		return false
	}
	return base.Term.Compare(k.base.Header.Term()) < 0 || base.Height < k.floor
}

// see takes note of the shards' blocks in a body that was checked.
func (s *bases) see(p *identity.Payload) {
	for _, op := range p.Ops {
		if b, ok := op.(*identity.Base); ok && s.seen[b.Header.Shard].Compare(b.Header.Term()) < 0 {
			s.seen[b.Header.Shard] = b.Header.Term()
		}
	}
}

// unshown reports whether some shard is in a later term than the chain knows, so
// that a seed might leave it behind.
func (c *Core) unshown() bool {
	for j := range chain.ShardID(c.cfg.Genesis.Shards) {
		recorded, ok := c.state.Base(j)
		newest := c.bases.seen[j]
		if k := c.bases.known[j]; k != nil && newest.Compare(k.base.Header.Term()) < 0 {
			newest = k.base.Header.Term()
		}
		if ok && recorded.Term.Compare(newest) < 0 {
			return true
		}
	}
	return false
}

// maxStagger bounds how many members are waited for.
const maxStagger = 32

// show puts up the sign of life and the blocks that are missing. The members of
// a shard take turns, so that one does it.
func (c *Core) show() {
	s := &c.bases
	if s.since.IsZero() {
		return
	}
	var ops []identity.Op
	if !s.alive {
		s.alive = true
		if st, ok := c.state.Validator(c.cfg.Self); ok && !st.Alive {
			ops = append(ops, &identity.Alive{Epoch: c.coming() - 1})
		}
	}
	if _, seeded := c.state.Seeded(); !seeded {
		for j := range c.cfg.Genesis.Shards {
			if op := c.base(chain.ShardID(j)); op != nil {
				ops = append(ops, op)
			}
		}
	}
	if len(ops) > 0 {
		c.put(ops...)
	}
}

// base is what we have to show of a shard now.
func (c *Core) base(shard chain.ShardID) identity.Op {
	k := c.bases.known[shard]
	recorded, ok := c.state.Base(shard)
	if k == nil || !ok || !c.bases.behind(shard, recorded) || k.shown == k.base.Header.Term() {
		return nil
	}
	turn, ok := c.shardTurn(&k.base.Header, c.coming())
	if !ok {
		return nil // it convinces nobody
	}
	at := k.at.Add(time.Duration(turn) * 2 * c.cfg.delta())
	if c.now.Before(at) {
		c.wake(at)
		return nil
	}
	k.shown = k.base.Header.Term()
	op := k.base
	return &op
}
