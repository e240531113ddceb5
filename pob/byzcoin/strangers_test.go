package byzcoin

import (
	"testing"
	"time"

	"ios/chain"
	"ios/internal/sm"
)

// Hundreds of strangers that use their accounts all the time do not keep somebody who
// is to get a seat from fetching and following.
func TestStrangersDoNotStarveJoiners(t *testing.T) {
	d := newDynasty(t, 6, reigns("0123 | 1234"), 1, calm)
	d.load(20, 200*time.Millisecond)
	d.eventually("blocks are final", func() bool { return d.net.Elapsed() > 300*time.Millisecond && d.settled() }, 5*time.Second)
	c, joiner, other := d.chain(0), d.ids[4], d.ids[5]
	c.m.guests = guests{}
	now := d.net.Now()
	served := func(id sm.NodeID) bool {
		for i := range 2 * maxGuests {
			c.Step(now, sm.Receive{From: sm.NodeID(1000 + i), Msg: &Tagged{d.terms[0], &Follow{}}})
			c.Step(now, sm.Receive{From: sm.NodeID(1000 + i), Msg: &Fetch{From: 1, Count: 1}})
		}
		c.Step(now, sm.Receive{From: id, Msg: &Tagged{d.terms[0], &Follow{}}})
		for _, e := range c.Step(now, sm.Receive{From: id, Msg: &Fetch{From: 1, Count: 1}}) {
			if s, ok := e.(Serve); ok && s.To == id {
				return c.m.account(id).follows.After(now)
			}
		}
		return false
	}
	if served(joiner) || served(other) {
		t.Fatal("there is room for everybody; the test shows nothing")
	}
	c.Step(now, SourcesChanged{d.boards[d.terms[1]].Members})
	for range 50 {
		now = now.Add(20 * time.Millisecond)
		if !served(joiner) {
			t.Fatal("the joiner is starved")
		}
	}
	if n := len(c.m.guests.list); n > maxGuests+1 {
		t.Errorf("%d accounts", n)
	}
	now = now.Add(time.Hour)
	served(0)
	c.Step(now, SourcesChanged{}) // then it is a stranger, and was not heard of for long
	if n := len(c.m.guests.list); n > maxGuests {
		t.Errorf("%d accounts", n)
	}
}

// However many claim to be ahead, those that the owner names are asked.
func TestNamedSourcesTakeTheRoomOfOthers(t *testing.T) {
	d := newDynasty(t, 6, reigns("0123 | 1234"), 1, calm)
	d.net.RunFor(100 * time.Millisecond)
	c := d.chain(0)
	c.Step(d.net.Now(), SourcesChanged{})
	for i := range 2 * maxSources {
		c.Step(d.net.Now(), sm.Receive{From: sm.NodeID(1000 + i), Msg: &Ahead{chain.Term{Epoch: 9}, 1000}})
	}
	if len(c.catchup.sources) != maxSources {
		t.Fatalf("%d sources", len(c.catchup.sources))
	}
	want := d.boards[d.terms[1]].Members
	c.Step(d.net.Now(), SourcesChanged{want})
	for _, id := range want {
		c.Step(d.net.Now(), sm.Receive{From: 5000, Msg: &Ahead{chain.Term{Epoch: 9}, 1000}})
		named := false
		for _, s := range c.catchup.sources {
			named = named || s.id == id && s.named
		}
		if !named {
			t.Errorf("validator %d is not among the sources", id)
		}
	}
	if len(c.catchup.sources) != maxSources {
		t.Errorf("%d sources", len(c.catchup.sources))
	}
}
