package council

import (
	"fmt"
	"slices"

	"ios/chain"
	"ios/drp"
)

// tell delivers the status when it has changed.
func (c *Core) tell() {
	if !c.started || !c.changed && c.now.Before(c.tellAt) {
		return
	}
	c.changed, c.tellAt = false, c.now.Add(c.cfg.delta())
	s := c.status()
	if c.ever && s.equal(&c.told) {
		return
	}
	c.told, c.ever = s, true
	c.deliver(s)
}

func (s *Status) equal(o *Status) bool {
	return s.Epoch == o.Epoch && s.Phase == o.Phase && s.Due.Equal(o.Due) && s.View == o.View && s.Round == o.Round &&
		s.Leader == o.Leader && s.Known == o.Known && s.Reason == o.Reason && slices.Equal(s.Awaited, o.Awaited) && slices.Equal(s.Table, o.Table)
}

// Status is what is delivered when it changes.
func (c *Core) Status() Status { return c.status() }

func (c *Core) status() Status {
	s := c.doing()
	for _, w := range c.warnings {
		s.Reason += "; " + w
	}
	return s
}

// doing is the status but for warnings.
func (c *Core) doing() Status {
	s := Status{Epoch: c.coming() - 1}
	b := c.beacon
	_, seeded := c.state.Seeded()
	switch {
	case c.halted:
		s.Phase, s.Reason = Halted, c.Err().Error()
		return s
	case c.cfg.Genesis.Policy.EpochLength == 0:
		s.Reason = "the policy knows one epoch only"
		return s
	case b == nil:
		s.Phase, s.Reason = Running, c.why
		if seeded {
			s.Phase = Collecting
		}
		return s
	case !b.begun:
		s.Phase, s.Due, s.Reason = Running, c.due(), "the epoch is not as old as the policy wants"
		return s
	}
	s.View, s.Round, s.Leader, s.Known = b.round.View, b.round.Round, b.round.Leader, b.round.Known
	if b.progress != nil && !b.progress.Done {
		s.Table = b.progress.Rows
	}
	switch {
	case seeded:
		s.Phase, s.Reason = Collecting, c.collectingReason()
	case b.sown == b.round.View+1 || len(c.gate.own) > 0:
		s.Phase, s.Reason = Signing, "a choice is being signed off"
	default:
		s.Phase, s.Reason = Dealing, c.dealingReason()
	}
	if n := len(c.absent()); n > c.faults() {
		members := len(c.state.Book().Validators())
		s.Reason = fmt.Sprintf("nothing is heard of %d of %d members, so that there is no quorum", n, members)
	}
	if c.issue != "" {
		s.Reason += "; " + c.issue
	}
	s.Awaited = c.awaited(&s)
	return s
}

func (c *Core) dealingReason() string {
	switch b := c.beacon; {
	case !b.round.Known:
		return "the tickets of the lottery are gathered"
	case b.leads(c.cfg.Self) && b.proposal != nil:
		return "we lead, and wait for signs of life and for the shards' blocks"
	case b.leads(c.cfg.Self):
		return "we lead, and gather dealings"
	}
	return "the leader gathers dealings"
}

func (c *Core) collectingReason() string {
	b := c.beacon
	switch {
	case b.reaped:
		return "the output waits to be final"
	case b.result != nil:
		return "we know the output; a leader is to put it up"
	case b.collecting && len(b.stated) > 0:
		return "a group does not open its secrets"
	case b.collecting:
		return "we collect shares"
	}
	return fmt.Sprintf("the leader collects shares for the choice of view %d", b.seedView)
}

// awaited are those who have not done their part: too many members of whom nothing
// is heard, or those who have something to say to us if we lead, or who leads.
func (c *Core) awaited(s *Status) (ids []chain.ValidatorID) {
	if ids = c.absent(); len(ids) > c.faults() {
		return ids
	}
	ids = nil
	for _, row := range s.Table {
		if row.State != drp.Dealt && row.State != drp.Late {
			ids = append(ids, row.Server)
		}
	}
	switch {
	case len(s.Table) > 0:
	case s.Known && s.Leader != c.cfg.Self:
		ids = []chain.ValidatorID{s.Leader}
	case !s.Known:
		for _, st := range c.beacon.lottery.Standings() {
			if !st.Ticket && st.ID != c.cfg.Self {
				ids = append(ids, st.ID)
			}
		}
	}
	slices.Sort(ids)
	return ids
}

// absent are the members of whom nothing was heard for long, although all have
// something to say while an epoch is prepared.
func (c *Core) absent() (ids []chain.ValidatorID) {
	b, silence := c.beacon, 40*c.cfg.delta() // the lottery repeats itself within 16
	for _, m := range c.state.Book().Validators() {
		last := b.begunAt
		if at := b.last[m.ID]; at.After(last) {
			last = at
		}
		if m.ID != c.cfg.Self && c.now.Sub(last) > silence {
			ids = append(ids, m.ID)
		}
	}
	return ids
}
