package eds

import (
	"slices"
	"testing"
	"time"

	"ios/chain/cosi"
	"ios/chain/vrf"
	"ios/internal/sim"
	"ios/internal/sm"
	"ios/internal/testenv"
)

func TestTheLowestTicketLeads(t *testing.T) {
	for n := 1; n <= 10; n++ {
		w := newWorld(t, n, uint64(n), testCalm)
		for i := range n {
			w.begin[i] = time.Duration(i) * testDelta / time.Duration(n) // not all at once
		}
		w.eventually(10 * time.Second)
		if best := w.order(0)[0]; w.round != 0 || w.at(best).leader != best || !w.together() {
			t.Errorf("%d members: %s succeeded, and the lowest ticket is that of %d", n, w.won, best)
		}
		for i := range n {
			id, ok := w.at(i).Backed(0)
			if !ok || id != w.ids[w.order(0)[0]] {
				t.Errorf("%d members: %d says it backed %d", n, i, id)
			}
			if _, ok := w.at(i).Backed(1); ok {
				t.Errorf("%d backs somebody in a round to come", i)
			}
		}
	}
}

// The three lowest lead in turn; then comes another lottery, in which those that
// failed are passed over.
func TestLeadersThatDoNotStart(t *testing.T) {
	w := newWorld(t, 10, 2, testCalm)
	first := w.order(0)
	for _, i := range first[:3] {
		w.lazy[i] = true
	}
	w.eventually(30 * time.Second)
	var want int // in view 1
	for _, i := range w.order(1) {
		if !w.lazy[i] {
			want = i
			break
		}
	}
	if w.round != 3 || w.at(want).leader != want {
		t.Errorf("%s succeeded; %d was to lead round 3", w.won, want)
	}
	for i := range w.ids {
		for rank, who := range first[:3] {
			if id, ok := w.at(i).Backed(uint64(rank)); !ok || id != w.ids[who] {
				t.Errorf("%d backed %d with rank %d, and %d has it", i, id, rank, w.ids[who])
			}
			if !w.at(i).excluded[who] {
				t.Errorf("%d forgets that %d failed", i, who)
			}
		}
	}
}

// An operator sees who does not take part, and why.
func TestStandings(t *testing.T) {
	w := newWorld(t, 7, 20, testCalm)
	order := w.order(0)
	silent, wrong, idle := order[6], order[5], order[0]
	w.net.Crash(w.ids[silent])
	w.net.FilterOut(w.ids[wrong], func(_ time.Time, to sm.NodeID, msg sm.Message) []sim.Parcel {
		if t, ok := msg.(*Ticket); ok {
			t.Proof[3]++
		}
		return sim.Pass(to, msg)
	})
	for i := range w.ids {
		w.lazy[i] = true
	}
	watch := w.at(order[3])
	w.net.RunUntil(func() bool { return watch.round == 1 && watch.leader >= 0 }, time.Minute)
	w.net.RunFor(2 * testDelta)
	for i, s := range watch.Standings() {
		want := Standing{ID: w.ids[i], Ticket: i != silent && i != wrong, Wrong: i == wrong, GaveUp: 1}
		if i == silent {
			want.GaveUp = 0
		}
		if s != want {
			t.Errorf("%+v, want %+v", s, want)
		}
	}
	w.net.RunUntil(func() bool { return watch.view == 1 && watch.leader >= 0 }, time.Minute)
	w.ok()
	if s := watch.Standings(); s[idle].Excluded || !s[order[2]].Excluded {
		t.Error("of three that fail where two are believed, the last is excluded")
	}
}

// f leaders that fail are never backed again; when more fail all are forgiven.
func TestExclusion(t *testing.T) {
	w := newWorld(t, 7, 3, testCalm)
	for i := range w.ids {
		w.lazy[i] = true
	}
	w.net.RunUntil(func() bool { return w.at(0).view == 1 && w.at(0).leader >= 0 }, time.Minute)
	w.ok()
	m := w.at(0)
	if m.count != 1 { // the third overflows two
		t.Errorf("%d are excluded", m.count)
	}
	third := w.order(0)[2]
	if !m.excluded[third] {
		t.Error("the last that failed is forgiven with the others")
	}
	for view := uint64(1); view < 6; view++ {
		w.net.RunUntil(func() bool { return w.together() && w.at(0).view == view }, 3*time.Minute)
		w.ok()
		if w.at(0).view != view {
			t.Fatal("stuck before view", view)
		}
	}
}

// Members that exclude different ones would never agree again if they did not
// forgive. Here one member is silent and each other passes over another one.
func TestMembersThatExcludeDifferentOnes(t *testing.T) {
	for seed := range uint64(6) {
		w := newWorld(t, 4, 60+seed, testCalm)
		silent := int(seed % 4)
		w.net.Crash(w.ids[silent])
		w.net.RunFor(testDelta / 2)
		for i := range w.ids {
			if m := w.at(i); m != nil {
				who := (i + 1) % 4
				if who == silent {
					who = (i + 2) % 4
				}
				m.exclude(who)
			}
		}
		w.eventually(time.Minute)
		if w.round > 3 {
			t.Errorf("seed %d: success in round %d only", seed, w.round)
		}
	}
}

func TestALeaderDies(t *testing.T) {
	w := newWorld(t, 4, 4, testCalm)
	first := w.order(0)
	w.net.RunUntil(func() bool { return w.at(first[0]).leader == first[0] && w.together() }, time.Second)
	w.net.Crash(w.ids[first[0]])
	w.eventually(10 * time.Second)
	if w.round != 1 || w.at(first[1]).leader != first[1] {
		t.Error(w.won, "succeeded")
	}
}

// f members are silent, the best tickets among them.
func TestSilentMembers(t *testing.T) {
	for _, n := range []int{4, 7, 10, 13} {
		w := newWorld(t, n, 5, testCalm)
		for _, i := range w.order(0)[1 : 1+cosi.Faults(n)] {
			w.net.Crash(w.ids[i])
		}
		w.eventually(time.Minute)
		if w.round != 0 {
			t.Errorf("%d members: %s succeeded", n, w.won)
		}
		w = newWorld(t, n, 5, testCalm)
		for _, i := range w.order(0)[:cosi.Faults(n)] { // they show their tickets and no more
			w.net.FilterOut(w.ids[i], func(_ time.Time, to sm.NodeID, msg sm.Message) []sim.Parcel {
				if _, ok := msg.(*Ticket); ok {
					return sim.Pass(to, msg)
				}
				return nil
			})
			w.lazy[i] = true
		}
		w.eventually(3 * time.Minute)
		if w.round > uint64(2*cosi.Faults(n)) {
			t.Errorf("%d members: %s succeeded", n, w.won)
		}
	}
}

// shownToHalf lets a number of Byzantine members with the lowest tickets show
// them to half of the others, at first or when a round has passed.
func shownToHalf(t *testing.T, n int, seed uint64, held int, later time.Duration) *world {
	w := newWorld(t, n, seed, testCalm)
	for k, i := range w.order(0)[:held] {
		w.traits[i] = true
		w.net.FilterOut(w.ids[i], func(time.Time, sm.NodeID, sm.Message) []sim.Parcel { return nil })
		w.net.After(later+time.Duration(k)*time.Millisecond, func() {
			for k, id := range w.ids {
				if k%2 == 0 && k != i {
					w.net.Inject(w.ids[i], id, w.at(i).ticket)
				}
			}
		})
	}
	return w
}

// A ticket that is shown to half of the members costs a round at most, each.
func TestATicketShownToHalf(t *testing.T) {
	for seed := range testenv.Setting(t, "IOS_SEEDS", 9) {
		n := 4 + 3*int(seed%3)
		for held := 1; held <= cosi.Faults(n); held++ {
			w := shownToHalf(t, n, 20+seed, held, 10*time.Millisecond)
			w.eventually(time.Minute)
			if w.round > uint64(held) {
				t.Errorf("seed %d, %d members: %d tickets shown to half cost %d rounds", seed, n, held, w.round)
			}
		}
	}
}

// The same when the first leader fails and the ticket comes out only then.
func TestATicketShownToHalfLate(t *testing.T) {
	for seed := range testenv.Setting(t, "IOS_SEEDS", 9) {
		n := 7 + 3*int(seed%2)
		w := shownToHalf(t, n, 40+seed, 1, 2*testDelta+testRound/2)
		w.lazy[w.order(0)[1]] = true
		w.eventually(time.Minute)
		if w.round > 2 {
			t.Errorf("seed %d, %d members: success in round %d only", seed, n, w.round)
		}
	}
}

// Without what timeouts show, these tests would fail.
func TestTimeoutsMustShowTickets(t *testing.T) {
	w := shownToHalf(t, 7, 20, 1, 10*time.Millisecond)
	for i, id := range w.ids {
		if !w.traits[i] {
			w.net.FilterIn(id, func(_ time.Time, from sm.NodeID, msg sm.Message) []sim.Parcel {
				if t, ok := msg.(*Timeout); ok {
					t.Best = nil
				}
				return sim.Pass(from, msg)
			})
		}
	}
	w.eventually(time.Minute)
	if w.round < 3 {
		t.Errorf("success in round %d, although half of the members never hear of a ticket", w.round)
	}
}

// No side of a partition has a quorum, so that both wait and find together.
func TestPartition(t *testing.T) {
	w := newWorld(t, 6, 6, testCalm)
	w.net.Partition(w.ids[:3], w.ids[3:])
	w.net.RunFor(time.Minute)
	w.ok()
	if steps := w.net.Steps(); steps > 2500 {
		t.Errorf("%d events in a minute in which nothing happens", steps)
	}
	for i := range w.ids {
		if w.at(i).round != 0 {
			t.Errorf("member %d went on to round %d without a quorum", i, w.at(i).round)
		}
	}
	w.net.Heal()
	w.eventually(10 * time.Second)
	if w.round > 2 {
		t.Error(w.won, "succeeded")
	}
}

// A majority goes on; who was away is taken along.
func TestWhoWasAwayCatchesUp(t *testing.T) {
	w := newWorld(t, 7, 7, testCalm)
	for i := range w.ids {
		w.lazy[i] = true
	}
	away := w.order(0)[6]
	w.net.Partition(nil, w.ids[away:away+1])
	other := (away + 1) % 7
	w.net.RunUntil(func() bool { return w.at(other).round == 7 }, 10*time.Minute)
	w.net.Heal()
	if w.at(away).round != 0 {
		t.Error("it went on alone")
	}
	w.net.RunUntil(func() bool { return w.at(away).round == w.at(other).round }, 3*time.Second)
	w.ok()
	if w.at(away).round < 7 {
		t.Errorf("it is in round %d, the others are in %d", w.at(away).round, w.at(other).round)
	}
}

// A member that restarts with nothing comes back to the round of the others at
// once, and backs the same leader.
func TestRestart(t *testing.T) {
	w := newWorld(t, 4, 8, testCalm)
	for i := range w.ids {
		w.lazy[i] = true
	}
	w.net.RunUntil(func() bool { return w.at(0).round == 13 && w.together() }, 10*time.Minute)
	w.net.RunFor(5 * time.Second) // the others speak rarely now
	for i := range w.ids {
		w.net.Crash(w.ids[i])
		w.net.RunFor(50 * time.Millisecond)
		w.net.Restart(w.ids[i])
		if !w.net.RunUntil(func() bool { return w.together() && w.at(i).round == 13 }, 4*testDelta) {
			t.Fatalf("%d is in round %d: %v", i, w.at(i).round, w.net.Err())
		}
	}
	w.ok()
	// All at once lose the round, which does no harm.
	for _, id := range w.ids {
		w.net.Crash(id)
	}
	w.lazy = nil
	for _, id := range w.ids {
		w.net.Restart(id)
	}
	w.eventually(10 * time.Second)
}

// The same within a view, in which the others sent their tickets long ago.
func TestRestartWithinAView(t *testing.T) {
	w := newWorld(t, 4, 17, testCalm, func(c *LotteryConfig) { c.RoundTime = time.Minute })
	for i := range w.ids {
		w.lazy[i] = true
	}
	order := w.order(0)
	w.net.RunFor(80 * time.Second)
	steps := w.net.Steps()
	w.net.RunFor(20 * time.Second)
	if n := w.net.Steps() - steps; n > 500 {
		t.Errorf("%d events in 20 s in which nothing happens", n)
	}
	for _, i := range order {
		if w.at(i).round != 1 {
			t.Fatal("a round is not as long as it should be")
		}
		w.net.Crash(w.ids[i])
		w.net.Restart(w.ids[i])
		if !w.net.RunUntil(func() bool { return w.together() && w.at(i).round == 1 }, 4*testDelta) {
			t.Fatalf("%d is in round %d: %v", i, w.at(i).round, w.net.Err())
		}
	}
	w.ok()
}

// Fewer than three lead more than once.
func TestFewMembers(t *testing.T) {
	for n := 1; n <= 2; n++ {
		w := newWorld(t, n, 18, testCalm)
		for i := range w.ids {
			w.lazy[i] = true
		}
		for round := range uint64(7) {
			if !w.net.RunUntil(func() bool { return w.together() && w.at(0).round == round }, time.Minute) {
				t.Fatalf("nobody leads in round %d of %d members", round, n)
			}
			if want := w.order(round / Ranks)[int(round%Ranks)%n]; w.at(0).leader != want {
				t.Errorf("%d leads round %d, and %d has the ticket", w.at(0).leader, round, want)
			}
		}
		w.ok()
	}
}

// Who leaps over views judges nobody by what was before.
func TestLeap(t *testing.T) {
	w := newWorld(t, 4, 19, testCalm)
	w.net.RunUntil(w.together, time.Second)
	m := w.at(0)
	for i := range m.peers {
		m.peers[i].named = [Ranks]int{1, 1, 1}
	}
	leap := func(round uint64) {
		for _, id := range w.ids[1:] {
			m.Step(w.net.Now(), sm.Receive{From: id, Msg: &Timeout{Epoch: 7, Round: round, Backed: Nobody}})
		}
		m.Step(m.viewAt.Add(m.wait()), sm.Fire{Key: sm.TimerKey{Kind: timerChoice}})
	}
	leap(14)
	if m.round != 15 || m.count != 0 {
		t.Errorf("in round %d it excludes %d", m.round, m.count)
	}
	for i := range m.peers {
		m.peers[i].named = [Ranks]int{1, 1, 1}
	}
	leap(17)
	if m.round != 18 || m.count != 1 || !m.excluded[1] {
		t.Errorf("in round %d it excludes %d", m.round, m.count)
	}
}

// Where one member is silent and another restarts, the rest has no quorum
// without the latter. It joins f+1 of them in what they gave up on.
func TestRestartOfWhoIsNeeded(t *testing.T) {
	w := newWorld(t, 4, 16, testCalm)
	order := w.order(0)
	w.net.Crash(w.ids[order[0]])
	for i := range w.ids {
		w.lazy[i] = true
	}
	back := w.at(order[1])
	w.net.RunUntil(func() bool { return back.round == 4 && back.leader >= 0 }, time.Minute)
	w.net.Crash(w.ids[order[3]])
	w.net.RunUntil(func() bool { return back.deadline.IsZero() }, time.Minute)
	w.net.RunFor(time.Second)
	if back.round != 4 {
		t.Fatal("they go on without a quorum")
	}
	w.net.Restart(w.ids[order[3]])
	if !w.net.RunUntil(func() bool { return back.round == 5 && w.at(order[3]).round == 5 }, 2*time.Second) {
		t.Fatalf("they are stuck in rounds %d and %d", back.round, w.at(order[3]).round)
	}
	w.ok()
}

// Work that visibly goes on gets more time, once.
func TestProgress(t *testing.T) {
	w := newWorld(t, 4, 9, testCalm)
	for i := range w.ids {
		w.lazy[i] = true
	}
	end := func(progress bool) time.Duration {
		start := w.at(0).round
		for range 10 {
			w.net.RunFor(testRound / 10)
			if progress {
				for _, id := range w.ids {
					w.net.Do(id, Progress{})
				}
			}
		}
		w.net.RunUntil(func() bool { return w.at(0).round != start }, time.Minute)
		return w.net.Elapsed()
	}
	first := end(false)
	second := end(true) - first
	third := end(true) - first - second
	for _, d := range []time.Duration{first - 2*testDelta, second / 2, third / 2} {
		if d < testRound-testDelta || d > testRound+testDelta {
			t.Errorf("rounds of %v, %v, %v", first, second, third)
		}
	}
	w.ok()
}

func TestStop(t *testing.T) {
	w := newWorld(t, 4, 10, testCalm)
	w.eventually(10 * time.Second)
	for _, id := range w.ids {
		w.net.Do(id, Stop{})
	}
	steps := w.net.Steps()
	w.net.RunFor(time.Minute)
	if n := w.net.Steps() - steps; n > 4*4*4 {
		t.Errorf("%d events in a minute after the end", n)
	}
	if effects := w.at(0).Step(w.net.Now(), Begin{}); effects != nil {
		t.Error("it begins again")
	}
	if _, ok := w.at(0).Backed(0); !ok {
		t.Error("it forgot whom it backed")
	}
}

// A leader that is live, seen from all: rounds do not end at once in the first
// view, and their times are bounded.
func TestRoundTimesGrowAndAreBounded(t *testing.T) {
	w := newWorld(t, 4, 11, testCalm)
	for i := range w.ids {
		w.lazy[i] = true
	}
	var took []time.Duration
	for view := uint64(1); view <= maxDoublings+3; view++ {
		start := w.net.Elapsed()
		w.net.RunUntil(func() bool { return w.at(0).view == view }, time.Hour)
		took = append(took, w.net.Elapsed()-start)
	}
	w.ok()
	for i, d := range took {
		want := Ranks*(testRound<<min(i, maxDoublings)) + 2*testDelta
		if d < want-Ranks*testDelta || d > want+Ranks*2*testDelta {
			t.Errorf("view %d took %v, want about %v", i, d, want)
		}
	}
}

// What strangers say, what is of another epoch, key or view, and numbers out of
// all proportion have no effect.
func TestHostileMessages(t *testing.T) {
	w := newWorld(t, 4, 12, testCalm)
	for i := range w.ids {
		w.lazy[i] = true
	}
	w.net.RunUntil(w.together, time.Second)
	m := w.at(0)
	good := func(i int, epoch, view uint64) *Ticket {
		proof, err := w.secrets[i].Prove(TicketInput(w.config.ChainID, w.config.Previous, epoch, view))
		if err != nil {
			t.Fatal(err)
		}
		return &Ticket{epoch, view, false, proof}
	}
	silent := func(what string, from sm.NodeID, msg sm.Message) {
		t.Helper()
		round, best := m.round, m.best()
		m.Step(w.net.Now(), sm.Receive{From: from, Msg: msg})
		if m.round != round || !slices.Equal(m.best(), best) {
			t.Errorf("%s moves it to round %d with %v", what, m.round, m.best())
		}
	}
	m.peers[1].lot = nil // so that its ticket would be news
	silent("another epoch", w.ids[1], good(1, 8, 0))
	silent("a stranger's timeout", 999, &Timeout{Epoch: 7, Round: 5, Backed: Nobody})
	for i := 1; i < 4; i++ {
		silent("an absurd round", w.ids[i], &Timeout{Epoch: 7, Round: 1<<64 - 1, Backed: Nobody})
		silent("another epoch's timeout", w.ids[i], &Timeout{Epoch: 6, Round: 4, Backed: Nobody})
	}
	silent("one alone", w.ids[1], &Timeout{Epoch: 7, Round: 900, Backed: w.ids[2]})
	silent("one alone, in its own name", w.ids[0], &Timeout{Epoch: 7, Round: 900, Backed: w.ids[2]})
	silent("another's ticket", w.ids[1], good(2, 7, 0))
	if !m.peers[1].bad {
		t.Error("a wrong ticket leaves no mark")
	}
	silent("a second ticket", w.ids[1], good(1, 7, 0)) // it had its one chance in this view
	m.Step(w.net.Now(), sm.Receive{From: w.ids[2], Msg: &Timeout{Epoch: 7, Round: 0, Backed: Nobody, Best: []Shown{{w.ids[1], good(3, 7, 0).Proof}, {w.ids[1], good(1, 7, 0).Proof}}}})
	if m.peers[1].lot != nil || !m.peers[2].badBest {
		t.Error("after a wrong ticket it believes what its sender passes on")
	}
	m.Step(w.net.Now(), sm.Receive{From: w.ids[3], Msg: &Timeout{Epoch: 7, Round: 0, Backed: Nobody, Best: []Shown{{w.ids[1], good(1, 7, 0).Proof}}}})
	if m.peers[1].lot == nil {
		t.Error("it does not learn a ticket that is passed on")
	}
	answers := 0
	for range 100 { // nobody makes it talk
		ask := good(1, 7, 0)
		ask.New = true
		for _, msg := range []sm.Message{ask, &Timeout{Epoch: 7, Round: 0, Backed: Nobody}} {
			for _, e := range m.Step(w.net.Now().Add(testRound/2), sm.Receive{From: w.ids[1], Msg: msg}) {
				if _, ok := e.(sm.Send); ok {
					answers++
				}
			}
		}
	}
	if answers == 0 || answers > 2 {
		t.Errorf("100 questions have %d answers", answers)
	}
	w.net.RunUntil(func() bool { return m.view == 1 && m.leader >= 0 }, time.Minute)
	if m.peers[1].lot == nil || m.peers[1].bad || m.peers[2].badBest {
		t.Error("what a member did in one view is held against it in the next")
	}
}

// Before it began, a member keeps what comes within one slot for each sender.
func TestMessagesBeforeTheBeginning(t *testing.T) {
	w := newWorld(t, 4, 13, testCalm)
	w.begin[2] = 10 * time.Second
	late := w.at(2)
	w.net.RunFor(9 * time.Second)
	if late.round != 0 || late.peers[0].lot != nil || late.peers[0].pending == nil {
		t.Error("it took part before it began")
	}
	w.net.RunFor(1200 * time.Millisecond)
	if late.round != w.at(0).round {
		t.Errorf("it is in round %d, the others are in %d", late.round, w.at(0).round)
	}
	w.ok()
}

// A member whose owner wiped its key follows the others, and has no ticket.
func TestWithoutAKey(t *testing.T) {
	w := newWorld(t, 4, 14, testCalm)
	w.secrets[1].Wipe()
	w.net.RunFor(time.Second)
	if m := w.at(1); m.peers[1].lot != nil || m.leader < 0 || w.at(0).peers[1].lot != nil {
		t.Error("it has a ticket, or does not follow")
	}
}

func TestConfig(t *testing.T) {
	w := newWorld(t, 4, 15, testCalm)
	good := func() LotteryConfig {
		c := w.config
		c.Members = slices.Clone(c.Members)
		c.Self, c.Secret = w.ids[1], w.secrets[1]
		return c
	}
	if _, err := NewLottery(good()); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*LotteryConfig){
		"no members":     func(c *LotteryConfig) { c.Members = nil },
		"out of order":   func(c *LotteryConfig) { c.Members[0], c.Members[2] = c.Members[2], c.Members[0] },
		"twice":          func(c *LotteryConfig) { c.Members[0] = c.Members[1] },
		"nobody":         func(c *LotteryConfig) { c.Members[3].ID = Nobody },
		"no member":      func(c *LotteryConfig) { c.Self = 4 },
		"another's key":  func(c *LotteryConfig) { c.Secret = w.secrets[2] },
		"no key":         func(c *LotteryConfig) { c.Secret = vrf.Secret{} },
		"no delta":       func(c *LotteryConfig) { c.Delta = 0 },
		"endless rounds": func(c *LotteryConfig) { c.RoundTime = 2 * time.Hour },
	} {
		c := good()
		change(&c)
		if _, err := NewLottery(c); err == nil {
			t.Errorf("%s passes", name)
		}
	}
}
