package byzcoin

import (
	"errors"
	"fmt"
	"slices"

	"ios/chain"
)

// endOfTerm is how a term ended.
type endOfTerm struct {
	term chain.Term
	cert Certified // of its last block
}

// end closes the machine if the block that became final is the last of its term.
func (m *Machine) end(b *chain.Block) {
	if m.cfg.App.Next() == m.term() {
		return
	}
	m.ended = b
	m.ackOut, m.checks = nil, make(map[chain.Hash]*copyOf)
	m.sync, m.best, m.next = fetcher{}, nil, nil
	clear(m.later)
}

// unfinished are the bodies that we acked and that are not final.
func (m *Machine) unfinished() (bodies []*chain.Body) {
	for i := range m.authors {
		a := &m.authors[i]
		for n := a.final + 1; n <= a.acked; n++ {
			bodies = append(bodies, a.slots[n].main.body)
		}
	}
	return bodies
}

// leadOf is the seat that leads the first view of a term: by lot among the
// authors of the last block below that have a seat, since they were alive a
// moment ago. The view in which that block became final would tell who led, but
// not everybody the same: a block can be certified in two views.
func leadOf(last *chain.Block, b *chain.Committee) int {
	var seats []int
	for i := range last.Refs {
		if seat := b.Seat(last.Refs[i].Author); seat >= 0 && !slices.Contains(seats, seat) {
			seats = append(seats, seat)
		}
	}
	hash := last.Header.Hash()
	lot := be.Uint64(hash[:])
	if len(seats) == 0 {
		return int(lot % uint64(len(b.Members)))
	}
	return seats[lot%uint64(len(seats))]
}

// begin is the first step.
func (c *Chain) begin() {
	c.running = true
	for i := range c.pending {
		c.deliver(c.pending[i])
	}
	c.tellDropped()
	if c.m.ended == nil {
		c.run(Start{})
	} else {
		c.succeed()
	}
}

// succeed ends the term whose machine has ended, and begins the next one if its
// committee is known.
func (c *Chain) succeed() {
	for c.m.ended != nil {
		if !c.told {
			c.deliver(c.leave())
			c.tellDropped()
		}
		old := c.m
		if c.why = c.enter(); c.why != nil {
			c.tellWaiting()
			return
		}
		// Who was in step with the old committee need not ask the new one, unless
		// it learned of the end later than others.
		c.m.status.synced = old.status.synced && (!old.late || c.m.me < 0 && len(c.catchup.sync.got) == 0)
		c.run(Start{})
		c.replayEarly()
	}
}

// leave notes how the machine's term ended.
func (c *Chain) leave() Succeeded {
	c.told = true
	c.term = c.cfg.App.Next()
	s := Succeeded{From: c.m.term(), To: c.term, Height: c.m.height, Unfinished: c.m.unfinished()}
	if len(s.Unfinished) > 0 {
		s.Unfinished = c.fit(s.From, s.Unfinished)
		c.pending = append(c.pending, s)
		c.bound()
	}
	return s
}

// settle forgets what was unfinished.
func (c *Chain) settle(from chain.Term) {
	c.pending = slices.DeleteFunc(c.pending, func(s Succeeded) bool { return s.From == from })
}

// enter makes the machine of the next term.
func (c *Chain) enter() error {
	b, err := c.cfg.committee(c.term)
	if err != nil {
		return err
	}
	start, lead := c.m.Point(), leadOf(c.m.ended, b)
	m, err := New(c.cfg.machineConfig(b, start, lead))
	if err != nil {
		return fmt.Errorf("term %v: %w", c.term, err)
	}
	c.skipSelf(m)
	m.guests = c.m.guests
	c.last = &endOfTerm{c.m.term(), c.m.last[0]}
	c.m, c.start, c.lead, c.told, c.waited = m, start, lead, false, Status{}
	return nil
}

// tellWaiting says why there is no committee to act.
func (c *Chain) tellWaiting() {
	s := Status{Phase: Syncing, Term: c.term, Height: c.m.height, Leader: c.m.Leader(), Reason: c.why.Error()}
	if !errors.Is(c.why, chain.ErrNotReady) {
		s.Phase = Halted
	}
	if s.Phase != c.waited.Phase || s.Reason != c.waited.Reason {
		c.waited = s
		c.deliver(s)
	}
}
