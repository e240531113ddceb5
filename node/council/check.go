package council

import (
	"ios/chain"
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
	// wrong is why we would rather not see the body ordered. It need not be what
	// others find, so it is no fault of the body.
	wrong error
}

// checkBody has a body checked by the rules of the current epoch.
func (c *Core) checkBody(b *chain.Body, from sm.NodeID) {
	checker, self := c.state.Checker(), c.cfg.Self
	c.emit(&Check{from, func() Checked { return runCheck(checker, b, self) }})
}

// runCheck finds out what all members find out, and besides whether the choice
// of a seed has a wrong dealing to our own group.
func runCheck(checker *identity.Checker, b *chain.Body, self chain.ValidatorID) Checked {
	content, err := checker.Check(b, self)
	done := Checked{body: b}
	if err != nil && hasSeed(b.Payload) {
		if anybody, plain := checker.Check(b, eds.Nobody); plain == nil {
			content, done.wrong, err = anybody, err, nil
		}
	}
	done.result = byzcoin.Checked{Hash: b.Hash, Content: content, Err: err}
	return done
}

func hasSeed(payload []byte) bool {
	p, err := identity.DecodePayload(payload)
	return err == nil && seedOf(p) != nil
}

func seedOf(p *identity.Payload) *identity.Seed {
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
	checker, self := c.state.Checker(), c.cfg.Self
	c.emit(&Check{self, func() Checked {
		_, err := checker.Check(b, self)
		return Checked{sub: s, result: byzcoin.Checked{Err: err}}
	}})
}
