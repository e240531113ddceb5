package byzcoin

import (
	"slices"
	"testing"

	"ios/chain"
	"ios/internal/sm"
)

// When nobody settles what terms leave unfinished, the oldest is given up: the owner
// is told, and the memory that it takes is bounded.
func TestWhatIsGivenUpIsTold(t *testing.T) {
	d := newDynasty(t, 4, reigns("0123 0123 0123 0123 0123 0123 0123 0123"), 1, calm)
	big := make([]byte, maxPendingBytes/3)
	end := func(c *Chain, author sm.NodeID, raw []byte, bodies int) (told Succeeded, dropped []Dropped) {
		slots := map[uint64]*slot{}
		for n := range bodies {
			slots[uint64(n+1)] = &slot{main: &copyOf{body: &chain.Body{Author: author, Number: uint64(n + 1), Raw: raw}}}
		}
		a := &c.m.authors[c.m.seats[author]]
		a.acked, a.slots = uint64(bodies), slots
		told = c.leave()
		c.out = nil
		c.tellDropped()
		for _, e := range c.out {
			dropped = append(dropped, e.(sm.Deliver).Value.(Dropped))
		}
		a.acked, a.slots = 0, map[uint64]*slot{}
		c.m.cfg.Batch++
		return told, dropped
	}
	fresh := func() *Chain {
		c, err := NewChain(d.config(d.ids[1], &realm{terms: d.terms}))
		must(t, err)
		c.Step(d.net.Now(), Start{})
		return c
	}
	kept := func(c *Chain) (bytes int) {
		for _, s := range c.pending {
			bytes += sizeOf(s.Unfinished)
		}
		return bytes
	}

	c := fresh()
	for i := range 7 { // small ones: four terms
		_, dropped := end(c, d.ids[2], make([]byte, 100), 2)
		if want := i >= maxPending; want != (len(dropped) == 1) || want && dropped[0] != (Dropped{d.terms[i-maxPending], 2, 200, true}) {
			t.Errorf("after %d terms %v is given up", i+1, dropped)
		}
	}
	c = fresh()
	for i := range 6 { // large ones: as many bytes
		_, dropped := end(c, d.ids[2], big, 1)
		if want := i >= 3; want != (len(dropped) == 1) || want && dropped[0].From != d.terms[i-3] {
			t.Errorf("after %d large terms %v is given up", i+1, dropped)
		}
		if n := kept(c); n > maxPendingBytes {
			t.Errorf("%d bytes are kept", n)
		}
	}
	c = fresh() // one term that is too large by itself: ours come first
	told, dropped := end(c, d.ids[2], big, 5)
	if len(dropped) != 1 || dropped[0].All || dropped[0].Bodies != 2 || len(told.Unfinished) != 3 || kept(c) > maxPendingBytes {
		t.Errorf("of 5 bodies %d are told of, and %v given up", len(told.Unfinished), dropped)
	}
	bodies := []*chain.Body{{Author: d.ids[2], Raw: big}, {Author: d.ids[2], Raw: big}, {Author: d.ids[1], Raw: big}, {Author: d.ids[1], Raw: big}}
	own := slices.Clone(bodies[2:])
	if got := c.fit(d.terms[0], bodies); len(got) != 3 || got[1] != own[0] || got[2] != own[1] {
		t.Errorf("%d bodies are kept, and not ours", len(got))
	}
}
