package node

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"ios/internal/sm"
)

// The heap fires what a plain map of deadlines would.
func TestTimersFireInOrderOfTheirTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		timers, twin := newTimers(), map[sm.TimerKey]time.Time{}
		now := time.Unix(0, 0)
		for range rapid.IntRange(1, 100).Draw(t, "steps") {
			key := sm.TimerKey{N: uint64(rapid.IntRange(0, 5).Draw(t, "key"))}
			switch rapid.IntRange(0, 2).Draw(t, "what") {
			case 0:
				at := now.Add(time.Duration(rapid.IntRange(-2, 20).Draw(t, "at")))
				timers.set(key, at)
				twin[key] = at
			case 1:
				timers.cancel(key)
				delete(twin, key)
			case 2:
				now = now.Add(time.Duration(rapid.IntRange(0, 10).Draw(t, "pass")))
				last := time.Time{}
				for {
					key, ok := timers.pop(now)
					if !ok {
						break
					}
					at, set := twin[key]
					if !set || at.After(now) || at.Before(last) {
						t.Fatal("fired", key, "due", at, "now", now)
					}
					last = at
					delete(twin, key)
				}
				for key, at := range twin {
					if !at.After(now) {
						t.Fatal(key, "did not fire")
					}
				}
			}
		}
		if len(timers.due) != len(twin) {
			t.Fatal("timers left over")
		}
	})
}
