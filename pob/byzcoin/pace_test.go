package byzcoin

import (
	"testing"
	"time"
)

// A leader proposes at the least gap while rounds are quick, pauses for twice as
// long as a slow one took, and never for more than four gaps.
func TestThePaceFollowsTheRounds(t *testing.T) {
	const gap = 50 * time.Millisecond
	for took, want := range map[time.Duration]time.Duration{
		0: gap, 10 * time.Millisecond: gap, 40 * time.Millisecond: 80 * time.Millisecond, time.Second: 4 * gap,
	} {
		m := &Machine{cfg: Config{Policy: Policy{MinGap: gap}}, took: took}
		if got := m.pace(); got != want {
			t.Errorf("after a round of %v the next comes after %v, want %v", took, got, want)
		}
	}
}
