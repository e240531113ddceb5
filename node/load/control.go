package load

import "time"

// The bounds of the window of transactions in flight towards one shard.
const (
	windowMin   = 2_000
	windowMax   = 200_000
	windowFirst = 8_000
)

// control sets the window of a closed loop so that transactions take about the
// target time to become final. It is pure: interval by interval it is told what
// they took.
type control struct {
	target time.Duration
	window float64
	smooth time.Duration // latency over the last intervals
}

func newControl(target time.Duration) *control { return &control{target: target, window: windowFirst} }

// next is the window for the next interval, given the mean latency of what
// became final in the last, and whether the window was used up. An interval in
// which nothing became final changes nothing: the window is bounded anyway.
func (c *control) next(latency time.Duration, usedUp bool) int {
	if latency > 0 {
		if c.smooth == 0 {
			c.smooth = latency
		}
		c.smooth = (c.smooth + latency) / 2
		// In steps of at most a tenth, so that one slow block does not empty the
		// network and one fast one does not flood it.
		ratio := float64(c.target) / float64(c.smooth)
		ratio = min(max(ratio, 0.9), 1.1)
		if ratio < 1 || usedUp {
			c.window = min(max(c.window*ratio, windowMin), windowMax)
		}
	}
	return int(c.window)
}
