package drp

import (
	"bytes"
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
	if *opened > 0 || len(w.learned) > 0 {
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
	if len(w.learned) == 0 {
		t.Error("nobody learned of the choice from the collector")
	}
	w.noRefusals()
	// Another choice is refused by whoever has one, even with votes that verify.
	other := w.proposals[1]
	votes := signOff(w.cfg, w.keys, 1, other.Hash, indices(13))
	w.net.Do(idOf(0), Decided{other.Choice, votes})
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
	}
	// A validator without a place in the run still checks all signatures.
	if _, err := CheckChoice(w.cfg, forged, 9999); err == nil {
		t.Error("who is no server checks nothing")
	}
}

// A wrong dealing that was signed off all the same counts as zero, for everybody;
// and a transcript can neither count it nor leave out another.
func TestAWrongDealingCountsAsZero(t *testing.T) {
	w := newWorld(t, 24, 8, 7, calm)
	w.begin(0)
	l := must(newRun(w.cfg)).layout(0)
	good, _ := twoChoices(w)
	list := slices.Clone(good.Dealings)
	group1 := list[3:6]
	for k, change := range map[int]func([]byte){
		0: func(s []byte) { copy(s, s[32:64]) },                                // points that do not fit
		1: func(s []byte) { copy(s, bytes.Repeat([]byte{255}, 32)) },           // no point
		2: func(s []byte) { copy(s[len(s)-32:], make([]byte, 32)) },            // another response
		3: func(s []byte) { copy(s[len(s)-32:], bytes.Repeat([]byte{9}, 32)) }, // in group 2
	} {
		d := list[3+k]
		shares := slices.Clone(d.Shares)
		change(shares)
		list[3+k] = signDealing(l.run, 0, d.Group, d.Dealer, shares, 8, w.keys[w.cfg.find(d.Dealer)].Signing)
	}
	c := newChoice(0, list)
	votes := signOff(w.cfg, w.keys, 0, c.Hash(), indices(24))
	w.decided = &Decided{c.Raw, votes}
	w.tell()
	collector := l.groups[1][0]
	w.collect(collector)
	res := w.untilResult(collector)
	zero := []chain.ValidatorID{group1[0].Dealer, group1[1].Dealer, group1[2].Dealer, list[6].Dealer}
	if !slices.Equal(res.Zero, zero) {
		t.Errorf("%v count as zero, not %v", res.Zero, zero)
	}
	other := l.groups[0][5]
	w.collect(other)
	w.untilResult(other)
	w.noRefusals()

	r := must(newRun(w.cfg))
	tr, _, err := r.decodeTranscript(res.Transcript)
	if err != nil {
		t.Fatal(err)
	}
	if len(tr.Openings[1]) != 0 || len(tr.Openings[2]) != 3 {
		t.Errorf("groups 1 and 2 have %d and %d openings", len(tr.Openings[1]), len(tr.Openings[2]))
	}
	// Leave out a dealing that counts: the group opens two of its three.
	left := *tr
	left.Counts = slices.Clone(tr.Counts)
	left.Counts[0] = false
	left.Openings = slices.Clone(tr.Openings)
	left.Openings[0] = nil
	o := must(l.judge(l.group(c, 0)))
	for index := range 3 {
		k := w.keys[l.groups[0][index]]
		left.Openings[0] = append(left.Openings[0], Opening{uint16(index),
			must(pvss.Decrypt(pvss.Binding(c.Hash()), must(l.of(0)), index, o.parsed[1:], k.Secret, k.Random))})
	}
	if _, err := Verify(w.cfg, left.AppendTo(nil)); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("server %d is right but does not count", c.Dealings[0].Dealer)) {
		t.Errorf("a transcript that leaves out a dealing: %v", err)
	}
	// Count one that is wrong.
	for _, at := range []int{3, 4, 5, 6} {
		more := *tr
		more.Counts = slices.Clone(tr.Counts)
		more.Counts[at] = true
		more.Openings = slices.Clone(tr.Openings)
		g := int(list[at].Group)
		more.Openings[g] = nil
		for index := range 3 {
			m := 1
			if g == 2 {
				m = 3
			}
			more.Openings[g] = append(more.Openings[g], Opening{uint16(index), make(pvss.Decryption, pvss.DecryptionSize(m))})
		}
		if _, err := Verify(w.cfg, more.AppendTo(nil)); err == nil {
			t.Errorf("a transcript that counts wrong dealing %d is accepted", at)
		}
	}
}

// All dealings wrong: no transcript.
func TestNothingCounts(t *testing.T) {
	cfg, keys := newConfig(4, 4, 1)
	l := must(newRun(cfg)).layout(0)
	var list []*Dealing
	for i := range 2 {
		d := must(newDealing(l, i, &keys[i]))
		shares := slices.Clone(d.Shares)
		copy(shares, shares[32:64])
		list = append(list, signDealing(l.run, 0, 0, d.Dealer, shares, 4, keys[i].Signing))
	}
	c := newChoice(0, list)
	tr := &Transcript{Choice: c, Counts: make([]bool, 2), Openings: make([][]Opening, 1)}
	tr.SignOff = signOff(cfg, keys, 0, c.Hash(), indices(4))
	if _, err := Verify(cfg, tr.AppendTo(nil)); err == nil {
		t.Error("an output of nothing")
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
	e := &Equivocation{a.Raw, b.Raw}
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
		"one dealing twice":       {cfg, Equivocation{a.Raw, a.Raw}},
		"dealings of two servers": {cfg, Equivocation{a.Raw, other.Raw}},
		"dealings in two views":   {cfg, Equivocation{a.Raw, next.Raw}},
		"another epoch's":         {&elsewhere, *e},
		"a forged one":            {cfg, Equivocation{a.Raw, forged}},
		"nothing":                 {cfg, Equivocation{}},
	} {
		if _, err := c.e.Verify(c.cfg); err == nil {
			t.Errorf("%s is evidence", name)
		}
	}
}

// Crashes at any instant: a server never shows two dealings for a view, nor two
// proofs with one announcement.
func TestCrashesNeverDealTwice(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
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
		w.tell()
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
	// The decision, too.
	tr := transcriptOf(cfg, keys, 3)
	step(m, Decided{tr.Choice.Raw, tr.SignOff})
	show := sm.Receive{From: keys[0].Self, Msg: &Show{7, 3, tr.Choice.Hash(), tr.SignOff}}
	if sent := step(m, show); len(sent) != 1 {
		t.Fatalf("%d messages for a collector", len(sent))
	}
	m = must(NewServer(cfg, keys[2], slices.Values(records)))
	sent := step(m, show)
	if o, ok := sent[0].(*Open); !ok || len(o.Shares) != pvss.DecryptionSize(3) {
		t.Error("it does not open its shares after a restart")
	}
	step(m, Begin{4})
	if len(records) != 2 {
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
	bad("a decision twice", records[1], records[1])
	bad("an unknown record", sm.Persist{Kind: 77})
	bad("a cut dealing", sm.Persist{Kind: RecordDealing, Data: records[0].Data[:100]})
	bad("a cut decision", sm.Persist{Kind: RecordDecided, Data: records[1].Data[:100]})
	if _, err := NewServer(cfg, Keys{Self: keys[2].Self, Secret: keys[1].Secret, Signing: keys[2].Signing, Random: keys[2].Random}, nil); err == nil {
		t.Error("a machine with another's share key")
	}
	if _, err := NewServer(cfg, Keys{Self: keys[2].Self, Secret: keys[2].Secret, Signing: keys[1].Signing, Random: keys[2].Random}, nil); err == nil {
		t.Error("a machine with another's signing key")
	}
}

// Who floods a server gets no more out of it than who asks once in a while.
func TestFloods(t *testing.T) {
	cfg, keys := newConfig(7, 7, 9)
	checks := 0
	verify := cfg.VerifySignOff
	cfg.VerifySignOff = func(view uint64, choice chain.Hash, signOff []byte) error {
		checks++
		return verify(view, choice, signOff)
	}
	m := must(NewServer(cfg, keys[2], nil))
	now := time.Unix(1, 0)
	count := func(ev sm.Event) (n int) {
		for _, e := range m.Step(now, ev) {
			if s, ok := e.(sm.Send); ok {
				n += len(s.To)
			}
		}
		return n
	}
	count(Begin{0})
	answers := 0
	for range 1000 {
		answers += count(sm.Receive{From: keys[0].Self, Msg: &Ask{7, 0}})
	}
	if answers != 1 {
		t.Errorf("%d dealings for 1000 questions at once", answers)
	}
	tr := transcriptOf(cfg, keys, 0)
	hash := tr.Choice.Hash()
	for i := range 1000 {
		wrong := slices.Clone(tr.SignOff)
		wrong[10] ^= byte(i)
		wrong[11] ^= byte(i>>8) + 1
		for _, from := range []chain.ValidatorID{keys[0].Self, 60000, 60001} {
			answers += count(sm.Receive{From: from, Msg: &Show{7, 0, hash, wrong}})
		}
	}
	if checks != 2 || answers != 1 {
		t.Errorf("%d checks for 1000 sign-offs of a server and of two strangers, %d answers", checks, answers-1)
	}
	// One that failed is remembered.
	wrong := slices.Clone(tr.SignOff)
	wrong[10] ^= 1
	now = now.Add(cfg.Delta)
	for range 10 {
		now = now.Add(cfg.Delta)
		count(sm.Receive{From: keys[1].Self, Msg: &Show{7, 0, hash, wrong}})
	}
	if checks != 3 {
		t.Errorf("one wrong sign-off was checked %d times", checks-2)
	}
	// The right one gets a question for the choice, then the shares, once.
	now = now.Add(cfg.Delta)
	answers = 0
	for range 100 {
		answers += count(sm.Receive{From: 60000, Msg: &Show{7, 0, hash, tr.SignOff}})
	}
	if answers != 1 || checks != 4 {
		t.Errorf("%d answers, %d checks", answers, checks-3)
	}
	if n := count(sm.Receive{From: keys[1].Self, Msg: &Full{7, tr.Choice.Raw}}); n != 0 || m.decided != nil {
		t.Error("a choice is taken from whom it was not asked of")
	}
	if n := count(sm.Receive{From: 60000, Msg: &Full{7, tr.Choice.Raw}}); n != 1 || m.decided == nil {
		t.Errorf("%d answers to the choice", n)
	}
	for range 100 {
		if n := count(sm.Receive{From: 60000, Msg: &Show{7, 0, hash, tr.SignOff}}); n != 0 {
			t.Fatal("shares are sent again at once")
		}
	}
	// A choice that was asked for is sent once in a while.
	count(Collect{})
	answers = 0
	for range 100 {
		answers += count(sm.Receive{From: keys[4].Self, Msg: &Want{7, hash}})
	}
	if answers != 1 {
		t.Errorf("%d choices for 100 questions", answers)
	}
	// Slots are one each, whatever comes, and other epochs' messages are nothing.
	for i := range 100 {
		count(sm.Receive{From: keys[4].Self, Msg: &Open{7, hash, make([]byte, i)}})
	}
	if m.collect.slots[4].state != Invalid || m.collect.have[0] != 1 {
		t.Error("garbage counts as shares")
	}
	for range 100 {
		count(sm.Receive{From: keys[5].Self, Msg: &Open{7, hash, make([]byte, pvss.DecryptionSize(3))}})
	}
	if m.collect.have[0] != 2 || m.collect.slots[5].state != Dealt {
		t.Error("a server has more than one slot")
	}
	if n := count(sm.Receive{From: keys[5].Self, Msg: &Show{8, 0, hash, tr.SignOff}}); n != 0 {
		t.Error("another epoch's message is answered")
	}
	m.Step(now, Stop{})
	if n := count(sm.Receive{From: keys[5].Self, Msg: &Show{7, 0, hash, tr.SignOff}}); n != 0 {
		t.Error("a stopped machine answers")
	}
}
