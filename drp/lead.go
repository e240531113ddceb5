package drp

import (
	"fmt"
	"time"

	"ios/drp/pvss"
	"ios/internal/sm"
)

var timerLead = sm.TimerKey{Kind: 1}

// lead is a leader's gathering of dealings for a view.
type lead struct {
	layout   *layout
	slots    []slot // of each server
	counts   []int  // of each group: dealings that came and are not known to be wrong
	unsure   int    // dealings that are not checked
	retry    retry
	proposed bool
}

// slot is for one server's one dealing.
type slot struct {
	state   State
	checked bool
	second  bool // another dealing of it was looked at
	dealing *Dealing
}

// retry asks again at intervals that double up to a bound.
type retry struct {
	asked    int
	interval time.Duration
	began    time.Time
	at       time.Time
}

// maxBackoff bounds the doubling of 2·Delta.
const maxBackoff = 16

func (s *Machine) again(r *retry, key sm.TimerKey) {
	if r.asked == 0 {
		r.began, r.interval = s.now, 2*s.run.cfg.Delta
	} else {
		r.interval = min(2*r.interval, 2*maxBackoff*s.run.cfg.Delta)
	}
	r.asked++
	r.at = s.now.Add(r.interval)
	// Who waits for the deadline hears of it.
	if due := r.began.Add(s.run.cfg.deadline()); s.now.Before(due) && r.at.After(due) {
		r.at = due
	}
	s.emit(sm.SetTimer{Key: key, At: r.at})
}

func (s *Machine) fire(key sm.TimerKey) {
	switch key {
	case timerLead:
		if l := s.lead; l != nil && !l.proposed && !s.now.Before(l.retry.at) {
			s.askDealings()
		}
	case timerCollect:
		if c := s.collect; c != nil && c.result == nil && !s.now.Before(c.retry.at) {
			s.askShares()
		}
	}
}

func (s *Machine) onLead(view uint64) {
	if s.decided != nil {
		return
	}
	s.begin(view)
	l := &lead{layout: s.run.layout(view), slots: make([]slot, len(s.run.cfg.Servers))}
	l.counts = make([]int, len(l.layout.groups))
	s.lead = l
	if d := s.dealt[view]; d != nil {
		l.put(s.self, d)
		l.slots[s.self].checked = true
		l.unsure--
	}
	s.askDealings()
	s.tryPropose()
}

func (l *lead) put(i int, d *Dealing) {
	l.slots[i].dealing, l.slots[i].state = d, Dealt
	l.counts[l.layout.seats[i].group]++
	l.unsure++
}

// drop takes out a dealing that turned out wrong.
func (l *lead) drop(i int, state State) {
	sl := &l.slots[i]
	if sl.state == Dealt && !l.proposed {
		l.counts[l.layout.seats[i].group]--
		if !sl.checked {
			l.unsure--
		}
	}
	sl.state = state
}

// askDealings asks whoever has not answered.
func (s *Machine) askDealings() {
	l := s.lead
	if l.retry.asked > 0 && l.overdue(s) && l.unsure > 0 {
		// The table tells an operator who is to blame: not those alone who are silent.
		if err := s.verifyDealings(); err != nil {
			s.deliver(Refused{err})
		}
	}
	var absent []sm.NodeID
	for i := range l.slots {
		if l.slots[i].state == Absent && i != s.self {
			absent = append(absent, s.run.cfg.Servers[i].ID)
		}
	}
	if l.retry.asked > 0 {
		s.deliver(s.gathered())
	}
	s.again(&l.retry, timerLead)
	if len(absent) > 0 {
		s.emit(sm.Send{To: absent, Msg: &Ask{s.run.cfg.Epoch, l.layout.view}})
	}
}

// overdue reports whether the deadline has passed.
func (l *lead) overdue(s *Machine) bool {
	return s.now.Sub(l.retry.began) >= s.run.cfg.deadline()
}

// gathered is the table of who dealt.
func (s *Machine) gathered() Progress {
	l := s.lead
	p := Progress{Phase: Gathering, View: l.layout.view, Asked: l.retry.asked, Done: l.proposed}
	p.Overdue = l.overdue(s)
	for g, members := range l.layout.groups {
		for _, i := range members {
			p.Rows = append(p.Rows, Row{s.run.cfg.Servers[i].ID, uint16(g), l.slots[i].state})
		}
	}
	return p
}

// onDeal takes a dealing from the server that made it: it has one slot.
func (s *Machine) onDeal(i int, m *Deal) {
	l := s.lead
	if l == nil {
		return
	}
	sl := &l.slots[i]
	if sl.state == Invalid || sl.state == Equivocal || sl.second {
		return
	}
	if len(m.Raw) > dealingSize(len(l.layout.groups[0])) {
		// Longer than for the largest group of any view.
		if sl.state == Absent {
			sl.state = Invalid
		}
		return
	}
	d, err := DecodeDealing(m.Raw)
	if err == nil && d.View != l.layout.view {
		return // an answer to another Lead
	}
	if err == nil {
		err = l.layout.fits(d)
	}
	if err == nil && d.Dealer != s.run.cfg.Servers[i].ID {
		err = fmt.Errorf("drp: a dealing of server %d", d.Dealer)
	}
	switch {
	case err != nil:
		if sl.state == Absent {
			sl.state = Invalid
		}
	case sl.dealing != nil:
		s.compare(i, d)
	case l.proposed:
		sl.dealing, sl.state = d, Late
	default:
		l.put(i, d)
		s.tryPropose()
	}
}

// compare looks at a second dealing of a server, at most once if it is another
// one.
func (s *Machine) compare(i int, d *Dealing) {
	sl := &s.lead.slots[i]
	if d.content == sl.dealing.content {
		return
	}
	sl.second = true
	if s.run.equivocate(sl.dealing, d) != nil {
		return
	}
	s.note(sl.dealing)
	s.note(d)
	s.lead.drop(i, Equivocal)
}

// tryPropose checks what came once it would be enough, all in one batch, and
// proposes when it is.
func (s *Machine) tryPropose() {
	l := s.lead
	if l.proposed || !l.enough() {
		return
	}
	if l.unsure > 0 {
		if err := s.verifyDealings(); err != nil {
			s.deliver(Refused{err})
			return
		}
		if !l.enough() {
			return
		}
	}
	var chosen []*Dealing
	for g, members := range l.layout.groups {
		need := l.layout.threshold(g)
		for _, i := range members {
			if need > 0 && l.slots[i].state == Dealt {
				chosen = append(chosen, l.slots[i].dealing)
				need--
			}
		}
	}
	l.proposed = true
	c := newChoice(l.layout.view, chosen)
	s.emit(sm.CancelTimer{Key: timerLead})
	s.deliver(s.gathered())
	s.deliver(Propose{View: c.View, Hash: c.Hash(), Choice: c.Raw})
}

func (l *lead) enough() bool {
	for g, n := range l.counts {
		if n < l.layout.threshold(g) {
			return false
		}
	}
	return true
}

// verifyDealings checks the signatures in one batch and the proofs in one more.
func (s *Machine) verifyDealings() error {
	l := s.lead
	var list []*Dealing
	var at []int
	for i := range l.slots {
		if sl := &l.slots[i]; sl.state == Dealt && !sl.checked {
			list, at = append(list, sl.dealing), append(at, i)
		}
	}
	signed := s.run.checkSignatures(list)
	var batch pvss.Batch
	var inBatch []int
	for k, i := range at {
		if signed != nil && !signed[k] {
			l.drop(i, Invalid)
			continue
		}
		if _, err := l.layout.of(int(list[k].Group)); err != nil {
			return err
		}
		p, err := l.layout.parse(list[k])
		if err != nil {
			l.drop(i, Invalid)
			continue
		}
		batch.Add(p)
		inBatch = append(inBatch, i)
	}
	for _, n := range batch.Check() {
		l.drop(inBatch[n], Invalid)
	}
	for _, i := range at {
		if sl := &l.slots[i]; sl.state == Dealt {
			sl.checked = true
			l.unsure--
			s.note(sl.dealing)
		}
	}
	return nil
}
