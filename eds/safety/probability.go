package safety

import (
	"math/big"

	"ios/chain/cosi"
)

// Byzantine is how many of n validators are Byzantine at most, if their share is
// at most the one given. It forgives what the share lost as a binary fraction:
// 0.07 of 100 is 7.
func Byzantine(n int, share float64) int {
	const rounding = 1e-9
	return int(float64(float64(n)*share) + rounding)
}

// precision of quotients, in bits: far above that of a float64.
const precision = 128

// draws walks over the number of Byzantine among s of n validators, from the
// largest that is possible downwards. The weights are whole numbers that add up
// to whole.
type draws struct {
	n, b, s int
	i       int        // the number that term is the weight of
	term    *big.Int   // C(b,i) C(n-b,s-i)
	sum     *big.Int   // of the weights above i
	whole   *big.Float // C(n,s)
	x, y    big.Int
}

func newDraws(n, byzantine, s int) *draws {
	d := &draws{n: n, b: byzantine, s: s, i: min(s, byzantine), sum: new(big.Int)}
	d.term = new(big.Int).Binomial(int64(d.b), int64(d.i))
	d.term.Mul(d.term, d.x.Binomial(int64(n-d.b), int64(s-d.i)))
	d.whole = new(big.Float).SetPrec(precision).SetInt(new(big.Int).Binomial(int64(n), int64(s)))
	return d
}

// down adds the weight of i to the sum and goes to i-1.
func (d *draws) down() {
	d.sum.Add(d.sum, d.term)
	// Both factors fit for the sizes that possible lets through, and the quotient
	// is whole. At the smallest possible number the weight becomes 0.
	d.x.SetInt64(int64(d.i) * int64(d.n-d.b-d.s+d.i))
	d.y.SetInt64(int64(d.b-d.i+1) * int64(d.s-d.i+1))
	d.term.Mul(d.term, &d.x)
	d.term.Quo(d.term, &d.y)
	d.i--
}

// above is P[X > i].
func (d *draws) above() float64 {
	sum := new(big.Float).SetPrec(precision).SetInt(d.sum)
	q, _ := sum.Quo(sum, d.whole).Float64()
	return q
}

// possible reports whether the sizes make sense: at most 2^16 validators, of
// which some are Byzantine and some are drawn.
func possible(n, byzantine, s int) bool {
	return n >= 0 && n <= 1<<16 && byzantine >= 0 && byzantine <= n && s >= 0 && s <= n
}

// Hypergeometric is P[X > k] for the number X of Byzantine among s validators
// drawn from n of which so many are Byzantine. Sizes that make no sense are
// never safe: it is 1 then.
func Hypergeometric(n, byzantine, s, k int) float64 {
	if !possible(n, byzantine, s) || k < 0 {
		return 1
	}
	d := newDraws(n, byzantine, s)
	for d.i > k && d.term.Sign() > 0 {
		d.down()
	}
	return d.above()
}

// Binomial is P[X > k] for the number X of Byzantine among s validators, each of
// which is Byzantine with probability share.
func Binomial(share float64, s, k int) float64 {
	if !(share >= 0 && share <= 1) || s < 0 || s > 1<<16 || k < 0 {
		return 1
	}
	number := func() *big.Float { return new(big.Float).SetPrec(256) }
	p := number().SetFloat64(share)
	q := number().Sub(number().SetInt64(1), p)
	// The terms from X = s down: C(s,i) p^i q^(s-i), kept apart since q may be 0.
	powers := make([]*big.Float, max(s-k, 1)) // of q
	powers[0] = number().SetInt64(1)
	for i := 1; i < len(powers); i++ {
		powers[i] = number().Mul(powers[i-1], q)
	}
	pi := number().SetInt64(1)
	for range min(k+1, s) {
		pi.Mul(pi, p)
	}
	sum, ways := number(), new(big.Int).Binomial(int64(s), int64(k+1))
	for i := k + 1; i <= s; i++ {
		term := number().SetInt(ways)
		sum.Add(sum, term.Mul(term.Mul(term, pi), powers[s-i]))
		pi.Mul(pi, p)
		ways.Mul(ways, big.NewInt(int64(s-i)))
		ways.Quo(ways, big.NewInt(int64(i+1)))
	}
	v, _ := sum.Float64()
	return v
}

// Shard is the probability that a shard of s has more Byzantine members than it
// tolerates.
func Shard(n, byzantine, s int) float64 {
	return Hypergeometric(n, byzantine, s, cosi.Faults(s))
}

// Swap is the probability that a shard of s whose k newcomers are absent cannot
// go on.
func Swap(n, byzantine, s, k int) float64 {
	return Hypergeometric(n, byzantine, s, cosi.Faults(s)-k)
}

// Likely is the largest number of Byzantine members that a shard of s has with a
// probability above the bound: b with P[X > b] at most the bound, and no
// smaller one.
func Likely(n, byzantine, s int, bound float64) int {
	if !possible(n, byzantine, s) {
		return s
	}
	d := newDraws(n, byzantine, s)
	for d.i > 0 {
		if d.down(); d.above() > bound {
			return d.i + 1
		}
	}
	return 0
}

// BatchSize is how many of a shard's s members are exchanged at once, if it
// tolerates f Byzantine members and likely has b.
func BatchSize(s, f, b int) int {
	log := 0
	for s>>(log+1) > 0 {
		log++
	}
	return max(1, min(log, f-b))
}
