package drp

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"ios/chain"
	"ios/drp/pvss"
	"ios/internal/sm"
)

var errUndecided = errors.New("drp: no choice is decided yet; shares are collected against its sign-off")

func (s *Machine) onDecided(e Decided) {
	switch {
	case s.decided != nil && string(s.decided.choice.Raw) != string(e.Choice):
		s.deliver(Refused{fmt.Errorf("drp: another choice than the decided %s of view %d was signed off", s.decided.hash.Short(), s.decided.choice.View)})
	case s.decided != nil:
	case len(e.SignOff) > MaxSignOff:
		s.deliver(Refused{fmt.Errorf("drp: a sign-off of %d bytes, at most %d are possible", len(e.SignOff), MaxSignOff)})
	default:
		if err := s.adopt(&e); err != nil {
			s.deliver(Refused{fmt.Errorf("drp: a choice was decided that cannot be: %w", err)})
		}
	}
}

// adopt opens our shares of what counts in a signed off choice. It is the only
// one, ever. What is decided is not recorded: whoever signed it off knows it, and
// it can be shown again.
func (s *Machine) adopt(e *Decided) error {
	c, of, err := s.examined(e)
	if err != nil {
		return err
	}
	d := &decided{choice: c, hash: c.Hash(), signOff: slices.Clone(e.SignOff)}
	if len(of) > 0 {
		st := c.judged.layout.seats[s.self]
		r, err := c.judged.layout.of(st.group)
		if err != nil {
			return err
		}
		if d.shares, err = pvss.Decrypt(pvss.Binding(d.hash), r, st.index, of, s.keys.Secret, s.keys.Random); err != nil {
			return fmt.Errorf("drp: opening shares: %w", err)
		}
	}
	for _, dealing := range c.Dealings {
		s.note(dealing)
	}
	s.decided, s.pending = d, nil
	if s.lead != nil {
		s.emit(sm.CancelTimer{Key: timerLead})
		s.lead = nil
	}
	return nil
}

// examined is a decided choice with the dealings to our group that count. What was
// checked before is not checked again.
func (s *Machine) examined(e *Decided) (*Choice, []*pvss.Parsed, error) {
	if c := e.Checked; c != nil && bytes.Equal(c.Raw, e.Choice) {
		if of, ok := c.judged.valid(s.run, s.run.layout(c.View).seats[s.self].group); ok {
			return c, of, nil
		}
	}
	c, err := s.run.examine(slices.Clone(e.Choice), s.keys.Self)
	if err != nil {
		return nil, nil, err
	}
	of, _ := c.judged.valid(s.run, s.run.layout(c.View).seats[s.self].group)
	return c, of, nil
}

// refusals remembers the sign-offs that did not verify last.
type refusals struct {
	list [64]chain.Hash
	next int
}

func (r *refusals) has(h chain.Hash) bool {
	for i := range r.list {
		if r.list[i] == h {
			return true
		}
	}
	return false
}

func (r *refusals) add(h chain.Hash) {
	r.list[r.next%len(r.list)] = h
	r.next++
}

// onShow serves a collector: whoever shows the sign-off gets our shares.
func (s *Machine) onShow(from sm.NodeID, p *peer, m *Show) {
	if s.decided == nil && !s.convinced(p, m) {
		return
	}
	if s.decided == nil {
		if s.due(&p.wantAt) {
			p.wanted = true
			s.send(from, &Want{s.run.cfg.Epoch, m.Choice})
		}
		return
	}
	s.open(from, p, m.Choice)
}

// convinced reports whether the shown sign-off is one. Checking it is dear, so each
// peer has one check in a while, and a failure is remembered.
func (s *Machine) convinced(p *peer, m *Show) bool {
	if s.pending != nil {
		return s.pending.hash == m.Choice && s.pending.view == m.View
	}
	w := newWriter(tagChoice)
	w.u64(m.View)
	w.Write(m.Choice[:])
	w.Write(m.SignOff)
	key := w.sum()
	if s.refused.has(key) || !s.due(&p.checked) {
		return false
	}
	if s.run.cfg.VerifySignOff(m.View, m.Choice, m.SignOff) != nil {
		s.refused.add(key)
		return false
	}
	s.pending = &pending{view: m.View, hash: m.Choice, signOff: slices.Clone(m.SignOff)}
	return true
}

func (s *Machine) open(to sm.NodeID, p *peer, choice chain.Hash) {
	if choice == s.decided.hash && s.decided.shares != nil && s.due(&p.opened) {
		s.send(to, &Open{s.run.cfg.Epoch, choice, s.decided.shares})
	}
}
