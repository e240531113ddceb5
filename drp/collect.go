package drp

import (
	"ios/drp/pvss"
	"ios/internal/sm"
)

var timerCollect = sm.TimerKey{Kind: 2}

// collect is a collector's gathering of shares of the decided choice.
type collect struct {
	layout *layout
	counts []bool           // of each chosen dealing
	parsed [][]*pvss.Parsed // of each group, the dealings that count
	slots  []share          // of each server
	have   []int            // of each group: shares that came and are not known to be wrong
	unsure int              // shares that are not checked
	retry  retry
	next   int // whom to pass shares on to
	result *Result
}

// share is one server's opening.
type share struct {
	state  State
	raw    pvss.Decryption
	opened *pvss.Opened // once it is checked
}

func (s *Machine) onCollect() {
	switch {
	case s.decided == nil:
		s.deliver(Refused{errUndecided})
		return
	case s.collect != nil && s.collect.result != nil:
		s.deliver(*s.collect.result)
		return
	case s.collect != nil:
		return
	}
	c := &collect{layout: s.run.layout(s.decided.choice.View), slots: make([]share, len(s.run.cfg.Servers))}
	c.parsed, c.have = make([][]*pvss.Parsed, len(c.layout.groups)), make([]int, len(c.layout.groups))
	o, err := c.layout.judge(s.decided.choice.Dealings)
	if err != nil {
		s.deliver(Refused{err})
		return
	}
	for i, d := range o.dealings {
		c.counts = append(c.counts, o.parsed[i] != nil)
		if o.parsed[i] != nil {
			c.parsed[d.Group] = append(c.parsed[d.Group], o.parsed[i])
		}
	}
	s.collect = c
	if s.decided.shares != nil {
		c.put(s.self, s.decided.shares)
	}
	s.askShares()
	s.tryResult()
}

func (c *collect) put(i int, raw pvss.Decryption) {
	c.slots[i].raw, c.slots[i].state = raw, Dealt
	c.have[c.layout.seats[i].group]++
	c.unsure++
}

// askShares asks whoever has not answered in the groups that something depends on.
func (s *Machine) askShares() {
	c := s.collect
	if c.retry.asked > 0 && c.late(s) {
		// While one group has too few shares those of the others wait. Wrong ones
		// among them must not hide for ever that another withholds, too.
		if err := s.verifyShares(); err != nil {
			s.deliver(Refused{err})
		}
		s.passOn()
	}
	var absent []sm.NodeID
	for g, members := range c.layout.groups {
		if len(c.parsed[g]) == 0 || c.settled(g) {
			continue
		}
		for _, i := range members {
			if c.slots[i].state == Absent && i != s.self {
				absent = append(absent, s.run.cfg.Servers[i].ID)
			}
		}
	}
	if c.retry.asked > 0 {
		s.deliver(s.collected())
	}
	s.again(&c.retry, timerCollect)
	if len(absent) > 0 {
		d := s.decided
		s.emit(sm.Send{To: absent, Msg: &Show{s.run.cfg.Epoch, d.choice.View, d.hash, d.signOff}})
	}
}

// overdue reports whether the deadline has passed.
func (c *collect) overdue(s *Machine) bool {
	return s.now.Sub(c.retry.began) >= s.run.cfg.deadline()
}

// settled reports whether the group has opened enough, all checked.
func (c *collect) settled(g int) bool {
	n := 0
	for _, i := range c.layout.groups[g] {
		if c.slots[i].opened != nil {
			n++
		}
	}
	return n >= c.layout.threshold(g)
}

// collected is the table of who opened.
func (s *Machine) collected() Progress {
	c := s.collect
	p := Progress{Phase: Collecting, View: c.layout.view, Asked: c.retry.asked, Done: c.result != nil}
	p.Overdue = c.overdue(s)
	for g, members := range c.layout.groups {
		if len(c.parsed[g]) == 0 {
			continue
		}
		for _, i := range members {
			p.Rows = append(p.Rows, Row{s.run.cfg.Servers[i].ID, uint16(g), c.slots[i].state})
		}
	}
	return p
}

// onOpen takes the shares of a server that may have some: it has one slot.
func (s *Machine) onOpen(i int, m *Open) {
	c := s.collect
	if c == nil || m.Choice != s.decided.hash || c.slots[i].state != Absent {
		return
	}
	g := c.layout.seats[i].group
	switch {
	case len(c.parsed[g]) == 0 || len(m.Shares) != pvss.DecryptionSize(len(c.parsed[g])):
		c.slots[i].state = Invalid
	case c.result != nil:
		c.slots[i].state = Late
	default:
		c.put(i, m.Shares)
		s.tryResult()
	}
}

// tryResult checks what came once it would be enough, all in one batch, and
// delivers the result when it is.
func (s *Machine) tryResult() {
	c := s.collect
	if c.result != nil || !c.enough() {
		return
	}
	if c.unsure > 0 {
		if err := s.verifyShares(); err != nil {
			s.deliver(Refused{err})
			return
		}
		if !c.enough() {
			return
		}
	}
	t := &Transcript{Choice: s.decided.choice, SignOff: s.decided.signOff, Counts: c.counts, Openings: make([][]Opening, len(c.parsed))}
	opened := make([][]*pvss.Opened, len(c.parsed))
	for g, members := range c.layout.groups {
		need := c.layout.threshold(g)
		for index, i := range members {
			if o := c.slots[i].opened; o != nil && need > 0 && len(c.parsed[g]) > 0 {
				t.Openings[g] = append(t.Openings[g], Opening{uint16(index), c.slots[i].raw})
				opened[g] = append(opened[g], o)
				need--
			}
		}
	}
	out, err := c.layout.output(s.decided.choice, s.decided.hash, c.counts, opened)
	if err != nil {
		s.deliver(Refused{err})
		return
	}
	c.result = &Result{Output: *out, Transcript: t.AppendTo(nil)}
	s.emit(sm.CancelTimer{Key: timerCollect})
	s.deliver(s.collected())
	s.deliver(*c.result)
}

func (c *collect) enough() bool {
	for g, n := range c.have {
		if len(c.parsed[g]) > 0 && n < c.layout.threshold(g) {
			return false
		}
	}
	return true
}

func (s *Machine) verifyShares() error {
	c := s.collect
	var batch pvss.Batch
	var at []int
	drop := func(i int) {
		c.slots[i].state, c.slots[i].opened = Invalid, nil
		c.have[c.layout.seats[i].group]--
	}
	for i := range c.slots {
		sl := &c.slots[i]
		if sl.state != Dealt || sl.opened != nil {
			continue
		}
		c.unsure--
		st := c.layout.seats[i]
		r, err := c.layout.of(st.group)
		if err != nil {
			return err
		}
		if sl.opened, err = r.Open(pvss.Binding(s.decided.hash), st.index, c.parsed[st.group], sl.raw); err != nil {
			drop(i)
			continue
		}
		batch.Add(sl.opened)
		at = append(at, i)
	}
	for _, n := range batch.Check() {
		drop(at[n])
	}
	return nil
}
