package eds

import (
	"testing"

	"pgregory.net/rapid"

	"ios/chain"
)

func TestAssignCutsAPermutationIntoEqualShards(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 300).Draw(t, "validators")
		shards := 1 << rapid.IntRange(0, 5).Draw(t, "bits")
		seed := chain.Hash(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "seed"))
		sets := Assign(seed, n, shards)
		seen := make(map[chain.ValidatorID]bool)
		for i, set := range sets {
			if len(set) > len(sets[0]) || len(set) < len(sets[0])-1 || (i > 0 && len(set) > len(sets[i-1])) {
				t.Fatalf("shard %d has %d members, shard 0 has %d", i, len(set), len(sets[0]))
			}
			for _, v := range set {
				if int(v) >= n || seen[v] {
					t.Fatalf("validator %d twice, or not one of %d", v, n)
				}
				seen[v] = true
			}
		}
		if len(sets) != shards || len(seen) != n {
			t.Fatalf("%d shards with %d validators, want %d with %d", len(sets), len(seen), shards, n)
		}
	})
}

// The assignment is part of the protocol: it must never change for a seed.
func TestAssignIsFixed(t *testing.T) {
	got := Assign(chain.Hash{1, 2, 3}, 8, 2)
	want := [][]chain.ValidatorID{{7, 6, 4, 3}, {2, 5, 1, 0}}
	for i := range want {
		for j := range want[i] {
			if got[i][j] != want[i][j] {
				t.Fatalf("%v, want %v", got, want)
			}
		}
	}
}

// Every validator comes to every seat about equally often. With 4,000 seeds the
// count per cell is 800 with a deviation of 25.
func TestAssignIsEven(t *testing.T) {
	const n, rounds = 5, 4000
	var count [n][n]int
	for i := range rounds {
		for seat, v := range Assign(chain.Hash{byte(i), byte(i >> 8)}, n, 1)[0] {
			count[v][seat]++
		}
	}
	for v := range count {
		for seat, c := range count[v] {
			if c < rounds/n-150 || c > rounds/n+150 {
				t.Errorf("validator %d came to seat %d %d times of %d", v, seat, c, rounds)
			}
		}
	}
}

func TestAssignRefusesNonsense(t *testing.T) {
	for _, c := range [][2]int{{-1, 1}, {4, 0}, {4, -2}, {4, chain.MaxShards + 1}, {chain.MaxValidators + 1, 2}} {
		if Assign(chain.Hash{}, c[0], c[1]) != nil {
			t.Errorf("%d validators in %d shards", c[0], c[1])
		}
	}
}
