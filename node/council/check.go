package council

import (
	"ios/chain"
	"ios/pob/byzcoin"
	"ios/transepoch/identity"
)

// Check is an effect: the owner calls Run, on another goroutine if it likes but one
// Check after the other, and gives the event that it returns to the machine. It
// takes up to a second for an output of hundreds of validators, so authors are to
// take turns.
type Check struct {
	Author chain.ValidatorID
	run    func() Checked
}

// Run checks.
func (c *Check) Run() Checked { return c.run() }

// Checked is the event that a Check comes to.
type Checked struct {
	body   *chain.Body // nil for a submission
	sub    *submission
	result byzcoin.Checked
}

// checkBody has a body checked by the rules of the current epoch. All members come
// to the same result.
func (c *Core) checkBody(b *chain.Body) {
	checker := c.state.Checker()
	c.emit(&Check{b.Author, func() Checked {
		p, err := checker.Check(b)
		return Checked{body: b, result: byzcoin.Checked{Hash: b.Hash, Content: p, Err: err}}
	}})
}

// seedOf is the seed in a payload, or nil.
func seedOf(p *identity.Payload) *identity.Seed {
	if p == nil {
		return nil
	}
	for _, op := range p.Ops {
		if s, ok := op.(*identity.Seed); ok {
			return s
		}
	}
	return nil
}

// checkSubmission has the ops of a submission checked, as if in a body of ours.
func (c *Core) checkSubmission(s *submission) {
	b := &chain.Body{Payload: (&identity.Payload{Ops: s.ops}).AppendTo(nil)}
	checker := c.state.Checker()
	c.emit(&Check{c.cfg.Self, func() Checked {
		_, err := checker.Check(b)
		return Checked{sub: s, result: byzcoin.Checked{Err: err}}
	}})
}
