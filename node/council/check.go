package council

import (
	"ios/chain"
	"ios/drp"
	"ios/eds"
	"ios/internal/sm"
	"ios/pob/byzcoin"
	"ios/transepoch/identity"
)

// Check is an effect: the owner calls Run, on any goroutine, and gives the event
// that it returns to the machine. It takes up to a second for an output of
// hundreds of validators.
type Check struct {
	From sm.NodeID // who is to be slowed down if there are too many
	run  func() Checked
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
func (c *Core) checkBody(b *chain.Body, from sm.NodeID) {
	checker, cfg := c.state.Checker(), c.state.Book().Beacon()
	c.emit(&Check{from, func() Checked {
		p, err := checker.Check(b, eds.Nobody)
		if s := seedOf(p); err == nil && s != nil {
			err = checkDealings(cfg, s.Choice)
		}
		return Checked{body: b, result: byzcoin.Checked{Hash: b.Hash, Content: p, Err: err}}
	}})
}

// checkDealings checks the proofs of all chosen dealings. A wrong one would count
// as zero; but if it were for the members of its group alone to refuse it, those
// who ack the body and those who never do could stop the chain.
func checkDealings(cfg *drp.Config, choice []byte) error {
	_, err := drp.CheckWhole(cfg, choice)
	return err
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
		_, err := checker.Check(b, eds.Nobody)
		return Checked{sub: s, result: byzcoin.Checked{Err: err}}
	}})
}
