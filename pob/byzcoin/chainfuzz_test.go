package byzcoin

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"ios/internal/sm"
)

// fuzzed is a dynasty in the middle of its second term.
func fuzzed(t testing.TB) *dynasty {
	d := newDynasty(t, 6, reigns("0123 1245 | 2345"), 1, calm)
	d.turns(200*time.Millisecond, 1)
	d.load(60, 500*time.Millisecond)
	d.net.RunFor(330 * time.Millisecond)
	if d.at != 1 {
		t.Fatal("no term has ended")
	}
	return d
}

// FuzzChainReceive feeds messages that decode to a chain in the middle of its
// work.
func FuzzChainReceive(f *testing.F) {
	d := fuzzed(f)
	for _, msg := range samples(f) {
		f.Add(byte(0), msg.AppendTo(nil))
		if !free(msg.AppendTo(nil)[0]) {
			f.Add(byte(2), (&Tagged{d.terms[1], msg}).AppendTo(nil))
			f.Add(byte(4), (&Tagged{d.terms[2], msg}).AppendTo(nil))
			f.Add(byte(5), (&Tagged{d.terms[0], msg}).AppendTo(nil))
		}
	}
	f.Add(byte(5), (&Ahead{d.terms[2], 100}).AppendTo(nil))
	f.Add(byte(5), (&Where{d.terms[2], 100}).AppendTo(nil))
	id := d.ids[1]
	records := d.net.Records(id)
	f.Fuzz(func(t *testing.T, from byte, raw []byte) {
		msg, err := Decode(raw)
		if err != nil {
			return
		}
		c, err := RestoreChain(d.config(id, &realm{terms: d.terms}), nil, slices.Values(records))
		must(t, err)
		now := d.net.Now()
		c.Step(now, Start{})
		c.m.status.synced = true
		for range 3 {
			for _, ev := range []sm.Event{sm.Receive{From: d.ids[from%6], Msg: msg}, sm.Fire{Key: sm.TimerKey{Kind: timerChain}}} {
				for _, e := range c.Step(now, ev) {
					if s, ok := e.(sm.Send); ok {
						if _, err := Decode(s.Msg.AppendTo(nil)); err != nil {
							t.Fatalf("it answers %T with a %T that does not decode: %v", msg, s.Msg, err)
						}
					}
				}
			}
			now = now.Add(time.Second)
		}
	})
}

// FuzzRestoreChain feeds states and records.
func FuzzRestoreChain(f *testing.F) {
	d := fuzzed(f)
	id := d.ids[1]
	c := d.chain(1)
	f.Add(c.ExportState(), byte(RecordBody), []byte{})
	for _, r := range d.net.Records(id) {
		f.Add([]byte{}, r.Kind, r.Data)
	}
	b := d.blocks[1]
	end := *c
	end.pending = []Succeeded{{From: d.terms[0], To: d.terms[1], Height: 7}}
	end.last = &endOfTerm{d.terms[0], Certified{1, b.Header.Hash(), b.Cert}}
	f.Add(end.ExportState(), byte(0), []byte{})
	f.Fuzz(func(t *testing.T, state []byte, kind byte, data []byte) {
		if len(state) == 0 {
			state = nil
		}
		app := *d.apps[id]
		app.opened = false
		if state == nil {
			app = realm{terms: d.terms}
		}
		var records []sm.Persist
		if kind != 0 {
			records = []sm.Persist{{Kind: kind, Data: data}}
		}
		c, err := RestoreChain(d.config(id, &app), state, slices.Values(records))
		if err != nil {
			return
		}
		out := c.ExportState()
		again, err := RestoreChain(d.config(id, &app), out, nil)
		if err != nil {
			t.Fatalf("its own state is refused: %v", err)
		}
		if !bytes.Equal(again.ExportState(), out) {
			t.Fatal("the state changes")
		}
		c.Step(time.Unix(1, 0), Start{})
	})
}
