package byzcoin

import (
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

// maxEarly bounds the bytes that are kept of a member: a body and some votes.
const maxEarly = chain.MaxBodyBytes + 1<<16

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
	if !follows(t.Term, c.m.term()) || c.m.ended != nil && t.Term != c.term || e.count[from] >= maxLater {
		return
	}
	if e.count == nil {
		e.count, e.bytes = make(map[sm.NodeID]int), make(map[sm.NodeID]int)
		e.boards = make(map[chain.Term]*chain.Committee)
	}
	if e.boards[t.Term] == nil {
		b, err := c.cfg.committee(t.Term)
		if err != nil {
			return
		}
		e.boards[t.Term] = b
	}
	size := t.size()
	if e.boards[t.Term].Seat(from) < 0 || e.bytes[from]+size > maxEarly {
		return
	}
	e.count[from]++
	e.bytes[from] += size
	e.list = append(e.list, earlyMsg{from, t})
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
