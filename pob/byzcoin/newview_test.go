package byzcoin

import (
	"math"
	"testing"
	"time"

	"ios/chain"
)

// wish is a member's signed wish for a view.
func (s *solo) wish(seat int, view uint64, final ...Certified) *ViewChange {
	v := &ViewChange{Change: SignedChange{Seat: uint16(seat), View: view, Final: final}}
	v.Change.Signature = s.c.keys[seat].Sign(s.m.changeBytes(&v.Change))
	return v
}

// A new view shows that a block is final which a member does not have yet. A
// crash between the record of the view and that of the block must not make the
// member vote for another block at that height: the quorum that voted for the
// first may consist of members that crashed at the same moment.
func TestNewViewBindsBelowItsBaseAfterARestart(t *testing.T) {
	s := newSolo(t, 4, 2)
	a, b := s.body(1, 1, "a"), s.body(3, 1, "b")
	first, second := s.proposal(0, a), s.proposal(1, b)
	cert := s.certified(first, chain.Commit, 0, 1, 3)
	nv := &NewView{View: 1}
	for _, seat := range []int{0, 1, 3} {
		var final []Certified
		if seat == 0 {
			final = []Certified{*cert}
		}
		nv.Changes = append(nv.Changes, s.wish(seat, 1, final...).Change)
	}
	s.receive(1, nv)
	if s.m.view != 1 || s.m.base != 1 || s.m.height != 0 {
		t.Fatalf("view %d with base %d at height %d", s.m.view, s.m.base, s.m.height)
	}
	s.restart()
	s.receive(1, second)
	s.wait(500 * time.Millisecond)
	for _, msg := range s.sent {
		if share, ok := msg.(*Share); ok {
			t.Fatalf("it votes for block %s at height %d, where %s is final", share.Block.Short(), share.Height, first.block().Short())
		}
	}
	fetched := false
	for _, msg := range s.sent {
		f, ok := msg.(*Fetch)
		fetched = fetched || ok && f.From == 1
	}
	if !fetched {
		t.Error("it does not ask for the block that it lacks")
	}
}

// One member alone cannot use up the numbers of the views.
func TestAWishForTheLastViewIsNotFollowed(t *testing.T) {
	s := newSolo(t, 4, 2)
	s.receive(3, s.wish(3, math.MaxUint64))
	s.wait(70 * time.Second)
	if s.m.joined != 0 {
		t.Fatalf("it follows one member to view %d", s.m.joined)
	}
	// It still follows one that left its view alone.
	s.receive(3, s.wish(3, 1))
	s.wait(70 * time.Second)
	if s.m.joined != 1 {
		t.Fatalf("it wishes for view %d and leaves the member alone that went on", s.m.joined)
	}
}
