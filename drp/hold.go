package drp

import (
	"fmt"

	"ios/chain"
	"ios/internal/sm"
)

var timerPull = sm.TimerKey{Kind: 3}

// keptChoices is how many undecided choices a server holds, the last ones.
const keptChoices = 4

// pullFrom is how many servers are asked for a choice at once.
const pullFrom = 3

// onExamine holds what may be signed.
func (s *Machine) onExamine(raw []byte) {
	if len(raw) <= MaxChoice {
		raw = append([]byte(nil), raw...) // it is kept
	}
	m, err := s.examine(raw)
	if err != nil {
		s.deliver(Examined{Err: err})
		return
	}
	if err = m.own.refusal(); err == nil && s.Held(m.hash) == nil && s.decided == nil {
		s.emit(sm.Persist{Kind: RecordHeld, Data: m.choice.Raw})
		s.hold(m.choice, m.hash)
	}
	s.deliver(Examined{View: m.choice.View, Hash: m.hash, Err: err})
}

// heldChoice is a choice that was found right.
type heldChoice struct {
	hash chain.Hash
	raw  []byte
}

func (s *Machine) hold(c *Choice, hash chain.Hash) {
	if len(s.held) >= keptChoices {
		s.held = append(s.held[:0:0], s.held[1:]...)
	}
	s.held = append(s.held, heldChoice{hash, c.Raw})
}

// Held is the encoding of a choice that the server holds: the decided one, or one
// of the last that it examined and found right. Nil if there is none of the hash.
func (s *Machine) Held(hash chain.Hash) []byte {
	if s.decided != nil {
		if s.decided.hash == hash {
			return s.decided.choice.Raw
		}
		return nil
	}
	for _, c := range s.held {
		if c.hash == hash {
			return c.raw
		}
	}
	return nil
}

// onSignedOff adopts a choice that we hold, or has others send it.
func (s *Machine) onSignedOff(e SignedOff) {
	switch {
	case s.decided != nil:
		if s.decided.hash != e.Hash {
			s.deliver(Refused{fmt.Errorf("drp: another choice than the decided %s of view %d was signed off", s.decided.hash.Short(), s.decided.choice.View)})
		}
		return
	case len(e.SignOff) > MaxSignOff:
		s.deliver(Refused{fmt.Errorf("drp: a sign-off of %d bytes, at most %d are possible", len(e.SignOff), MaxSignOff)})
		return
	}
	// What our owner says counts more than what was shown.
	s.pending = &pending{view: e.View, hash: e.Hash, signOff: append([]byte(nil), e.SignOff...)}
	if s.learnHeld(); s.decided == nil {
		s.pull()
	}
}

// pull asks the next few servers for the choice that we lack.
func (s *Machine) pull() {
	p := s.pending
	n := len(s.run.cfg.Servers)
	var to []sm.NodeID
	for range min(pullFrom, n-1) {
		i := (s.self + 1 + p.next%(n-1)) % n
		p.next++
		s.peers[i].wanted, s.peers[i].wantAt = true, s.now
		to = append(to, s.run.cfg.Servers[i].ID)
	}
	s.again(&p.retry, timerPull)
	if len(to) > 0 {
		s.emit(sm.Send{To: to, Msg: &Want{s.run.cfg.Epoch, p.hash}})
	}
}

// learnHeld adopts the choice of the pending sign-off if we have it.
func (s *Machine) learnHeld() {
	raw := s.Held(s.pending.hash)
	if raw == nil && s.memo != nil && s.memo.hash == s.pending.hash {
		raw = s.memo.choice.Raw
	}
	if raw == nil {
		return
	}
	m, err := s.examine(raw)
	if err != nil {
		s.deliver(Refused{err})
		return
	}
	s.learn(m)
}

// learn adopts a choice whose sign-off is pending.
func (s *Machine) learn(m *memo) {
	p := s.pending
	if err := s.adopt(m, p.signOff); err != nil {
		s.deliver(Refused{err})
		return
	}
	if p.retry.asked > 0 {
		s.emit(sm.CancelTimer{Key: timerPull})
	}
	s.deliver(Learned{View: m.choice.View, Hash: m.hash, Choice: m.choice.Raw, SignOff: p.signOff})
}

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
	// Its bytes are those of the message, which others may hold.
	mem, err := s.examine(append([]byte(nil), m.Raw...))
	if err != nil {
		return
	}
	s.learn(mem)
	if s.decided != nil && p.shown {
		s.open(from, p, s.decided.hash)
	}
}

// onWant sends a choice that we hold. It is long: a peer gets it as often as it
// would ask.
func (s *Machine) onWant(from sm.NodeID, p *peer, m *Want) {
	raw := s.Held(m.Choice)
	if raw == nil || !p.filled.IsZero() && s.now.Sub(p.filled) < 2*s.run.cfg.Delta {
		return
	}
	p.filled = s.now
	s.send(from, &Full{s.run.cfg.Epoch, raw})
}
