package node

import (
	"sync"

	"ios/internal/sm"
)

// verdicts gathers what a round of the checker found out for one chain, so that
// the machine consumes it in one step. The checker never waits for a chain.
type verdicts struct {
	ready chan struct{} // has one when there is something to take

	mu     sync.Mutex
	list   []sm.Event
	bytes  int // that clients' share of the list keeps in memory
	closed bool
}

func newVerdicts() *verdicts { return &verdicts{ready: make(chan struct{}, 1)} }

// add notes an event that keeps so many bytes of a client.
func (v *verdicts) add(ev sm.Event, size int) {
	v.mu.Lock()
	if !v.closed {
		v.list = append(v.list, ev)
		v.bytes += size
	}
	v.mu.Unlock()
}

// flush wakes the loop if there is something.
func (v *verdicts) flush() {
	v.mu.Lock()
	some := len(v.list) > 0
	v.mu.Unlock()
	if some {
		select {
		case v.ready <- struct{}{}:
		default: // it is awake already
		}
	}
}

// waiting is how many bytes of clients wait for the loop.
func (v *verdicts) waiting() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.bytes
}

func (v *verdicts) take() []sm.Event {
	v.mu.Lock()
	defer v.mu.Unlock()
	list := v.list
	v.list, v.bytes = nil, 0
	return list
}

// close forgets what nobody will take.
func (v *verdicts) close() {
	v.mu.Lock()
	v.list, v.bytes, v.closed = nil, 0, true
	v.mu.Unlock()
}
