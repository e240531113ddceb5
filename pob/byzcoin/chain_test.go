package byzcoin

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ios/chain"
	"ios/internal/sm"
)

// Committees hand over to each other in every way, under load, and nobody notices
// but by the members' names.
func TestCommitteesSucceedEachOther(t *testing.T) {
	for name, script := range map[string]string{
		"one seat at a time":         "0123 1234 2345 | 3456 4567",
		"all seats over two batches": "0123 0145 4567 | 4567",
		"all at once":                "0123 4567 0123",
		"it grows":                   "0 01 012 0123 01234 0123456 | 0123456789",
		"it shrinks":                 "0123456789 0123456 0123 012 | 01 0",
		"the same with other seats":  "0123 3210 | 1032",
	} {
		t.Run(name, func(t *testing.T) {
			d := newDynasty(t, 10, reigns(script), 1, calm)
			last := len(d.script) - 1
			d.turns(300*time.Millisecond, last)
			d.load(200, 2*time.Second)
			d.eventually("the last term", func() bool { return d.at == last }, 20*time.Second)
			d.eventually("everybody is there", func() bool { return d.net.Elapsed() > 2100*time.Millisecond && d.settled() }, 20*time.Second)
			for v, id := range d.ids {
				c := d.chain(v)
				if c.m.view != 0 {
					t.Errorf("validator %d is in view %d of term %v without a fault", v, c.m.view, c.term)
				}
				if c.Seat() < 0 != (d.status[id].Phase == Following) {
					t.Errorf("validator %d with seat %d: %+v", v, c.Seat(), d.status[id])
				}
			}
			if d.top < 20 {
				t.Errorf("only %d blocks", d.top)
			}
		})
	}
}

// A power failure of some or all at every step around the end of a term.
func TestRestartAroundTheEndOfATerm(t *testing.T) {
	for _, who := range [][]int{{0}, {1, 2}, {4}, {0, 1, 2, 3, 4, 5}} {
		for step := range 8 {
			d := newDynasty(t, 6, reigns("0123 0124 1245"), uint64(step), calm)
			d.load(40, 500*time.Millisecond)
			for i := range 4 {
				d.net.After(100*time.Millisecond, func() { d.author(i, "turn 1") })
			}
			d.net.After(400*time.Millisecond, func() { d.turns(100*time.Millisecond, 2) })
			// Steps of the simulator from just before the first switch on.
			d.net.RunUntil(func() bool { return d.net.Elapsed() > 110*time.Millisecond }, time.Second)
			from := d.net.Steps()
			d.net.RunUntil(func() bool { return d.net.Steps() >= from+uint64(30*step) }, time.Second)
			for _, v := range who {
				d.net.Crash(d.ids[v])
			}
			d.net.RunFor(50 * time.Millisecond)
			for _, v := range who {
				d.net.Restart(d.ids[v])
			}
			d.eventually(fmt.Sprintf("all agree after a crash of %v at step %d", who, step), func() bool {
				return d.net.Elapsed() > time.Second && d.at == 2 && d.settled()
			}, 30*time.Second)
		}
	}
}

// A chain restored from a snapshot says the same as one restored from all
// records, wherever the snapshot was taken.
func TestRestoreChainFromSnapshot(t *testing.T) {
	for seed := range seeds(t, 4) {
		d := newDynasty(t, 6, reigns("0123 0145 | 2345 0123"), seed, calm)
		d.turns(150*time.Millisecond, 3)
		d.load(150, time.Second)
		d.net.RunFor(time.Duration(300+70*seed) * time.Millisecond)
		d.ok()
		for v, id := range d.ids {
			records := d.net.Records(id)
			for cut := int(seed) % 17; cut <= len(records); cut += 17 {
				app := &realm{terms: d.terms}
				c, err := RestoreChain(d.config(id, app), nil, slices.Values(records[:cut]))
				must(t, err)
				state := c.ExportState()
				at := *app
				fromState, err := RestoreChain(d.config(id, &at), state, slices.Values(records[cut:]))
				if err != nil {
					t.Fatalf("seed %d, validator %d, %d of %d records: %v", seed, v, cut, len(records), err)
				}
				whole := &realm{terms: d.terms}
				fromAll, err := RestoreChain(d.config(id, whole), nil, slices.Values(records))
				must(t, err)
				if !bytes.Equal(fromState.ExportState(), fromAll.ExportState()) || at.state != whole.state || fromState.Point() != fromAll.Point() {
					t.Fatalf("seed %d, validator %d, %d of %d records: the two differ", seed, v, cut, len(records))
				}
			}
		}
		if d.at == 0 {
			t.Fatal("no term has ended")
		}
	}
}

// A committee that is not known yet is waited for: nobody who waits does
// anything, and what was held is kept.
func TestACommitteeThatIsNotKnownIsWaitedFor(t *testing.T) {
	d := newDynasty(t, 5, reigns("0123 | 1234"), 3, calm)
	second := d.terms[1]
	for _, id := range d.ids {
		d.unknown[id] = second
	}
	d.load(60, 500*time.Millisecond)
	d.turns(200*time.Millisecond, 1)
	d.eventually("all wait for the committee", func() bool {
		for v, id := range d.ids {
			if c := d.chain(v); c.m.ended == nil || d.status[id].Phase != Syncing || !strings.Contains(d.status[id].Reason, "epoch block") {
				return false
			}
		}
		return d.net.Elapsed() > 600*time.Millisecond
	}, 10*time.Second)
	d.author(1, "too early")
	for _, id := range d.ids[:2] { // they also wait after a restart
		d.net.Crash(id)
		d.net.Restart(id)
	}
	d.net.RunFor(3 * time.Second)
	height := d.top
	for _, id := range d.ids {
		delete(d.unknown, id)
		d.net.Do(id, CommitteesChanged{})
	}
	d.load(20, 200*time.Millisecond)
	d.eventually("they go on", func() bool { return d.top > height+2 && d.settled() }, 10*time.Second)
}

// The bodies that a term leaves unfinished are delivered again until they are
// settled, and not after.
func TestUnfinishedBodiesAreToldUntilTheyAreSettled(t *testing.T) {
	d := newDynasty(t, 4, reigns("0123 0123 0123 0123 0123 0123"), 1, calm)
	d.net.RunFor(100 * time.Millisecond)
	c := d.chain(1)
	told := func(c *Chain) (list []Succeeded) {
		for _, e := range c.Step(d.net.Now(), Start{}) {
			if v, ok := e.(sm.Deliver); ok {
				if s, ok := v.Value.(Succeeded); ok {
					list = append(list, s)
				}
			}
		}
		return list
	}
	restored := func() *Chain {
		app := *d.apps[d.ids[1]]
		again, err := RestoreChain(d.config(d.ids[1], &app), c.ExportState(), nil)
		must(t, err)
		return again
	}
	body := &chain.Body{Chain: realmID, Shard: 3, Epoch: 1, Author: d.ids[2], Number: 1, Payload: []byte("x")}
	body.SignBody(d.keys[2])
	c.pending = []Succeeded{{From: d.terms[0], To: d.terms[1], Height: 3, Unfinished: []*chain.Body{body}}}
	list := told(restored())
	if len(list) != 1 || len(list[0].Unfinished) != 1 || list[0].Unfinished[0].Hash != body.Hash || list[0].Height != 3 {
		t.Fatalf("after a restart it tells %+v", list)
	}
	c.Step(d.net.Now(), Settled{From: d.terms[0]})
	if list := told(restored()); len(list) != 0 {
		t.Errorf("settled bodies are told again: %+v", list)
	}
	for i := range d.terms[:5] { // nobody settles anything
		b := *body
		b.Epoch, b.Number = 1, uint64(i+1)
		b.SignBody(d.keys[2])
		c.m.authors[2].acked, c.m.authors[2].slots = 1, map[uint64]*slot{1: {main: &copyOf{body: &b}}}
		c.leave()
	}
	if len(c.pending) != maxPending {
		t.Errorf("the bodies of %d terms are kept", len(c.pending))
	}
}
