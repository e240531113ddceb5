package cosi_test

import (
	"fmt"
	"testing"
	"time"

	"ios/chain/cosi"
	"ios/chain/cosi/cositest"
)

func BenchmarkSign(b *testing.B) {
	secret := cositest.Secret(0)
	for b.Loop() {
		if _, err := (cosi.BLS{}).Sign(secret, []byte("block")); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerifyPossession(b *testing.B) {
	m := gather(b, cosi.BLS{}, 1)
	proof, err := m.Prove(m.secrets[0])
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := m.VerifyPossession(m.keys[0], proof); err != nil {
			b.Fatal(err)
		}
	}
}

// quorumOf are the fewest seats that speak for s.
func quorumOf(s int) []int { return seatsOf(s)[:cosi.Quorum(s)] }

// BenchmarkVerify checks a certificate of a bare quorum, the dearest kind.
func BenchmarkVerify(b *testing.B) {
	for _, s := range []int{4, 16, 64, 256} {
		b.Run(fmt.Sprint(s), func(b *testing.B) {
			m := gather(b, cosi.BLS{}, s)
			cert := cosi.Certificate(m.sum(b, "block", quorumOf(s)...))
			for b.Loop() {
				if err := m.committee.Verify([]byte("block"), cert); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// shares are what a quorum of s sends.
func shares(b *testing.B, m *members) []cosi.Signature {
	var sigs []cosi.Signature
	for _, seat := range quorumOf(len(m.keys)) {
		sigs = append(sigs, m.share(b, seat, "block"))
	}
	return sigs
}

// BenchmarkAggregate is an inner node's work: parse the shares of a quorum and
// add them up.
func BenchmarkAggregate(b *testing.B) {
	for _, s := range []int{16, 64, 256} {
		b.Run(fmt.Sprint(s), func(b *testing.B) {
			m := gather(b, cosi.BLS{}, s)
			sigs := shares(b, m)
			for b.Loop() {
				k := cosi.NewCollector(m.committee, []byte("block"))
				for seat, sig := range sigs {
					if err := k.AddShare(seat, sig); err != nil {
						b.Fatal(err)
					}
				}
				if _, err := k.Aggregate(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkLeaderRound is what the root of a star does for one certificate. The
// floor is one check of one share; the last metric is the ratio to it.
func BenchmarkLeaderRound(b *testing.B) {
	for name, scheme := range schemes {
		for _, s := range []int{4, 16, 64} {
			b.Run(fmt.Sprintf("%s/%d", name, s), func(b *testing.B) {
				m := gather(b, scheme, s)
				sigs := shares(b, m)
				const checks = 20
				start := time.Now()
				for range checks {
					if err := m.committee.VerifyShare(0, []byte("block"), sigs[0]); err != nil {
						b.Fatal(err)
					}
				}
				floor := time.Since(start).Seconds() / checks
				for b.Loop() {
					k := cosi.NewCollector(m.committee, []byte("block"))
					for seat, sig := range sigs {
						if err := k.AddShare(seat, sig); err != nil {
							b.Fatal(err)
						}
					}
					if _, _, err := k.Certificate(); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)/floor, "×floor")
			})
		}
	}
}

// BenchmarkNewCommittee parses every key, BenchmarkDerive none.
func BenchmarkNewCommittee(b *testing.B) {
	m := gather(b, cosi.BLS{}, 64)
	for b.Loop() {
		if _, err := m.NewCommittee(m.keys); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDerive(b *testing.B) {
	m := gather(b, cosi.BLS{}, 64)
	for b.Loop() {
		if _, err := m.committee.Derive(m.keys[1:]); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSearch is the leader's cost when one of 16 is wrong.
func BenchmarkSearch(b *testing.B) {
	m := gather(b, cosi.BLS{}, 16)
	for b.Loop() {
		k := cosi.NewCollector(m.committee, []byte("block"))
		for seat := range 16 {
			said := "block"
			if seat == 5 {
				said = "lie"
			}
			if err := k.AddShare(seat, m.share(b, seat, said)); err != nil {
				b.Fatal(err)
			}
		}
		if _, culprits, err := k.Certificate(); err != nil || len(culprits) != 1 {
			b.Fatal(culprits, err)
		}
	}
}
