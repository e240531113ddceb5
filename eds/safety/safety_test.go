package safety

import (
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"ios/chain/cosi"
)

// Figures that others published or computed with other programs.
func TestKnownFigures(t *testing.T) {
	third := func(s int) int { return s / 3 } // what OmniLedger tolerates
	groups := func(count, size int) []int {
		list := make([]int, count)
		for i := range list {
			list[i] = size
		}
		return list
	}
	independent := func(share float64, count, c int) float64 {
		return float64(count) * Binomial(share, c, c-Threshold(c))
	}
	for _, c := range []struct {
		name         string
		ours, theirs float64
		tolerance    float64 // relative: half of the last digit that is printed
	}{
		{"shard of 4 at 1%, binomial", Binomial(0.01, 4, third(4)), 5.92e-4, 1e-3},
		{"shard of 25 at 5%, binomial", Binomial(0.05, 25, third(25)), 1.92e-6, 3e-3},
		{"shard of 70 at 12.5%, binomial", Binomial(0.125, 70, third(70)), 2.15e-6, 3e-3},
		{"shard of 600 at 25%, binomial", Binomial(0.25, 600, third(600)), 1.95e-6, 3e-3},
		{"shard of 600 at 25%, binomial, (s-1)/3", Binomial(0.25, 600, cosi.Faults(600)), 2.97e-6, 2e-3},
		{"shard of 4 of 1800 at 1%", Hypergeometric(1800, Byzantine(1800, 0.01), 4, third(4)), 5.60e-4, 1e-3},
		{"shard of 25 of 1800 at 5%", Hypergeometric(1800, Byzantine(1800, 0.05), 25, third(25)), 1.39e-6, 4e-3},
		{"shard of 70 of 1800 at 12.5%", Hypergeometric(1800, Byzantine(1800, 0.125), 70, third(70)), 1.18e-6, 5e-3},
		{"shard of 600 of 1800 at 25%", Hypergeometric(1800, Byzantine(1800, 0.25), 600, third(600)), 4.4e-9, 2e-2},
		{"epoch of 16 shards of 70 at 12.5%", Redrawn(16*Binomial(0.125, 70, third(70)), 1000, 125), 3.93e-5, 2e-3},
		{"Elastico's shard of 100 at 25%", Binomial(0.25, 100, third(100)), 2.76e-2, 2e-3},
		{"beacon 16x32 at 1/3, binomial", independent(1./3, 16, 32), 7.2e-4, 1e-2},
		{"beacon 16x32 at 1/3", Withheld(512, 170, groups(16, 32)), 3.7e-4, 2e-2},
		{"beacon 16x32 at 1/4, binomial", independent(0.25, 16, 32), 3.8e-6, 2e-2},
		{"beacon 16x32 below 1/4", Withheld(512, 127, groups(16, 32)), 1.1e-6, 5e-2},
		{"beacon 8x8 below 1/4", Withheld(64, 15, groups(8, 8)), 1.1e-2, 5e-2},
		{"beacon 4x16 below 1/4", Withheld(64, 15, groups(4, 16)), 2.2e-5, 3e-2},
		{"beacon 4x4 below 1/4", Withheld(16, 3, groups(4, 4)), 2.9e-2, 2e-2},
		{"swap of 5 in 70 at 12.5%", Binomial(0.125, 70, cosi.Faults(70)-5), 7.5e-4, 1e-2},
		{"swap of 7 in 70 at 12.5%", Binomial(0.125, 70, cosi.Faults(70)-7), 5.0e-3, 2e-2},
	} {
		if math.Abs(c.ours/c.theirs-1) > c.tolerance {
			t.Errorf("%s: %.4g, published is %.4g", c.name, c.ours, c.theirs)
		}
	}
}

// naive draws every hand of s among n validators, the first b of them Byzantine.
func naive(n, b, s, k int) float64 {
	bad, all := 0, 0
	for hand := range 1 << n {
		drawn, byzantine := 0, 0
		for v := range n {
			if hand>>v&1 == 1 {
				drawn++
				if v < b {
					byzantine++
				}
			}
		}
		if drawn == s {
			all++
			if byzantine > k {
				bad++
			}
		}
	}
	return float64(bad) / float64(all)
}

func TestHypergeometricCountsHands(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 10).Draw(t, "n")
		b := rapid.IntRange(0, n).Draw(t, "b")
		s := rapid.IntRange(0, n).Draw(t, "s")
		k := rapid.IntRange(0, n+1).Draw(t, "k")
		if got, want := Hypergeometric(n, b, s, k), naive(n, b, s, k); math.Abs(got-want) > 1e-15 {
			t.Fatalf("%g, by counting %g", got, want)
		}
	})
}

// logTail adds up the terms by logarithms of factorials.
func logTail(n, b, s, k int) (p float64) {
	choose := func(n, k int) float64 {
		a, _ := math.Lgamma(float64(n + 1))
		b, _ := math.Lgamma(float64(k + 1))
		c, _ := math.Lgamma(float64(n - k + 1))
		return a - b - c
	}
	for i := max(k+1, s-(n-b)); i <= min(s, b); i++ {
		p += math.Exp(choose(b, i) + choose(n-b, s-i) - choose(n, s))
	}
	return p
}

// Also in the smallest of probabilities and the largest of networks.
func TestHypergeometricOfLargeSizes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 4096).Draw(t, "n")
		b := rapid.IntRange(0, n/2).Draw(t, "b")
		s := rapid.IntRange(1, min(n, 400)).Draw(t, "s")
		k := rapid.IntRange(0, s).Draw(t, "k")
		got, want := Hypergeometric(n, b, s, k), logTail(n, b, s, k)
		if math.Abs(got-want) > 1e-9*want {
			t.Fatalf("%g, by logarithms %g", got, want)
		}
	})
	if p := Hypergeometric(4096, 400, 100, 60); !(p > 0 && p < 1e-30) {
		t.Errorf("%g", p)
	}
}

// 40,000 real draws. The deviation of their mean is 0.0016.
func TestHypergeometricIsWhatHappens(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	const rounds = 40_000
	bad := 0
	for range rounds {
		byzantine := 0
		for _, v := range r.Perm(48)[:12] {
			if v < 12 {
				byzantine++
			}
		}
		if byzantine > 4 {
			bad++
		}
	}
	if p, want := float64(bad)/rounds, Hypergeometric(48, 12, 12, 4); math.Abs(p-want) > 0.008 {
		t.Errorf("%d of %d draws are bad, the formula says %g", bad, rounds, want)
	}
}

func TestBinomialAddsUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.Float64Range(0, 1).Draw(t, "p")
		s := rapid.IntRange(0, 12).Draw(t, "s")
		k := rapid.IntRange(0, 13).Draw(t, "k")
		var want float64
		for hand := range 1 << s {
			weight, count := 1.0, 0
			for i := range s {
				if hand>>i&1 == 1 {
					weight *= p
					count++
				} else {
					weight *= 1 - p
				}
			}
			if count > k {
				want += weight
			}
		}
		if got := Binomial(p, s, k); math.Abs(got-want) > 1e-12 {
			t.Fatalf("%g, by counting %g", got, want)
		}
	})
}

func TestLikelyIsTheLeastThatHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 400).Draw(t, "n")
		b := rapid.IntRange(0, n).Draw(t, "b")
		s := rapid.IntRange(1, min(n, 60)).Draw(t, "s")
		bound := math.Pow(10, -rapid.Float64Range(0, 12).Draw(t, "digits"))
		likely := Likely(n, b, s, bound)
		if Hypergeometric(n, b, s, likely) > bound || likely > 0 && Hypergeometric(n, b, s, likely-1) <= bound {
			t.Fatalf("%d: %g and %g around the bound of %g", likely, Hypergeometric(n, b, s, likely), Hypergeometric(n, b, s, likely-1), bound)
		}
	})
}

func TestBatchSize(t *testing.T) {
	for _, c := range []struct{ s, f, b, want int }{
		{4, 1, 0, 1}, {4, 1, 1, 1}, {4, 1, 3, 1}, {1, 0, 0, 1}, {7, 2, 0, 2}, {70, 23, 17, 6}, {70, 23, 18, 5}, {70, 23, 30, 1},
		{128, 42, 0, 7}, {127, 42, 0, 6}, {600, 199, 198, 1},
	} {
		if got := BatchSize(c.s, c.f, c.b); got != c.want {
			t.Errorf("of %d with f = %d and b = %d: %d, want %d", c.s, c.f, c.b, got, c.want)
		}
	}
}

// Whatever is drawn, a batch leaves room for the Byzantine that are likely.
func TestABatchLeavesRoom(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 150).Draw(t, "n")
		p := Plan{Validators: n, Shards: rapid.IntRange(1, min(n, 16)).Draw(t, "shards"), ByzantineShare: rapid.Float64Range(0, 0.3).Draw(t, "share"), Leavers: 1, Bound: 1e-4}
		r, _ := Assess(p)
		if r.BatchSize > 1 && Swap(n, r.Byzantine, r.ShardSize, r.BatchSize)*float64(r.Shards) > p.Bound {
			t.Fatalf("%+v", r)
		}
	})
}

func TestGroups(t *testing.T) {
	for _, c := range []struct{ servers, size, count, least int }{
		{64, 8, 8, 8}, {70, 8, 8, 8}, {512, 32, 16, 32}, {16, 4, 1, 16}, {17, 4, 4, 4}, {40, 0, 1, 40}, {40, 40, 1, 40}, {40, 21, 1, 40}, {1, 0, 1, 1},
	} {
		sizes := Groups(c.servers, c.size)
		sum := 0
		for _, s := range sizes {
			sum += s
		}
		if len(sizes) != c.count || sizes[len(sizes)-1] != c.least || sizes[0] > c.least+1 || sum != c.servers {
			t.Errorf("%d servers in groups of %d: %v", c.servers, c.size, sizes)
		}
	}
}

// One group of all cannot fail while fewer than a third is Byzantine.
func TestOneGroupOfAllIsSafe(t *testing.T) {
	for n := 1; n <= 200; n++ {
		byz := cosi.Faults(n)
		if p := Withheld(n, byz, []int{n}); p != 0 {
			t.Errorf("%d of %d Byzantine withhold with %g", byz, n, p)
		}
	}
	if Withheld(16, 11, []int{16}) != 1 {
		t.Error("two thirds withhold")
	}
}

// In groups of any size, fewer than a third of all cannot open every group.
func TestNobodyOpensEveryGroup(t *testing.T) {
	for servers := 1; servers <= 300; servers++ {
		for size := 0; size <= servers; size++ {
			need := 0
			for _, c := range Groups(servers, size) {
				need += Threshold(c)
			}
			if 3*need <= servers {
				t.Fatalf("%d of %d servers open all groups of %d", need, servers, size)
			}
		}
	}
	if Threshold(8) != 3 || Threshold(9) != 4 || Threshold(32) != 11 {
		t.Error("thresholds are not those of the beacon")
	}
}

func TestAssess(t *testing.T) {
	good := Plan{Validators: 1800, Shards: 16, ByzantineShare: 0.125, Leavers: 12, GroupSize: 100, Bound: 1e-6}
	r, err := Assess(good)
	if err != nil {
		t.Fatal(err)
	}
	if r.ShardSize != 112 || r.Byzantine != 225 || r.Faults-r.Likely != 3 || r.BatchSize != 3 || r.Batches != 4 || r.Epoch <= r.Shard*16*4 || r.Epoch > 1e-6 {
		t.Errorf("%+v", r)
	}
	small := good
	small.Shards = 32
	r, err = Assess(small)
	if !errors.Is(err, ErrUnsafe) || r.Epoch <= 1e-6 {
		t.Fatalf("%+v %v", r, err)
	}
	for _, part := range []string{"32 shards of 56", "more than 18", "1800 validators can form at most 16 shards, of 112", "32 shards want 3584"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in: %v", part, err)
		}
	}
	hopeless := Plan{Validators: 4000, Shards: 16, ByzantineShare: 0.32, Bound: 1e-9}
	if _, err = Assess(hopeless); !errors.Is(err, ErrUnsafe) || FewestValidators(hopeless) != 0 || strings.Contains(err.Error(), "shards want") {
		t.Error(err)
	}
	grouped := good
	grouped.GroupSize = 8
	if _, err = Assess(grouped); !errors.Is(err, ErrUnsafe) || !strings.Contains(err.Error(), "225 groups of 8") {
		t.Error(err)
	}
}

// What the error recommends is safe, and no smaller size is. Above a quarter of
// Byzantine validators it takes thousands, and as long to find that out.
func TestRecommendations(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(4, 80).Draw(t, "n")
		p := Plan{
			Validators: n, Shards: 1 << rapid.IntRange(0, 2).Draw(t, "bits"), ByzantineShare: rapid.Float64Range(0, 0.25).Draw(t, "share"),
			Leavers: rapid.IntRange(0, 4).Draw(t, "leavers"), GroupSize: rapid.IntRange(0, n).Draw(t, "group"), Bound: math.Pow(10, -rapid.Float64Range(1, 9).Draw(t, "digits")),
		}
		_, err := Assess(p)
		if err != nil && !errors.Is(err, ErrUnsafe) {
			t.Fatal(err)
		}
		most := MostShards(p)
		if safe := p.epoch(p.parts()...) <= p.Bound; safe && most < p.Shards || p.Shards == most && !safe {
			t.Fatalf("%d shards of %d at most, but the error for %d is %v", most, n, p.Shards, err)
		}
		if most > 0 {
			q := p
			q.Shards, q.GroupSize = most, SmallestGroup(p)
			if _, err := Assess(q); err != nil {
				t.Fatal("what is recommended is refused:", err)
			}
		}
		if few := FewestValidators(p); few > 0 {
			q := p
			q.Validators, q.GroupSize = few, 0
			if _, err := Assess(q); err != nil {
				t.Fatal("what is recommended is refused:", err)
			}
		}
		if size, err := SmallestShard(p); err == nil {
			for s := 1; s < size; s++ { // of every form
				if shards := n / s; p.epoch(part{s, shards}) <= p.Bound && shards <= 256 && s < size-2 {
					t.Fatalf("shards of %d are safe, and %d is called the smallest size", s, size)
				}
			}
			if p.epoch(part{size, n / size}) > p.Bound {
				t.Fatalf("%d is not safe", size)
			}
		}
	})
}

func TestNonsenseIsRefused(t *testing.T) {
	good := Plan{Validators: 100, Shards: 4, ByzantineShare: 0.1, Bound: 0.1}
	if _, err := Assess(good); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Plan){
		"validators": func(p *Plan) { p.Validators = 0 }, "too many validators": func(p *Plan) { p.Validators = 5000 },
		"shards": func(p *Plan) { p.Shards = 0 }, "more shards than validators": func(p *Plan) { p.Shards = 101 },
		"share": func(p *Plan) { p.ByzantineShare = 1. / 3 }, "negative": func(p *Plan) { p.ByzantineShare = -0.1 },
		"no number": func(p *Plan) { p.ByzantineShare = math.NaN() }, "bound": func(p *Plan) { p.Bound = 0 },
		"no bound": func(p *Plan) { p.Bound = math.NaN() }, "group": func(p *Plan) { p.GroupSize = 101 },
		"leavers": func(p *Plan) { p.Leavers = -1 },
	} {
		p := good
		change(&p)
		if _, err := Assess(p); err == nil || errors.Is(err, ErrUnsafe) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := SmallestShard(p); err == nil {
			t.Errorf("%s: there is a smallest shard", name)
		}
	}
	for _, p := range []float64{Hypergeometric(10, 11, 5, 1), Hypergeometric(-1, 0, 0, 0), Hypergeometric(10, 3, 11, 1), Hypergeometric(10, 3, 5, -1), Binomial(2, 5, 1), Binomial(0.1, -5, 1), Binomial(math.NaN(), 5, 1)} {
		if p != 1 {
			t.Errorf("nonsense is safe with %g", 1-p)
		}
	}
}

func BenchmarkSmallestShardOfTheLargestNetwork(b *testing.B) {
	for b.Loop() {
		if _, err := SmallestShard(Plan{Validators: 4096, Shards: 1, ByzantineShare: 0.25, Leavers: 10, Bound: 1e-6}); err != nil {
			b.Fatal(err)
		}
	}
}
