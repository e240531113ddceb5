package drp

import (
	"ios/internal/sm"
)

// begin deals for a view, at most once in its life, whatever happens: the dealing
// is recorded before anybody sees it, and views only go up.
func (s *Machine) begin(view uint64) {
	if s.decided != nil || s.begun && view <= s.last {
		return
	}
	d, err := newDealing(s.run.layout(view), s.self, &s.keys)
	if err != nil {
		s.deliver(Refused{err})
		return
	}
	s.emit(sm.Persist{Kind: RecordDealing, Data: d.Raw})
	s.keep(d)
	for i := range s.peers[:len(s.run.cfg.Servers)] {
		if p := &s.peers[i]; p.wishes == view+1 {
			p.wishes, p.asked = 0, s.now
			s.send(s.run.cfg.Servers[i].ID, &Deal{s.run.cfg.Epoch, d.Raw})
		}
	}
}

func (s *Machine) keep(d *Dealing) {
	s.dealt[d.View], s.last, s.begun = d, d.View, true
	if len(s.dealt) > keptDealings {
		oldest := d.View
		for view := range s.dealt {
			oldest = min(oldest, view)
		}
		delete(s.dealt, oldest)
	}
}

// onAsk answers with the dealing, always the same one. Asked for a view that has
// not begun, it answers when it does.
func (s *Machine) onAsk(from sm.NodeID, p *peer, m *Ask) {
	d := s.dealt[m.View]
	if d == nil {
		if !s.begun || m.View > s.last {
			p.wishes = m.View + 1
		}
		return
	}
	if s.due(&p.asked) {
		s.send(from, &Deal{s.run.cfg.Epoch, d.Raw})
	}
}
