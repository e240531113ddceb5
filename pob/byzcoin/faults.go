package byzcoin

import (
	"fmt"
	"time"

	"ios/chain"
)

// accusation is when a fault of somebody was last delivered.
type accusation struct {
	what Fault
	at   time.Time
}

// accuse delivers a fault of a member, at most once per kind and StatusInterval:
// one proof of a kind is enough.
func (m *Machine) accuse(seat int, what Fault, drop bool, ev *Evidence, format string, args ...any) {
	p := &m.peers[seat]
	known := -1
	for i := range p.accused {
		if p.accused[i].what == what {
			known = i
		}
	}
	switch {
	case known < 0:
		p.accused = append(p.accused, accusation{what, m.now})
	case m.now.Sub(p.accused[known].at) < m.cfg.Policy.StatusInterval:
		return
	default:
		p.accused[known].at = m.now
	}
	mis := Misbehaviour{Who: m.cfg.Members[seat], What: what, Cause: "validator " + fmt.Sprint(m.cfg.Members[seat]) + " " + fmt.Sprintf(format, args...), Drop: drop}
	if ev != nil {
		mis.Evidence = ev.AppendTo(nil)
	}
	m.deliver(mis)
}

// twoBodies keeps the proof that an author signed two bodies with one number.
func (m *Machine) twoBodies(seat int, a, b *chain.Body) {
	if m.authors[seat].evidence != nil {
		return
	}
	ev := &Evidence{Fault: FaultTwoBodies, First: (&Body{a}).AppendTo(nil), Other: (&Body{b}).AppendTo(nil)}
	m.convict(seat, ev)
	if m.leader() != m.me {
		m.send(ev, m.leader())
	}
}

// convict ends the insistence on an author's bodies. The leader tells everybody.
func (m *Machine) convict(seat int, ev *Evidence) {
	m.authors[seat].evidence = ev
	m.accuse(seat, FaultTwoBodies, false, ev, "signed two bodies under one number")
	if m.leader() == m.me {
		m.sendAll(ev)
	}
}

func (m *Machine) onEvidence(from int, ev *Evidence) {
	who, err := ev.Check(m.cfg.ChainID, m.cfg.committee())
	if err != nil {
		m.accuse(from, FaultMessage, true, nil, "sent evidence that proves nothing: %v", err)
		return
	}
	if seat := m.seats[who]; ev.Fault == FaultTwoBodies && m.authors[seat].evidence == nil {
		m.convict(seat, ev)
	}
}

// twoProposals delivers the proof that a leader signed two blocks for one
// height and view, and leaves its view.
func (m *Machine) twoProposals(leader int, a, b *Proposal) {
	ev := &Evidence{Fault: FaultTwoProposals, First: a.AppendTo(nil), Other: b.AppendTo(nil)}
	m.accuse(leader, FaultTwoProposals, false, ev, "signed two blocks for height %d in view %d", a.Header.Height, a.View)
	m.suspect("the leader signed two blocks")
}

// Check checks that the evidence proves by itself that a member of the committee
// broke a rule, and says who. The chain is a shard's or the identity chain. Evidence
// of other faults than two bodies and two proposals needs the state or the
// payload's rules to be judged; Check refuses it.
func (e *Evidence) Check(id chain.Hash, c *chain.Committee) (chain.ValidatorID, error) {
	first, err := Decode(e.First)
	if err != nil {
		return 0, fmt.Errorf("evidence of %s: %w", e.Fault, err)
	}
	other, err := Decode(e.Other)
	if err != nil {
		return 0, fmt.Errorf("evidence of %s: %w", e.Fault, err)
	}
	switch a := first.(type) {
	case *Body:
		if b, ok := other.(*Body); ok && e.Fault == FaultTwoBodies {
			return checkBodies(id, c, a.Body, b.Body)
		}
	case *Proposal:
		if b, ok := other.(*Proposal); ok && e.Fault == FaultTwoProposals {
			return checkProposals(id, c, a, b)
		}
	}
	return 0, chain.Rule(chain.ErrProof, "evidence of %s with %T and %T", e.Fault, first, other)
}

// committee is the committee as others know it.
func (c *Config) committee() *chain.Committee {
	return &chain.Committee{Shard: c.Shard, Term: c.term(), Members: c.Members, Signing: c.Keys, Cosi: c.Committee}
}

func checkBodies(id chain.Hash, c *chain.Committee, a, b *chain.Body) (chain.ValidatorID, error) {
	seat := c.Seat(a.Author)
	if seat < 0 || a.Author != b.Author || a.Number != b.Number || a.Hash == b.Hash ||
		a.Chain != id || b.Chain != id || a.Shard != c.Shard || b.Shard != c.Shard || a.Term() != c.Term || b.Term() != c.Term {
		return 0, chain.Rule(chain.ErrProof, "bodies %d and %d of validators %d and %d do not contradict each other", a.Number, b.Number, a.Author, b.Author)
	}
	for _, body := range []*chain.Body{a, b} {
		if err := body.CheckSignature(&c.Signing[seat]); err != nil {
			return 0, err
		}
	}
	return a.Author, nil
}

// checkProposals finds who signed both. Nobody signs two, whoever leads.
func checkProposals(id chain.Hash, c *chain.Committee, a, b *Proposal) (chain.ValidatorID, error) {
	if a.View != b.View || a.Header.Height != b.Header.Height || a.block() == b.block() {
		return 0, chain.Rule(chain.ErrProof, "the proposals for heights %d and %d do not contradict each other", a.Header.Height, b.Header.Height)
	}
	for _, p := range []*Proposal{a, b} {
		h := &p.Header
		if h.Chain != id || h.Shard != c.Shard || h.Term() != c.Term {
			return 0, chain.Rule(chain.ErrWrongChain, "a proposal of shard %d, term %v", h.Shard, h.Term())
		}
	}
	for seat := range c.Members {
		if key := &c.Signing[seat]; verifySig(key, proposalBytes(a), &a.Signature) && verifySig(key, proposalBytes(b), &b.Signature) {
			return c.Members[seat], nil
		}
	}
	return 0, chain.Rule(chain.ErrSignature, "no member signed both proposals for height %d, view %d", a.Header.Height, a.View)
}
