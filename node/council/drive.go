package council

import (
	"ios/pob/byzcoin"
)

// drive does what has become possible, until nothing more is. What is to be done
// follows from the state of the chain, of the parts and of the clock, so that a
// restart in any phase goes on.
func (c *Core) drive() {
	if !c.started {
		return
	}
	for again := true; again; {
		c.stirred = false
		c.turn()
		c.settle()
		if c.beacon != nil {
			c.prepare()
			c.show()
		}
		c.unload()
		released := c.release()
		c.author()
		again = released || c.stirred
		c.changed = c.changed || again
	}
}

// settle has the agreement forget what was not final at the end of a term: clients
// were promised nothing, and what we submitted is put up again.
func (c *Core) settle() {
	for len(c.turned) > 0 {
		from := c.turned[0]
		c.turned = c.turned[1:]
		c.stepAgreement(byzcoin.Settled{From: from})
	}
}

// follow tells the agreement who should have the newest blocks.
func (c *Core) follow() {
	if c.prepared == 2 && len(c.cfg.Sources) > 0 {
		return // the genesis; the owner may know better
	}
	var ids byzcoin.SourcesChanged
	for _, m := range c.state.Book().Validators() {
		ids.Sources = append(ids.Sources, m.ID)
	}
	c.stepAgreement(ids)
}
