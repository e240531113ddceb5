package council

import (
	"fmt"

	"ios/chain"
	"ios/internal/sm"
	"ios/pob/byzcoin"
)

// Err says why the core has halted; nil while it has not. A state that cannot be
// used is not to be saved.
func (c *Core) Err() error {
	if err := c.state.Err(); err != nil {
		return fmt.Errorf("the registry cannot go on to epoch %d, whose record is final at height %d: %w", c.coming(), c.state.Height(), err)
	}
	return nil
}

// halt ends the machine after a block whose epoch the registry cannot enter. What
// the members of another epoch than ours decide is no business of ours: of the
// last step's effects only the records count, and no later event has any.
func (c *Core) halt(err error) []sm.Effect {
	var kept []sm.Effect
	for _, e := range c.out {
		if _, ok := e.(sm.Persist); ok {
			kept = append(kept, e)
		}
	}
	at := c.bft.Point()
	reason := err.Error() + "; it has halted, the others go on; a version that knows better starts from the same data"
	c.out, c.halted = kept, true
	c.deliver(byzcoin.Status{Phase: byzcoin.Halted, Term: c.bft.Term(), Height: at.Height, Reason: reason})
	c.deliver(c.status())
	return c.out
}

// refuse answers the submissions of a core that has halted.
func (c *Core) refuse(ev sm.Event) {
	switch ev := ev.(type) {
	case Events:
		for _, e := range ev {
			c.refuse(e)
		}
	case Submit:
		c.deliver(Answer{Tag: ev.Tag, Err: chain.Rule(chain.ErrNotReady, "%v; submit to another validator", c.Err())})
	}
}
