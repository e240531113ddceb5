package council

import (
	"bytes"
	"testing"
	"time"

	"ios/chain"
	"ios/internal/sm"
	"ios/transepoch/identity"
)

func FuzzDecode(f *testing.F) {
	w := newWorld(f, plan{validators: 4, seed: 1, faults: calm})
	seen := map[string]bool{}
	for _, id := range w.ids {
		w.net.FilterOut(id, drop(func(_ sm.NodeID, msg sm.Message) bool {
			raw := msg.AppendTo(nil)
			if key := string(raw[:2]); !seen[key] && len(raw) < 4096 {
				seen[key] = true
				f.Add(raw)
			}
			return false
		}))
	}
	w.toEpoch(2, time.Minute)
	f.Add((&Envelope{protoCouncil, &Endorsed{7, []chain.BodyRef{{Author: 1, Number: 2, Hash: chain.Hash{3}}}}}).AppendTo(nil))
	f.Add((&Envelope{protoCouncil, &Endorsed{7, make([]chain.BodyRef, maxEndorsed+1)}}).AppendTo(nil))
	f.Add([]byte{9})
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := Decode(raw)
		if err != nil {
			return
		}
		if !bytes.Equal(m.AppendTo(nil), raw) {
			t.Errorf("%x decodes to %+v, which is %x", raw, m, m.AppendTo(nil))
		}
		if e, ok := m.Msg.(*Endorsed); ok && len(e.Refs) > maxEndorsed {
			t.Errorf("%d seeds", len(e.Refs))
		}
	})
}

func FuzzDecodeOutcomes(f *testing.F) {
	w := newWorld(f, plan{validators: 1, seed: 1, faults: calm})
	w.toEpoch(3, time.Minute)
	for _, p := range w.net.Records(0) {
		if p.Kind == RecordOutcomes {
			f.Add(p.Data)
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		o, err := DecodeOutcomes(raw)
		if err == nil && (o.Height != OutcomesHeight(raw) || !bytes.Equal(o.AppendTo(nil), raw)) {
			t.Errorf("height %d", o.Height)
		}
	})
}

// What a snapshot saves is refused if it is altered so that it cannot be read,
// and never makes a core panic.
func FuzzSaved(f *testing.F) {
	w := newWorld(f, plan{validators: 4, seed: 2, faults: calm})
	w.eventually("the second output", func() bool { return len(w.outputs) == 2 }, time.Minute)
	state, saved := w.core(0).Snapshot()
	raw := state.AppendTo(nil)
	if w.core(0).sign == nil || len(w.core(0).log.records) == 0 || len(w.core(0).epochs) != 1 {
		f.Fatal("the snapshot is of a dull moment")
	}
	f.Add(saved)
	for _, n := range []int{0, 8, 20, len(saved) / 2, len(saved) - 1} {
		f.Add(saved[:n])
	}
	f.Fuzz(func(t *testing.T, saved []byte) {
		c, err := New(w.config(0), must(identity.DecodeState(w.genesis, scheme, raw)), saved, nil)
		if err == nil {
			c.Step(w.net.Now(), Start{})
		}
	})
}

// Messages of other epochs, from strangers and from liars leave nothing behind.
func TestEndorsementsAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plan{validators: 4, joiners: 1, seed: 3, faults: calm})
	c := w.core(0)
	say := func(from sm.NodeID, epoch uint64, n int) {
		m := &Endorsed{Epoch: epoch}
		for i := range n {
			m.Refs = append(m.Refs, chain.BodyRef{Author: 3, Number: uint64(w.net.Random().Int64()), Hash: chain.Hash{byte(i)}})
		}
		w.net.Do(0, sm.Receive{From: from, Msg: &Envelope{protoCouncil, m}})
	}
	say(4, 2, 5)
	say(1, 3, 5)
	say(0, 2, 5)
	if len(c.gate.others) > 0 {
		t.Errorf("%v", c.gate.others)
	}
	for range 10 {
		say(1, 2, maxEndorsed)
		say(2, 2, 3)
	}
	if len(c.gate.others) != 2 || len(c.gate.others[1]) != maxEndorsed {
		t.Errorf("%d members, %d seeds of one", len(c.gate.others), len(c.gate.others[1]))
	}
	w.toEpoch(2, time.Minute)
	if len(c.gate.others) > 0 {
		t.Error("they outlive the epoch")
	}
}
