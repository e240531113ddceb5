package byzcoin

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"ios/chain"
	"ios/chain/cosi"
	"ios/chain/sig"
	"ios/internal/sim"
	"ios/internal/sm"
)

// Events that come in one list are consumed in their order: what was said in a
// term does not get to the machine of the next, which would take it for a lie.
func TestEventsOfTwoTermsInOneStep(t *testing.T) {
	d := newDynasty(t, 5, reigns("0123 | 1234"), 3, calm)
	for _, id := range d.ids {
		d.unknown[id] = d.terms[1]
	}
	d.load(20, 200*time.Millisecond)
	d.turns(200*time.Millisecond, 1)
	waits := func() bool { return d.chain(1).m.ended != nil && d.chain(2).m.ended != nil }
	d.eventually("they wait for the committee", waits, 5*time.Second)
	old := d.chain(2).m
	asked := sm.Receive{From: d.ids[2], Msg: Tag(old.term(), &Query{1, 0, 1})}
	told := 0
	for _, e := range d.chain(1).Step(d.net.Now().Add(time.Second), Events{asked}) {
		if s, ok := e.(sm.Send); ok && s.To[0] == d.ids[2] {
			told++
		}
	}
	if told == 0 {
		t.Error("who is in the old term is not told that it has ended")
	}
	for _, id := range d.ids {
		delete(d.unknown, id)
	}
	wish := sm.Receive{From: d.ids[2], Msg: Tag(old.term(), old.makeChange(1))}
	d.net.Do(d.ids[1], Events{wish, CommitteesChanged{}})
	for _, id := range d.ids {
		d.net.Do(id, CommitteesChanged{})
	}
	d.eventually("they go on", func() bool { return d.at == 1 && d.settled() }, 5*time.Second)
}

// What is kept of a member of the next committee is bounded, whatever it is.
func TestEarlyMessagesAreBounded(t *testing.T) {
	d := newDynasty(t, 5, reigns("0123 | 1234"), 3, calm)
	d.net.RunFor(100 * time.Millisecond)
	c := d.chain(1)
	for i := range 100 {
		blob := make([]byte, maxEvidence)
		c.Step(d.net.Now(), sm.Receive{From: d.ids[4], Msg: Tag(d.terms[1], &Acks{make([]chain.BodyRef, 1000)})})
		c.Step(d.net.Now(), sm.Receive{From: d.ids[4], Msg: Tag(d.terms[1], &Evidence{Fault(fmt.Sprint(i)), blob, blob})})
	}
	bytes := 0
	for _, e := range c.early.list {
		bytes += len(e.msg.AppendTo(nil))
	}
	if bytes == 0 || bytes > maxEarly+1<<10 {
		t.Errorf("%d bytes of one member are kept", bytes)
	}
}

// A validator whose key in a term is another than the one that it runs with, as
// before or after it has rotated, follows the term and does not stop.
func TestARotatedKeyFollows(t *testing.T) {
	d := newDynasty(t, 6, reigns("0123 | 0124 | 0124"), 4, calm)
	b := *d.boards[d.terms[1]]
	b.Signing = append(b.Signing[:0:0], b.Signing...)
	b.Signing[2] = d.keys[5].Public()
	d.boards[d.terms[1]] = &b
	d.net.FilterOut(d.ids[2], func(_ time.Time, to sm.NodeID, msg sm.Message) []sim.Parcel {
		if to == d.ids[2] {
			t.Errorf("it sends %T to itself", Untag(msg))
		}
		return sim.Pass(to, msg)
	})
	d.load(20, 200*time.Millisecond)
	d.turns(200*time.Millisecond, 1)
	d.eventually("it follows", func() bool { return d.chain(2).Term() == d.terms[1] && d.status[d.ids[2]].Phase == Following }, 5*time.Second)
	d.net.Crash(d.ids[2])
	d.net.Restart(d.ids[2])
	d.turns(100*time.Millisecond, 2)
	d.load(20, 200*time.Millisecond)
	d.eventually("it has its seat back", func() bool { return d.at == 2 && d.chain(2).Seat() == 2 && d.settled() }, 10*time.Second)
}

// rotate gives a validator the keys of another one from a term on.
func (d *dynasty) rotate(term chain.Term, of, to int, signing, vote bool) {
	d.t.Helper()
	b := *d.boards[term]
	seat := b.Seat(d.ids[of])
	b.Signing = slices.Clone(b.Signing)
	if signing {
		b.Signing[seat] = d.keys[to].Public()
	}
	var keys []cosi.PublicKey
	for i := range b.Members {
		keys = append(keys, b.Cosi.Key(i))
	}
	if vote {
		keys[seat] = d.voices[to].Vote
	}
	var err error
	b.Cosi, err = b.Cosi.Derive(keys)
	must(d.t, err)
	d.boards[term] = &b
}

// A validator that has both its old and its new keys votes in every term with those
// that count in it, also after a crash, and whether it finds the new ones at its
// start or later.
func TestARotatedKeyVotes(t *testing.T) {
	d := newDynasty(t, 6, reigns("0123 | 0124 | 0124"), 4, calm)
	d.rotate(d.terms[1], 2, 5, true, true)
	d.rotate(d.terms[2], 2, 5, true, true)
	d.rings[d.ids[2]] = func(signing sig.PublicKey) (Voice, bool) {
		if v, ok := d.voices[5].Only(signing); ok {
			return v, true
		}
		return d.voices[2].Only(signing)
	}
	d.load(20, 200*time.Millisecond)
	d.eventually("it has its seat", func() bool { return d.settled() && d.chain(2).Seat() == 2 }, 5*time.Second)
	for at := 1; at < len(d.terms); at++ {
		d.turns(200*time.Millisecond, at)
		d.eventually("the term begins", func() bool { return d.chain(2).Term() == d.terms[at] }, 10*time.Second)
		d.net.Crash(d.ids[1]) // so that its vote is needed
		height := d.chain(2).Point().Height
		d.load(20, 200*time.Millisecond)
		d.eventually("it has its seat, and blocks are made with its vote", func() bool { return d.chain(2).Seat() == 2 && d.chain(2).Point().Height > height+1 }, 10*time.Second)
		d.net.Restart(d.ids[1])
		d.net.Crash(d.ids[2])
		d.net.Restart(d.ids[2])
		d.eventually("it has it still", func() bool { return d.chain(2).Seat() == 2 && d.status[d.ids[2]].Phase == Voting }, 10*time.Second)
	}
}

// A member whose vote key alone is another one makes no shares with the wrong one.
func TestARotatedVoteKeyFollows(t *testing.T) {
	d := newDynasty(t, 6, reigns("0123 | 0124"), 4, calm)
	d.rotate(d.terms[1], 2, 5, false, true)
	d.load(20, 200*time.Millisecond)
	d.turns(200*time.Millisecond, 1)
	d.load(20, 200*time.Millisecond)
	d.eventually("it follows", func() bool { return d.chain(2).Term() == d.terms[1] && d.status[d.ids[2]].Phase == Following }, 10*time.Second)
}

// A shard that was stalled goes on with an epoch that is not the next one. What
// its members say in it is kept for who is a moment behind.
func TestAStalledShardSkipsEpochs(t *testing.T) {
	script := reigns("0123 | 1234")
	script[1].term.Epoch += 5
	d := newDynasty(t, 5, script, 3, calm)
	d.net.RunFor(100 * time.Millisecond)
	c := d.chain(1)
	c.Step(d.net.Now(), sm.Receive{From: d.ids[4], Msg: Tag(d.terms[1], &Acks{})})
	if len(c.early.list) != 1 {
		t.Error("a message of the next term is not kept")
	}
	d.load(20, 200*time.Millisecond)
	d.turns(200*time.Millisecond, 1)
	d.eventually("they go on", func() bool { return d.at == 1 && d.settled() }, 5*time.Second)
}
