package byzcoin

import (
	"fmt"
	"testing"
	"time"

	"ios/chain"
	"ios/chain/cosi"
	"ios/internal/sm"
)

// innerNode is the seat of an inner node in view 0 of a committee of 20.
const innerNode = 2

// passOn has a leader of 20 receive from an inner node what one of its leaves is
// said to have signed.
func (s *solo) passOn(leaf int, sig cosi.Signature) {
	r := s.m.round
	mask := cosi.NewMask(20)
	mask.Set(leaf)
	s.receive(innerNode, &Share{Height: 1, Phase: chain.Prepare, Block: r.hash, Votes: cosi.Contribution{Mask: mask, Sig: sig}})
}

// newRoot is a leader of 20 that has proposed a block, with the wrong share of a
// leaf that its inner node passed on, and the right ones of so many others.
func newRoot(t *testing.T, others int) *solo {
	s := newSolo(t, 20, 0)
	ref := s.body(7, 1, "a")
	for _, seat := range s.c.seatsFrom(1) {
		s.receive(seat, &Acks{[]chain.BodyRef{ref}})
	}
	s.wait(30 * time.Millisecond)
	if s.m.round == nil {
		t.Fatal("it proposes nothing")
	}
	s.sent = nil
	s.passOn(s.m.below(innerNode)[0], s.garbage(s.m.below(innerNode)[0]))
	vote := chain.VoteBytes(&s.m.round.prop.Header, s.m.round.hash, 0, chain.Prepare)
	for _, seat := range s.c.seatsFrom(1) {
		if seat == innerNode || s.m.above(seat) == innerNode || others == 0 {
			continue
		}
		others--
		sig, err := s.c.sign[seat](vote)
		must(t, err)
		mask := cosi.NewMask(20)
		mask.Set(seat)
		s.receive(seat, &Share{Height: 1, Phase: chain.Prepare, Block: s.m.round.hash, Votes: cosi.Contribution{Mask: mask, Sig: sig}})
	}
	return s
}

// garbage is a seat's signature on something else.
func (s *solo) garbage(seat int) cosi.Signature {
	sig, err := s.c.sign[seat]([]byte("something else"))
	must(s.t, err)
	return sig
}

// wentPast checks that the leader speaks to the leaves itself, and accuses nobody.
func (s *solo) wentPast() {
	s.t.Helper()
	for seat := range s.m.peers {
		for _, a := range s.m.peers[seat].accused {
			s.t.Errorf("seat %d is accused of %s", seat, a.what)
		}
	}
	told := false
	for _, msg := range s.sent {
		_, bypass := msg.(*Bypass)
		told = told || bypass
	}
	if !told || !s.m.tree.past.Has(innerNode) {
		s.t.Error("the leader does not go past the inner node")
	}
}

// An inner node passes on a wrong share, which it does not check.
func TestAnInnerNodeIsNotAccusedOfALeafsShare(t *testing.T) {
	s := newRoot(t, 14)
	s.wentPast()
	if s.m.round.tallies[0].cert == nil {
		t.Error("the others are enough for a certificate")
	}
}

// It does so again, before there is a certificate. What comes from it is now
// checked on arrival.
func TestAnInnerNodeIsNotAccusedOfASecondLeafsShare(t *testing.T) {
	s := newRoot(t, 12)
	if s.m.round.tallies[0].cert != nil || s.m.round.tallies[0].gather.Count() != 13 {
		t.Fatal("the leader has not looked at the shares, or has enough")
	}
	s.passOn(s.m.below(innerNode)[1], s.garbage(s.m.below(innerNode)[1]))
	s.wentPast()
	if n := s.m.round.tallies[0].gather.Count(); n != 13 {
		t.Errorf("%d shares are counted", n)
	}
}

// What is no point of the group at all, an inner node would have noticed.
func TestAnInnerNodeIsAccusedOfWhatIsNoShare(t *testing.T) {
	s := newRoot(t, 0)
	s.passOn(s.m.below(innerNode)[1], cosi.Signature{9})
	if a := s.m.peers[innerNode].accused; len(a) != 1 || a[0].what != FaultShare {
		t.Errorf("it is accused of %v", a)
	}
}

// Bodies that proposals of earlier views list, against what was acked, do not
// pile up.
func TestBodiesOfEarlierViewsAreForgotten(t *testing.T) {
	s := newSolo(t, 4, 3)
	s.body(1, 1, "acked")
	for view := range uint64(20) {
		leader := int(view % 4)
		if leader == 3 {
			continue
		}
		if view > 0 {
			nv := &NewView{View: view}
			for _, seat := range []int{0, 1, 2} {
				nv.Changes = append(nv.Changes, s.wish(seat, view).Change)
			}
			s.receive(0, nv)
		}
		other := s.signed(1, 1, fmt.Sprint("other ", view))
		h := chain.Header{Chain: s.c.cfg.ChainID, Shard: s.c.cfg.Shard, Epoch: s.c.cfg.Epoch, Batch: s.c.cfg.Batch, Height: 1, Parent: s.m.hash}
		p := s.c.forge(&Proposal{View: view, Header: h}, []chain.BodyRef{other.Ref()}, chain.Hash{}, func(chain.BodyRef) []byte { return other.Payload })
		p.Header.Outcomes[0] ^= 1 // a root that nobody prepares
		p.hash = chain.Hash{}
		p.Signature = s.c.keys[leader].Sign(proposalBytes(p))
		s.receive(leader, p)
		s.m.Step(s.now, sm.Receive{From: s.c.ids[leader], Msg: &Body{other}}) // its check takes for ever
		if len(s.m.authors[1].slots[1].alts) > 1 || len(s.m.checks) > 1 {
			t.Fatalf("in view %d it keeps %d bodies under one number, %d of them unchecked", s.m.view, len(s.m.authors[1].slots[1].alts), len(s.m.checks))
		}
	}
	if s.m.view < 18 {
		t.Fatalf("view %d", s.m.view)
	}
}

// Under load, when checks take long, a leader gets the time to check what it
// lists, and no more than that.
func TestALeaderHasTheTimeToCheck(t *testing.T) {
	for _, slow := range []time.Duration{0, 400 * time.Millisecond} {
		s := newSolo(t, 4, 2)
		refused := func(after time.Duration) bool {
			b := s.signed(1, s.m.authors[1].acked+1, "slowly checked")
			for _, e := range s.m.Step(s.now, sm.Receive{From: s.c.ids[1], Msg: &Body{b}}) {
				if e, ok := e.(Check); ok {
					s.now = s.now.Add(slow)
					s.step(Checked{Hash: e.Body.Hash})
				}
			}
			if !s.m.authors[1].slots[1].main.checked {
				t.Fatal("it is not checked")
			}
			s.wait(s.m.cfg.Policy.Delta + 2*s.m.cfg.Policy.RetryInterval) // it insists
			if s.m.authors[1].slots[1].insisted.IsZero() {
				t.Fatal("it does not insist")
			}
			s.now = s.m.authors[1].slots[1].insisted.Add(after)
			other := s.body(3, 1, "another")
			s.shares()
			s.receive(0, s.proposal(0, other))
			return len(s.shares()) == 0
		}
		delta := s.m.cfg.Policy.Delta
		if refused(delta+slow) != (slow == 0) {
			t.Errorf("checks take %v: refused %v after %v", slow, slow != 0, delta+slow)
		}
	}
	s := newSolo(t, 4, 2)
	s.m.checking = time.Hour
	if p, bound := s.m.patience(), s.m.cfg.Policy.Delta+s.m.cfg.Policy.ViewTimeout; p > bound {
		t.Errorf("a patience of %v, at most %v", p, bound)
	}
}

// A body of another term is not acked, whatever it travels in.
func TestABodyOfAnotherTermIsNotAcked(t *testing.T) {
	s := newSolo(t, 4, 2)
	b := s.signed(1, 1, "a")
	b.Batch++
	b.SignBody(s.c.keys[1])
	s.receive(1, &Body{b})
	if s.m.acked != 0 || len(s.records) != 0 {
		t.Error("it acks the body")
	}
}
