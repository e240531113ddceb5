package drp

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"ios/chain"
	"ios/chain/cosi"
	"ios/chain/sig"
	"ios/drp/pvss"
	"ios/internal/sim"
	"ios/internal/sm"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func seedOf(parts ...uint64) (s [32]byte) {
	h := sha256.New()
	for _, p := range parts {
		binary.Write(h, binary.BigEndian, p)
	}
	h.Sum(s[:0])
	return s
}

// idOf spreads the ids, so that places and ids are not the same.
func idOf(i int) chain.ValidatorID { return chain.ValidatorID(3*i + 5) }

// newConfig makes a configuration of n servers with its keys. What was signed off
// has signatures of a quorum of the servers on the view and the choice.
func newConfig(n, groupSize int, seed uint64) (*Config, []Keys) {
	cfg := &Config{
		ChainID: seedOf(seed, 1), Epoch: 7, Previous: seedOf(seed, 2),
		GroupSize: groupSize, Delta: 100 * time.Millisecond,
	}
	keys := make([]Keys, n)
	for i := range keys {
		s := seedOf(seed, 3, uint64(i))
		keys[i] = Keys{
			Self: idOf(i), Secret: must(pvss.SecretFromSeed(s[:])), Signing: must(sig.FromSeed(s[:])),
			Random: rand.NewChaCha8(seedOf(seed, 4, uint64(i))),
		}
		cfg.Servers = append(cfg.Servers, Server{ID: idOf(i), Key: must(keys[i].Secret.Public()), Signing: keys[i].Signing.Public()})
	}
	cfg.VerifySignOff = func(view uint64, choice chain.Hash, signOff []byte) error {
		return verifyVotes(cfg, view, choice, signOff)
	}
	return cfg, keys
}

func ballot(cfg *Config, view uint64, choice chain.Hash) []byte {
	b := append([]byte("vote"), cfg.ChainID[:]...)
	b = be.AppendUint64(be.AppendUint64(b, cfg.Epoch), view)
	return append(b, choice[:]...)
}

func verifyVotes(cfg *Config, view uint64, choice chain.Hash, signOff []byte) error {
	q, last := cosi.Quorum(len(cfg.Servers)), -1
	if len(signOff) != q*66 {
		return fmt.Errorf("%d bytes of votes", len(signOff))
	}
	for v := signOff; len(v) > 0; v = v[66:] {
		i := cfg.find(chain.ValidatorID(be.Uint16(v)))
		s := [64]byte(v[2:66])
		if i <= last || !sig.Verify(&cfg.Servers[i].Signing, ballot(cfg, view, choice), &s) {
			return errors.New("a vote is wrong")
		}
		last = i
	}
	return nil
}

// signOff has the servers at these places vote.
func signOff(cfg *Config, keys []Keys, view uint64, choice chain.Hash, who []int) []byte {
	who = slices.Clone(who)
	slices.Sort(who)
	var votes []byte
	for _, i := range who[:min(len(who), cosi.Quorum(len(keys)))] {
		s := keys[i].Signing.Sign(ballot(cfg, view, choice))
		votes = append(be.AppendUint16(votes, uint16(keys[i].Self)), s[:]...)
	}
	return votes
}

// world is a network of servers with the agreement's part played by the test: a
// server votes once in a view, for what its machine finds right, unless it is
// bound to a choice that a quorum has voted for.
type world struct {
	t    testing.TB
	cfg  *Config
	keys []Keys
	net  *sim.Network

	voted   map[string]bool // by voter and view
	checked map[int]*Choice // by every second voter, its last
	mute    map[int]bool    // does not vote
	decided *Decided        // what a quorum voted for
	silent  bool            // the decision is told to nobody
	view    uint64
	lives   []uint64

	proposals []Propose
	progress  map[chain.ValidatorID]Progress
	results   map[chain.ValidatorID]Result
	refused   []error
	evidence  []Equivocation
	votesNo   []error
	votes     map[chain.Hash][]int
}

func newWorld(t testing.TB, n, groupSize int, seed uint64, faults sim.Faults) *world {
	w := &world{
		t: t, voted: map[string]bool{}, checked: map[int]*Choice{}, votes: map[chain.Hash][]int{}, mute: map[int]bool{}, lives: make([]uint64, n),
		progress: map[chain.ValidatorID]Progress{}, results: map[chain.ValidatorID]Result{},
	}
	w.cfg, w.keys = newConfig(n, groupSize, seed)
	var ids []sm.NodeID
	for i := range n {
		ids = append(ids, idOf(i))
	}
	w.net = sim.New(sim.Config{
		Seed: seed, Nodes: ids, Decode: Decode, Faults: faults,
		Factory: func(id sm.NodeID, _ time.Time, records []sm.Persist) (sm.Machine, []sm.Effect) {
			i := w.cfg.find(id)
			w.lives[i]++
			k := w.keys[i]
			k.Random = rand.NewChaCha8(seedOf(seed, 5, uint64(i), w.lives[i]))
			m, err := NewServer(w.cfg, k, slices.Values(records))
			if err != nil {
				t.Fatal(err)
			}
			return m, nil
		},
		Delivered: w.delivered,
	})
	return w
}

func (w *world) delivered(id sm.NodeID, value any) {
	switch v := value.(type) {
	case Propose:
		w.proposals = append(w.proposals, v)
		w.net.After(time.Millisecond, func() { w.vote(id, v) })
	case Progress:
		w.progress[id] = v
	case Result:
		if other, ok := w.anyResult(); ok && other.Random != v.Random {
			w.net.Fail(fmt.Errorf("servers have the outputs %v and %v", other.Random, v.Random))
		}
		out, err := Verify(w.cfg, v.Transcript)
		if err != nil || out.Random != v.Random {
			w.net.Fail(fmt.Errorf("the transcript of server %d is wrong: %v", id, err))
		}
		w.results[id] = v
	case Refused:
		w.refused = append(w.refused, v.Err)
	case Equivocation:
		if _, err := v.Verify(w.cfg); err != nil {
			w.net.Fail(fmt.Errorf("evidence that is none: %w", err))
		}
		w.evidence = append(w.evidence, v)
	}
}

func (w *world) anyResult() (Result, bool) {
	for _, r := range w.results {
		return r, true
	}
	return Result{}, false
}

func (w *world) machine(i int) *Machine {
	m, _ := w.net.Machine(idOf(i)).(*Machine)
	return m
}

// vote counts the votes of all servers that run.
func (w *world) vote(leader sm.NodeID, p Propose) {
	if !w.net.Up(leader) {
		return
	}
	if w.decided != nil {
		return // bound to what was decided
	}
	for i := range w.keys {
		if !w.mute[i] && w.net.Up(idOf(i)) && w.castVote(i, p) {
			w.votes[p.Hash] = append(w.votes[p.Hash], i)
		}
	}
	w.decide(p, w.votes[p.Hash])
}

// castVote reports whether the server votes for the proposal.
func (w *world) castVote(i int, p Propose) bool {
	ballot := fmt.Sprint(i, " ", p.View)
	if w.voted[ballot] {
		return false
	}
	c, err := CheckChoice(w.cfg, p.Choice, idOf(i))
	if err != nil || c.Hash() != p.Hash {
		w.votesNo = append(w.votesNo, err)
		return false
	}
	w.voted[ballot] = true
	if i%2 == 1 {
		w.checked[i] = c
	}
	return true
}

func (w *world) decide(p Propose, who []int) {
	if len(who) < cosi.Quorum(len(w.keys)) {
		return
	}
	w.decided = &Decided{p.Choice, signOff(w.cfg, w.keys, p.View, p.Hash, who), nil}
	if !w.silent {
		w.tell()
	}
}

// tell tells all servers that run what was decided.
func (w *world) tell() {
	for i := range w.keys {
		if !w.mute[i] {
			d := *w.decided
			d.Checked = w.checked[i]
			w.net.Do(idOf(i), d)
		}
	}
}

func (w *world) begin(view uint64) {
	w.view = view
	for i := range w.keys {
		w.net.Do(idOf(i), Begin{view})
	}
}

func (w *world) lead(i int) { w.net.Do(idOf(i), Lead{w.view}) }

func (w *world) collect(i int) { w.net.Do(idOf(i), Collect{}) }

// until runs until something holds.
func (w *world) until(what string, limit time.Duration, cond func() bool) {
	w.t.Helper()
	if !w.net.RunUntil(cond, limit) {
		w.t.Fatalf("not within %v: %s\n%v\nrefused: %v, votes: %v", limit, what, w.net.Err(), w.refused, w.votesNo)
	}
}

func (w *world) untilDecided() {
	w.t.Helper()
	w.until("a choice is decided", 5*time.Minute, func() bool { return w.decided != nil })
}

func (w *world) untilResult(i int) Result {
	w.t.Helper()
	w.until(fmt.Sprintf("server %d has the output", i), 10*time.Minute, func() bool { _, ok := w.results[idOf(i)]; return ok })
	return w.results[idOf(i)]
}

// noRefusals fails if an owner's request was refused.
func (w *world) noRefusals() {
	w.t.Helper()
	if len(w.refused) > 0 {
		w.t.Errorf("refused: %v", w.refused)
	}
}

var calm = sim.Faults{MinDelay: time.Millisecond, MaxDelay: 20 * time.Millisecond, MaxSync: 5 * time.Millisecond}

// transcriptOf makes a transcript without machines: the dealers and those who open
// are chosen by a function of the group's size.
func transcriptOf(cfg *Config, keys []Keys, view uint64) *Transcript {
	r := must(newRun(cfg))
	l := r.layout(view)
	t := &Transcript{Openings: make([][]Opening, len(l.groups))}
	var list []*Dealing
	for g, members := range l.groups {
		for _, i := range members[:l.threshold(g)] {
			list = append(list, must(newDealing(l, i, &keys[i])))
			t.Counts = append(t.Counts, true)
		}
	}
	t.Choice = newChoice(view, list)
	t.SignOff = signOff(cfg, keys, view, t.Choice.Hash(), indices(len(keys)))
	for g := range l.groups {
		t.Openings[g] = openAll(l, keys, t.Choice, g, l.threshold(g))
	}
	return t
}

// openAll has the last t of a group open what counts.
func openAll(l *layout, keys []Keys, c *Choice, g, t int) (list []Opening) {
	o := must(l.judge(l.group(c, g)))
	of, _ := o.valid(l.run, g)
	if len(of) == 0 {
		return nil
	}
	members := l.groups[g]
	for index := len(members) - t; index < len(members); index++ {
		k := keys[members[index]]
		shares := must(pvss.Decrypt(pvss.Binding(c.Hash()), must(l.of(g)), index, of, k.Secret, k.Random))
		list = append(list, Opening{uint16(index), shares})
	}
	return list
}

func indices(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}
