package validator

import (
	"errors"
	"time"

	"ios/chain"
	"ios/pob/byzcoin"
)

// A body with a turn is acked when we would turn, too: its author's clock, or
// what it knows, may be ahead of ours. One that we do not agree with is never
// acked. That costs its author the rest of the term, in which its other bodies
// come behind it, and nobody else anything.

// heldTurn is a body whose check is done, and whose ack is held back.
type heldTurn struct {
	checked byzcoin.Checked
	author  chain.ValidatorID
	turn    []byte
	until   time.Time // known to be right, and too early by our clock
	never   bool
}

// onCheck notes what is being checked off the machine.
func (c *Core) onCheck(e byzcoin.Check) { c.checks[e.Body.Hash] = e }

// checked reports whether the agreement may have the result of a check now.
func (c *Core) checked(ev byzcoin.Checked) (byzcoin.Checked, bool) {
	if c.handedOver(ev) {
		return ev, false
	}
	e, ok := c.checks[ev.Hash]
	if !ok {
		return ev, true
	}
	if errors.Is(ev.Err, chain.ErrNotReady) { // of a term that is not known here yet
		c.unready = append(c.unready, e)
		return ev, false
	}
	delete(c.checks, ev.Hash)
	pl, _ := ev.Content.(*chain.Payload)
	if ev.Err != nil || pl == nil || len(pl.Turn) == 0 {
		return ev, true
	}
	if _, _, err := readTurn(pl.Turn); err != nil {
		ev.Err = err
		return ev, true
	}
	c.turns = append(c.turns, &heldTurn{checked: ev, author: e.Body.Author, turn: pl.Turn})
	return ev, false
}

// ask has the bodies checked again whose proofs were of terms that were not
// known.
func (c *Core) ask() {
	list := c.unready
	c.unready = nil
	for _, e := range list {
		if _, ok := c.checks[e.Body.Hash]; ok {
			c.out = append(c.out, e)
		}
	}
}

// vet lets go of the turns that we agree with by now.
func (c *Core) vet() {
	var free byzcoin.Events
	kept := c.turns[:0]
	for _, h := range c.turns {
		if !h.never && c.agrees(h) {
			free = append(free, h.checked)
		} else {
			kept = append(kept, h)
		}
	}
	clear(c.turns[len(kept):])
	if c.turns = kept; len(free) > 0 {
		c.stepAgreement(free)
	}
}

// agrees reports whether we would take a turn. Its signatures are looked at once,
// and of each author only one turn in a term, as they are checked here.
func (c *Core) agrees(h *heldTurn) bool {
	if !h.until.IsZero() {
		c.wake(h.until)
		return !c.now.Before(h.until)
	}
	enter, rec, _ := readTurn(h.turn)
	s := &c.succession.state
	switch {
	case enter != nil && enter.Epoch <= s.Epoch, enter == nil && (rec.Epoch != s.Epoch || rec.Batch != s.Batch+1):
		return true // it has no effect, in this term or ever
	case c.progress == nil:
		return false
	case enter != nil:
		return c.progress.ValidateEnter(enter) == nil
	}
	if _, err := s.Swap(c.progress.Plan(), rec, ^uint64(0)); err != nil {
		return true // it has none, either
	}
	for i := range rec.Present {
		if rec.Present[i].Height > c.succession.top {
			return false
		}
	}
	if c.vetted[h.author] {
		return false
	}
	if c.vetted == nil {
		c.vetted = make(map[chain.ValidatorID]bool)
	}
	c.vetted[h.author] = true
	early, err := c.progress.Validate(c.now, c.succession.top+1, rec)
	if err != nil {
		h.never = true
		return false
	}
	if h.until = c.now.Add(early); early > 0 {
		c.wake(h.until)
		return false
	}
	return true
}
