package byzcoin

import (
	"crypto/sha256"
	"slices"
	"testing"
	"time"

	"ios/chain"
	"ios/chain/cosi"
	"ios/internal/sim"
	"ios/internal/sm"
)

// forge signs a proposal of other bodies in the place of a leader's own, with
// the root that executing them gives.
func (c *cluster) forge(p *Proposal, refs []chain.BodyRef, state chain.Hash, payload func(chain.BodyRef) []byte) *Proposal {
	d := sha256.New()
	d.Write(state[:])
	for _, ref := range refs {
		d.Write(payload(ref))
	}
	f := &Proposal{View: p.View, Header: p.Header, Refs: refs}
	f.Header.Bodies = chain.RefsHash(refs)
	d.Sum(f.Header.Outcomes[:0])
	f.Signature = c.keys[p.View%uint64(len(c.ids))].Sign(proposalBytes(f))
	return f
}

// stateOf is the state below the next block of an honest member.
func (c *cluster) stateOf(seat int) chain.Hash { return c.apps[c.ids[seat]].state }

// payloadAt finds a body with a member.
func (c *cluster) payloadAt(seat int) func(chain.BodyRef) []byte {
	return func(ref chain.BodyRef) []byte {
		if b := c.machine(seat).find(&ref); b != nil {
			return b.body.Payload
		}
		return nil
	}
}

// A shard of 6 has f = 1 and q = 4. With 2f+1 = 3, each half would go on alone.
func TestSplitOfSixDoesNotFork(t *testing.T) {
	c := newCluster(t, 6, options{seed: 6})
	c.synced()
	c.net.Partition(c.ids[:3], c.ids[3:])
	c.load(c.seatsFrom(0), 12, 200*time.Millisecond)
	c.net.RunFor(20 * time.Second)
	c.ok()
	if c.top != 0 {
		t.Fatalf("%d blocks became final in one half", c.top)
	}
	for _, id := range c.ids {
		if c.status[id].Phase != Waiting {
			t.Errorf("node %d does not say that it waits: %+v", id, c.status[id])
		}
	}
	c.net.Heal()
	c.eventually("all bodies are final after the split", func() bool { return len(c.bodies) == 12 && c.settled() }, 40*time.Second)
}

func TestAuthorThatSendsToTheLeaderOnly(t *testing.T) {
	c := newCluster(t, 4, options{seed: 1, shirks: []int{2}})
	c.net.FilterOut(c.ids[2], func(_ time.Time, to sm.NodeID, msg sm.Message) []sim.Parcel {
		switch msg.(type) {
		case *Body:
			if to != c.ids[0] {
				return nil
			}
		case *Insist:
			return nil
		}
		return sim.Pass(to, msg)
	})
	c.synced()
	c.author(2, "whispered")
	c.load([]int{0, 1, 3}, 9, time.Second)
	c.eventually("the whispered body is final too", func() bool { return len(c.bodies) == 10 && c.settled() }, 3*time.Second)
	if c.machine(0).view != 0 {
		t.Error("the honest leader was replaced")
	}
}

func TestAuthorWithTwoBodiesUnderOneNumber(t *testing.T) {
	c := newCluster(t, 4, options{seed: 1, shirks: []int{3}})
	c.synced()
	for i, payload := range []string{"one", "other"} {
		b := &chain.Body{Chain: c.cfg.ChainID, Shard: c.cfg.Shard, Epoch: c.cfg.Epoch, Batch: c.cfg.Batch, Author: c.ids[3], Number: 1, Payload: []byte(payload)}
		b.SignBody(c.keys[3])
		c.net.Inject(c.ids[3], c.ids[i], &Body{b})
		if i == 1 {
			c.net.Inject(c.ids[3], c.ids[2], &Body{b})
		}
	}
	c.load([]int{0, 1, 2}, 30, 4*time.Second)
	c.eventually("the others' bodies are final", func() bool { return len(c.held) == 30 && c.settled() && c.net.Elapsed() > 4*time.Second }, 8*time.Second)
	if !c.accused(3, FaultTwoBodies) {
		t.Fatal("nobody noticed")
	}
	for _, f := range c.faults {
		if f.What != FaultTwoBodies {
			continue
		}
		msg, err := Decode(f.Evidence)
		must(t, err)
		if who, err := msg.(*Evidence).Check(c.cfg.ChainID, c.cfg.committee()); err != nil || who != c.ids[3] {
			t.Fatalf("the evidence proves nothing: %v", err)
		}
	}
	if c.machine(0).view != 0 {
		t.Error("the cheat cost the leader its view")
	}
}

// A block is final at one member only, which is then cut off. The next leader
// is Byzantine and proposes something else.
func TestNewLeaderThatHidesThePreparedBlock(t *testing.T) {
	c := newCluster(t, 7, options{seed: 2, shirks: []int{0, 1}, policy: Policy{MinGap: 100 * time.Millisecond}})
	c.synced()
	c.author(0, "first")
	c.eventually("a block", func() bool { return c.top == 1 && c.settled() }, time.Second)
	decided := false
	c.net.FilterOut(c.ids[0], func(_ time.Time, to sm.NodeID, msg sm.Message) []sim.Parcel {
		if cert, ok := msg.(*Certified); ok && cert.Cert.Phase == chain.Commit {
			decided = true
			if to != c.ids[2] {
				return nil
			}
		} else if decided {
			return nil
		}
		return sim.Pass(to, msg)
	})
	forged := false
	c.net.FilterOut(c.ids[1], func(_ time.Time, to sm.NodeID, msg sm.Message) []sim.Parcel {
		if p, ok := msg.(*Proposal); ok && p.View == 1 {
			forged = true
			other := c.forge(p, p.Refs[:1], c.stateOf(3), c.payloadAt(3))
			return sim.Pass(to, other)
		}
		return sim.Pass(to, msg)
	})
	c.author(3, "a")
	c.author(4, "b")
	c.eventually("the block is final at one member", func() bool { return c.top == 2 && c.machine(2).height == 2 }, 5*time.Second)
	if len(c.blocks[2].Refs) < 2 {
		t.Fatal("the block has one body only")
	}
	c.net.Partition(nil, []sm.NodeID{c.ids[0], c.ids[2]})
	c.eventually("the others come to the same block", func() bool { return c.machine(3).height == 2 && c.machine(6).height == 2 }, 20*time.Second)
	if !forged {
		t.Fatal("the attack did not take place")
	}
	if !c.accused(1, FaultProposal) {
		t.Error("nobody accuses the new leader")
	}
	c.net.Heal()
	c.eventually("all agree", c.settled, 20*time.Second)
}

// The same, but the new leader cuts the prepared block out of the view changes.
func TestNewLeaderThatCutsViewChanges(t *testing.T) {
	c := newCluster(t, 4, options{seed: 2, shirks: []int{1}})
	c.synced()
	c.net.FilterOut(c.ids[0], func(_ time.Time, to sm.NodeID, msg sm.Message) []sim.Parcel {
		if cert, ok := msg.(*Certified); ok && cert.Cert.Phase == chain.Commit {
			return nil
		}
		return sim.Pass(to, msg)
	})
	c.net.FilterOut(c.ids[1], func(_ time.Time, to sm.NodeID, msg sm.Message) []sim.Parcel {
		if nv, ok := msg.(*NewView); ok {
			for i := range nv.Changes {
				nv.Changes[i].Prepared = nil
			}
		}
		return sim.Pass(to, msg)
	})
	c.author(2, "a")
	c.net.RunUntil(func() bool { return c.top == 1 }, 3*time.Second)
	c.net.Crash(c.ids[0])
	c.net.RunFor(20 * time.Millisecond)
	c.net.FilterOut(c.ids[0], nil)
	c.net.After(4*time.Second, func() { c.net.Restart(c.ids[0]) })
	c.eventually("all agree", func() bool { return c.net.Elapsed() > 5*time.Second && c.settled() }, 20*time.Second)
	if !c.accused(1, FaultViewChange) {
		t.Error("nobody accuses the new leader")
	}
}

func TestLeaderThatLeavesOutABody(t *testing.T) {
	c := newCluster(t, 4, options{seed: 3, shirks: []int{0}})
	from2 := func(refs []chain.BodyRef) bool {
		return slices.ContainsFunc(refs, func(r chain.BodyRef) bool { return r.Author == c.ids[2] })
	}
	c.net.FilterIn(c.ids[0], func(_ time.Time, from sm.NodeID, msg sm.Message) []sim.Parcel {
		switch msg := msg.(type) {
		case *Body:
			if msg.Body.Author == c.ids[2] {
				return nil
			}
		case *Acks:
			msg.Refs = slices.DeleteFunc(msg.Refs, func(r chain.BodyRef) bool { return r.Author == c.ids[2] })
		case *Insist:
			if from2(msg.Refs) {
				return nil
			}
		}
		return sim.Pass(from, msg)
	})
	c.synced()
	c.author(2, "unwelcome")
	c.load([]int{1, 3}, 60, 6*time.Second)
	c.eventually("the unwelcome body is final", func() bool { return c.numbers[c.ids[2]] == 1 }, 4*time.Second)
	if !c.accused(0, FaultLeftOut) {
		t.Error("nobody accuses the leader")
	}
	c.eventually("all agree", c.settled, 10*time.Second)
}

func TestLeaderThatProposesTwoBlocks(t *testing.T) {
	c := newCluster(t, 4, options{seed: 4, shirks: []int{0}, policy: Policy{MinGap: 100 * time.Millisecond}})
	c.synced()
	c.author(0, "first")
	c.eventually("a block", func() bool { return c.top == 1 && c.settled() }, time.Second)
	done := false
	c.net.FilterOut(c.ids[0], func(_ time.Time, to sm.NodeID, msg sm.Message) []sim.Parcel {
		p, ok := msg.(*Proposal)
		if !ok || len(p.Refs) < 2 || p.View != 0 {
			return sim.Pass(to, msg)
		}
		done = true
		other := c.forge(p, p.Refs[:1], c.stateOf(0), c.payloadAt(1))
		switch to {
		case c.ids[1]:
			return sim.Pass(to, msg)
		case c.ids[2]:
			return []sim.Parcel{{To: to, Msg: msg}, {To: to, Msg: other}}
		}
		return sim.Pass(to, other)
	})
	c.author(1, "a")
	c.author(2, "b")
	c.author(3, "c")
	c.eventually("all is final in spite of it", func() bool { return len(c.bodies) == 4 && c.settled() }, 10*time.Second)
	if !done {
		t.Fatal("the attack did not take place")
	}
	if !c.accused(0, FaultTwoProposals) {
		t.Fatal("nobody has evidence")
	}
	for _, f := range c.faults {
		if f.What == FaultTwoProposals {
			msg, err := Decode(f.Evidence)
			must(t, err)
			if who, err := msg.(*Evidence).Check(c.cfg.ChainID, c.cfg.committee()); err != nil || who != c.ids[0] {
				t.Fatalf("the evidence proves nothing: %v", err)
			}
		}
	}
}

func TestMemberThatSendsGarbageShares(t *testing.T) {
	for _, kind := range []string{"another message", "no point", "another's mask"} {
		c := newCluster(t, 7, options{seed: 5, shirks: []int{3}})
		c.net.FilterOut(c.ids[3], func(_ time.Time, to sm.NodeID, msg sm.Message) []sim.Parcel {
			if s, ok := msg.(*Share); ok {
				switch kind {
				case "another message":
					s.Votes.Sig, _ = c.sign[3]([]byte("something else"))
				case "no point":
					s.Votes.Sig = cosi.Signature{9}
				default:
					s.Votes.Mask.Set(4)
				}
			}
			return sim.Pass(to, msg)
		})
		c.synced()
		c.load([]int{0, 1, 2, 4, 5}, 60, 3*time.Second)
		c.eventually("all is final", func() bool { return len(c.held) == 60 && c.settled() }, 10*time.Second)
		if c.machine(1).view != 0 {
			t.Errorf("%s: the leader was replaced", kind)
		}
		if !c.accused(3, FaultShare) {
			t.Errorf("%s: nobody is accused", kind)
		}
	}
}

func TestLeafThatSendsGarbageIsNamedThroughTheTree(t *testing.T) {
	c := newCluster(t, 20, options{seed: 5, shirks: []int{12}})
	c.net.FilterOut(c.ids[12], func(_ time.Time, to sm.NodeID, msg sm.Message) []sim.Parcel {
		if s, ok := msg.(*Share); ok {
			s.Votes.Sig, _ = c.sign[12]([]byte("something else"))
		}
		return sim.Pass(to, msg)
	})
	c.synced()
	c.load([]int{0, 1, 2, 4, 5}, 40, 5*time.Second)
	c.eventually("all is final", func() bool { return len(c.held) == 40 && c.settled() }, 10*time.Second)
	if c.machine(1).view != 0 {
		t.Error("the leader was replaced")
	}
	if !c.accused(12, FaultShare) {
		t.Error("the leaf is not named")
	}
}

func TestSilentInnerNodes(t *testing.T) {
	shirks := []int{1, 2, 3, 4, 5} // all inner nodes of view 0, f = 6
	c := newCluster(t, 20, options{seed: 6, shirks: shirks})
	for _, seat := range shirks {
		if !c.machine(0).isInner(seat) {
			t.Fatalf("seat %d is no inner node", seat)
		}
		c.net.FilterOut(c.ids[seat], func(_ time.Time, to sm.NodeID, msg sm.Message) []sim.Parcel {
			switch msg.(type) {
			case *Share, *Proposal, *Certified:
				return nil
			}
			return sim.Pass(to, msg)
		})
	}
	c.synced()
	c.author(7, "slow")
	c.eventually("the first block", func() bool { return c.top == 1 }, time.Second)
	start := c.net.Elapsed()
	for i := range uint64(5) {
		c.author(8, "fast")
		c.eventually("another block", func() bool { return c.top == i+2 }, time.Second)
	}
	if took := c.net.Elapsed() - start; took > 5*100*time.Millisecond {
		t.Errorf("the leader does not remember who is silent: 5 blocks took %v", took)
	}
	if c.machine(0).view != 0 {
		t.Error("the leader was replaced")
	}
	c.eventually("all agree", c.settled, 10*time.Second)
}

func TestFloodOfFutureMessages(t *testing.T) {
	c := newCluster(t, 4, options{seed: 7, shirks: []int{3}})
	c.synced()
	flood := func(n uint64) {
		to := c.ids[n%3]
		h := chain.Header{Chain: c.cfg.ChainID, Shard: c.cfg.Shard, Epoch: c.cfg.Epoch, Batch: c.cfg.Batch, Height: c.top + 2 + n%3}
		p := &Proposal{View: n % 5, Header: h, Refs: []chain.BodyRef{{Author: c.ids[1], Number: n}}}
		p.Header.Bodies = chain.RefsHash(p.Refs)
		c.net.Inject(c.ids[3], to, p)
		mask := cosi.NewMask(4)
		mask.Set(3)
		c.net.Inject(c.ids[3], to, &Share{Height: c.top + 2 + n%2, View: n, Phase: chain.Commit, Votes: cosi.Contribution{Mask: mask}})
		c.net.Inject(c.ids[3], to, &Certified{Height: n, Cert: chain.Certificate{Phase: chain.Phase(1 + n%2), View: n, Certificate: cosi.Certificate{Mask: mask}}})
		c.net.Inject(c.ids[3], to, &Query{Nonce: n, Height: n})
		c.net.Inject(c.ids[3], to, &Fetch{From: 1, Count: 1 << 30, MaxBytes: 1 << 31})
		c.net.Inject(c.ids[3], to, &Acks{[]chain.BodyRef{{Author: c.ids[n%4], Number: n, Hash: chain.Hash{byte(n)}}}})
		c.net.Inject(c.ids[3], to, &Pull{[]chain.BodyRef{{Author: c.ids[n%4], Number: 1 + n%4, Hash: chain.Hash{byte(n)}}}})
		v := &ViewChange{Change: SignedChange{Seat: 3, View: 1 + n}}
		v.Change.Signature = c.keys[3].Sign(c.machine(0).changeBytes(&v.Change))
		c.net.Inject(c.ids[3], to, v)
		b := &chain.Body{Chain: c.cfg.ChainID, Shard: c.cfg.Shard, Epoch: c.cfg.Epoch, Batch: c.cfg.Batch, Author: c.ids[3], Number: n, Payload: []byte("bad")}
		b.SignBody(c.keys[3])
		c.net.Inject(c.ids[3], to, &Body{b})
	}
	for n := range uint64(3000) {
		c.net.After(time.Duration(n)*time.Millisecond, func() { flood(n) })
	}
	c.load([]int{0, 1, 2}, 60, 3*time.Second)
	c.eventually("the honest bodies are final", func() bool { return len(c.held) == 60 && c.settled() }, 10*time.Second)
	for range 100 {
		for n := range uint64(9) {
			flood(c.top + n)
		}
	}
	c.net.RunFor(10 * time.Millisecond)
	for seat := range 3 {
		m := c.machine(seat)
		if m.view != 0 || m.joined != 0 {
			t.Errorf("seat %d is in view %d", seat, m.view)
		}
		for from, kept := range m.later {
			if len(kept) > maxLater {
				t.Errorf("seat %d keeps %d messages of seat %d", seat, len(kept), from)
			}
		}
		if n := len(m.authors[3].slots); n > m.cfg.Policy.Window {
			t.Errorf("seat %d keeps %d bodies of seat 3", seat, n)
		}
		if len(m.verified.list) > maxFacts || len(m.checks) > m.s*m.cfg.Policy.Window {
			t.Errorf("seat %d keeps too much", seat)
		}
	}
}
