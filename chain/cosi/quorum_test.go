package cosi

import "testing"

// Every size, not a sample: the bound that safety and liveness rest on.
func TestQuorumsMeetAndCanBeReached(t *testing.T) {
	for s := 1; s <= MaxSeats; s++ {
		f, q := Faults(s), Quorum(s)
		if 3*f >= s || 3*(f+1) < s {
			t.Fatalf("Faults(%d) = %d", s, f)
		}
		if 2*q-s < f+1 {
			t.Fatalf("of %d seats, two quorums of %d may share only faulty ones (f = %d)", s, q, f)
		}
		if q > s-f {
			t.Fatalf("of %d seats, the %d that are not faulty are no quorum of %d", s, s-f, q)
		}
	}
	for s, want := range map[int]int{1: 1, 2: 2, 3: 2, 4: 3, 5: 4, 6: 4, 7: 5, 8: 6, 9: 6, 10: 7, 16: 11} {
		if q := Quorum(s); q != want {
			t.Errorf("Quorum(%d) = %d, want %d", s, q, want)
		}
	}
}
