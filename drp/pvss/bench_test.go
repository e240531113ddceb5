package pvss

import (
	"fmt"
	"testing"
)

// The sizes of the table in the package's cost model: one dealer, and all c.
func BenchmarkDealing(b *testing.B) {
	for _, c := range []int{8, 16, 32, 64} {
		g := newGroup(c, 1)
		ctx := ctxOf(0)
		d := g.deal(0, 1)
		b.Run(fmt.Sprintf("deal/%d", c), func(b *testing.B) {
			for b.Loop() {
				must(Deal(ctx, g.r, g.keys[0], stream(1)))
			}
		})
		b.Run(fmt.Sprintf("verify/%d", c), func(b *testing.B) {
			for b.Loop() {
				if !right(must(g.r.Parse(ctx, d.raw))) {
					b.Fatal("wrong")
				}
			}
		})
		b.Run(fmt.Sprintf("verify-all/%d", c), func(b *testing.B) {
			for b.Loop() {
				var batch Batch
				for range c {
					batch.Add(must(g.r.Parse(ctx, d.raw)))
				}
				if batch.Check() != nil {
					b.Fatal("wrong")
				}
			}
		})
		of := make([]*Parsed, g.r.Threshold())
		for i := range of {
			of[i] = d
		}
		o := g.open(0, of, 1)
		b.Run(fmt.Sprintf("decrypt-threshold/%d", c), func(b *testing.B) {
			for b.Loop() {
				must(Decrypt(Binding{}, g.r, 0, of, g.keys[0], stream(1)))
			}
		})
		b.Run(fmt.Sprintf("verify-decryption/%d", c), func(b *testing.B) {
			for b.Loop() {
				if !right(must(g.r.Open(Binding{9}, 0, of, o.raw))) {
					b.Fatal("wrong")
				}
			}
		})
	}
}
