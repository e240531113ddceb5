package transepoch

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"ios/chain"
	"ios/chain/sig"
	"ios/internal/sm"
)

const (
	testDeadline = 10 * time.Second
	testShard    = chain.ShardID(1)
)

func testKey(v chain.ValidatorID) *sig.Key {
	k, err := sig.FromSeed(binary.BigEndian.AppendUint16(make([]byte, sig.SeedSize-2), uint16(v)))
	if err != nil {
		panic(err)
	}
	return k
}

func testRoot(height uint64) chain.Hash {
	return sha256.Sum256(binary.BigEndian.AppendUint64(nil, height))
}

// testPlan leads shard 1 from 16 seats to 16 others in batches of up to 3.
func testPlan(t testing.TB, epoch uint64, old Assignment, batchSize int) *Plan {
	t.Helper()
	in := &Input{ChainID: chain.Hash{1}, Epoch: epoch, Random: chain.Hash{byte(epoch)}, Old: old, SwapPermille: 500, BatchSize: batchSize}
	for v := range chain.ValidatorID(32) {
		in.Members = append(in.Members, v)
	}
	p, err := MakePlan(in)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func oldAssignment() Assignment {
	a := make(Assignment, 2)
	for v := range chain.ValidatorID(32) {
		a[v/16] = append(a[v/16], v)
	}
	return a
}

// shardTest is one member's Progress and the shard's chain, whose blocks the
// test makes.
type shardTest struct {
	t        *testing.T
	p        *Progress
	now      time.Time
	height   uint64 // final
	timer    time.Time
	proposal *SwapRecord // the last
	entry    *Enter
	waiting  []Waiting
	faults   []error
}

func newShardTest(t *testing.T, batchSize int) *shardTest {
	s := &shardTest{t: t, now: time.Unix(1000, 0), height: 100}
	plan := testPlan(t, 1, oldAssignment(), batchSize)
	s.restart(State{Chain: plan.ChainID, Shard: testShard, Epoch: 1, Entered: 100}, plan)
	return s
}

// restart makes the Progress anew from what is in the shard's state.
func (s *shardTest) restart(state State, plan *Plan) {
	decoded, err := DecodeState(state.AppendTo(nil))
	if err != nil {
		s.t.Fatal(err)
	}
	s.p, err = NewProgress(Config{
		Deadline: testDeadline,
		Key: func(v chain.ValidatorID) (sig.PublicKey, bool) {
			return testKey(v).Public(), v < 32
		},
		Root: func(height uint64) (chain.Hash, bool) {
			return testRoot(height), height <= s.height
		},
	}, *decoded, plan)
	if err != nil {
		s.t.Fatal(err)
	}
	s.proposal = nil
	s.step(Start{})
}

func (s *shardTest) step(ev sm.Event) {
	for _, e := range s.p.Step(s.now, ev) {
		switch e := e.(type) {
		case sm.SetTimer:
			s.timer = e.At
		case sm.CancelTimer:
			s.timer = time.Time{}
		case sm.Deliver:
			switch v := e.Value.(type) {
			case Propose:
				s.proposal = v.Record
			case ProposeEnter:
				s.entry = &v.Enter
			case Waiting:
				s.waiting = append(s.waiting, v)
			case Fault:
				s.faults = append(s.faults, v.Err)
			}
		}
	}
}

// expire lets the deadline pass.
func (s *shardTest) expire() {
	s.t.Helper()
	if s.timer.IsZero() {
		s.t.Fatal("no timer is set")
	}
	s.now = s.timer
	s.step(sm.Fire{Key: sm.TimerKey{Kind: timerDeadline}})
}

// ready is a good Ready of a validator at the final height.
func (s *shardTest) ready(v chain.ValidatorID) *Ready {
	w, ok := s.p.state.want(s.p.plan, v)
	if !ok {
		s.t.Fatalf("validator %d has nothing to be ready for", v)
	}
	return s.readyFor(v, w.epoch, w.batch)
}

func (s *shardTest) readyFor(v chain.ValidatorID, epoch uint64, batch uint32) *Ready {
	r := &Ready{Chain: chain.Hash{1}, Shard: testShard, Epoch: epoch, Batch: batch, Validator: v, Height: s.height, StateRoot: testRoot(s.height)}
	r.Sign(testKey(v))
	return r
}

func (s *shardTest) receive(r *Ready) { s.step(sm.Receive{From: r.Validator, Msg: r}) }

// joiners are those that the next batch brings in.
func (s *shardTest) joiners() (ids []chain.ValidatorID) {
	for _, w := range s.p.plan.Batch(testShard, s.p.state.Batch+1) {
		if w.In != None {
			ids = append(ids, w.In)
		}
	}
	return ids
}

// record makes the last proposal final.
func (s *shardTest) record() {
	s.t.Helper()
	rec := s.proposal
	if rec == nil {
		s.t.Fatal("nothing was proposed")
	}
	again, err := DecodeSwapRecord(rec.AppendTo(nil))
	if err != nil {
		s.t.Fatal(err)
	}
	if early, err := s.p.Validate(s.now, s.height+1, again); early != 0 || err != nil {
		s.t.Fatalf("a member refuses its own proposal: %v, %v early", err, early)
	}
	s.height++
	s.proposal = nil
	s.step(Recorded{again, s.height})
	if len(s.faults) > 0 {
		s.t.Fatal(s.faults)
	}
	if s.p.State().Batch != rec.Batch {
		s.t.Fatalf("the shard is at batch %d after the record of %d", s.p.State().Batch, rec.Batch)
	}
}

func (s *shardTest) wantAbsent(want ...chain.ValidatorID) {
	s.t.Helper()
	if slices.Sort(want); !slices.Equal(s.p.Absent(), want) {
		s.t.Fatalf("absent are %v, want %v", s.p.Absent(), want)
	}
}
