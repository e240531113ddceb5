package drp

import (
	"slices"
	"testing"
	"time"

	"ios/drp/pvss"
	"ios/internal/sim"
	"ios/internal/sm"
)

// Servers that hear of the decision from a collector only get the choice from it
// and open their shares, whatever the network loses. What is not the choice they
// refuse.
func TestWhoLacksTheChoiceGetsIt(t *testing.T) {
	w := newWorld(t, 13, 13, 4, sim.Faults{MinDelay: time.Millisecond, MaxDelay: 50 * time.Millisecond, Loss: 0.2})
	w.silent = true
	w.begin(0)
	w.lead(0)
	w.untilDecided()
	for i, what := range map[int]func(*Full){
		5: func(f *Full) { f.Raw = nil },
		6: func(f *Full) { f.Raw = slices.Clone(f.Raw); f.Raw[500] ^= 1 },
		7: nil,
	} {
		w.net.FilterIn(idOf(i), func(_ time.Time, from sm.NodeID, msg sm.Message) []sim.Parcel {
			if f, ok := msg.(*Full); ok {
				if what == nil {
					return nil
				}
				g := *f
				what(&g)
				return sim.Pass(from, &g)
			}
			return sim.Pass(from, msg)
		})
	}
	w.net.Do(idOf(3), *w.decided)
	w.collect(3)
	w.untilResult(3)
	w.until("the others have the choice", time.Minute, func() bool {
		for i := range w.keys {
			if spoilt := i >= 5 && i <= 7; !spoilt && w.machine(i).decided == nil {
				w.net.Do(idOf(3), sm.Fire{Key: timerCollect})
				w.net.Inject(idOf(3), idOf(i), &Show{w.cfg.Epoch, 0, w.machine(3).decided.hash, w.decided.SignOff})
				return false
			}
		}
		return true
	})
	for i := 5; i <= 7; i++ {
		if w.machine(i).decided != nil {
			t.Errorf("server %d took what is not the choice", i)
		}
	}
	w.noRefusals()
	w.net.Do(idOf(3), Decided{transcriptOf(w.cfg, w.keys, 0).Choice.Raw, w.decided.SignOff, nil})
	w.net.Do(idOf(5), Decided{w.decided.Choice, make([]byte, MaxSignOff+1), nil})
	w.net.Do(idOf(6), Decided{w.decided.Choice[:500], w.decided.SignOff, nil})
	if len(w.refused) != 3 {
		t.Errorf("of three decisions that cannot be %d are refused", len(w.refused))
	}
}

// A choice that is decided many views after its own is adopted like any other.
func TestDecidedManyViewsLater(t *testing.T) {
	cfg, keys := newConfig(7, 7, 2)
	tr := transcriptOf(cfg, keys, 0)
	m := must(NewServer(cfg, keys[1], nil))
	for view := range uint64(2 * keptViews) {
		m.Step(now0, Begin{view + 1})
	}
	m.Step(now0, Decided{tr.Choice.Raw, tr.SignOff, nil})
	if m.decided == nil || m.decided.shares == nil {
		t.Error("the server does not open its shares")
	}
}

// What a server has checked before the decision it does not check again, if it was
// this choice, with this configuration, and our group was among it.
func TestWhatWasCheckedIsNotCheckedAgain(t *testing.T) {
	cfg, keys := newConfig(21, 7, 3)
	tr := transcriptOf(cfg, keys, 0)
	l := must(newRun(cfg)).layout(0)
	mine, other := l.groups[0][1], l.groups[1][0]
	for name, check := range map[string]func() (*Choice, error){
		"the own group": func() (*Choice, error) { return CheckChoice(cfg, tr.Choice.Raw, keys[mine].Self) },
		"all groups":    func() (*Choice, error) { return CheckWhole(cfg, tr.Choice.Raw) },
	} {
		// To check it again would be to find it wrong.
		c := must(check())
		c.Raw = newChoice(0, resigned(c.Dealings)).Raw
		m := must(NewServer(cfg, keys[mine], nil))
		m.Step(now0, Decided{c.Raw, tr.SignOff, c})
		if m.decided == nil || len(m.decided.shares) != pvss.DecryptionSize(3) {
			t.Errorf("%s: it is checked again", name)
		}
	}
	forged := newChoice(0, resigned(tr.Choice.Dealings))
	stranger, _ := newConfig(21, 7, 3)
	stranger.Epoch++
	for name, c := range map[string]*Choice{
		"nothing":             nil,
		"only decoded":        must(DecodeChoice(forged.Raw)),
		"another choice":      must(CheckWhole(cfg, tr.Choice.Raw)),
		"another group":       {0, forged.Dealings, forged.Raw, must(CheckChoice(cfg, tr.Choice.Raw, keys[other].Self)).judged},
		"other configuration": {0, forged.Dealings, forged.Raw, must(must(newRun(stranger)).layout(0).judge(tr.Choice.Dealings))},
	} {
		m := must(NewServer(cfg, keys[mine], nil))
		if m.Step(now0, Decided{forged.Raw, tr.SignOff, c}); m.decided != nil {
			t.Errorf("%s: it counts as checked", name)
		}
	}
}

// resigned are the dealings with a wrong signature on the first.
func resigned(list []*Dealing) []*Dealing {
	list = slices.Clone(list)
	d := *list[0]
	d.Raw = slices.Clone(d.Raw)
	d.Raw[len(d.Raw)-1] ^= 1
	list[0] = &d
	return list
}

// A server that shows different dealings of a view to a leader and in what is
// decided is found out, once.
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
	step(Lead{0})
	for i := range 2 {
		step(sm.Receive{From: keys[i].Self, Msg: &Deal{cfg.Epoch, a[i].Raw}})
	}
	if m.lead == nil || !m.lead.proposed {
		t.Fatal("the leader proposes nothing")
	}
	step(Decided{newChoice(0, b).Raw, nil, nil})
	step(Decided{newChoice(0, a).Raw, nil, nil})
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
