package byzcoin

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"ios/chain"
	"ios/internal/sm"
)

// A machine restored from a snapshot's state says the same as one restored from
// all records.
func TestRestoreFromSnapshot(t *testing.T) {
	for seed := range seeds(t, 16) {
		c := newCluster(t, 4, options{seed: seed})
		c.synced()
		c.load(c.seatsFrom(0), 40, 400*time.Millisecond)
		c.net.RunFor(time.Duration(100+seed*7) * time.Millisecond)
		if seed%3 == 0 {
			c.net.Crash(c.ids[0])
			c.net.RunFor(time.Duration(900+20*seed) * time.Millisecond)
		}
		c.ok()
		id := c.ids[1+seed%3]
		// What was returned may not be durable yet in the simulator; a snapshot
		// follows all that was.
		cut := len(c.net.Records(id)) / 2
		cfg := c.config(id)
		app := &ledger{}
		cfg.App = app
		m, err := Restore(cfg, nil, slices.Values(c.net.Records(id)[:cut]))
		must(t, err)
		state := m.ExportState()
		at := *app
		cfg.App = &at
		fromState, err := Restore(cfg, state, slices.Values(c.net.Records(id)[cut:]))
		must(t, err)
		whole := cfg
		whole.App = &ledger{}
		fromAll, err := Restore(whole, nil, slices.Values(c.net.Records(id)))
		must(t, err)
		if !bytes.Equal(fromState.ExportState(), fromAll.ExportState()) || at.state != whole.App.(*ledger).state {
			t.Fatalf("seed %d: the two differ", seed)
		}
		if fromAll.height == 0 || len(state) == 0 {
			t.Fatalf("seed %d: nothing happened", seed)
		}
		// It goes on from there in the network, with the snapshot's point in time.
		if p := fromState.Point(); p.Height != fromAll.height || p.Hash != fromAll.hash {
			t.Fatalf("seed %d: point %+v", seed, p)
		}
	}
}

// The next committee starts where this one ended, and counts bodies anew.
func TestNextCommitteeStartsAtThePoint(t *testing.T) {
	c := newCluster(t, 4, options{seed: 1})
	c.synced()
	c.load(c.seatsFrom(0), 8, 100*time.Millisecond)
	c.eventually("all is final", func() bool { return len(c.held) == 8 && c.settled() }, time.Second)
	point := c.machine(0).Point()
	state := c.apps[c.ids[0]].state
	o := options{seed: 2, app: func(sm.NodeID) *ledger { return &ledger{state: state, next: chain.Term{Epoch: 7, Batch: 2}} }}
	o.cfg = func(cfg *Config) { cfg.Start, cfg.Batch = point, 2 }
	d := newCluster(t, 4, o)
	d.top = point.Height
	d.synced()
	d.load(d.seatsFrom(0), 8, 100*time.Millisecond)
	d.eventually("all is final", func() bool { return len(d.held) == 8 && d.settled() }, time.Second)
	if b := d.blocks[point.Height+1]; b.Header.Parent != point.Hash || b.Header.Batch != 2 {
		t.Errorf("the first block of the batch has header %+v", b.Header)
	}
}

func TestRestoreRefusesBrokenRecords(t *testing.T) {
	c := newCluster(t, 4, options{seed: 1})
	c.synced()
	c.load(c.seatsFrom(0), 8, 100*time.Millisecond)
	c.eventually("all is final", func() bool { return len(c.held) == 8 && c.settled() }, time.Second)
	id := c.ids[1]
	records := c.net.Records(id)
	cfg := c.config(id)
	try := func(change func([]sm.Persist) []sm.Persist) error {
		cfg.App = &ledger{}
		copied := make([]sm.Persist, len(records))
		for i, r := range records {
			copied[i] = sm.Persist{Kind: r.Kind, Data: bytes.Clone(r.Data)}
		}
		_, err := Restore(cfg, nil, slices.Values(change(copied)))
		return err
	}
	if err := try(func(r []sm.Persist) []sm.Persist { return r }); err != nil {
		t.Fatal(err)
	}
	first := func(r []sm.Persist, kind uint8) int {
		for i := range r {
			if r[i].Kind == kind {
				return i
			}
		}
		t.Fatalf("no record of kind %d", kind)
		return 0
	}
	for name, change := range map[string]func([]sm.Persist) []sm.Persist{
		"a block that is missing": func(r []sm.Persist) []sm.Persist {
			i := first(r, RecordFinal)
			return append(r[:i], r[i+1:]...)
		},
		"a body that is missing": func(r []sm.Persist) []sm.Persist {
			i := first(r, RecordBody)
			return append(r[:i], r[i+1:]...)
		},
		"a body cut short": func(r []sm.Persist) []sm.Persist {
			i := first(r, RecordBody)
			r[i].Data = r[i].Data[:20]
			return r
		},
		"another outcome": func(r []sm.Persist) []sm.Persist {
			i := first(r, RecordFinal)
			b, err := chain.DecodeBlock(r[i].Data)
			must(t, err)
			b.Header.Outcomes[0] ^= 1
			r[i].Data = b.AppendTo(nil)
			return r
		},
		"an unknown kind": func(r []sm.Persist) []sm.Persist { return append(r, sm.Persist{Kind: 99}) },
	} {
		if err := try(change); err == nil || !strings.Contains(err.Error(), "record") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRestoreRefusesRecordsOfAnotherGenesis(t *testing.T) {
	s := newSolo(t, 4, 2)
	s.body(1, 1, "a")
	cfg := s.m.cfg
	cfg.ChainID[0] ^= 1
	if _, err := Restore(cfg, nil, slices.Values(s.records)); !errors.Is(err, chain.ErrWrongChain) || !strings.Contains(err.Error(), "genesis") {
		t.Error(err)
	}
}
