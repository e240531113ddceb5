package byzcoin

import (
	"fmt"
	"testing"
	"time"

	"ios/chain"
	"ios/internal/sim"
	"ios/internal/sm"
)

// traffic has the members author all the time.
func (d *dynasty) traffic(every time.Duration) {
	n := 0
	var next func()
	next = func() {
		for _, v := range d.script[d.at].seats {
			n++
			d.author(v, fmt.Sprintf("traffic %d", n))
		}
		d.net.After(every, next)
	}
	next()
}

func (d *dynasty) at1(term int) func() bool { return func() bool { return d.at == term } }

// Somebody who was away comes back when all that it knew have left office.
func TestALaggardSeveralTermsBehind(t *testing.T) {
	for _, mute := range []bool{false, true} { // the second time by what its old peers tell alone
		aLaggard(t, mute)
	}
}

func aLaggard(t *testing.T, mute bool) {
	d := newDynasty(t, 10, reigns("0123 0145 | 4567 4589 | 6789"), 1, calm)
	d.policy.FetchBlocks = 4
	if d.mute = mute; mute {
		d.sources = nil
		for _, id := range d.ids {
			d.net.Do(id, SourcesChanged{})
		}
	}
	d.net.RunFor(50 * time.Millisecond)
	d.net.Crash(d.ids[0])
	d.traffic(40 * time.Millisecond)
	d.turns(400*time.Millisecond, 4)
	d.eventually("the last term", d.at1(4), 20*time.Second)
	d.net.RunFor(time.Second)
	height := d.top
	d.net.Restart(d.ids[0])
	d.eventually("the laggard has caught up", func() bool { return d.chain(0).m.height >= height }, 5*time.Second)
	d.eventually("and follows", func() bool { return d.status[d.ids[0]].Phase == Following && d.chain(0).m.height+4 >= d.top }, 5*time.Second)
}

// A validator that never had a seat begins at the genesis while the chain runs
// under load, and while some of those that it asks lie. None of the first
// committee is left.
func TestAJoinerBeginsAtTheGenesisAmongLiars(t *testing.T) {
	d := newDynasty(t, 13, reigns("012 0567 3456789 | 3456789 345678c"), 2, calm)
	d.policy.FetchBlocks = 4
	joiner, liars := 12, []int{4, 5}
	for _, v := range liars {
		d.shirks[d.ids[v]] = true
	}
	d.net.Crash(d.ids[joiner])
	d.traffic(40 * time.Millisecond)
	d.turns(500*time.Millisecond, 3)
	d.eventually("the term before the last", d.at1(3), 20*time.Second)
	for v := range 3 {
		d.net.Crash(d.ids[v])
	}
	d.net.FilterIn(d.ids[joiner], func(_ time.Time, from sm.NodeID, msg sm.Message) []sim.Parcel {
		s, ok := msg.(*SyncReply)
		switch {
		case ok && from == d.ids[4]: // certificates that do not verify
			for i := range s.Blocks {
				s.Blocks[i].Block.Cert.Sig[40] ^= 1
				s.Blocks[i].raw = s.Blocks[i].Block.AppendTo(nil)
			}
		case ok && from == d.ids[5]: // nothing
			return sim.Pass(from, &SyncReply{})
		}
		return sim.Pass(from, msg)
	})
	start := d.net.Elapsed()
	d.net.Restart(d.ids[joiner])
	d.eventually("the joiner has caught up", func() bool { return d.status[d.ids[joiner]].Phase == Following }, 10*time.Second)
	if took := d.net.Elapsed() - start; took > 6*time.Second {
		t.Errorf("it took %v for %d blocks", took, d.top)
	}
	if !d.accused(4, FaultSync) {
		t.Error("the liar is not named")
	}
	var worst, blocks uint64
	begin := d.top
	for range 200 {
		d.net.RunFor(10 * time.Millisecond)
		worst = max(worst, d.top-d.chain(joiner).m.height)
		blocks = d.top - begin
	}
	if worst > 4 || blocks < 20 {
		t.Errorf("the follower is up to %d blocks behind, of %d", worst, blocks)
	}
	d.ok()
	d.turns(100*time.Millisecond, 4)
	d.eventually("it takes its seat", d.at1(4), 5*time.Second)
	height := d.top
	d.net.Crash(d.ids[3]) // with the liars silent too there is no quorum without it
	d.eventually("blocks become final with its vote", func() bool { return d.top > height+5 && d.chain(joiner).m.acked > 0 }, 10*time.Second)
}

// Who says that it is far ahead, and is not, costs nobody anything.
func TestClaimsToBeAheadStopNobody(t *testing.T) {
	d := newDynasty(t, 5, reigns("0123"), 4, calm)
	d.shirks[d.ids[3]], d.shirks[d.ids[4]] = true, true
	d.traffic(20 * time.Millisecond)
	d.net.RunFor(2 * time.Second)
	before := d.top
	n := uint64(0)
	var claim func()
	claim = func() {
		for _, liar := range []int{3, 4} {
			for to := range 3 {
				n++
				term := chain.Term{Epoch: 1 + n%3, Batch: uint32(n%5) + 1}
				d.net.Inject(d.ids[liar], d.ids[to], &Ahead{term, d.top + n%100})
				d.net.Inject(d.ids[liar], d.ids[to], &Where{term, d.top + n%100})
				d.net.Inject(d.ids[liar], d.ids[to], &Tagged{term, &Query{Nonce: n}})
				d.net.Inject(d.ids[liar], d.ids[to], &Tagged{chain.Term{}, &Query{Nonce: n}})
				d.net.Inject(d.ids[liar], d.ids[to], &Fetch{From: d.top + n%3, Count: 9, MaxBytes: 1 << 20})
			}
		}
		d.net.After(2*time.Millisecond, claim)
	}
	claim()
	d.net.RunFor(2 * time.Second)
	d.ok()
	if after := d.top - before; after < before*8/10 {
		t.Errorf("%d blocks in the time of %d", after, before)
	}
	for v := range 3 {
		c := d.chain(v)
		if len(c.catchup.sources) > maxSources || len(c.early.list) > maxLater*len(d.ids) {
			t.Errorf("validator %d keeps %d sources and %d messages", v, len(c.catchup.sources), len(c.early.list))
		}
		if c.m.view != 0 || d.status[d.ids[v]].Phase != Voting {
			t.Errorf("validator %d is in view %d: %+v", v, c.m.view, d.status[d.ids[v]])
		}
	}
}

// A leaver shows how its term ended to a member that does not know, without
// being asked for blocks.
func TestALeaverShowsTheLastCertificate(t *testing.T) {
	d := newDynasty(t, 8, reigns("0123 4567"), 5, calm)
	d.net.RunFor(100 * time.Millisecond)
	asked, lost := false, false
	// The certificate of the last block does not reach member 3.
	d.net.FilterIn(d.ids[3], func(_ time.Time, from sm.NodeID, msg sm.Message) []sim.Parcel {
		if c, ok := Untag(msg).(*Certified); ok && c.Cert.Phase == chain.Commit && !lost {
			lost = true
			return nil
		}
		return sim.Pass(from, msg)
	})
	d.net.FilterOut(d.ids[3], func(_ time.Time, to sm.NodeID, msg sm.Message) []sim.Parcel {
		_, fetch := msg.(*Fetch)
		asked = asked || fetch
		return sim.Pass(to, msg)
	})
	d.author(1, "turn 1")
	d.eventually("all have left", func() bool {
		for v := range 4 {
			if d.chain(v).m.term() != d.terms[1] {
				return false
			}
		}
		return true
	}, 3*time.Second)
	if !lost {
		t.Fatal("the certificate was not lost")
	}
	if asked {
		t.Error("it had to fetch the block that it had")
	}
}
