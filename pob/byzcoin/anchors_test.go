package byzcoin

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ios/chain"
	"ios/chain/cosi"
	"ios/chain/cosi/cositest"
	"ios/internal/sim"
	"ios/internal/sm"
)

// annals are the anchors of a dynasty: of every epoch that is over a block of its last
// batch. Epochs convince until the end of the next one.
type annals struct{ *dynasty }

func (a annals) Convinces(_ chain.ShardID, term chain.Term) bool {
	return term.Epoch+1 >= a.terms[a.at].Epoch
}

func (a annals) Around(_ chain.ShardID, height uint64) (below, above Point) {
	for h := uint64(1); h <= a.top; h++ {
		term := a.blocks[h].Header.Term()
		i := slices.Index(a.terms, term)
		if term.Epoch == a.terms[a.at].Epoch || i+1 < len(a.terms) && a.terms[i+1].Epoch == term.Epoch || a.blocks[h-1] != nil && a.blocks[h-1].Header.Term() == term {
			continue
		}
		p := Point{h, a.blocks[h].Header.Hash()}
		if h > height {
			return below, p
		}
		below = p
	}
	return below, Point{}
}

// forgery is a first block that is certified with the keys of the first committee.
func (d *dynasty) forgery() SyncBlock {
	d.t.Helper()
	board := d.boards[d.terms[0]]
	b := &chain.Body{Chain: realmID, Shard: 3, Epoch: d.terms[0].Epoch, Author: board.Members[0], Number: 1, Payload: []byte("bought")}
	b.SignBody(d.keys[d.index(board.Members[0])])
	refs := []chain.BodyRef{b.Ref()}
	h := chain.Header{Chain: realmID, Shard: 3, Epoch: d.terms[0].Epoch, Height: 1, Parent: realmID, Bodies: chain.RefsHash(refs)}
	h.Outcomes = (&realm{terms: d.terms}).Execute(&h, []*chain.Body{b})
	vote := chain.VoteBytes(&h, h.Hash(), 0, chain.Commit)
	gather := cosi.NewCollector(board.Cosi, vote)
	for seat, id := range board.Members {
		seed := sha256.Sum256(fmt.Appendf(nil, "validator %d", d.index(id)))
		secret, err := cosi.SecretFromSeed(seed[:])
		must(d.t, err)
		share, err := cositest.New("dynasty").Sign(secret, vote)
		must(d.t, err)
		must(d.t, gather.AddShare(seat, share))
	}
	cert, _, err := gather.Certificate()
	must(d.t, err)
	block := &chain.Block{Header: h, Refs: refs, Cert: chain.Certificate{Phase: chain.Commit, Certificate: cert}}
	must(d.t, block.Cert.Verify(board.Cosi, &h, h.Hash()))
	reply, err := NewSyncReply([][]byte{block.AppendTo(nil)}, [][][]byte{{b.Raw}})
	must(d.t, err)
	msg, err := Decode(reply.AppendTo(nil))
	must(d.t, err)
	return msg.(*SyncReply).Blocks[0]
}

// bought has the first committee, which left office long ago, do all to give a
// validator another first block.
func (d *dynasty) bought(victim int) {
	forged := d.forgery()
	first := d.boards[d.terms[0]].Members
	for _, id := range first {
		d.shirks[id] = true
	}
	lied := false // the first who answers is a liar
	d.net.FilterIn(d.ids[victim], func(_ time.Time, from sm.NodeID, msg sm.Message) []sim.Parcel {
		s, blocks := msg.(*SyncReply)
		asked := blocks && s.Blocks[0].Block.Header.Height == 1
		if !slices.Contains(first, from) {
			if asked && !lied {
				return nil
			}
			return sim.Pass(from, msg)
		}
		lied = lied || asked
		switch msg := msg.(type) {
		case *SyncReply:
			return sim.Pass(from, &SyncReply{[]SyncBlock{forged}})
		case *Headers:
			for i := range msg.List {
				msg.List[i].Outcomes[3] ^= 1
			}
		}
		return sim.Pass(from, msg)
	})
	var again func()
	again = func() {
		h := &forged.Block.Header
		decided := &Certified{1, h.Hash(), forged.Block.Cert}
		p := &Proposal{Header: *h, Refs: forged.Block.Refs}
		p.Signature = d.keys[d.index(first[0])].Sign(proposalBytes(p))
		for _, id := range first {
			d.net.Inject(id, d.ids[victim], &Ahead{d.terms[len(d.terms)-1], d.top})
			d.net.Inject(id, d.ids[victim], &Tagged{d.terms[0], &Body{forged.Bodies[0]}})
			d.net.Inject(id, d.ids[victim], &Tagged{d.terms[0], p})
			d.net.Inject(id, d.ids[victim], &Tagged{d.terms[0], decided})
			d.net.Inject(id, d.ids[victim], &Tagged{d.terms[0], &Query{Height: 1}})
		}
		d.net.After(20*time.Millisecond, again)
	}
	d.net.After(0, again)
}

// long is a dynasty of five epochs under load with a joiner, the last validator, that
// was down all the time.
func long(t *testing.T, seed uint64) (d *dynasty, joiner int) {
	d = newDynasty(t, 12, reigns("0123 | 0145 4567 | 4567 5678 | 6789 789a | 5678"), seed, calm)
	joiner = 11
	d.anchors = annals{d}
	d.policy.FetchBlocks, d.policy.FetchHeaders = 4, 16
	for _, id := range d.ids {
		d.net.Crash(id)
		d.net.Restart(id)
	}
	d.net.RunFor(50 * time.Millisecond)
	d.net.Crash(d.ids[joiner])
	d.traffic(40 * time.Millisecond)
	d.turns(400*time.Millisecond, len(d.terms)-1)
	d.eventually("the last term", d.at1(len(d.terms)-1), 20*time.Second)
	return d, joiner
}

// The keys of a committee that left office long ago make nobody believe anything.
func TestAJoinerDoesNotBelieveAnOldCommittee(t *testing.T) {
	for seed := range seeds(t, 1) {
		d, joiner := long(t, seed)
		d.bought(joiner)
		d.net.Restart(d.ids[joiner])
		d.eventually("the joiner has caught up", func() bool { return d.status[d.ids[joiner]].Phase == Following && d.chain(joiner).m.height+8 > d.top }, 20*time.Second)
		lied := false
		for v := range 4 {
			lied = lied || d.accused(v, FaultSync)
		}
		if !lied {
			t.Error("none of the liars is named")
		}
	}
}

// Who was deceived before it knew better stops, and says what to do.
func TestWhoWasDeceivedStops(t *testing.T) {
	d, joiner := long(t, 1)
	id := d.ids[joiner]
	d.shirks[id] = true
	known := d.anchors
	d.anchors = nil
	d.bought(joiner)
	d.net.Restart(id)
	d.eventually("it believes what it should not", func() bool { return d.chain(joiner).m.height == 1 && d.shelf(id).blocks[1] != nil }, 10*time.Second)
	d.anchors = known
	for range 2 { // it stays so after a restart
		d.net.Crash(id)
		d.net.Restart(id)
		d.eventually("it stops", func() bool { return d.status[id].Phase == Halted }, 10*time.Second)
		if why := d.status[id].Reason; !strings.Contains(why, "delete the data of this chain") {
			t.Error(why)
		}
	}
	c := d.chain(joiner)
	effects := c.Step(d.net.Now(), Author{Payload: []byte("x"), Tag: 7})
	if len(effects) != 1 || effects[0].(sm.Deliver).Value.(Authored).Err == nil {
		t.Errorf("it authors: %v", effects)
	}
}

// misled has another hash for some blocks.
type misled struct {
	annals
	at uint64
}

func (a misled) Around(shard chain.ShardID, height uint64) (below, above Point) {
	if height >= a.at {
		return Point{a.at, chain.Hash{1}}, Point{}
	}
	return a.annals.Around(shard, height)
}

// Headers that come when the first of their blocks is final by now say nothing against
// our chain.
func TestHeadersThatComeAfterABlock(t *testing.T) {
	d, joiner := long(t, 7)
	id := d.ids[joiner]
	d.net.Restart(id)
	c := d.chain(joiner)
	var mark Point
	d.eventually("it stands between two known blocks", func() bool {
		below, above := annals{d}.Around(3, c.m.height)
		mark = above
		return below.Height > 0 && below.Height < c.m.height && above.Height > 0 && c.past()
	}, 5*time.Second)
	h := &Headers{}
	for at := c.m.height; at <= mark.Height; at++ {
		h.List = append(h.List, d.blocks[at].Header)
	}
	// As they were asked for before the last block was final.
	c.catchup.trail = trail{base: c.m.height - 1, asked: fetch{d.ids[8], c.m.height, len(h.List), d.net.Now()}}
	d.net.Do(id, sm.Receive{From: d.ids[8], Msg: h})
	if c.broken {
		t.Fatal(d.status[id].Reason)
	}
	d.eventually("it has caught up", func() bool { return d.status[id].Phase == Following && c.m.height+8 > d.top }, 20*time.Second)
}

// A block that becomes known when we are above it is compared with ours.
func TestAnAnchorBelowIsCompared(t *testing.T) {
	d, _ := long(t, 2)
	for _, v := range []int{0, 5} { // one that has no seat and one that has
		c, id := d.chain(v), d.ids[v]
		d.shirks[id] = true
		known := c.cfg.Anchors
		c.cfg.Anchors = misled{annals{d}, c.m.height}
		d.net.Do(id, CommitteesChanged{})
		d.net.RunFor(time.Millisecond)
		if !c.broken {
			t.Errorf("validator %d goes on with another block %d", v, c.m.height)
		}
		d.net.Crash(id)
		d.net.Restart(id)
		c = d.chain(v)
		c.cfg.Anchors = misled{annals{d}, 3}
		d.net.Do(id, CommitteesChanged{})
		d.net.RunFor(20 * time.Millisecond)
		if !c.broken || d.status[id].Phase != Halted {
			t.Errorf("validator %d goes on with another block 3", v)
		}
		c.cfg.Anchors = known
	}
}

// A machine of a term that convinces nobody is idle.
func TestAMachineOfAPastTermIsIdle(t *testing.T) {
	d := newDynasty(t, 5, reigns("0 | 1234 | 1234 | 1234"), 3, calm)
	d.at = 3
	d.anchors = annals{d}
	forged := d.forgery()
	c, err := NewChain(d.config(d.ids[0], &realm{terms: d.terms}))
	must(t, err)
	c.Step(d.net.Now(), Start{})
	if c.m.me != 0 || c.m.status.synced {
		t.Error("the only member of a past committee is in step with itself")
	}
	c, err = NewChain(d.config(d.ids[4], &realm{terms: d.terms}))
	must(t, err)
	c.Step(d.net.Now(), Start{})
	c.m.best = &Certified{1, forged.Block.Header.Hash(), forged.Block.Cert} // which its log may show
	c.Step(d.net.Now().Add(time.Second), Checked{})
	if len(c.m.sync.out) == 0 {
		t.Fatal("it asks for nothing")
	}
	c.Step(d.net.Now().Add(time.Second), sm.Receive{From: d.ids[0], Msg: &SyncReply{[]SyncBlock{forged}}})
	if c.m.height != 0 {
		t.Error("it believes a member of a past committee")
	}
}

// Who lags behind for epochs, cut off or down, with some crashes, comes back, and
// never believes that it is in step.
func TestALaggardComesBackOnTheTrail(t *testing.T) {
	for seed := range uint64(2) {
		d := newDynasty(t, 12, reigns("0123 | 0145 4567 | 4567 5678 | 6789 789a | 5678"), seed, calm)
		d.anchors, d.policy.FetchBlocks, d.policy.FetchHeaders = annals{d}, 4, 16
		for _, id := range d.ids {
			d.net.Crash(id)
			d.net.Restart(id)
		}
		d.traffic(40 * time.Millisecond)
		d.net.RunFor(300 * time.Millisecond)
		cut, id := true, d.ids[3]
		drop := func(_ time.Time, peer sm.NodeID, msg sm.Message) []sim.Parcel {
			if cut {
				return nil
			}
			return sim.Pass(peer, msg)
		}
		d.net.FilterIn(id, drop)
		d.net.FilterOut(id, drop)
		d.turns(400*time.Millisecond, len(d.terms)-1)
		d.eventually("the last term", d.at1(len(d.terms)-1), 20*time.Second)
		d.eventually("it knows that it is behind", func() bool {
			return d.status[id].Phase == Syncing && strings.Contains(d.status[id].Reason, "looking for validators")
		}, 5*time.Second)
		cut = false
		for range seed {
			d.net.RunFor(time.Duration(d.net.Random().IntN(1500)) * time.Millisecond)
			d.net.Crash(id)
			d.net.Restart(id)
		}
		d.eventually("it follows", func() bool { return d.status[id].Phase == Following && d.chain(3).m.height+8 > d.top }, 20*time.Second)
	}
}

// Answers that take longer than a validator expects are waited for, and no source is
// passed over for that: whoever has a slow network catches up, too.
func TestSlowAnswersAreWaitedFor(t *testing.T) {
	const slow = 700 * time.Millisecond // longer than a full range may take at first
	d, joiner := long(t, 5)
	d.slow = map[sm.NodeID]time.Duration{d.ids[joiner]: slow}
	top, start := d.top, d.net.Elapsed()
	d.net.Restart(d.ids[joiner])
	d.eventually("the joiner has caught up", func() bool { return d.chain(joiner).m.height >= top }, 40*time.Second)
	// A window of ranges is under way at a time, and each range of headers, at
	// most twice.
	trips := top/uint64(maxFetches*d.policy.FetchBlocks) + 2*top/uint64(d.policy.FetchHeaders)
	if took, bound := d.net.Elapsed()-start, 3*time.Second+2*time.Duration(trips)*slow; took > bound {
		t.Errorf("answers take %v: %d blocks in %v, not in %v", slow, top, took, bound)
	} else {
		t.Logf("answers take %v: %d blocks in %v", slow, top, took)
	}
}

// A source that answers just before it would be given up makes the others' requests
// wait only a little longer.
func TestOneSlowSourceAmongSeveralChangesLittle(t *testing.T) {
	p := Policy{RetryInterval: 100 * time.Millisecond, FetchBlocks: 32}
	var f fetcher
	first := f.patience(p.FetchBlocks, &p)
	for range 100 {
		f.took(f.patience(p.FetchBlocks, &p), &p)
		for range maxFetches - 1 {
			f.took(0, &p)
		}
	}
	if last := f.patience(p.FetchBlocks, &p); last > 2*first {
		t.Errorf("the patience grew from %v to %v", first, last)
	}
}
