package council

import (
	"errors"
	"slices"
	"time"

	"ios/chain"
	"ios/drp"
	"ios/eds"
	"ios/internal/sm"
	"ios/pob/byzcoin"
	"ios/transepoch/identity"
)

// gate holds back what was checked and what we do not want to ack yet.
type gate struct {
	seeds []*heldSeed   // in order of arrival
	later []*chain.Body // to be checked when the chain is further
	// passed are what the agreement is told next, in one step.
	passed byzcoin.Events

	own      []chain.BodyRef // seeds that we stand for, the last ones
	others   map[chain.ValidatorID][]chain.BodyRef
	stands   map[chain.BodyRef]int // how many others stand for a seed, its author left out
	dirty    bool                  // there may be something to let go
	repeatAt time.Time
	interval time.Duration
}

// heldSeed is a body with a seed.
type heldSeed struct {
	done  Checked
	ref   chain.BodyRef
	view  uint64    // of the choice
	since uint64    // the lottery's view when it came, plus 1; 0 before the first
	until time.Time // if we have no lottery
	shown time.Time // until when shards' blocks may become final before it
}

// checked consumes what a Check came to.
func (c *Core) checked(ev *Checked) {
	if ev.sub != nil {
		c.checkedSubmission(ev)
		return
	}
	if c.sift(ev) {
		c.gate.passed = append(c.gate.passed, ev.result)
		c.letPass()
	}
}

// sift reports whether the agreement may be told now.
func (c *Core) sift(ev *Checked) bool {
	if ev.body == nil || ev.body.Term() != c.bft.Term() {
		return true // it concerns nobody any more
	}
	if errors.Is(ev.result.Err, chain.ErrNotReady) {
		c.gate.later = append(c.gate.later, ev.body)
		return false
	}
	p, ok := ev.result.Content.(*identity.Payload)
	if ev.result.Err != nil || !ok {
		return true
	}
	c.bases.see(p)
	s := seedOf(p)
	if s == nil {
		return true
	}
	h := &heldSeed{done: *ev, ref: ev.body.Ref(), until: c.now.Add(8 * c.cfg.roundTime()), shown: c.now.Add(c.cfg.patience())}
	if choice, err := drp.DecodeChoice(s.Choice); err == nil {
		h.view = choice.View
	}
	c.gate.seeds, c.gate.dirty = append(c.gate.seeds, h), true
	return false
}

// release tells the agreement of what is not held back any more.
func (c *Core) release() bool {
	g := &c.gate
	_, seeded := c.state.Seeded()
	if !g.dirty {
		c.endorse(seeded)
		return c.letPass()
	}
	g.dirty = false
	held := g.seeds[:0]
	endorsed := false
	for _, h := range g.seeds {
		if !seeded && !c.wanted(h) {
			held = append(held, h)
			continue
		}
		g.passed = append(g.passed, h.done.result)
		if !seeded {
			endorsed = true
			g.stand(h.ref)
			c.persistEndorsed(h.ref)
		}
		if c.beacon != nil && c.beacon.round.Known && c.beacon.round.Leader == h.ref.Author {
			c.beacon.moves = true
		}
	}
	clear(g.seeds[len(held):])
	g.seeds = held
	if seeded {
		later := g.later
		g.later = nil
		for _, b := range later {
			c.checkBody(b)
		}
	}
	if endorsed {
		c.stirred = true
		g.interval, g.repeatAt = 0, c.now
	}
	c.endorse(seeded)
	return c.letPass()
}

// stand notes a seed that we stand for.
func (g *gate) stand(ref chain.BodyRef) {
	if len(g.own) == maxEndorsed {
		g.own = slices.Delete(g.own, 0, 1)
	}
	g.own = append(g.own, ref)
}

func (c *Core) letPass() bool {
	list := c.gate.passed
	c.gate.passed = nil
	if len(list) > 0 {
		c.stepAgreement(list)
	}
	return len(list) > 0
}

// wanted reports whether a seed is not held back any more: no shard's block is on
// the way that it would leave out, or that took too long, and it is wanted by our
// own judgement, because an honest member stands for it, or because leaders had a
// view's time for a better one.
func (c *Core) wanted(h *heldSeed) bool {
	if c.now.Before(h.shown) && c.unshown() {
		c.wake(h.shown)
		c.gate.dirty = true // look again then
		return false
	}
	if c.backed(h.ref.Author, h.view) {
		return true
	}
	if c.gate.stands[h.ref]+1 > c.faults() { // its author does, too
		return true
	}
	switch b := c.beacon; {
	case b == nil:
		c.wake(h.until)
		c.gate.dirty = true // look again then
		return !c.now.Before(h.until)
	case !b.begun:
		return false
	case h.since == 0:
		h.since = b.round.View + 1
	}
	return c.beacon.round.View >= h.since
}

// backed reports whether we back a leader, or have, in the view. What leaders put
// up is of the view that they lead, and soon: groups of a view that is long over
// may be those that suit somebody.
func (c *Core) backed(who chain.ValidatorID, view uint64) bool {
	b := c.beacon
	if b == nil || !b.begun || view > b.round.View || view+1 < b.round.View {
		return false
	}
	for r := view * eds.Ranks; r < (view+1)*eds.Ranks && r <= b.round.Round; r++ {
		if id, ok := b.lottery.Backed(r); ok && id == who {
			return true
		}
	}
	return false
}

// endorse tells all what we stand for, again at growing intervals.
func (c *Core) endorse(seeded bool) {
	g := &c.gate
	if len(g.own) == 0 || seeded {
		return
	}
	if !c.now.Before(g.repeatAt) {
		g.interval = max(4*c.cfg.delta(), min(2*g.interval, 64*c.cfg.delta()))
		g.repeatAt = c.now.Add(g.interval)
		c.sendMembers(&Endorsed{c.coming(), slices.Clone(g.own)})
	}
	c.wake(g.repeatAt)
}

// sendMembers sends to all other members of the epoch.
func (c *Core) sendMembers(msg sm.Message) {
	var to []sm.NodeID
	for _, m := range c.state.Book().Validators() {
		if m.ID != c.cfg.Self {
			to = append(to, m.ID)
		}
	}
	if len(to) > 0 {
		c.emit(sm.Send{To: to, Msg: &Envelope{protoCouncil, msg}})
	}
}

func (c *Core) onEndorsed(from chain.ValidatorID, msg sm.Message) {
	m, ok := msg.(*Endorsed)
	if !ok || m.Epoch != c.coming() || from == c.cfg.Self || !c.member(from) {
		return
	}
	g := &c.gate
	if g.others == nil {
		g.others, g.stands = make(map[chain.ValidatorID][]chain.BodyRef), make(map[chain.BodyRef]int)
	}
	refs := g.others[from]
	for _, ref := range m.Refs {
		if ref.Author == from || slices.Contains(refs, ref) {
			continue
		}
		if len(refs) == maxEndorsed {
			if g.stands[refs[0]]--; g.stands[refs[0]] == 0 {
				delete(g.stands, refs[0])
			}
			refs = refs[1:]
		}
		refs = append(refs, ref)
		g.stands[ref]++
		g.dirty = true
	}
	g.others[from] = refs
}
