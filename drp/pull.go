package drp

import (
	"ios/internal/sm"
)

// A server that a collector shows a sign-off to, before its owner knows of the
// decision, asks the collector for the choice, so that it can open its shares.

// onFull takes the choice that we asked for.
func (s *Machine) onFull(from sm.NodeID, p *peer, m *Full) {
	if s.pending == nil || !p.wanted {
		return
	}
	p.wanted = false
	if cfg := s.run.cfg; len(m.Raw) != choiceSize(len(cfg.Servers), cfg.GroupSize) {
		return
	}
	c, err := DecodeChoice(m.Raw)
	if err != nil || c.View != s.pending.view || c.Hash() != s.pending.hash {
		return
	}
	if err := s.adopt(&Decided{Choice: m.Raw, SignOff: s.pending.signOff}); err != nil {
		return
	}
	s.open(from, p, s.decided.hash)
}

// onWant sends the decided choice. It is long: a peer gets it as often as it would
// ask.
func (s *Machine) onWant(from sm.NodeID, p *peer, m *Want) {
	if s.decided == nil || s.decided.hash != m.Choice || !p.filled.IsZero() && s.now.Sub(p.filled) < 2*s.run.cfg.Delta {
		return
	}
	p.filled = s.now
	s.send(from, &Full{s.run.cfg.Epoch, s.decided.choice.Raw})
}
