package atomix

import (
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

func TestNetAddsUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var n, other Net
		want := new(big.Int)
		for range rapid.IntRange(0, 20).Draw(t, "steps") {
			a := rapid.Uint64().Draw(t, "amount")
			x := new(big.Int).SetUint64(a)
			switch rapid.IntRange(0, 2).Draw(t, "op") {
			case 0:
				n.Add(a)
				want.Add(want, x)
			case 1:
				n.Sub(a)
				want.Sub(want, x)
			case 2:
				other.Sub(a)
				want.Sub(want, x)
			}
		}
		sum := n.Plus(other)
		if sum.String() != want.String() || sum.IsZero() != (want.Sign() == 0) {
			t.Fatalf("%v, want %v", sum, want)
		}
		if i, ok := sum.Int64(); ok != want.IsInt64() || (ok && i != want.Int64()) || (!ok && (i < 0) != (want.Sign() < 0)) {
			t.Fatalf("%v is %d, %v", want, i, ok)
		}
	})
	n := Net{}
	n.Sub(1 << 63)
	if i, ok := n.Int64(); i != math.MinInt64 || !ok {
		t.Error(i, ok)
	}
}
