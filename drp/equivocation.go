package drp

import (
	"bytes"
	"fmt"

	"ios/chain"
)

// Equivocation is evidence: two dealings of one server for one view, the lesser
// encoding first. There can be many pairs for one misdeed: who makes somebody pay
// for it does so once for an epoch, a view and a dealer.
type Equivocation struct{ A, B []byte }

func newEquivocation(a, b *Dealing) Equivocation {
	if bytes.Compare(a.Raw, b.Raw) > 0 {
		a, b = b, a
	}
	return Equivocation{a.Raw, b.Raw}
}

// maxDealing bounds the encoding of a dealing.
var maxDealing = dealingSize(MaxServers)

// AppendTo appends the canonical encoding.
func (e *Equivocation) AppendTo(dst []byte) []byte {
	return chain.AppendBlob(chain.AppendBlob(dst, e.A), e.B)
}

// DecodeEquivocation reads evidence. Only Verify says whether it is any.
func DecodeEquivocation(raw []byte) (*Equivocation, error) {
	r := chain.NewReader(raw)
	e := &Equivocation{A: r.Blob(maxDealing), B: r.Blob(maxDealing)}
	return e, r.Close()
}

// Verify says who broke the rule, if the evidence holds: one server signed two
// contents for one view. Two signatures on one content are no fault.
func (e *Equivocation) Verify(cfg *Config) (culprit chain.ValidatorID, err error) {
	r, err := newRun(cfg)
	if err != nil {
		return 0, err
	}
	a, err := DecodeDealing(e.A)
	if err != nil {
		return 0, fmt.Errorf("drp: first dealing of an equivocation: %w", err)
	}
	b, err := DecodeDealing(e.B)
	if err != nil {
		return 0, fmt.Errorf("drp: second dealing of an equivocation: %w", err)
	}
	if bytes.Compare(e.A, e.B) > 0 {
		return 0, chain.Rule(chain.ErrEncoding, "the dealings of an equivocation are in the other order")
	}
	return a.Dealer, r.equivocate(a, b)
}

// equivocate returns nil if the two dealings are evidence.
func (r *run) equivocate(a, b *Dealing) error {
	switch {
	case a.Dealer != b.Dealer || a.View != b.View:
		return chain.Rule(chain.ErrProof, "the dealings are of different servers or views")
	case a.content == b.content:
		return chain.Rule(chain.ErrProof, "the dealings are the same")
	case r.cfg.find(a.Dealer) < 0:
		return chain.Rule(chain.ErrProof, "validator %d is not a server of epoch %d", a.Dealer, r.cfg.Epoch)
	case r.checkSignatures([]*Dealing{a, b}) != nil:
		return chain.Rule(chain.ErrSignature, "not both dealings are signed by server %d", a.Dealer)
	}
	return nil
}

// note compares a dealing whose signature was checked with what else we saw of its
// dealer in the view: from a leader's table, or in choices of other leaders. Only
// the view that we last dealt for is looked at, one piece of evidence a dealer.
func (s *Machine) note(d *Dealing) {
	if !s.begun || d.View != s.last {
		return
	}
	if s.seen == nil || s.inView != d.View {
		s.seen, s.inView = make(map[int]*Dealing), d.View
	}
	i := s.run.cfg.find(d.Dealer)
	old, ok := s.seen[i]
	switch {
	case !ok:
		s.seen[i] = d
	case old != nil && old.content != d.content:
		s.found = append(s.found, newEquivocation(old, d))
		s.seen[i] = nil // told
	}
}
