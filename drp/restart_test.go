package drp

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"ios/drp/pvss"
	"ios/internal/sim"
	"ios/internal/sm"
)

// Crashes at any instant: a server never shows two dealings for a view, nor two
// proofs with one announcement.
func TestCrashesNeverDealTwice(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		w := newWorld(t, 7, 7, seed, sim.Faults{MinDelay: time.Millisecond, MaxDelay: 60 * time.Millisecond, Loss: 0.05, MaxSync: 30 * time.Millisecond})
		dealt := map[string]string{}
		announced := map[string]string{}
		var twice error
		for i := range w.keys {
			id := idOf(i)
			w.net.FilterOut(id, func(_ time.Time, to sm.NodeID, msg sm.Message) []sim.Parcel {
				switch m := msg.(type) {
				case *Deal:
					d := must(DecodeDealing(m.Raw))
					key := fmt.Sprint(id, " ", d.View)
					if old, ok := dealt[key]; ok && old != string(m.Raw) {
						twice = fmt.Errorf("seed %d: server %d shows two dealings for view %d", seed, id, d.View)
					}
					dealt[key] = string(m.Raw)
				case *Open:
					key := string(m.Shares[len(m.Shares)-96 : len(m.Shares)-64])
					if old, ok := announced[key]; ok && old != string(m.Shares) {
						twice = fmt.Errorf("seed %d: server %d uses a nonce twice", seed, id)
					}
					announced[key] = string(m.Shares)
				}
				return sim.Pass(to, msg)
			})
		}
		w.net.Unleash(sim.Chaos{Until: 3 * time.Second, Nodes: []sm.NodeID{idOf(0), idOf(1), idOf(2), idOf(3), idOf(4), idOf(5), idOf(6)},
			Every: 40 * time.Millisecond, Pause: 150 * time.Millisecond}, calm)
		for i := range w.keys {
			w.mute[i] = true // no decision yet: leaders ask again and again
		}
		for k := range 40 {
			w.net.After(time.Duration(k)*70*time.Millisecond, func() {
				w.begin(uint64(k / 8))
				w.lead(k % 7)
			})
		}
		w.net.RunFor(4 * time.Second)
		clear(w.mute)
		w.begin(w.view + 1)
		w.lead(0)
		w.untilDecided()
		w.collect(1)
		w.untilResult(1)
		if twice != nil {
			t.Fatal(twice)
		}
	}
}

// A machine that is built from the records alone says what the one before said.
func TestRestoredFromRecordsOnly(t *testing.T) {
	cfg, keys := newConfig(7, 7, 9)
	now := time.Unix(1, 0)
	m := must(NewServer(cfg, keys[2], nil))
	var records []sm.Persist
	step := func(m *Machine, ev sm.Event) (sent []sm.Message) {
		now = now.Add(cfg.Delta)
		for _, e := range m.Step(now, ev) {
			switch e := e.(type) {
			case sm.Persist:
				records = append(records, e)
			case sm.Send:
				sent = append(sent, e.Msg)
			}
		}
		return sent
	}
	ask := sm.Receive{From: keys[0].Self, Msg: &Ask{7, 3}}
	step(m, Begin{3})
	first := step(m, ask)[0].AppendTo(nil)
	m = must(NewServer(cfg, keys[2], slices.Values(records)))
	step(m, Begin{3})
	if len(records) != 1 {
		t.Errorf("%d records after beginning the view again", len(records))
	}
	if again := step(m, ask); len(again) != 1 || !bytes.Equal(again[0].AppendTo(nil), first) {
		t.Error("the dealing differs after a restart")
	}
	step(m, Begin{2})
	if sent := step(m, sm.Receive{From: keys[1].Self, Msg: &Ask{7, 2}}); len(records) != 1 || len(sent) != 0 {
		t.Error("it deals for an earlier view")
	}
	// The decision is not recorded: it is told again, or shown.
	tr := transcriptOf(cfg, keys, 3)
	step(m, Decided{tr.Choice.Raw, tr.SignOff, nil})
	show := sm.Receive{From: keys[0].Self, Msg: &Show{7, 3, tr.Choice.Hash(), tr.SignOff}}
	if sent := step(m, show); len(sent) != 1 {
		t.Fatalf("%d messages for a collector", len(sent))
	}
	m = must(NewServer(cfg, keys[2], slices.Values(records)))
	step(m, Decided{tr.Choice.Raw, tr.SignOff, nil})
	sent := step(m, show)
	if o, ok := sent[0].(*Open); !ok || len(o.Shares) != pvss.DecryptionSize(3) {
		t.Error("it does not open its shares after a restart")
	}
	step(m, Begin{4})
	if len(records) != 1 {
		t.Error("it deals after the decision")
	}

	bad := func(name string, recs ...sm.Persist) {
		t.Helper()
		if _, err := NewServer(cfg, keys[2], slices.Values(recs)); err == nil {
			t.Errorf("%s is restored", name)
		}
	}
	foreign := must(newDealing(must(newRun(cfg)).layout(5), 3, &keys[3]))
	bad("another's dealing", sm.Persist{Kind: RecordDealing, Data: foreign.Raw})
	bad("a dealing twice", records[0], records[0])
	bad("an unknown record", sm.Persist{Kind: 77})
	bad("a cut dealing", sm.Persist{Kind: RecordDealing, Data: records[0].Data[:100]})
	if _, err := NewServer(cfg, Keys{Self: keys[2].Self, Secret: keys[1].Secret, Signing: keys[2].Signing, Random: keys[2].Random}, nil); err == nil {
		t.Error("a machine with another's share key")
	}
	if _, err := NewServer(cfg, Keys{Self: keys[2].Self, Secret: keys[2].Secret, Signing: keys[1].Signing, Random: keys[2].Random}, nil); err == nil {
		t.Error("a machine with another's signing key")
	}
}
