package byzcoin

import (
	"strings"
	"testing"
	"time"

	"ios/chain"
	"ios/chain/cosi"
	"ios/internal/sim"
	"ios/internal/sm"
)

// With two of four members Byzantine the committee forks. The checks of the
// simulator must see it.
func TestByzantineMajorityForksAndIsSeen(t *testing.T) {
	c := newCluster(t, 4, options{seed: 1, shirks: []int{0, 1}, policy: Policy{MinGap: 100 * time.Millisecond}})
	c.synced()
	c.author(0, "first")
	c.eventually("a block", func() bool { return c.top == 1 && c.settled() }, time.Second)
	certify := func(to sm.NodeID, h *chain.Header, honest *Share) {
		col := cosi.NewCollector(c.cfg.Committee, chain.VoteBytes(h, honest.Block, honest.View, honest.Phase))
		must(t, col.Add(c.seat(to), honest.Votes))
		for _, seat := range []int{0, 1} {
			sig, _ := c.sign[seat](chain.VoteBytes(h, honest.Block, honest.View, honest.Phase))
			must(t, col.AddShare(seat, sig))
		}
		cert, _, err := col.Certificate()
		must(t, err)
		c.net.Inject(c.ids[0], to, &Certified{Height: h.Height, Block: honest.Block, Cert: chain.Certificate{View: honest.View, Phase: honest.Phase, Certificate: cert}})
	}
	c.net.FilterOut(c.ids[0], func(_ time.Time, to sm.NodeID, msg sm.Message) []sim.Parcel {
		p, ok := msg.(*Proposal)
		switch {
		case ok && to == c.ids[3] && len(p.Refs) > 1:
			return sim.Pass(to, c.forge(p, p.Refs[:1], c.stateOf(0), c.payloadAt(0)))
		case ok:
			return sim.Pass(to, msg)
		}
		if _, ok := msg.(*Certified); ok {
			return nil
		}
		return sim.Pass(to, msg)
	})
	c.net.FilterIn(c.ids[0], func(_ time.Time, from sm.NodeID, msg sm.Message) []sim.Parcel {
		if s, ok := msg.(*Share); ok && from != c.ids[1] {
			certify(from, c.machine(0).voteHeader(s.Height), s)
			return nil
		}
		return sim.Pass(from, msg)
	})
	c.author(0, "a")
	c.author(1, "b")
	c.author(2, "c")
	c.net.RunFor(5 * time.Second)
	if err := c.net.Err(); err == nil || !strings.Contains(err.Error(), "fork at height 2") {
		t.Fatalf("the fork was not seen: %v", err)
	}
}

// An application whose state differs from everybody else's must notice it and
// not vote on.
func TestMemberWithAnotherStateHalts(t *testing.T) {
	o := options{seed: 1}
	o.app = func(id sm.NodeID) *ledger { return &ledger{lies: id == 5+3*2} }
	o.shirks = []int{2} // it accuses honest leaders
	c := newCluster(t, 4, o)
	c.synced()
	c.load([]int{0, 1, 3}, 9, 300*time.Millisecond)
	c.eventually("the others go on and it says so", func() bool {
		return len(c.held) == 9 && c.settled() && c.status[c.ids[2]].Phase == Halted
	}, 5*time.Second)
	c.author(2, "no more")
	if c.refused != 1 {
		t.Error("it still takes bodies")
	}
}

// A leader that computes another outcome than everybody else is replaced.
func TestLeaderWithAWrongOutcome(t *testing.T) {
	o := options{seed: 1}
	o.app = func(id sm.NodeID) *ledger { return &ledger{lies: id == 5} }
	o.shirks = []int{0}
	c := newCluster(t, 4, o)
	c.synced()
	c.load([]int{1, 2, 3}, 9, 300*time.Millisecond)
	c.eventually("the others go on", func() bool { return len(c.held) == 9 && c.settled() }, 5*time.Second)
	if !c.accused(0, FaultOutcome) {
		t.Error("nobody accuses the leader")
	}
}

// A body that breaks a rule is never ordered, and its author is named.
func TestInvalidBody(t *testing.T) {
	c := newCluster(t, 4, options{seed: 1, shirks: []int{3}})
	c.synced()
	c.author(3, "bad payload")
	c.author(3, "a good one behind it")
	c.load([]int{0, 1, 2}, 9, 3*time.Second)
	c.eventually("the others' bodies are final", func() bool { return len(c.held) == 9 && c.settled() }, 5*time.Second)
	if c.numbers[c.ids[3]] != 0 {
		t.Error("a body that nobody could ack is final")
	}
	for seat := range 3 {
		if c.machine(seat).authors[3].acked != 0 {
			t.Errorf("seat %d acked it", seat)
		}
	}
	if !c.accused(3, FaultBody) || c.machine(0).view != 0 {
		t.Error("the author is not named, or the leader pays for it")
	}
}
