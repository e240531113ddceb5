package byzcoin

import (
	"slices"

	"ios/chain"
)

// sizeOf is about what it takes to keep bodies.
func sizeOf(bodies []*chain.Body) (bytes int) {
	for _, b := range bodies {
		bytes += len(b.Raw)
	}
	return bytes
}

// fit leaves of the unfinished bodies of a term as many as may be kept, our own
// before those that others have too.
func (c *Chain) fit(from chain.Term, bodies []*chain.Body) []*chain.Body {
	left := maxPendingBytes - sizeOf(bodies)
	if left >= 0 {
		return bodies
	}
	var out []*chain.Body
	for i := len(bodies) - 1; i >= 0 && left < 0; i-- {
		if b := bodies[i]; b.Author != c.cfg.Self {
			left += len(b.Raw)
			out = append(out, b)
		}
	}
	c.drop(from, out, len(out) == len(bodies))
	return slices.DeleteFunc(bodies, func(b *chain.Body) bool { return slices.Contains(out, b) })
}

// bound drops the oldest terms, if too much is pending.
func (c *Chain) bound() {
	bytes := 0
	for _, s := range c.pending {
		bytes += sizeOf(s.Unfinished)
	}
	for len(c.pending) > 1 && (len(c.pending) > maxPending || bytes > maxPendingBytes) {
		s := c.pending[0]
		bytes -= sizeOf(s.Unfinished)
		c.drop(s.From, s.Unfinished, true)
		c.pending = slices.Delete(c.pending, 0, 1)
	}
}

func (c *Chain) drop(from chain.Term, bodies []*chain.Body, all bool) {
	if len(bodies) > 0 {
		c.dropped = append(c.dropped, Dropped{from, len(bodies), sizeOf(bodies), all})
	}
}

func (c *Chain) tellDropped() {
	for _, d := range c.dropped {
		c.deliver(d)
	}
	c.dropped = nil
}
