package node

import (
	"sync"

	"ios/chain"
	"ios/internal/sm"
)

// inboxBytes is how much of one peer may wait for the loop. A peer that sends
// more is read no further until the loop has caught up, so that it slows down
// itself and nobody else.
const inboxBytes = 8 << 20

// inbound is a message on its way to the machine.
type inbound struct {
	sm.Receive
	size int
}

// inbox accounts for what waits for the loop, by peer.
type inbox struct {
	mu     sync.Mutex
	room   *sync.Cond
	used   map[chain.ValidatorID]int
	closed bool
}

func newInbox() *inbox {
	b := &inbox{used: make(map[chain.ValidatorID]int)}
	b.room = sync.NewCond(&b.mu)
	return b
}

// take waits until the peer has room, and is false when the node stops.
func (b *inbox) take(from chain.ValidatorID, size int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.used[from] >= inboxBytes && !b.closed {
		b.room.Wait()
	}
	b.used[from] += size
	return !b.closed
}

func (b *inbox) give(from chain.ValidatorID, size int) {
	b.mu.Lock()
	if b.used[from] >= inboxBytes {
		b.room.Broadcast()
	}
	b.used[from] -= size
	b.mu.Unlock()
}

// close lets everybody go who waits.
func (b *inbox) close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.room.Broadcast()
}
