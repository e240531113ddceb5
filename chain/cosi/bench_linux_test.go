package cosi_test

import (
	"fmt"
	"testing"

	"ios/chain/cosi"
	"ios/internal/testenv"
)

// BenchmarkWholeRound is the CPU time of everybody's work for one certificate, in
// one process: all sign, the root gathers and checks, and then the others check
// the certificate or take its word.
func BenchmarkWholeRound(b *testing.B) {
	for _, s := range []int{4, 16, 64} {
		for _, c := range []struct {
			name   string
			others int // that check
		}{{"root checks", 0}, {"all check", s - 1}} {
			b.Run(fmt.Sprintf("%d/%s", s, c.name), func(b *testing.B) {
				m := gather(b, cosi.BLS{}, s)
				start := testenv.CPU(b)
				for b.Loop() {
					m.wholeRound(b, c.others)
				}
				b.ReportMetric(float64((testenv.CPU(b)-start).Microseconds())/1000/float64(b.N), "cpu-ms")
			})
		}
	}
}

func (m *members) wholeRound(b *testing.B, others int) {
	k := cosi.NewCollector(m.committee, []byte("block"))
	for seat := range m.keys {
		if err := k.AddShare(seat, m.share(b, seat, "block")); err != nil {
			b.Fatal(err)
		}
	}
	cert, _, err := k.Certificate()
	if err != nil {
		b.Fatal(err)
	}
	for range others {
		if err := m.committee.Verify([]byte("block"), cert); err != nil {
			b.Fatal(err)
		}
	}
}
