package atomix

import (
	"math"
	"math/big"
	"math/bits"
)

// Net is a signed 128-bit sum. What moves to and fro over many transfers may
// exceed 64 bits although no single state does.
type Net struct {
	Hi int64
	Lo uint64
}

// Add adds an amount.
func (n *Net) Add(amount uint64) {
	var carry uint64
	n.Lo, carry = bits.Add64(n.Lo, amount, 0)
	n.Hi += int64(carry)
}

// Sub takes an amount off.
func (n *Net) Sub(amount uint64) {
	var borrow uint64
	n.Lo, borrow = bits.Sub64(n.Lo, amount, 0)
	n.Hi -= int64(borrow)
}

// Plus is n + m.
func (n Net) Plus(m Net) Net {
	var carry uint64
	n.Lo, carry = bits.Add64(n.Lo, m.Lo, 0)
	n.Hi += m.Hi + int64(carry)
	return n
}

// IsZero reports whether the sum is 0.
func (n Net) IsZero() bool { return n == Net{} }

// Int64 is the sum as an int64, or the nearest one and false.
func (n Net) Int64() (int64, bool) {
	switch {
	case n.Hi == 0 && n.Lo <= math.MaxInt64, n.Hi == -1 && n.Lo > math.MaxInt64:
		return int64(n.Lo), true
	case n.Hi < 0:
		return math.MinInt64, false
	}
	return math.MaxInt64, false
}

// Big is the sum without a bound.
func (n Net) Big() *big.Int {
	b := new(big.Int).Lsh(big.NewInt(n.Hi), 64)
	return b.Add(b, new(big.Int).SetUint64(n.Lo))
}

// String is the sum in decimal.
func (n Net) String() string { return n.Big().String() }
