package cosi

// MaxSeats bounds the size of a committee: counts travel as 16 bits.
const MaxSeats = 1<<16 - 1

// Faults is f, the most seats of s that may be faulty: floor((s-1)/3).
func Faults(s int) int {
	if s < 1 {
		return 0
	}
	return (s - 1) / 3
}

// Quorum is q, the least number of seats of s that speak for all of them:
// floor((s+f)/2)+1. Two quorums have at least f+1 seats in common, and the seats
// that are not faulty are a quorum. 2f+1 is not enough unless s = 3f+1.
func Quorum(s int) int {
	return (s+Faults(s))/2 + 1
}
