package transepoch

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ios/chain"
	"ios/chain/cosi"
	"ios/chain/sig"
	"ios/internal/sm"
)

// members is a shard of members whose clocks differ, that may lag, and to which
// joiners send their Readies over a network that loses messages. A batch is
// final when a quorum of those who are there votes for a leader's proposal.
type members struct {
	t      *rapid.T
	plan   *Plan
	now    time.Time
	height uint64 // of the shard
	all    []*member
	silent map[chain.ValidatorID]bool
}

type member struct {
	p        *Progress
	skew     time.Duration
	height   uint64 // up to which it has executed
	proposal *SwapRecord
	timer    time.Time
}

func newMembers(t *rapid.T, plan *Plan, n int) *members {
	s := &members{t: t, plan: plan, now: time.Unix(1000, 0), height: 10, silent: map[chain.ValidatorID]bool{}}
	for range n {
		m := &member{skew: time.Duration(rapid.IntRange(0, 2000).Draw(t, "skew")) * time.Millisecond, height: 10}
		p, err := NewProgress(Config{
			Deadline: testDeadline,
			Key:      func(v chain.ValidatorID) (sig.PublicKey, bool) { return testKey(v).Public(), true },
			Root:     func(height uint64) (chain.Hash, bool) { return testRoot(height), height <= m.height },
		}, State{Chain: plan.ChainID, Shard: testShard, Epoch: plan.Epoch, Entered: 10}, plan)
		if err != nil {
			t.Fatal(err)
		}
		m.p = p
		s.all = append(s.all, m)
		s.step(m, Start{})
	}
	return s
}

func (s *members) step(m *member, ev sm.Event) {
	for _, e := range m.p.Step(s.now.Add(m.skew), ev) {
		switch e := e.(type) {
		case sm.SetTimer:
			m.timer = e.At
		case sm.CancelTimer:
			m.timer = time.Time{}
		case sm.Deliver:
			switch v := e.Value.(type) {
			case Propose:
				m.proposal = v.Record
			case Fault:
				s.t.Fatal(v.Err)
			}
		}
	}
}

// second lets a second pass: blocks become final, joiners tell that they are
// ready, timers fire, and some leader proposes.
func (s *members) second() {
	s.now = s.now.Add(time.Second)
	s.height++
	for _, m := range s.all {
		if rapid.IntRange(0, 3).Draw(s.t, "lags") > 0 {
			m.height = s.height
			s.step(m, Tick{})
		}
	}
	state := s.all[0].p.State()
	for v := range chain.ValidatorID(32) {
		w, ok := state.want(s.plan, v)
		if !ok || s.silent[v] {
			continue
		}
		r := &Ready{Chain: state.Chain, Shard: testShard, Epoch: w.epoch, Batch: w.batch, Validator: v, Height: s.height, StateRoot: testRoot(s.height)}
		r.Sign(testKey(v))
		for _, m := range s.all {
			if rapid.IntRange(0, 3).Draw(s.t, "arrives") == 0 {
				s.step(m, sm.Receive{From: v, Msg: r})
			}
		}
	}
	for _, m := range s.all {
		if !m.timer.IsZero() && !s.now.Add(m.skew).Before(m.timer) {
			m.timer = time.Time{}
			s.step(m, sm.Fire{Key: sm.TimerKey{Kind: timerDeadline}})
		}
	}
	s.vote(rapid.SampledFrom(s.all).Draw(s.t, "leader").proposal)
}

func (s *members) vote(rec *SwapRecord) {
	if rec == nil {
		return
	}
	votes := 0
	for _, m := range s.all {
		if m.height < s.height {
			continue // it votes when it has executed the block below
		}
		if early, err := m.p.Validate(s.now.Add(m.skew), s.height+1, rec); err == nil && early == 0 {
			votes++
		}
	}
	if votes < cosi.Quorum(len(s.all)) {
		return
	}
	s.height++
	for _, m := range s.all {
		m.height, m.proposal = s.height, nil
		s.step(m, Recorded{rec, s.height})
	}
}

// Members that see different Readies at different times record one history, and
// come to its end as long as no more joiners are silent than may be absent.
func TestMembersComeToTheEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plan := testPlanOf(t, 1, oldAssignment())
		s := newMembers(t, plan, rapid.IntRange(4, 7).Draw(t, "members"))
		most := plan.Shards[testShard].BatchSize
		var joiners []chain.ValidatorID
		for _, batch := range plan.Shards[testShard].Batches {
			for _, w := range batch {
				if w.In != None {
					joiners = append(joiners, w.In)
				}
			}
		}
		for _, v := range joiners[:min(len(joiners), rapid.IntRange(0, most).Draw(t, "silent"))] {
			s.silent[v] = true
		}
		for range 60 * (1 + len(plan.Shards[testShard].Batches)) {
			if s.all[0].p.Done() {
				break
			}
			s.second()
		}
		first := s.all[0].p.State()
		if !s.all[0].p.Done() {
			t.Fatalf("the shard is at batch %d of %d, %v are absent, %d silent", first.Batch, plan.Last(testShard), first.Absent, len(s.silent))
		}
		for _, m := range s.all {
			state := m.p.State()
			if state.Batch != first.Batch || !slices.Equal(state.Absent, first.Absent) {
				t.Fatalf("members stand at %v and %v", state, first)
			}
		}
		for v := range s.silent {
			if !slices.ContainsFunc(first.Absent, func(a Absentee) bool { return a.Validator == v }) {
				t.Fatalf("validator %d is silent and not absent", v)
			}
		}
	})
}
