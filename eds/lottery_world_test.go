package eds

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"ios/chain"
	"ios/chain/cosi"
	"ios/chain/vrf"
	"ios/internal/sim"
	"ios/internal/sm"
)

const (
	testDelta = 100 * time.Millisecond
	testRound = time.Second
	testWork  = 600 * time.Millisecond // of a leader until it succeeded
)

var testCalm = sim.Faults{MinDelay: time.Millisecond, MaxDelay: testDelta}

// world is a network of members and the work of leaders.
type world struct {
	t       testing.TB
	net     *sim.Network
	ids     []sm.NodeID
	secrets []vrf.Secret
	members []Member
	config  LotteryConfig
	f, q    int

	lazy   map[int]bool // do nothing when they lead
	traits map[int]bool // Byzantine
	begin  map[int]time.Duration
	top    map[sm.NodeID]uint64 // the round a life reached
	views  map[sm.NodeID]uint64
	gave   uint64 // the highest of an honest member, ever
	good   map[*lot]bool
	since  map[string]time.Time
	won    string // who succeeded
	round  uint64 // and when
}

func newWorld(t testing.TB, n int, seed uint64, faults sim.Faults, change ...func(*LotteryConfig)) *world {
	w := &world{
		t: t, lazy: map[int]bool{}, traits: map[int]bool{}, begin: map[int]time.Duration{}, f: cosi.Faults(n), q: cosi.Quorum(n),
		top: map[sm.NodeID]uint64{}, views: map[sm.NodeID]uint64{}, since: map[string]time.Time{}, good: map[*lot]bool{},
	}
	for i := range n {
		secret, err := vrf.SecretFromSeed(bytes.Repeat([]byte{byte(i + 1), byte(seed)}, 16))
		if err != nil {
			t.Fatal(err)
		}
		w.secrets = append(w.secrets, secret)
		w.ids = append(w.ids, sm.NodeID(3+2*i))
		w.members = append(w.members, Member{w.ids[i], secret.Public()})
	}
	w.config = LotteryConfig{ChainID: chain.Hash{1}, Epoch: 7, Previous: chain.Hash{byte(seed), byte(seed >> 8), 9}, Members: w.members, Delta: testDelta, RoundTime: testRound}
	for _, c := range change {
		c(&w.config)
	}
	w.net = sim.New(sim.Config{
		Seed: seed, Nodes: w.ids, Faults: faults, Decode: Decode, Check: w.check,
		Factory: func(id sm.NodeID, now time.Time, _ []sm.Persist) (sm.Machine, []sm.Effect) {
			m := w.machine(w.place(id))
			w.top[id], w.views[id] = 0, 0
			if w.net != nil {
				w.net.After(0, func() { w.net.Do(id, Begin{}) })
			}
			return m, nil
		},
		Delivered: w.delivered,
	})
	w.net.After(0, func() {
		for i, id := range w.ids {
			w.net.After(w.begin[i], func() { w.net.Do(id, Begin{}) })
		}
	})
	return w
}

func (w *world) machine(i int) *Lottery {
	c := w.config
	c.Self, c.Secret = w.ids[i], w.secrets[i]
	m, err := NewLottery(c)
	if err != nil {
		w.t.Fatal(err)
	}
	return m
}

func (w *world) place(id sm.NodeID) int { return slices.Index(w.ids, id) }

func (w *world) at(i int) *Lottery {
	m, _ := w.net.Machine(w.ids[i]).(*Lottery)
	return m
}

func (w *world) delivered(id sm.NodeID, value any) {
	switch v := value.(type) {
	case Round:
		if v.Round < w.top[id] || v.View != v.Round/Ranks || v.Rank != int(v.Round%Ranks) || v.View != w.views[id] || v.Known != (v.Leader != Nobody) {
			w.net.Fail(fmt.Errorf("member %d delivers %+v after round %d and view %d", id, v, w.top[id], w.views[id]))
		}
		w.top[id] = v.Round
	case ViewBegan:
		if v.View < w.views[id] {
			w.net.Fail(fmt.Errorf("member %d begins view %d after %d", id, v.View, w.views[id]))
		}
		w.views[id] = v.View
	}
}

// check is what holds at any time.
func (w *world) check() error {
	for i := range w.ids {
		if m := w.at(i); m != nil && !w.traits[i] {
			w.gave = max(w.gave, m.peers[m.me].gave)
		}
	}
	for i := range w.ids {
		m := w.at(i)
		if m == nil || w.traits[i] {
			continue
		}
		if m.round > w.gave {
			return fmt.Errorf("member %d is in round %d, and no honest one gave up on the one before", i, m.round)
		}
		if m.count > m.f {
			return fmt.Errorf("member %d excludes %d", i, m.count)
		}
		if id, ok := m.Backed(m.round); ok != (m.leader >= 0) || ok && (id != w.ids[m.leader] || m.excluded[m.leader]) {
			return fmt.Errorf("member %d backs %d in round %d, and %d is its leader", i, id, m.round, m.leader)
		}
		for k := range m.peers {
			l := m.peers[k].lot
			if l == nil || w.good[l] {
				continue
			}
			if l.output != w.output(k, m.view) {
				return fmt.Errorf("member %d believes a ticket that %d does not have", i, k)
			}
			w.good[l] = true
		}
	}
	return w.work()
}

var outputs = map[string]vrf.Output{}

// output is the ticket of a member.
func (w *world) output(i int, view uint64) vrf.Output {
	input := TicketInput(w.config.ChainID, w.config.Previous, w.config.Epoch, view)
	key := w.secrets[i].Public()
	name := string(key[:]) + string(input)
	if out, ok := outputs[name]; ok {
		return out
	}
	proof, err := w.secrets[i].Prove(input)
	if err != nil {
		w.t.Fatal(err)
	}
	out, err := proof.Output()
	if err != nil {
		w.t.Fatal(err)
	}
	outputs[name] = out
	return out
}

// order is how the tickets of a view come.
func (w *world) order(view uint64) []int {
	var order []int
	for i := range w.ids {
		order = append(order, i)
	}
	slices.SortFunc(order, func(a, b int) int {
		x, y := w.output(a, view), w.output(b, view)
		return bytes.Compare(x[:], y[:])
	})
	return order
}

// work lets a leader succeed that a quorum, itself among it, has backed in one
// round for the time of its work.
func (w *world) work() error {
	if w.won != "" {
		return nil
	}
	count := make(map[string]int)
	for i := range w.ids {
		if m := w.at(i); m != nil && m.running && m.leader >= 0 && !w.traits[i] {
			count[fmt.Sprintf("%d in round %d", m.leader, m.round)]++
		}
	}
	for what := range w.since {
		if count[what] < w.q {
			delete(w.since, what)
		}
	}
	for what, c := range count {
		if c < w.q {
			continue
		}
		var leader int
		var round uint64
		fmt.Sscanf(what, "%d in round %d", &leader, &round)
		if m := w.at(leader); w.lazy[leader] || w.traits[leader] || m == nil || m.leader != leader || m.round != round {
			delete(w.since, what)
			continue
		}
		if _, ok := w.since[what]; !ok {
			w.since[what] = w.net.Now()
			w.net.After(testWork, func() { w.net.Do(w.ids[leader], nil) }) // a step at which check looks again
		}
		if w.net.Now().Sub(w.since[what]) >= testWork {
			w.won, w.round = what, round
		}
	}
	return nil
}

// eventually runs until a leader succeeds.
func (w *world) eventually(limit time.Duration) {
	w.t.Helper()
	if !w.net.RunUntil(func() bool { return w.won != "" }, limit) {
		for i := range w.ids {
			if m := w.at(i); m != nil {
				w.t.Logf("member %d: round %d, leader %d, best %v, %d excluded, gave %d", i, m.round, m.leader, m.best(), m.count, m.peers[m.me].gave)
			}
		}
		w.t.Fatalf("no leader succeeds: %v", w.net.Err())
	}
	w.ok()
}

func (w *world) ok() {
	w.t.Helper()
	if err := w.net.Err(); err != nil {
		w.t.Fatal(err)
	}
}

// together reports whether all that run are in one round and back one leader.
func (w *world) together() bool {
	first := (*Lottery)(nil)
	for i := range w.ids {
		m := w.at(i)
		if m == nil || w.traits[i] {
			continue
		}
		if first == nil {
			first = m
		}
		if m.leader < 0 || m.round != first.round || m.leader != first.leader {
			return false
		}
	}
	return true
}
