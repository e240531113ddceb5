package drp

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ios/chain"
	"ios/drp/pvss"
	"ios/internal/sim"
	"ios/internal/sm"
)

// twoChoices are two right choices of one view, by different dealers.
func twoChoices(w *world) (a, b *Choice) {
	l := must(newRun(w.cfg)).layout(w.view)
	pick := func(from int) *Choice {
		var list []*Dealing
		for g, members := range l.groups {
			for _, i := range members[from : from+l.threshold(g)] {
				list = append(list, w.machine(i).dealt[w.view])
			}
		}
		return newChoice(w.view, list)
	}
	return pick(0), pick(1)
}

// A leader that shows two right choices to two halves gets no sign-off for either,
// and nobody opens anything for what it can show.
func TestTwoChoicesToTwoHalves(t *testing.T) {
	w := newWorld(t, 13, 13, 1, calm)
	w.begin(0)
	a, b := twoChoices(w)
	halves := map[*Choice][]int{}
	for i := range w.keys {
		c := a
		if i%2 == 1 {
			c = b
		}
		if w.castVote(i, Propose{0, c.Hash(), c.Raw}) {
			halves[c] = append(halves[c], i)
		}
	}
	if len(halves[a])+len(halves[b]) != 13 {
		t.Fatalf("a server refuses a right choice: %v", w.votesNo)
	}
	for c, who := range halves {
		if w.decide(Propose{0, c.Hash(), c.Raw}, who); w.decided != nil {
			t.Fatal("a half is a quorum")
		}
		for i := range w.keys {
			// A second vote in the view is refused, for either.
			if w.castVote(i, Propose{0, c.Hash(), c.Raw}) {
				t.Error("a server votes twice")
			}
			w.net.Inject(idOf(0), idOf(i), &Show{w.cfg.Epoch, 0, c.Hash(), signOff(w.cfg, w.keys, 0, c.Hash(), who)})
		}
	}
	opened := watch[*Open](w)
	w.net.RunFor(time.Minute)
	for i := range w.keys {
		if w.machine(i).decided != nil {
			t.Errorf("server %d believes a half", i)
		}
	}
	if *opened > 0 {
		t.Errorf("%d shares were opened without a sign-off", *opened)
	}
}

// watch counts what is sent of one type.
func watch[M sm.Message](w *world) *int {
	n := new(int)
	for i := range w.keys {
		w.net.FilterOut(idOf(i), func(_ time.Time, to sm.NodeID, msg sm.Message) []sim.Parcel {
			if _, ok := msg.(M); ok {
				*n++
			}
			return sim.Pass(to, msg)
		})
	}
	return n
}

// A leader hides a sign-off and others lead on. The agreement is bound to the
// hidden choice; whenever it is shown, and to whom, the output is that choice's.
func TestAHiddenSignOffMovesNothing(t *testing.T) {
	w := newWorld(t, 13, 13, 2, calm)
	w.silent = true
	w.begin(0)
	w.lead(3)
	w.untilDecided()
	hidden := *w.decided
	opened := watch[*Open](w)
	w.begin(1)
	w.lead(4)
	w.until("a second proposal", time.Minute, func() bool { return len(w.proposals) == 2 })
	w.net.RunFor(time.Minute)
	if string(w.decided.Choice) != string(hidden.Choice) || *opened > 0 {
		t.Fatal("the second leader moved something")
	}
	// Half of the servers hear of it late, from the agreement; the others from the
	// collector only.
	for i := range 6 {
		w.net.Do(idOf(i), hidden)
	}
	w.collect(0)
	a := w.untilResult(0)
	// The leader that hid it shows it now.
	w.net.Do(idOf(3), hidden)
	w.collect(3)
	b := w.untilResult(3)
	if a.Random != b.Random || a.View != 0 {
		t.Errorf("outputs %v and %v", a.Random, b.Random)
	}
	if !slices.ContainsFunc(indices(13)[6:], func(i int) bool { return w.machine(i).decided != nil }) {
		t.Error("nobody got the choice from the collector")
	}
	w.noRefusals()
	// Another choice is refused by whoever has one, even with votes that verify.
	other := w.proposals[1]
	votes := signOff(w.cfg, w.keys, 1, other.Hash, indices(13))
	w.net.Do(idOf(0), Decided{other.Choice, votes, nil})
	if len(w.refused) != 1 {
		t.Error("a second decision is not refused")
	}
	w.net.RunFor(time.Minute) // what is under way arrives
	before := *opened
	w.net.Inject(idOf(4), idOf(0), &Show{w.cfg.Epoch, 1, other.Hash, votes})
	w.net.RunFor(time.Second)
	if *opened != before {
		t.Error("shares of a second choice were opened")
	}
}

// What a leader puts into a choice is exactly the dealers of the given groups.
func TestAClientCannotChooseTheGrouping(t *testing.T) {
	w := newWorld(t, 24, 8, 5, calm)
	w.begin(0)
	l := must(newRun(w.cfg)).layout(0)
	good, _ := twoChoices(w)
	if _, err := CheckChoice(w.cfg, good.Raw, idOf(0)); err != nil {
		t.Fatal(err)
	}
	d := good.Dealings
	// A dealing that a server makes for a group that it is not in.
	outsider := l.groups[2][0]
	toOther := func() *Dealing {
		to := must(l.of(0))
		shares := must(pvss.Deal(l.context(0, idOf(outsider)), to, w.keys[outsider].Secret, w.keys[outsider].Random))
		return signDealing(l.run, 0, 0, idOf(outsider), shares, to.Count(), w.keys[outsider].Signing)
	}()
	inView1 := must(newDealing(must(newRun(w.cfg)).layout(1), l.groups[0][2], &w.keys[l.groups[0][2]]))
	byGroup := func(a, b *Dealing) int { return int(a.Dealer) - int(b.Dealer) }
	moved := append([]*Dealing{d[0], d[1], toOther}, d[3:]...)
	slices.SortFunc(moved[:3], byGroup)
	for name, c := range map[string]*Choice{
		"a dealing to another group":  newChoice(0, moved),
		"a dealing of another view":   newChoice(0, append([]*Dealing{d[0], d[1], inView1}, d[3:]...)),
		"another view's name":         newChoice(1, d),
		"a dealer twice":              newChoice(0, append([]*Dealing{d[0], d[0], d[1]}, d[3:]...)),
		"another order":               newChoice(0, append([]*Dealing{d[1], d[0], d[2]}, d[3:]...)),
		"groups in another order":     newChoice(0, slices.Concat(d[3:6], d[:3], d[6:])),
		"a dealer too few":            newChoice(0, d[1:]),
		"no dealer":                   newChoice(0, nil),
		"a dealer too many":           newChoice(0, append(slices.Clone(d), w.machine(l.groups[2][5]).dealt[0])),
		"two of a group, four of one": newChoice(0, slices.Concat(d[:2], d[3:6], []*Dealing{w.machine(l.groups[1][5]).dealt[0]}, d[6:])),
	} {
		if _, err := CheckChoice(w.cfg, c.Raw, idOf(0)); err == nil {
			t.Errorf("%s is accepted", name)
		} else if !errors.Is(err, chain.ErrProof) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if fmt.Sprint(Groups(w.cfg, 0)) == fmt.Sprint(Groups(w.cfg, 1)) {
		t.Error("two views have the same groups")
	}
}

// The signer's own group is what it checks proofs of; signatures it checks of all.
func TestSignersNameWhoIsWrong(t *testing.T) {
	w := newWorld(t, 24, 8, 6, calm)
	w.begin(0)
	l := must(newRun(w.cfg)).layout(0)
	good, _ := twoChoices(w)
	inside, outside := l.groups[1][7], l.groups[2][0]
	bad := good.Dealings[4]
	shares := slices.Clone(bad.Shares)
	copy(shares, shares[32:64])
	with := func(d *Dealing) []byte {
		list := slices.Clone(good.Dealings)
		list[4] = d
		return newChoice(0, list).Raw
	}
	wrong := with(signDealing(l.run, 0, 1, bad.Dealer, shares, 8, w.keys[w.cfg.find(bad.Dealer)].Signing))
	forged := with(signDealing(l.run, 0, 1, bad.Dealer, bad.Shares, 8, w.keys[0].Signing))
	name := fmt.Sprintf("server %d", bad.Dealer)
	for _, c := range []struct {
		what    string
		raw     []byte
		self    int
		refused bool
	}{
		{"a wrong proof in the own group", wrong, inside, true},
		{"a wrong proof in another group", wrong, outside, false},
		{"a wrong signature in the own group", forged, inside, true},
		{"a wrong signature in another group", forged, outside, true},
	} {
		_, err := CheckChoice(w.cfg, c.raw, idOf(c.self))
		if (err != nil) != c.refused {
			t.Errorf("%s: %v", c.what, err)
		}
		if err != nil && !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v does not name %s", c.what, err, name)
		}
		if _, err := CheckWhole(w.cfg, c.raw); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: checked as a whole: %v", c.what, err)
		}
	}
	if c, err := CheckWhole(w.cfg, good.Raw); err != nil || c.Hash() != good.Hash() {
		t.Errorf("a good choice as a whole: %v", err)
	}
	// A validator without a place in the run still checks all signatures.
	if _, err := CheckChoice(w.cfg, forged, 9999); err == nil {
		t.Error("who is no server checks nothing")
	}
}

// A validator that registered after the servers were frozen takes no part.
func TestLateRegistration(t *testing.T) {
	cfg, keys := newConfig(14, 14, 1)
	late := keys[13]
	all := *cfg
	frozen := *cfg
	frozen.Servers = cfg.Servers[:13]
	frozen.VerifySignOff = func(view uint64, choice chain.Hash, signOff []byte) error {
		return verifyVotes(&frozen, view, choice, signOff)
	}
	if _, err := NewServer(&frozen, late, nil); err == nil || !strings.Contains(err.Error(), "not a server of epoch 7") {
		t.Errorf("a late server gets a machine: %v", err)
	}
	// Its dealing, as it would be with it in the set.
	d := must(newDealing(must(newRun(&all)).layout(0), 13, &late))
	m := must(NewServer(&frozen, keys[0], nil))
	m.Step(time.Unix(1, 0), Begin{0})
	m.Step(time.Unix(1, 0), Lead{0})
	m.Step(time.Unix(2, 0), sm.Receive{From: late.Self, Msg: &Deal{7, d.Raw}})
	m.Step(time.Unix(2, 0), sm.Receive{From: keys[1].Self, Msg: &Deal{7, d.Raw}})
	if m.lead.counts[0] != 1 {
		t.Error("its dealing counts")
	}
	if m.lead.slots[1].state != Invalid {
		t.Error("who passes on another's dealing is not found out")
	}
	l := must(newRun(&frozen)).layout(0)
	m.Step(time.Unix(2, 0), sm.Receive{From: keys[2].Self, Msg: &Deal{7, must(newDealing(l, 3, &keys[3])).Raw}})
	if m.lead.slots[2].state != Invalid || m.lead.counts[0] != 1 {
		t.Error("a server's dealing counts as another's")
	}
	var list []*Dealing
	for i := range l.threshold(0) - 1 {
		list = append(list, must(newDealing(l, i, &keys[i])))
	}
	c := newChoice(0, append(list, d))
	if _, err := CheckChoice(&frozen, c.Raw, idOf(0)); err == nil || !strings.Contains(err.Error(), fmt.Sprint(late.Self)) {
		t.Errorf("a choice with its dealing: %v", err)
	}
}

// Two dealings in one view are evidence for anybody; what is no fault is none.
func TestEquivocation(t *testing.T) {
	cfg, keys := newConfig(4, 4, 1)
	l := must(newRun(cfg)).layout(2)
	a, b := must(newDealing(l, 1, &keys[1])), must(newDealing(l, 1, &keys[1]))
	e := newEquivocation(b, a)
	back := must(DecodeEquivocation(e.AppendTo(nil)))
	if who, err := back.Verify(cfg); err != nil || who != idOf(1) {
		t.Errorf("%d: %v", who, err)
	}
	elsewhere := *cfg
	elsewhere.Epoch++
	other := must(newDealing(l, 2, &keys[2]))
	next := must(newDealing(must(newRun(cfg)).layout(3), 1, &keys[1]))
	forged := slices.Clone(b.Raw)
	forged[20] ^= 1
	for name, c := range map[string]struct {
		cfg *Config
		e   Equivocation
	}{
		"the other order":         {cfg, Equivocation{e.B, e.A}},
		"one dealing twice":       {cfg, Equivocation{a.Raw, a.Raw}},
		"dealings of two servers": {cfg, Equivocation{a.Raw, other.Raw}},
		"dealings in two views":   {cfg, Equivocation{a.Raw, next.Raw}},
		"another epoch's":         {&elsewhere, e},
		"a forged one":            {cfg, Equivocation{a.Raw, forged}},
		"nothing":                 {cfg, Equivocation{}},
	} {
		if _, err := c.e.Verify(c.cfg); err == nil {
			t.Errorf("%s is evidence", name)
		}
	}
}
