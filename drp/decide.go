package drp

import (
	"errors"
	"fmt"

	"ios/chain"
	"ios/drp/pvss"
	"ios/internal/sm"
)

var errUndecided = errors.New("drp: no choice is decided yet; shares are collected against its sign-off")

func (s *Machine) onDecided(e Decided) {
	if s.decided != nil {
		if string(s.decided.choice.Raw) != string(e.Choice) {
			s.deliver(Refused{fmt.Errorf("drp: another choice than the decided %s of view %d was signed off", s.decided.hash.Short(), s.decided.choice.View)})
		}
		return
	}
	if len(e.SignOff) > MaxSignOff {
		s.deliver(Refused{fmt.Errorf("drp: a sign-off of %d bytes, at most %d are possible", len(e.SignOff), MaxSignOff)})
		return
	}
	m, err := s.examine(e.Choice)
	if err == nil {
		err = s.adopt(m, e.SignOff)
	}
	if err != nil {
		s.deliver(Refused{fmt.Errorf("drp: a choice was decided that cannot be: %w", err)})
	}
}

// adopt records a signed off choice. It is the only one, ever.
func (s *Machine) adopt(m *memo, signOff []byte) error {
	if err := s.settle(m, signOff); err != nil {
		return err
	}
	record := chain.AppendBlob(nil, m.choice.Raw)
	s.emit(sm.Persist{Kind: RecordDecided, Data: chain.AppendBlob(record, signOff)})
	if s.lead != nil {
		s.emit(sm.CancelTimer{Key: timerLead})
		s.lead = nil
	}
	return nil
}

// settle opens our shares of what counts.
func (s *Machine) settle(m *memo, signOff []byte) error {
	d := &decided{choice: m.choice, hash: m.hash, signOff: signOff}
	if of := m.own.valid(); len(of) > 0 {
		l := m.own.layout // the run may have forgotten it and made another since
		st := l.seats[s.self]
		r, err := l.of(st.group)
		if err != nil {
			return err
		}
		if d.shares, err = pvss.Decrypt(pvss.Binding(m.hash), r, st.index, of, s.keys.Secret, s.keys.Random); err != nil {
			return fmt.Errorf("drp: opening shares: %w", err)
		}
	}
	s.decided, s.pending, s.memo, s.held = d, nil, nil, nil
	return nil
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
		s.learnHeld()
	}
	if s.decided == nil {
		if p.wantAt.IsZero() || s.now.Sub(p.wantAt) >= s.run.cfg.Delta {
			p.wanted, p.shown, p.wantAt = true, true, s.now
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
	s.pending = &pending{view: m.View, hash: m.Choice, signOff: append([]byte(nil), m.SignOff...)}
	return true
}

func (s *Machine) open(to sm.NodeID, p *peer, choice chain.Hash) {
	if choice == s.decided.hash && s.decided.shares != nil && s.due(&p.opened) {
		s.send(to, &Open{s.run.cfg.Epoch, choice, s.decided.shares})
	}
}
