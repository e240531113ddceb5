package byzcoin

import (
	"errors"

	"ios/chain"
	"ios/internal/sm"
)

// early are messages of the next term: the members that the last block reaches
// first are a moment ahead of us.
type early struct {
	list  []earlyMsg
	count map[sm.NodeID]int
	bytes map[sm.NodeID]int
	// boards are the committees of the terms that may be next.
	boards map[chain.Term]*chain.Committee
}

type earlyMsg struct {
	from sm.NodeID
	msg  *Tagged
}

// What is kept of a member is bounded: what it says in a few blocks, and a full
// body.
const (
	maxEarlyMsgs = 32 // messages
	maxEarly     = chain.MaxBodyBytes + 1<<16
)

// size is about what it takes to keep a message.
func (t *Tagged) size() int {
	if b, ok := t.Msg.(*Body); ok {
		return len(b.Body.Raw)
	}
	return len(t.Msg.AppendTo(nil))
}

// keep keeps a few messages of each member of the next committee.
func (c *Chain) keep(from sm.NodeID, t *Tagged) {
	e := &c.early
	if !follows(t.Term, c.m.term()) || c.m.ended != nil && t.Term != c.term || e.count[from] >= maxEarlyMsgs || !c.expects(t.Term, from) {
		return
	}
	size := t.size()
	if e.bytes[from]+size > maxEarly {
		return
	}
	if e.count == nil {
		e.count, e.bytes = make(map[sm.NodeID]int), make(map[sm.NodeID]int)
	}
	e.count[from]++
	e.bytes[from] += size
	e.list = append(e.list, earlyMsg{from, t})
}

// expects reports whether a validator is a member in a term that may be the next.
// An epoch that is not known here begins with the members that it finds in office:
// those who know it already go on, and a leader who is the last to hear of it must
// not have missed their bodies.
func (c *Chain) expects(term chain.Term, from sm.NodeID) bool {
	b := c.early.boards[term]
	if b == nil {
		var err error
		if b, err = c.cfg.committee(term); err != nil {
			_, seated := c.m.seats[from]
			return seated && errors.Is(err, chain.ErrNotReady)
		}
		if c.early.boards == nil {
			c.early.boards = make(map[chain.Term]*chain.Committee)
		}
		c.early.boards[term] = b
	}
	return b.Seat(from) >= 0
}

// replayEarly consumes what came early for the term that has begun.
func (c *Chain) replayEarly() {
	list := c.early.list
	c.early = early{}
	for _, e := range list {
		if e.msg.Term == c.m.term() {
			c.tagged(e.from, e.msg)
		}
	}
}
