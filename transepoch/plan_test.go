package transepoch

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"ios/chain"
	"ios/eds"
	"ios/eds/safety"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

// drawInput draws an input with joins, leaves, stalled shards, validators that
// are held, that have two seats, and that have none.
func drawInput(t *rapid.T) *Input {
	shards := rapid.IntRange(1, 6).Draw(t, "shards")
	most := 60
	ids := rapid.Permutation(sequence(0, most)).Draw(t, "ids")
	in := &Input{
		ChainID: chain.Hash{1}, Epoch: rapid.Uint64().Draw(t, "epoch"),
		Random:       chain.Hash(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "random")),
		SwapPermille: rapid.IntRange(0, 1000).Draw(t, "permille"),
		BatchSize:    rapid.IntRange(1, 8).Draw(t, "batch size"),
	}
	member := map[int]bool{}
	for range shards {
		var seats []chain.ValidatorID
		for range rapid.IntRange(1, 9).Draw(t, "seats") {
			seats = append(seats, chain.ValidatorID(ids[0]))
			member[ids[0]] = rapid.IntRange(0, 9).Draw(t, "stays") > 0
			ids = ids[1:]
		}
		in.Old = append(in.Old, seats)
	}
	for range rapid.IntRange(0, min(8, len(ids))).Draw(t, "newcomers") {
		member[ids[0]] = true
		ids = ids[1:]
	}
	for v := range most {
		if member[v] {
			in.Members = append(in.Members, chain.ValidatorID(v))
			for range rapid.IntRange(0, 30).Draw(t, "held") - 28 {
				in.Held = append(in.Held, chain.ValidatorID(v))
			}
		}
	}
	for j := range shards {
		if rapid.IntRange(0, 5).Draw(t, "stalled") == 0 {
			in.Stalled.Add(chain.ShardID(j))
		}
		if k := rapid.IntRange(0, 4*shards).Draw(t, "second seat"); k < shards && k != j {
			if v := in.Old[k][0]; !slices.Contains(in.Old[j], v) {
				in.Old[j] = append(in.Old[j], v)
			}
		}
	}
	return in
}

// makePlan makes a plan and its naive twin and compares them. It ends the check
// when there are too few validators.
func makePlan(t *rapid.T, in *Input) *Plan {
	if in.Check() != nil {
		t.Skip("a validator has three seats")
	}
	p, err := MakePlan(in)
	to, batches := naive(in)
	if err != nil || to == nil {
		if !errors.Is(err, ErrInput) || to != nil {
			t.Fatalf("%v, but the naive plan is %v", err, to)
		}
		t.Skip("too few validators")
	}
	if !p.New.Equal(to) {
		t.Fatalf("the new assignment is\n%v, the naive one\n%v", p.New, to)
	}
	for j := range batches {
		if !reflect.DeepEqual(p.Shards[j].Batches, batches[j]) {
			t.Fatalf("batches of shard %d:\n%v, naive\n%v", j, p.Shards[j].Batches, batches[j])
		}
	}
	return p
}

func TestPlanIsAsDescribed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { makePlan(t, drawInput(t)) })
}

func TestPlanSeatsEverybodyOnceAndEvenly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t)
		p := makePlan(t, in)
		seats := map[chain.ValidatorID]int{}
		least, most, moving := 1<<20, 0, 0
		for j := range p.New {
			for _, v := range p.New[j] {
				if in.Stalled.Has(chain.ShardID(j)) {
					seats[v] += 1 << 8
				} else {
					seats[v]++
				}
			}
			if in.Stalled.Has(chain.ShardID(j)) {
				if !slices.Equal(p.New[j], in.Old[j]) || len(p.Shards[j].Batches) > 0 {
					t.Fatalf("stalled shard %d changes from %v to %v", j, in.Old[j], p.New[j])
				}
				continue
			}
			moving++
			least, most = min(least, len(p.New[j])), max(most, len(p.New[j]))
		}
		if moving == 0 {
			return
		}
		for _, v := range in.Members {
			if n := seats[v]; n != 1 && n&0xff != 0 || n == 0 && !in.busy()[v] {
				t.Fatalf("validator %d has %d seats", v, n)
			}
			delete(seats, v)
		}
		for v, n := range seats {
			if n&0xff != 0 {
				t.Fatalf("validator %d has a seat and is not in the frozen set", v)
			}
		}
		if most-least > 1 && !slices.Contains(in.busy(), true) {
			t.Fatalf("shards have from %d to %d seats", least, most)
		}
	})
}

// A committee depends on its own batch number only, has nobody twice, changes by
// at most k seats a batch and keeps all others where they were, except that the
// holder of the last seat of a shrinking committee may move.
func TestBatchesAreSmallAndOneByOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t)
		p := makePlan(t, in)
		for j := range p.Shards {
			shard := chain.ShardID(j)
			before, err := p.Committee(shard, 0)
			if err != nil || !slices.Equal(before, in.Old[j]) {
				t.Fatalf("shard %d starts with %v (%v), not %v", j, before, err, in.Old[j])
			}
			for b := uint32(1); b <= p.Last(shard); b++ {
				after, err := p.Committee(shard, b)
				if err != nil {
					t.Fatal(err)
				}
				batch := p.Batch(shard, b)
				removed, added := minus(before, after), minus(after, before)
				if len(batch) > p.Shards[j].BatchSize || len(batch) > max(1, safety.BatchSize(min(len(in.Old[j]), len(p.New[j])), 99, 0)) || max(len(removed), len(added)) != len(batch) && len(removed)+len(added) != len(batch) {
					t.Fatalf("batch %v of shard %d removes %v and adds %v, k is %d", batch, j, removed, added, p.Shards[j].BatchSize)
				}
				if slices.Sort(after); len(slices.Compact(slices.Clone(after))) != len(after) {
					t.Fatalf("somebody sits twice in %v", after)
				}
				after, _ = p.Committee(shard, b)
				for i := range min(len(before), len(after)) {
					swapped := slices.ContainsFunc(batch, func(s Swap) bool { return s.Seat == i })
					if !swapped && before[i] != after[i] {
						t.Fatalf("seat %d of shard %d goes from %d to %d, no swap of %v names it", i, j, before[i], after[i], batch)
					}
				}
				before = after
			}
			if !slices.Equal(before, p.New[j]) {
				t.Fatalf("shard %d ends with %v, not %v", j, before, p.New[j])
			}
			if _, err := p.Committee(shard, p.Last(shard)+1); !errors.Is(err, ErrBatch) {
				t.Fatal("a batch beyond the last has a committee")
			}
		}
	})
}

func minus(a, b []chain.ValidatorID) (d []chain.ValidatorID) {
	for _, v := range a {
		if !slices.Contains(b, v) {
			d = append(d, v)
		}
	}
	return d
}

// Who moves: whoever left, the policy's share of the others, none of the held;
// and nobody who was drawn to leave comes back if all of those could go elsewhere.
func TestWhoMoves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t)
		in.Held = nil
		p := makePlan(t, in)
		d := newDraft(in)
		if err := d.sizes(); err != nil || d.moving == 0 {
			return
		}
		d.drawLeavers()
		candidates := len(d.newcomers)
		drawn := map[int][]chain.ValidatorID{}
		for j := range d.shards {
			drawn[j] = slices.Clone(d.shards[j].leavers)
			candidates += len(drawn[j])
		}
		for j := range d.shards {
			s := &d.shards[j]
			if s.stalled {
				continue
			}
			if want := min((len(in.Old[j])*in.SwapPermille+999)/1000, len(s.rest)-count(s.held)); len(drawn[j]) < want {
				t.Fatalf("%d are drawn to leave shard %d, the policy says %d", len(drawn[j]), j, want)
			}
			if len(drawn[j])*d.moving < len(d.newcomers) && len(drawn[j]) < len(s.rest)-count(s.held) {
				t.Fatalf("%d leave shard %d, there are %d newcomers for %d shards", len(drawn[j]), j, len(d.newcomers), d.moving)
			}
			seats := s.size - (len(s.rest) - len(drawn[j]))
			home := 0
			for _, v := range drawn[j] {
				if slices.Contains(p.New[j], v) {
					home++
				}
			}
			if want := max(0, len(drawn[j])+seats-candidates); home != want {
				t.Fatalf("%d of the leavers of shard %d come back, %d must", home, j, want)
			}
			for _, v := range s.gone {
				if slices.Contains(p.New[j], v) {
					t.Fatalf("validator %d had to leave shard %d", v, j)
				}
			}
		}
	})
}

func TestBusyValidatorsAreNotDrawn(t *testing.T) {
	busy := 0
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t)
		p := makePlan(t, in)
		for v, is := range in.busy() {
			if !is {
				continue
			}
			if move, joins := p.Joins(chain.ValidatorID(v)); joins {
				t.Fatalf("validator %d may vote in two shards and moves to %v", v, move)
			}
			busy++
		}
	})
	if busy < 10 {
		t.Fatalf("only %d were busy in all inputs", busy)
	}
}

func TestMovesOfAValidator(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := makePlan(t, drawInput(t))
		for v := range chain.ValidatorID(60) {
			if move, ok := p.Joins(v); ok {
				before, _ := p.Committee(move.Shard, move.Batch-1)
				after, _ := p.Committee(move.Shard, move.Batch)
				if slices.Contains(before, v) || !slices.Contains(after, v) {
					t.Fatalf("validator %d does not join with %v", v, move)
				}
			}
			for _, move := range p.Leaves(v) {
				before, _ := p.Committee(move.Shard, move.Batch-1)
				after, _ := p.Committee(move.Shard, move.Batch)
				if !slices.Contains(before, v) || slices.Contains(after, v) || !slices.Contains(p.Outgoing(move.Shard), v) {
					t.Fatalf("validator %d does not leave with %v", v, move)
				}
			}
		}
		if moves := p.Leaves(None); moves != nil {
			t.Fatalf("nobody leaves with %v", moves)
		}
	})
}

// The plan is part of the protocol: it must never change for an input.
func TestPlanIsFixed(t *testing.T) {
	in := &Input{
		ChainID: chain.Hash{1, 2, 3}, Epoch: 7, Random: chain.Hash{4, 5, 6},
		Old: eds.Assign(chain.Hash{7}, 40, 4), SwapPermille: 300, BatchSize: 2,
		Held: []chain.ValidatorID{11, 12},
	}
	for v := range chain.ValidatorID(46) {
		if v != 3 && v != 17 && v != 30 {
			in.Members = append(in.Members, v)
		}
	}
	in.Stalled.Add(2)
	p, err := MakePlan(in)
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	for j := range p.Shards {
		fmt.Fprintf(&text, "shard %d: %v → %v\n", j, p.Old[j], p.New[j])
		for b, batch := range p.Shards[j].Batches {
			fmt.Fprintf(&text, "  batch %d:", b+1)
			for _, s := range batch {
				fmt.Fprintf(&text, " seat %d %d→%d", s.Seat, s.Out, s.In)
			}
			fmt.Fprintln(&text)
		}
	}
	const file = "testdata/plan.txt"
	if *rewrite {
		if err := os.WriteFile(file, text.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, text.Bytes()) {
		t.Fatalf("the plan is\n%s\nand was\n%s", text.Bytes(), want)
	}
}

func TestInputsThatMakeNoPlan(t *testing.T) {
	good := func() *Input {
		return &Input{Old: Assignment{{0, 1, 2, 3}, {4, 5, 6, 7}}, Members: []chain.ValidatorID{0, 1, 2, 3, 4, 5, 6, 7}, SwapPermille: 250, BatchSize: 1}
	}
	if _, err := MakePlan(good()); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*Input){
		"no shards":             func(in *Input) { in.Old = nil },
		"a shard without seats": func(in *Input) { in.Old[1] = nil },
		"a validator twice":     func(in *Input) { in.Old[0][0] = 1 },
		"three seats":           func(in *Input) { in.Old = Assignment{{0}, {0}, {0}} },
		"an unknown validator":  func(in *Input) { in.Old[0][0] = chain.MaxPlaces },
		"members out of order":  func(in *Input) { in.Members[0] = 1 },
		"held out of order":     func(in *Input) { in.Held = []chain.ValidatorID{3, 2} },
		"held in three places":  func(in *Input) { in.Held = []chain.ValidatorID{3, 3, 3} },
		"an unknown member":     func(in *Input) { in.Members[7] = None },
		"stalled, not there":    func(in *Input) { in.Stalled.Add(2) },
		"negative share":        func(in *Input) { in.SwapPermille = -1 },
		"share above all":       func(in *Input) { in.SwapPermille = 1001 },
		"no batch size":         func(in *Input) { in.BatchSize = 0 },
		"too few members":       func(in *Input) { in.Members = in.Members[:1] },
	} {
		in := good()
		spoil(in)
		if _, err := MakePlan(in); !errors.Is(err, ErrInput) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
