package drp

import (
	"slices"
	"testing"
	"time"

	"ios/internal/sim"
	"ios/internal/sm"
)

// Servers that were away when the choice went round hear of its sign-off only, and
// get the bytes from any that hold it, whatever the network loses and however many
// answer with garbage or nothing.
func TestWhoLacksTheChoiceGetsIt(t *testing.T) {
	w := newWorld(t, 13, 13, 4, sim.Faults{MinDelay: time.Millisecond, MaxDelay: 50 * time.Millisecond, Loss: 0.2})
	w.silent = true
	away := []int{2, 3, 4}
	for _, i := range away {
		w.mute[i] = true
	}
	w.begin(0)
	w.lead(0)
	for tries := 0; w.decided == nil; tries++ {
		if tries > 20 {
			t.Fatal("no decision")
		}
		w.net.RunFor(10 * time.Second)
	}
	for i, what := range map[int]func(*Full){
		5: func(f *Full) { f.Raw = nil },
		6: func(f *Full) { f.Raw = slices.Clone(f.Raw); f.Raw[500] ^= 1 },
		7: nil,
	} {
		w.net.FilterOut(idOf(i), func(_ time.Time, to sm.NodeID, msg sm.Message) []sim.Parcel {
			if f, ok := msg.(*Full); ok {
				if what == nil {
					return nil
				}
				g := *f
				what(&g)
				return sim.Pass(to, &g)
			}
			return sim.Pass(to, msg)
		})
	}
	c := must(DecodeChoice(w.decided.Choice))
	for _, i := range away {
		w.net.Do(idOf(i), SignedOff{0, c.Hash(), w.decided.SignOff})
	}
	w.until("all have the choice", time.Minute, func() bool {
		for _, i := range away {
			if _, ok := w.learned[idOf(i)]; !ok {
				return false
			}
		}
		return true
	})
	// Those who voted hold it: they need nothing sent.
	w.net.Do(idOf(9), SignedOff{0, c.Hash(), w.decided.SignOff})
	if w.machine(9).decided == nil {
		t.Error("who holds the choice does not use it")
	}
	w.collect(3)
	w.untilResult(3)
	w.noRefusals()
	w.net.Do(idOf(3), SignedOff{0, c.Dealings[0].Hash(), w.decided.SignOff})
	if len(w.refused) != 1 {
		t.Error("a second sign-off is not refused")
	}
}

// A server says that it may sign only once the choice is on disk, and has it after
// a restart; what is wrong it refuses.
func TestSignersHoldTheChoice(t *testing.T) {
	cfg, keys := newConfig(7, 7, 2)
	tr := transcriptOf(cfg, keys, 0)
	hash := tr.Choice.Hash()
	m := must(NewServer(cfg, keys[1], nil))
	effects := m.Step(now0, Examine{tr.Choice.Raw})
	if len(effects) != 2 {
		t.Fatalf("%d effects", len(effects))
	}
	record, first := effects[0].(sm.Persist)
	said, then := effects[1].(sm.Deliver)
	if !first || !then || said.Value.(Examined).Err != nil || said.Value.(Examined).Hash != hash {
		t.Fatalf("%T, then %+v", effects[0], said.Value)
	}
	if again := m.Step(now0, Examine{tr.Choice.Raw}); len(again) != 1 {
		t.Error("it is recorded again")
	}
	m = must(NewServer(cfg, keys[1], slices.Values([]sm.Persist{record})))
	if string(m.Held(hash)) != string(tr.Choice.Raw) {
		t.Fatal("it is not held after a restart")
	}
	// Bounded: older ones go.
	for view := range uint64(keptChoices) {
		m.Step(now0, Examine{transcriptOf(cfg, keys, view+1).Choice.Raw})
	}
	if m.Held(hash) != nil || len(m.held) != keptChoices {
		t.Errorf("%d choices are held", len(m.held))
	}
	bad := slices.Clone(tr.Choice.Raw)
	bad[len(bad)-100] ^= 1
	for _, raw := range [][]byte{nil, bad, make([]byte, MaxChoice+1)} {
		effects := m.Step(now0, Examine{raw})
		if d, ok := effects[0].(sm.Deliver); len(effects) != 1 || !ok || d.Value.(Examined).Err == nil {
			t.Error("a wrong choice may be signed")
		}
	}
	if _, err := NewServer(cfg, keys[1], slices.Values([]sm.Persist{{Kind: RecordHeld, Data: bad[:300]}})); err == nil {
		t.Error("a cut choice is restored")
	}
}

// A choice that was examined long before it is decided, many views ago, is adopted
// like any other.
func TestDecidedManyViewsLater(t *testing.T) {
	cfg, keys := newConfig(7, 7, 2)
	tr := transcriptOf(cfg, keys, 0)
	m := must(NewServer(cfg, keys[1], nil))
	m.Step(now0, Examine{tr.Choice.Raw})
	for view := range uint64(2 * keptViews) {
		m.Step(now0, Begin{view + 1})
	}
	m.Step(now0, Decided{tr.Choice.Raw, tr.SignOff})
	if m.decided == nil || m.decided.shares == nil {
		t.Error("the server does not open its shares")
	}
}

// A server that shows different dealings to two leaders is found out by those who
// see both choices, once.
func TestEquivocationAcrossLeaders(t *testing.T) {
	cfg, keys := newConfig(7, 7, 2)
	l := must(newRun(cfg)).layout(0)
	dealings := func() (list []*Dealing) {
		for i := range l.threshold(0) {
			list = append(list, must(newDealing(l, i, &keys[i])))
		}
		return list
	}
	a := dealings()
	b := slices.Clone(a)
	b[1] = must(newDealing(l, 1, &keys[1]))
	m := must(NewServer(cfg, keys[6], nil))
	var found []Equivocation
	step := func(ev sm.Event) {
		for _, e := range m.Step(now0, ev) {
			if d, ok := e.(sm.Deliver); ok {
				if e, ok := d.Value.(Equivocation); ok {
					found = append(found, e)
				}
			}
		}
	}
	step(Begin{0})
	step(Examine{newChoice(0, a).Raw})
	step(Examine{newChoice(0, b).Raw})
	step(Examine{newChoice(0, a).Raw})
	if len(found) != 1 {
		t.Fatalf("%d pieces of evidence", len(found))
	}
	if who, err := found[0].Verify(cfg); err != nil || who != idOf(1) {
		t.Errorf("server %d: %v", who, err)
	}
	// Two signatures on one content are none.
	again := *a[0]
	again.Signature = keys[0].Signing.Sign(a[0].signed(l.run))
	if err := l.run.equivocate(a[0], &again); err == nil {
		t.Error("a repeated dealing is evidence")
	}
}

// A leader that gets two dealings of one server has evidence and uses neither.
func TestALeaderFindsEquivocation(t *testing.T) {
	cfg, keys := newConfig(7, 7, 2)
	l := must(newRun(cfg)).layout(0)
	m := must(NewServer(cfg, keys[6], nil))
	found, proposed := 0, (*Propose)(nil)
	step := func(ev sm.Event) {
		for _, e := range m.Step(now0, ev) {
			d, _ := e.(sm.Deliver)
			switch v := d.Value.(type) {
			case Equivocation:
				found++
				if who, err := v.Verify(cfg); err != nil || who != idOf(0) {
					t.Errorf("server %d: %v", who, err)
				}
			case Propose:
				proposed = &v
			}
		}
	}
	step(Lead{0})
	deal := func(i int) {
		step(sm.Receive{From: keys[i].Self, Msg: &Deal{cfg.Epoch, must(newDealing(l, i, &keys[i])).Raw}})
	}
	for range 5 {
		deal(0)
	}
	if found != 1 || m.lead.slots[0].state != Equivocal || m.lead.counts[0] != 1 {
		t.Errorf("%d pieces of evidence, the server is %v, %d dealings count", found, m.lead.slots[0].state, m.lead.counts[0])
	}
	deal(1)
	deal(2)
	if proposed == nil {
		t.Fatal("no proposal of three that are right")
	}
	for _, d := range must(DecodeChoice(proposed.Choice)).Dealings {
		if d.Dealer == idOf(0) {
			t.Error("the dealing was chosen")
		}
	}
	deal(3)
	if m.lead.slots[3].state != Late {
		t.Errorf("who comes after the proposal is %v", m.lead.slots[3].state)
	}
}

// The table says void exactly when a group has fewer shares than it needs, and the
// deadline has passed.
func TestVoidIsExact(t *testing.T) {
	cfg, _ := newConfig(24, 8, 1)
	table := func(have int, overdue, done bool) *Progress {
		p := &Progress{Phase: Collecting, View: 3, Overdue: overdue, Done: done}
		for g, ids := range Groups(cfg, 3) {
			for k, id := range ids {
				state := Dealt
				if g == 1 && k >= have {
					state = []State{Absent, Invalid}[k%2]
				}
				p.Rows = append(p.Rows, Row{id, uint16(g), state})
			}
		}
		return p
	}
	for have := range 9 {
		void := Void(cfg, table(have, true, false))
		if (have < 3) != (len(void) == 1) {
			t.Errorf("with %d of 3 shares: %+v", have, void)
		}
		if len(void) == 1 && (void[0].Group != 1 || len(void[0].Silent) != 8-have) {
			t.Errorf("with %d of 3 shares: %+v", have, void)
		}
		if Void(cfg, table(have, false, false)) != nil || Void(cfg, table(have, true, true)) != nil {
			t.Error("void before the deadline, or after the output")
		}
	}
}
