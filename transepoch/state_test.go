package transepoch

import (
	"errors"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"ios/chain"
)

// Who is absent, by the whole history: who came in without being present, was
// in no record since, and still has a seat.
type history struct {
	state   State
	plan    *Plan
	height  uint64
	came    map[chain.ValidatorID]want // absent when it came in, not present since
	records int
}

func (h *history) absent(seats []chain.ValidatorID) (ids []chain.ValidatorID) {
	for v := range h.came {
		if slices.Contains(seats, v) {
			ids = append(ids, v)
		}
	}
	slices.Sort(ids)
	return ids
}

func (h *history) batch(t *rapid.T) {
	h.height += rapid.Uint64Range(1, 3).Draw(t, "blocks")
	seats, _ := h.state.Committee(h.plan)
	before := len(h.absent(seats))
	rec := &SwapRecord{Epoch: h.state.Epoch, Batch: h.state.Batch + 1}
	after := map[chain.ValidatorID]want{}
	for v, w := range h.came {
		if slices.Contains(seats, v) && rapid.Bool().Draw(t, "late") {
			rec.Present = append(rec.Present, Presence{Validator: v, Height: rapid.Uint64Range(max(w.least, h.state.Entered), h.height-1).Draw(t, "height")})
		} else {
			after[v] = w
		}
	}
	for _, s := range h.plan.Batch(h.state.Shard, rec.Batch) {
		if s.In == None {
			continue
		}
		if rapid.IntRange(0, 3).Draw(t, "present") > 0 {
			rec.Present = append(rec.Present, Presence{Validator: s.In, Height: h.height - 1})
			delete(after, s.In)
		} else {
			after[s.In] = want{rec.Epoch, rec.Batch, h.height}
		}
	}
	slices.SortFunc(rec.Present, func(a, b Presence) int { return int(a.Validator) - int(b.Validator) })
	next, err := h.state.Swap(h.plan, rec, h.height)
	seats, _ = h.plan.Committee(h.state.Shard, rec.Batch)
	was := h.came
	h.came = after
	if n, most := len(h.absent(seats)), max(h.plan.Shards[h.state.Shard].BatchSize, before, (len(seats)-1)/3); n > most {
		if !errors.Is(err, ErrRecord) {
			t.Fatalf("%d absent seats, at most %d may be: %v", n, most, err)
		}
		h.came = was
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	h.state = next
	h.records++
	h.check(t, seats)
}

func (h *history) check(t *rapid.T, seats []chain.ValidatorID) {
	var got []chain.ValidatorID
	for _, a := range h.state.Absent {
		w := h.came[a.Validator]
		if a.Epoch != w.epoch || a.Batch != w.batch || a.Since != w.least {
			t.Fatalf("%v, want %v", a, w)
		}
		got = append(got, a.Validator)
	}
	if want := h.absent(seats); !slices.Equal(got, want) {
		t.Fatalf("absent are %v, want %v", got, want)
	}
	again, err := DecodeState(h.state.AppendTo(nil))
	if err != nil || !reflect.DeepEqual(*again, h.state) {
		t.Fatalf("decoded %v (%v), want %v", again, err, h.state)
	}
}

func TestWhoIsAbsent(t *testing.T) {
	records := 0
	rapid.Check(t, func(t *rapid.T) {
		old := oldAssignment()
		plan := testPlanOf(t, 1, old)
		h := &history{state: State{Chain: plan.ChainID, Shard: testShard, Epoch: 1}, plan: plan, height: 1, came: map[chain.ValidatorID]want{}}
		for epoch := uint64(2); epoch < 6; epoch++ {
			for range rapid.IntRange(1, 8).Draw(t, "records") {
				if h.state.Batch < h.plan.Last(testShard) {
					h.batch(t)
				}
			}
			old = h.plan.New.Clone()
			seats, err := h.state.Committee(h.plan)
			if err != nil {
				t.Fatal(err)
			}
			old[testShard] = seats
			next := testPlanOf(t, epoch, old)
			h.height++
			state, err := h.state.Enter(h.plan, next, h.height)
			if err != nil {
				t.Fatal(err)
			}
			h.state, h.plan = state, next
			h.check(t, seats)
		}
		records += h.records
	})
	if records < 100 {
		t.Errorf("only %d batches were recorded", records)
	}
}

func testPlanOf(t *rapid.T, epoch uint64, old Assignment) *Plan {
	in := &Input{
		ChainID: chain.Hash{1}, Epoch: epoch, Random: chain.Hash{byte(rapid.Uint8().Draw(t, "random"))}, Old: old,
		SwapPermille: 400, BatchSize: rapid.IntRange(1, 4).Draw(t, "batch size"),
	}
	for v := range chain.ValidatorID(32) {
		in.Members = append(in.Members, v)
	}
	p, err := MakePlan(in)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestEpochsThatCannotBeEntered(t *testing.T) {
	plan := testPlan(t, 5, oldAssignment(), 3)
	s := &State{Chain: plan.ChainID, Shard: testShard, Epoch: 5}
	unchanged := func(id chain.Hash, epoch uint64, a Assignment, stalled ...chain.ShardID) *Plan {
		var set chain.Shards
		for _, j := range stalled {
			set.Add(j)
		}
		p, err := Unchanged(id, epoch, a, set)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	if _, err := s.Enter(plan, unchanged(s.Chain, 6, plan.Old, 0), 10); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		next *Plan
		kind error
	}{
		"another chain":          {unchanged(chain.Hash{2}, 6, plan.Old), chain.ErrWrongChain},
		"the same epoch":         {unchanged(s.Chain, 5, plan.Old), ErrEnter},
		"one shard":              {unchanged(s.Chain, 6, plan.Old[:1]), ErrEnter},
		"stalled":                {unchanged(s.Chain, 6, plan.Old, testShard), ErrEnter},
		"another committee":      {unchanged(s.Chain, 6, plan.New), ErrEnter},
		"the seats in new order": {unchanged(s.Chain, 6, Assignment{plan.Old[1], plan.Old[0]}), ErrEnter},
	} {
		if _, err := s.Enter(plan, c.next, 10); !errors.Is(err, c.kind) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := s.Enter(unchanged(s.Chain, 4, plan.Old), unchanged(s.Chain, 6, plan.Old), 10); !errors.Is(err, ErrBatch) {
		t.Errorf("with the plan of another epoch: %v", err)
	}
}
