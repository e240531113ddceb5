package byzcoin

import (
	"errors"
	"testing"
	"time"

	"ios/chain"
	"ios/internal/sim"
	"ios/internal/sm"

	"pgregory.net/rapid"
)

// The first leader of a term is the same for all who have its last block, and
// authored a body of it if anybody with a seat did.
func TestTheFirstLeaderOfATerm(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.Uint16Range(0, 20)
		b := &chain.Committee{}
		for _, m := range rapid.SliceOfNDistinct(id, 1, 10, rapid.ID).Draw(t, "members") {
			b.Members = append(b.Members, chain.ValidatorID(m))
		}
		last := &chain.Block{}
		last.Header.Height = rapid.Uint64().Draw(t, "height")
		last.Header.Epoch = rapid.Uint64().Draw(t, "epoch")
		authors := map[chain.ValidatorID]bool{}
		alive := false
		for _, m := range rapid.SliceOfN(id, 0, 8).Draw(t, "authors") {
			last.Refs = append(last.Refs, chain.BodyRef{Author: chain.ValidatorID(m)})
			authors[chain.ValidatorID(m)] = true
			alive = alive || b.Seat(chain.ValidatorID(m)) >= 0
		}
		lead := leadOf(last, b)
		if lead < 0 || lead >= len(b.Members) {
			t.Fatalf("seat %d of %d", lead, len(b.Members))
		}
		if alive && !authors[b.Members[lead]] {
			t.Error("somebody leads who may be dead")
		}
		again := *last // certified in another view, too
		again.Cert.View = 7
		if leadOf(&again, b) != lead {
			t.Error("who leads depends on the certificate that one has")
		}
	})
}

// The machine of a term that has ended says nothing more: neither what was about
// to be said, nor an answer to anything that comes.
func TestAnEndedTermIsSilent(t *testing.T) {
	s := newSolo(t, 4, 2)
	second := s.body(1, 2, "behind a gap")
	first := s.signed(1, 1, "the last of the term")
	h := chain.Header{Chain: s.c.cfg.ChainID, Shard: s.c.cfg.Shard, Epoch: s.c.cfg.Epoch, Batch: s.c.cfg.Batch, Height: 1, Parent: s.m.hash}
	p := s.c.forge(&Proposal{Header: h}, []chain.BodyRef{first.Ref()}, chain.Hash{}, func(chain.BodyRef) []byte { return first.Payload })
	s.receive(0, p)
	s.m.Step(s.now, sm.Receive{From: s.c.ids[1], Msg: &Body{first}}) // its check takes long
	s.m.cfg.App.(*ledger).next = chain.Term{Epoch: 8}
	s.sent = nil
	s.receive(0, s.certified(p, chain.Commit, 0, 1, 3))
	if s.m.height != 1 || s.m.ended == nil {
		t.Fatalf("height %d", s.m.height)
	}
	if last := s.records[len(s.records)-1]; last.Kind != RecordFinal {
		t.Errorf("a record of kind %d follows the last block", last.Kind)
	}
	records := len(s.records)
	s.step(Checked{Hash: first.Hash})
	s.receive(0, s.proposal(0, second))
	s.receive(0, &Query{Nonce: 1})
	s.receive(1, s.wish(1, 1))
	s.receive(3, s.wish(3, 1))
	s.receive(1, &Acks{[]chain.BodyRef{second}})
	s.wait(10 * time.Second)
	if len(s.records) != records || len(s.sent) != 0 {
		t.Errorf("%d records and %d messages after the end of the term", len(s.records)-records, len(s.sent))
	}
	var authored *Authored
	for _, e := range s.m.Step(s.now, Author{Payload: []byte("x")}) {
		if a, ok := e.(sm.Deliver).Value.(Authored); ok {
			authored = &a
		}
	}
	if authored == nil || !errors.Is(authored.Err, chain.ErrNotReady) {
		t.Errorf("a body is answered with %+v", authored)
	}
	served := false
	for _, e := range s.m.Step(s.now, sm.Receive{From: s.c.ids[1], Msg: &Fetch{From: 1, Count: 5, MaxBytes: 100}}) {
		_, ok := e.(Serve)
		served = served || ok
	}
	if !served {
		t.Error("it does not serve its log")
	}
}

// What the next committee says before we know that its term has begun is not lost.
func TestMessagesOfTheNextTermAreKept(t *testing.T) {
	d := newDynasty(t, 4, reigns("0123 0123"), 1, calm)
	d.net.RunFor(50 * time.Millisecond)
	held := false
	d.net.FilterIn(d.ids[3], func(_ time.Time, from sm.NodeID, msg sm.Message) []sim.Parcel {
		if c, ok := Untag(msg).(*Certified); ok && c.Cert.Phase == chain.Commit && msg.(*Tagged).Term == d.terms[0] {
			if !held {
				held = true
				d.net.After(40*time.Millisecond, func() {
					d.net.FilterIn(d.ids[3], nil)
					d.net.Inject(from, d.ids[3], msg)
				})
			}
			return nil
		}
		return sim.Pass(from, msg)
	})
	d.author(1, "turn 1")
	d.eventually("the others have begun the next term", func() bool { return held && d.chain(1).m.term() == d.terms[1] }, time.Second)
	d.net.RunFor(time.Millisecond)
	d.author(1, "early")
	d.eventually("it begins too", func() bool { return d.chain(3).m.term() == d.terms[1] }, time.Second)
	m := d.chain(3).m
	d.net.RunFor(4 * time.Millisecond) // for the check
	if m.acked+int(m.authors[1].final) == 0 {
		t.Error("it has lost the body that came early")
	}
	d.eventually("all agree", d.settled, 5*time.Second)
}

// A leader that is the last to hear of its epoch has missed nothing of what the
// others said in it: the first block waits for no repetition.
func TestTheLastToHearOfAnEpochLeads(t *testing.T) {
	d := newDynasty(t, 4, reigns("0123 | 0123"), 1, calm)
	d.net.RunFor(50 * time.Millisecond)
	for _, id := range d.ids {
		d.unknown[id] = d.terms[1]
	}
	hear := func(v int) {
		delete(d.unknown, d.ids[v])
		d.net.Do(d.ids[v], CommitteesChanged{})
	}
	d.author(1, "turn 1")
	d.eventually("the term has ended", func() bool {
		return d.at == 1 && d.chain(0).m.ended != nil && d.chain(1).m.ended != nil && d.chain(2).m.ended != nil && d.chain(3).m.ended != nil
	}, time.Second)
	lead := d.index(d.boards[d.terms[1]].Members[leadOf(d.blocks[d.top], d.boards[d.terms[1]])])
	for v := range 4 {
		if v != lead {
			hear(v)
		}
	}
	d.author((lead+1)%4, "early")
	d.net.RunFor(4 * calm.MaxDelay) // they hold it, and do not send it again
	top, began := d.top, d.net.Now()
	hear(lead)
	d.eventually("the first block of the epoch is final", func() bool { return d.top == top+1 }, time.Second)
	if took := d.net.Now().Sub(began); took > 8*calm.MaxDelay {
		t.Errorf("the first block came %v after the leader heard of the epoch, a message takes %v", took, calm.MaxDelay)
	}
}

// The last block of a term may be with a member alone that leaves with it. It is not
// done before a quorum of the next committee has the block.
func TestWhoLeavesHandsOver(t *testing.T) {
	d := newDynasty(t, 5, reigns("0123 1234"), 1, calm)
	d.net.RunFor(50 * time.Millisecond)
	d.net.FilterOut(d.ids[0], func(_ time.Time, to sm.NodeID, msg sm.Message) []sim.Parcel {
		if c, ok := Untag(msg).(*Certified); ok && c.Cert.Phase == chain.Commit {
			return nil // it leads, and nobody else learns what became final
		}
		return sim.Pass(to, msg)
	})
	d.author(1, "turn 1")
	d.eventually("the term has ended for the leader", func() bool { return d.chain(0).Term() == d.terms[1] }, time.Second)
	d.net.Crash(d.ids[3]) // two are too few to make another block in the place of it
	d.net.Partition(d.ids[:1], d.ids[1:])
	d.net.RunFor(10 * time.Second)
	if c := d.chain(0); c.Seat() >= 0 || c.HandedOver() || d.chain(1).Term() != d.terms[0] {
		t.Fatalf("seat %d, the others are in term %v, and it could go: %v", c.Seat(), d.chain(1).Term(), c.HandedOver())
	}
	d.net.FilterOut(d.ids[0], nil)
	d.net.Heal()
	d.eventually("the next committee acts, and the leader may go", func() bool {
		return d.chain(0).HandedOver() && d.chain(1).Term() == d.terms[1] && d.chain(2).Term() == d.terms[1]
	}, 20*time.Second)
}

// Strangers, and members beyond their share, are not kept.
func TestLittleIsKeptOfTheNextTerm(t *testing.T) {
	d := newDynasty(t, 5, reigns("0123 0124"), 1, calm)
	d.net.RunFor(50 * time.Millisecond)
	c := d.chain(0)
	from := func(v int, term chain.Term) {
		c.Step(d.net.Now(), sm.Receive{From: d.ids[v], Msg: &Tagged{term, &Query{}}})
	}
	for range 100 {
		from(1, d.terms[1])
		from(3, d.terms[1]) // has no seat in it
		from(4, d.terms[1])
		from(1, chain.Term{Epoch: 5})
		from(1, chain.Term{Epoch: 2})
	}
	if n := len(c.early.list); n != 2*maxEarlyMsgs {
		t.Errorf("%d messages are kept", n)
	}
	big := &chain.Body{Chain: realmID, Shard: 3, Epoch: 1, Batch: 1, Author: d.ids[2], Number: 1, Payload: make([]byte, chain.MaxBodyBytes*2/3)}
	big.SignBody(d.keys[2])
	for range 5 {
		c.Step(d.net.Now(), sm.Receive{From: d.ids[2], Msg: &Tagged{d.terms[1], &Body{big}}})
	}
	if n := len(c.early.list); n != 2*maxEarlyMsgs+1 {
		t.Errorf("%d messages are kept after large bodies", n)
	}
}
