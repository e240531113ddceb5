package byzcoin

import (
	"slices"
	"time"

	"ios/chain"
	"ios/internal/sm"
)

// Chain runs one Machine after the other for the successive terms of a chain:
// a shard's, or the identity chain. Its owner uses it like a Machine.
type Chain struct {
	cfg ChainConfig
	m   *Machine // of the term of the last final block, or of the next

	// start and lead are what m began with.
	start Point
	lead  int

	term    chain.Term  // of the next block; m's, unless m has ended
	told    bool        // Succeeded was delivered, or will be at the start
	why     error       // m has ended and has no successor yet
	last    *endOfTerm  // the end of the term before m's
	pending []Succeeded // unfinished and not settled
	dropped []Dropped   // of which the owner is not told yet
	early   early
	catchup catchup

	compared Point // of Anchors: our chain has it
	broken   bool  // our final blocks are not those of the chain

	now     time.Time
	out     []sm.Effect
	timer   time.Time
	running bool // Start was consumed
	waited  Status
}

// Term is the term of the next block.
func (c *Chain) Term() chain.Term { return c.term }

// Seat is our seat in the committee that acts, -1 if we have none.
func (c *Chain) Seat() int { return c.m.me }

// Members are the committee that acts, by seat. They must not be changed.
func (c *Chain) Members() []chain.ValidatorID { return c.m.cfg.Members }

// Point is where the chain stands.
func (c *Chain) Point() Point { return c.m.Point() }

// Revert is [Machine.Revert].
func (c *Chain) Revert() { c.m.Revert() }

// HandedOver reports whether a quorum of the term's members has answered us in it. At
// least f+1 of them are honest and have the block with which the term began, and all
// below: who has no seat any more need not serve these for their sake.
func (c *Chain) HandedOver() bool {
	n := 0
	for seat := range c.m.peers {
		if seat == c.m.me || c.m.peers[seat].answered {
			n++
		}
	}
	return n >= c.m.q
}

// View is the installed view of the term.
func (c *Chain) View() uint64 { return c.m.View() }

// Leader is the leader of the installed view.
func (c *Chain) Leader() chain.ValidatorID { return c.m.Leader() }

// Step consumes one event. See package sm.
func (c *Chain) Step(now time.Time, ev sm.Event) []sm.Effect {
	if now.After(c.now) {
		c.now = now
	}
	c.out = nil
	if c.broken {
		c.refuse(ev)
		return c.out
	}
	if list, ok := ev.(Events); ok {
		c.events(list)
	} else {
		c.event(ev)
	}
	if c.running {
		c.catchUp()
	}
	return c.out
}

func (c *Chain) event(ev sm.Event) {
	switch e := ev.(type) {
	case sm.Receive:
		c.receive(e.From, e.Msg)
	case sm.Fire:
		if e.Key.Kind == timerChain {
			c.fire()
		} else {
			c.run(e)
		}
	case Start:
		c.begin()
		c.compare()
		c.arm(0) // ask at once how far others are
	case CommitteesChanged:
		c.succeed()
		c.compare()
	case HeaderRead:
		c.headerRead(&e)
	case SourcesChanged:
		c.setSources(e.Sources)
	case Settled:
		c.settle(e.From)
	default:
		c.run(ev)
	}
}

// events lets the machine consume its share in one step, or in several if there
// is something between that may end the term.
func (c *Chain) events(list Events) {
	var share Events
	for _, ev := range list {
		if own := c.share(ev); own != nil {
			share = append(share, own)
			continue
		}
		c.runAll(share)
		share = nil
		c.event(ev)
	}
	c.runAll(share)
}

func (c *Chain) runAll(list Events) {
	if len(list) > 0 {
		c.run(list)
	}
}

// share is what the machine gets of an event that is for it alone, or nil.
func (c *Chain) share(ev sm.Event) sm.Event {
	switch e := ev.(type) {
	case Checked, Author:
		return e
	case sm.Receive:
		if t, ok := e.Msg.(*Tagged); ok && c.m.ended == nil && t.Term == c.m.term() && e.From != c.cfg.Self && !c.past() {
			return sm.Receive{From: e.From, Msg: t.Msg}
		}
	}
	return nil
}

// run lets the machine of the term consume an event, and its successor take over
// if that ends the term.
func (c *Chain) run(ev sm.Event) {
	if _, start := ev.(Start); start && c.past() {
		ev = nil // it looks around, and takes no part
	}
	for _, e := range c.m.Step(c.now, ev) {
		c.pass(e)
	}
	if c.m.ended != nil && !c.told {
		c.succeed()
	}
}

// pass hands an effect of the machine on.
func (c *Chain) pass(e sm.Effect) {
	if s, ok := e.(sm.Send); ok {
		s.Msg = Tag(c.m.term(), s.Msg)
		if c.m.me < 0 { // our seat may have another key
			s.To = slices.DeleteFunc(s.To, func(id sm.NodeID) bool { return id == c.cfg.Self })
		}
		if len(s.To) == 0 {
			return
		}
		e = s
	} else if d, ok := e.(sm.Deliver); ok {
		if s, ok := d.Value.(Status); ok && s.Phase != Halted {
			if c.past() {
				return // see tellPast
			}
			if _, behind := c.behind(); behind && s.Phase == Syncing { // the members of this term may be long gone
				s.Reason, s.WaitsFor = fetchingPast, nil
				e = sm.Deliver{Value: s}
			}
		}
	}
	c.out = append(c.out, e)
}

func (c *Chain) deliver(v any) { c.out = append(c.out, sm.Deliver{Value: v}) }

func (c *Chain) send(to sm.NodeID, msg sm.Message) {
	c.out = append(c.out, sm.Send{To: []sm.NodeID{to}, Msg: msg})
}

func (c *Chain) receive(from sm.NodeID, msg sm.Message) {
	if from == c.cfg.Self {
		return
	}
	switch msg := msg.(type) {
	case *Tagged:
		c.tagged(from, msg)
	case *Fetch:
		c.run(sm.Receive{From: from, Msg: msg})
	case *SyncReply:
		if !c.onSyncReply(from, msg) && !c.past() {
			c.run(sm.Receive{From: from, Msg: msg})
		}
	case *FetchHeaders:
		c.onFetchHeaders(from, msg)
	case *Headers:
		c.onHeaders(from, msg)
	case *Where:
		c.onWhere(from, msg)
	case *Ahead:
		c.onAhead(from, msg)
	}
}

// tagged routes a message to the machine of its term, if that acts now.
func (c *Chain) tagged(from sm.NodeID, t *Tagged) {
	switch term := c.m.term(); {
	case t.Term == term && c.m.ended == nil && c.past():
		// Who has the keys of this committee is not known.
	case t.Term == term && c.m.ended == nil:
		c.run(sm.Receive{From: from, Msg: t.Msg})
	case t.Term.Compare(term) <= 0:
		c.point(from, t.Term)
	default:
		c.keep(from, t)
		c.seek(from)
	}
}

// point tells who is in an older term that we are not. To the members of the
// last one it shows how it ended: they may have the block without knowing that
// it is final.
func (c *Chain) point(from sm.NodeID, term chain.Term) {
	p := c.m.account(from)
	if c.now.Sub(p.pointed) < c.cfg.Policy.RetryInterval/2 {
		return
	}
	p.pointed = c.now
	switch {
	case c.m.ended != nil && term == c.m.term():
		c.send(from, &Tagged{term, &c.m.last[0]})
	case c.last != nil && term == c.last.term:
		c.send(from, &Tagged{term, &c.last.cert})
	}
	if c.term.Compare(term) > 0 {
		c.send(from, &Ahead{c.term, c.m.height})
	}
}
