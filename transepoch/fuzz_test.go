package transepoch

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"ios/chain"
)

type encoder interface{ AppendTo([]byte) []byte }

// fuzz checks that what decodes encodes to the same bytes.
func fuzz[T encoder](f *testing.F, decode func([]byte) (T, error), seeds ...encoder) {
	for _, s := range seeds {
		f.Add(s.AppendTo(nil))
		f.Add(append(s.AppendTo(nil), 0))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		v, err := decode(raw)
		if err != nil {
			return
		}
		if !bytes.Equal(v.AppendTo(nil), raw) {
			t.Fatal("two encodings of one value")
		}
	})
}

func FuzzReady(f *testing.F) {
	fuzz(f, DecodeReady, &Ready{Chain: chain.Hash{1}, Shard: 2, Epoch: 3, Batch: 4, Validator: 5, Height: 6, StateRoot: chain.Hash{7}})
}

func FuzzEnter(f *testing.F) {
	fuzz(f, DecodeEnter, &Enter{Epoch: 3, EpochBlock: chain.Hash{4}})
}

func FuzzSwapRecord(f *testing.F) {
	fuzz(f, DecodeSwapRecord, &SwapRecord{Epoch: 3, Batch: 4},
		&SwapRecord{Epoch: 3, Batch: 4, Present: []Presence{{Validator: 1, Height: 2}, {Validator: 3, StateRoot: chain.Hash{4}}}})
}

func FuzzState(f *testing.F) {
	fuzz(f, DecodeState, &State{Shard: 2, Epoch: 3}, &State{Epoch: 3, Batch: 4, Entered: 5, Absent: []Absentee{{1, 2, 3, 4}, {2, 3, 4, 5}}})
}

func FuzzAssignment(f *testing.F) {
	fuzz(f, DecodeAssignment, oldAssignment(), Assignment{{1, 2}, {2, 3}})
}

// A plan is made, or refused, of whatever decodes.
func FuzzInput(f *testing.F) {
	in := &Input{ChainID: chain.Hash{1}, Epoch: 2, Random: chain.Hash{3}, Old: oldAssignment(), Members: []chain.ValidatorID{1, 2, 3, 40}, Held: []chain.ValidatorID{2}, SwapPermille: 300, BatchSize: 2}
	stalled := *in
	stalled.Stalled.Add(1)
	two := *in
	two.Old = Assignment{{1, 2}, {2, 3}, {3, 1}}
	for _, in := range []*Input{in, &stalled, &two} {
		f.Add(in.AppendTo(nil))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		in, err := DecodeInput(raw)
		if err != nil {
			return
		}
		if !bytes.Equal(in.AppendTo(nil), raw) {
			t.Fatal("two encodings of one input")
		}
		p, err := MakePlan(in)
		if err != nil {
			if !errors.Is(err, ErrInput) {
				t.Fatal(err)
			}
			return
		}
		if err := p.New.Check(); err != nil {
			t.Fatal(err)
		}
		for j := range p.Shards {
			if seats, err := p.Committee(chain.ShardID(j), p.Last(chain.ShardID(j))); err != nil || !slices.Equal(seats, p.New[j]) {
				t.Fatalf("the last committee of shard %d is %v (%v), want %v", j, seats, err, p.New[j])
			}
		}
	})
}

func TestListsOutOfOrderDoNotDecode(t *testing.T) {
	rec := &SwapRecord{Present: []Presence{{Validator: 2}, {Validator: 2}}}
	if _, err := DecodeSwapRecord(rec.AppendTo(nil)); !errors.Is(err, chain.ErrEncoding) {
		t.Error(err)
	}
	state := &State{Absent: []Absentee{{Validator: 3}, {Validator: 2}}}
	if _, err := DecodeState(state.AppendTo(nil)); !errors.Is(err, chain.ErrEncoding) {
		t.Error(err)
	}
}

func TestTheLargestInputFits(t *testing.T) {
	in := &Input{Old: make(Assignment, chain.MaxShards), SwapPermille: 334, BatchSize: 4}
	for v := range chain.ValidatorID(chain.MaxValidators) {
		in.Members = append(in.Members, v)
		in.Held = append(in.Held, v, v)
		for side := range chain.ValidatorID(2) {
			j := (v + side) % chain.MaxShards
			in.Old[j] = append(in.Old[j], v)
		}
	}
	raw := in.AppendTo(nil)
	if _, err := DecodeInput(raw); err != nil {
		t.Fatalf("%d bytes: %v", len(raw), err)
	}
	if _, err := DecodeInput(make([]byte, MaxInputBytes+1)); !errors.Is(err, chain.ErrTooLarge) {
		t.Error(err)
	}
}
