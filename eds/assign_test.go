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

// 100,000 assignments of 12 validators to 3 shards of 4: the counts of (validator,
// seat) are even. Pearson's statistic has 11*11 = 121 degrees of freedom; it is
// above 190.6 with probability 5e-5. The seeds are fixed, so the verdict is too.
func TestAssignChiSquare(t *testing.T) {
	const n, shards, rounds = 12, 3, 100_000
	var count [n][n]int
	for i := range rounds {
		seat := 0
		for _, set := range Assign(chain.Hash{byte(i), byte(i >> 8), byte(i >> 16), 7}, n, shards) {
			for _, v := range set {
				count[v][seat]++
				seat++
			}
		}
	}
	if x := chiSquare(count[:], rounds); x > 190.6 || x < 70 {
		t.Errorf("chi-square is %.1f, about 121 is expected", x)
	}
	// The statistic sees the classical mistake: any place may be swapped at any step.
	count = [n][n]int{}
	for i := range rounds {
		draw := newStream("test", chain.Hash{byte(i), byte(i >> 8), byte(i >> 16)})
		var order [n]int
		for seat := range order {
			order[seat] = seat
		}
		for seat := range order {
			j := draw.below(n)
			order[seat], order[j] = order[j], order[seat]
		}
		for seat, v := range order {
			count[v][seat]++
		}
	}
	if x := chiSquare(count[:], rounds); x < 190.6 {
		t.Errorf("chi-square is %.1f for a shuffle that is uneven", x)
	}
}

// chiSquare compares counts of a permutation's cells with even ones. The rows
// and columns add up, which leaves (n-1)^2 degrees of freedom; each cell's
// variance is that of a count among n values.
func chiSquare(count [][12]int, rounds int) (x float64) {
	want := float64(rounds) / float64(len(count))
	for _, row := range count {
		for _, c := range row {
			x += (float64(c) - want) * (float64(c) - want) / want
		}
	}
	return x * float64(len(count)-1) / float64(len(count))
}
