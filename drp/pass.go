package drp

import (
	"ios/drp/pvss"
	"ios/internal/sm"
)

// Byzantine servers may open to each collector what they withhold from others, so
// that none can finish though all together could. Collectors that wait for long
// therefore pass on what they have checked, before they call anybody silent.

// Shares are what one server, by its place, has opened.
type Shares struct {
	Server uint16
	Raw    pvss.Decryption
}

// passTo is how many servers a collector passes shares on to at once.
const passTo = 64

// late reports whether it is time to pass on what we have.
func (c *collect) late(s *Machine) bool {
	return s.now.Sub(c.retry.began) >= s.run.cfg.deadline()/2
}

// passOn sends of each group as many checked shares as open it, or all, to the next
// few servers.
func (s *Machine) passOn() {
	c, n := s.collect, len(s.run.cfg.Servers)
	m := &Pass{Epoch: s.run.cfg.Epoch, Choice: s.decided.hash}
	left := make([]int, len(c.have))
	for g := range left {
		left[g] = c.layout.threshold(g)
	}
	for i := range c.slots {
		if g := c.layout.seats[i].group; c.slots[i].opened != nil && left[g] > 0 {
			left[g]--
			m.List = append(m.List, Shares{uint16(i), c.slots[i].raw})
		}
	}
	var to []sm.NodeID
	for range min(passTo, n-1) {
		i := (s.self + 1 + c.next%(n-1)) % n
		c.next++
		to = append(to, s.run.cfg.Servers[i].ID)
	}
	if len(m.List) > 0 && len(to) > 0 {
		s.emit(sm.Send{To: to, Msg: m})
	}
}

// onPass takes shares that another collector has passed on, where we lack some. Who
// passes on wrong ones is not listened to again.
func (s *Machine) onPass(p *peer, m *Pass) {
	c := s.collect
	if c == nil || c.result != nil || m.Choice != s.decided.hash || p.lied || !s.due(&p.passed) {
		return
	}
	settled := make([]bool, len(c.have))
	for g := range settled {
		settled[g] = len(c.parsed[g]) == 0 || c.settled(g)
	}
	var batch pvss.Batch
	opened, last := make(map[int]*pvss.Opened), -1
	for _, e := range m.List {
		i := int(e.Server)
		if p.lied = i <= last || i >= len(c.slots); p.lied {
			return
		}
		last = i
		g := c.layout.seats[i].group
		if settled[g] || c.slots[i].opened != nil {
			continue
		}
		r, err := c.layout.of(g)
		if err != nil {
			s.deliver(Refused{err})
			return
		}
		o, err := r.Open(pvss.Binding(s.decided.hash), c.layout.seats[i].index, c.parsed[g], e.Raw)
		if p.lied = err != nil; p.lied {
			return
		}
		batch.Add(o)
		opened[i] = o
	}
	if p.lied = batch.Check() != nil; p.lied || len(opened) == 0 {
		return
	}
	for _, e := range m.List {
		o := opened[int(e.Server)]
		if o == nil {
			continue
		}
		sl := &c.slots[e.Server]
		if sl.state == Dealt {
			c.unsure--
		} else {
			c.have[c.layout.seats[e.Server].group]++
		}
		*sl = share{Dealt, e.Raw, o}
	}
	s.tryResult()
}
