package drp

import (
	"slices"
	"testing"
	"time"

	"ios/internal/sim"
	"ios/internal/sm"
)

// Byzantine servers of a group give each collector what they withhold from the
// others, so that each lacks too many: the collectors help each other out before
// anybody is called silent, though some pass on garbage.
func TestCollectorsHelpEachOther(t *testing.T) {
	w := newWorld(t, 24, 8, 3, calm)
	w.begin(0)
	w.lead(0)
	w.untilDecided()
	view := must(DecodeChoice(w.decided.Choice)).View
	group := must(newRun(w.cfg)).layout(view).groups[1]
	for k, i := range group[:7] {
		w.net.FilterOut(idOf(i), func(_ time.Time, to sm.NodeID, msg sm.Message) []sim.Parcel {
			switch m := msg.(type) {
			case *Open:
				if w.cfg.find(to)%7 != k {
					return nil
				}
			case *Pass:
				bad := *m
				bad.List = slices.Clone(m.List)
				for j := range bad.List {
					bad.List[j].Raw = slices.Clone(bad.List[j].Raw)
					bad.List[j].Raw[5] ^= 1
				}
				return sim.Pass(to, &bad)
			}
			return sim.Pass(to, msg)
		})
	}
	for i := range w.keys {
		w.collect(i)
	}
	w.until("all honest ones have the output", time.Minute, func() bool {
		for i := range w.keys {
			if _, ok := w.results[idOf(i)]; !ok && !slices.Contains(group[:7], i) {
				return false
			}
		}
		return true
	})
	for id, p := range w.progress {
		if v := Void(w.cfg, &p); v != nil && !slices.Contains(group[:7], w.cfg.find(id)) {
			t.Errorf("server %d calls %+v silent", id, v)
		}
	}
	w.noRefusals()
}

// What is passed on is looked at where something is missing, once in a Delta, and
// not again from whom it was wrong.
func TestPassedSharesAreChecked(t *testing.T) {
	cfg, keys := newConfig(7, 7, 9)
	tr := transcriptOf(cfg, keys, 0)
	hash := tr.Choice.Hash()
	m := must(NewServer(cfg, keys[2], nil))
	now := time.Unix(1, 0)
	step := func(ev sm.Event) []sm.Effect {
		now = now.Add(cfg.Delta)
		return m.Step(now, ev)
	}
	step(Decided{tr.Choice.Raw, tr.SignOff, nil})
	step(Collect{})
	good := tr.Openings[0] // of the servers at the places 4, 5 and 6
	place := func(o Opening) uint16 { return uint16(m.run.layout(0).groups[0][o.Index]) }
	pass := func(from int, list ...Shares) {
		step(sm.Receive{From: keys[from].Self, Msg: &Pass{7, hash, list}})
	}
	a, b := Shares{place(good[0]), good[0].Shares}, Shares{place(good[1]), good[1].Shares}
	wrong := Shares{b.Server, slices.Clone(b.Raw)}
	wrong.Raw[40] ^= 1
	for i, list := range [][]Shares{{a, wrong}, {b, a}, {a, a}, {{7, a.Raw}}, {{a.Server, a.Raw[:20]}}} {
		from := []int{0, 1, 3, 4, 5}[i]
		pass(from, list...)
		pass(from, a)
		if m.collect.have[0] != 1 {
			t.Errorf("from a list %d that is wrong shares are taken, or later from its sender", i)
		}
	}
	step(sm.Receive{From: keys[6].Self, Msg: &Pass{7, tr.Choice.Dealings[0].Hash(), []Shares{a}}})
	step(sm.Receive{From: 60000, Msg: &Pass{7, hash, []Shares{a}}})
	if m.collect.have[0] != 1 {
		t.Error("shares are taken from a stranger, or of another choice")
	}
	pass(6, a)
	m.Step(now, sm.Receive{From: keys[6].Self, Msg: &Pass{7, hash, []Shares{b}}})
	if m.collect.have[0] != 2 || m.collect.result != nil {
		t.Errorf("%d shares are there", m.collect.have[0])
	}
	pass(6, a, b)
	if m.collect.result == nil {
		t.Error("three shares are no output")
	}
}
