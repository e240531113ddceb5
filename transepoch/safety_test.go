package transepoch

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"ios/chain"
	"ios/chain/cosi"
	"ios/eds"
	"ios/eds/safety"
)

// Renaming the validators renames them in the plan, and changes nothing else.
func TestPlanTreatsValidatorsAlike(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t)
		if in.Check() != nil {
			t.Skip("a validator has three seats")
		}
		p, err := MakePlan(in)
		if err != nil {
			t.Skip("too few validators")
		}
		// Newcomers have nothing but their order: they keep it.
		var seated []chain.ValidatorID
		for _, seats := range in.Old {
			seated = append(seated, seats...)
		}
		slices.Sort(seated)
		seated = slices.Compact(seated)
		names := map[chain.ValidatorID]chain.ValidatorID{None: None}
		for v := range chain.ValidatorID(60) {
			names[v] = v
		}
		for i, w := range rapid.Permutation(seated).Draw(t, "names") {
			names[seated[i]] = w
		}
		rename := func(ids []chain.ValidatorID) []chain.ValidatorID {
			ids = slices.Clone(ids)
			for i := range ids {
				ids[i] = names[ids[i]]
			}
			return ids
		}
		renamed := *in
		renamed.Old = nil
		for _, seats := range in.Old {
			renamed.Old = append(renamed.Old, rename(seats))
		}
		renamed.Members, renamed.Held = rename(in.Members), rename(in.Held)
		slices.Sort(renamed.Members)
		slices.Sort(renamed.Held)
		q, err := MakePlan(&renamed)
		if err != nil {
			t.Fatal(err)
		}
		for j := range p.New {
			if !slices.Equal(rename(p.New[j]), q.New[j]) {
				t.Fatalf("shard %d comes to %v, renamed %v, and not to %v", j, p.New[j], rename(p.New[j]), q.New[j])
			}
		}
	})
}

// overrun counts committees with more Byzantine members than they tolerate.
func overrun(seats []chain.ValidatorID, byzantine []bool) bool {
	x := 0
	for _, v := range seats {
		if byzantine[v] {
			x++
		}
	}
	return x > cosi.Faults(len(seats))
}

// With 7 validators in shards of 4 and 3, all 5,040 old assignments are tried
// for one random value: each committee of each batch has more than f of the two
// Byzantine in just as many as the calculator says.
func TestEveryBatchIsAsSafeAsTheCalculatorSays(t *testing.T) {
	byzantine := []bool{false, true, false, false, true, false, false}
	for seed := range byte(2) {
		counts := map[Move]int{}
		sizes := map[Move]int{}
		assignments := 0
		permute(7, func(ids []chain.ValidatorID) {
			assignments++
			p, err := MakePlan(&Input{
				Random: chain.Hash{seed}, Old: Assignment{ids[:4], ids[4:]}, Members: []chain.ValidatorID{0, 1, 2, 3, 4, 5, 6},
				SwapPermille: 400, BatchSize: 1,
			})
			if err != nil {
				t.Fatal(err)
			}
			for j := range p.Shards {
				for b := range p.Last(chain.ShardID(j)) + 1 {
					m := Move{chain.ShardID(j), b}
					seats, _ := p.Committee(m.Shard, m.Batch)
					sizes[m] = len(seats)
					if overrun(seats, byzantine) {
						counts[m]++
					}
				}
			}
		})
		if assignments != 5040 || len(sizes) < 4 {
			t.Fatalf("%d assignments, %d committees", assignments, len(sizes))
		}
		for m, size := range sizes {
			if want := math.Round(5040 * safety.Shard(7, 2, size)); counts[m] != int(want) {
				t.Errorf("seed %d, shard %d, batch %d: %d of 5040 committees of %d are overrun, the calculator says %v", seed, m.Shard, m.Batch, counts[m], size, want)
			}
		}
	}
}

// permute calls f with all orders of 0 to n-1.
func permute(n int, f func([]chain.ValidatorID)) {
	ids := make([]chain.ValidatorID, n)
	for i := range ids {
		ids[i] = chain.ValidatorID(i)
	}
	var at func(int)
	at = func(i int) {
		if i == n {
			f(slices.Clone(ids))
			return
		}
		for k := i; k < n; k++ {
			ids[i], ids[k] = ids[k], ids[i]
			at(i + 1)
			ids[i], ids[k] = ids[k], ids[i]
		}
	}
	at(0)
}

// Through epochs with joins and leaves, with the Byzantine placed at random among
// 64 validators, the committees of all batches are overrun about as often as the
// calculator says for their sizes.
func TestBatchesThroughEpochsAreAsSafeAsTheCalculatorSays(t *testing.T) {
	const shards, registry, present, byzantine, epochs, trials = 4, 80, 64, 10, 6, 150
	r := rand.New(rand.NewPCG(1, 2))
	committees, overruns, expected := 0, 0, 0.0
	known := map[[3]int]float64{}
	for range trials {
		bad := make([]bool, registry)
		for _, v := range r.Perm(registry)[:registry*byzantine/present] {
			bad[v] = true
		}
		order := r.Perm(registry)
		members := order[:present]
		var random chain.Hash
		binary.BigEndian.PutUint64(random[:], r.Uint64())
		var old Assignment
		for _, seats := range eds.Assign(random, present, shards) {
			var ids []chain.ValidatorID
			for _, i := range seats {
				ids = append(ids, chain.ValidatorID(members[i]))
			}
			old = append(old, ids)
		}
		for epoch := range uint64(epochs) {
			binary.BigEndian.PutUint64(random[:], r.Uint64())
			in := &Input{Epoch: epoch, Random: random, Old: old, SwapPermille: 300, BatchSize: 2}
			for range 5 { // of those present leave, the first that are away come
				i := r.IntN(present)
				order[i], order[present] = order[present], order[i]
				order = append(order[:present], append(slices.Clone(order[present+1:]), order[present])...)
			}
			for _, v := range order[:present] {
				in.Members = append(in.Members, chain.ValidatorID(v))
			}
			slices.Sort(in.Members)
			p, err := MakePlan(in)
			if err != nil {
				t.Fatal(err)
			}
			for j := range p.Shards {
				for b := range p.Last(chain.ShardID(j)) + 1 {
					seats, _ := p.Committee(chain.ShardID(j), b)
					key := [3]int{registry, registry * byzantine / present, len(seats)}
					if _, ok := known[key]; !ok {
						known[key] = safety.Shard(key[0], key[1], key[2])
					}
					committees++
					expected += known[key]
					if overrun(seats, bad) {
						overruns++
					}
				}
			}
			old = p.New
		}
	}
	t.Logf("%d of %d committees are overrun, the calculator says %.1f", overruns, committees, expected)
	if expected < 100 || float64(overruns) > 1.25*expected || float64(overruns) < 0.75*expected {
		t.Errorf("%d of %d committees are overrun, the calculator says %.1f", overruns, committees, expected)
	}
}
