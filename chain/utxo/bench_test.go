package utxo

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"ios/chain"
)

// coins makes n random coins.
func coins(n int) (ops []chain.OutPoint, list []Coin) {
	src := rand.NewChaCha8([32]byte{1})
	ops, list = make([]chain.OutPoint, n), make([]Coin, n)
	for i := range ops {
		src.Read(ops[i].Tx[:])
		src.Read(list[i].Owner[:])
		ops[i].Index, list[i].Amount = uint32(i%3), uint64(i+1)
	}
	return ops, list
}

const million = 1_000_000

func filled(ops []chain.OutPoint, list []Coin) *Set {
	s := New(seed)
	for i := range ops {
		s.Add(ops[i], list[i])
	}
	return s
}

// One operation takes out a coin that is checked first and puts in a new one, at
// a million coins.
func BenchmarkSpendAt1M(b *testing.B) {
	ops, list := coins(3 * million)
	s := filled(ops[:million], list[:million])
	var spend, add time.Duration
	var n int
	b.ResetTimer()
	for i := 0; i < b.N; {
		// Long stretches of one kind, so that the clock costs nothing.
		k := min(100_000, b.N-i)
		at, next := n%(2*million), (n+million)%(3*million)
		k = min(k, 2*million-at, 3*million-next)
		start := time.Now()
		for j := at; j < at+k; j++ {
			if _, ok := s.Get(ops[j], list[j].Owner); !ok {
				b.Fatal("a coin is missing")
			}
			s.Remove(ops[j], list[j].Owner)
		}
		mid := time.Now()
		for j := next; j < next+k; j++ {
			s.Add(ops[j], list[j])
		}
		spend, add = spend+mid.Sub(start), add+time.Since(mid)
		i, n = i+k, n+k
		if n == 2*million {
			b.StopTimer()
			s, n = filled(ops[:million], list[:million]), 0
			b.StartTimer()
		}
	}
	b.ReportMetric(float64(spend.Nanoseconds())/float64(b.N), "ns/get+remove")
	b.ReportMetric(float64(add.Nanoseconds())/float64(b.N), "ns/add")
}

// The longest single insertion while a set grows.
func BenchmarkLongestAdd(b *testing.B) {
	for _, n := range []int{million, 10 * million} {
		b.Run(fmt.Sprintf("to=%dM", n/million), func(b *testing.B) {
			for range b.N {
				s := New(seed)
				src := rand.NewChaCha8([32]byte{2})
				var op chain.OutPoint
				var c Coin
				var longest time.Duration
				for i := range n {
					src.Read(op.Tx[:])
					binary.LittleEndian.PutUint64(c.Owner[24:], src.Uint64())
					start := time.Now()
					s.Add(op, c)
					if d := time.Since(start); d > longest && i > n/2 {
						longest = d
					}
				}
				b.ReportMetric(float64(longest.Microseconds()), "µs-longest")
			}
		})
	}
}

func BenchmarkSortedAt1M(b *testing.B) {
	s := filled(coins(million))
	for b.Loop() {
		n := 0
		for range s.Sorted() {
			n++
		}
		if n != million {
			b.Fatal(n)
		}
	}
}
