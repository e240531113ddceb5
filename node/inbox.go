package node

import (
	"sync"

	"ios/chain"
	"ios/internal/sm"
)

// Bounds of what may wait of one peer.
const (
	// inboxBytes is how much of one peer may wait for the loop. A peer that sends
	// more is read no further until the loop has caught up, so that it slows down
	// itself and nobody else.
	inboxBytes = 8 << 20
	// inboxOverhead is what a message costs besides its bytes.
	inboxOverhead = 512
)

// inbound is a message on its way to the machine.
type inbound struct {
	sm.Receive
	size int
	cut  int // how often its sender had been cut off when it came
}

// inbox accounts for what waits for a chain's loop, by peer.
type inbox struct {
	mu     sync.Mutex
	room   *sync.Cond
	peers  map[chain.ValidatorID]*inboxPeer
	closed bool
}

type inboxPeer struct {
	waiting int // bytes, overhead included
	cut     int // how often it was cut off
}

func newInbox() *inbox {
	b := &inbox{peers: make(map[chain.ValidatorID]*inboxPeer)}
	b.room = sync.NewCond(&b.mu)
	return b
}

// peer finds the account of a validator. The caller holds the lock; only who is
// in the registry gets here.
func (b *inbox) peer(id chain.ValidatorID) *inboxPeer {
	p := b.peers[id]
	if p == nil {
		p = new(inboxPeer)
		b.peers[id] = p
	}
	return p
}

// take waits until the peer has room, and is false when the chain stops.
func (b *inbox) take(from chain.ValidatorID, msg sm.Message, size int) (inbound, bool) {
	size += inboxOverhead
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.peer(from)
	for p.waiting >= inboxBytes && !b.closed {
		b.room.Wait()
	}
	p.waiting += size
	return inbound{sm.Receive{From: from, Msg: msg}, size, p.cut}, !b.closed
}

// give says that the loop has taken the message. It reports whether it is still
// to be consumed.
func (b *inbox) give(in *inbound) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.peer(in.From)
	if p.waiting >= inboxBytes {
		b.room.Broadcast()
	}
	p.waiting -= in.size
	return p.cut == in.cut
}

// cut throws away what waits of a peer that misbehaved: it may be a great deal,
// and each of it dear to check.
func (b *inbox) cut(id chain.ValidatorID) {
	b.mu.Lock()
	b.peer(id).cut++
	b.mu.Unlock()
}

// close lets everybody go who waits.
func (b *inbox) close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.room.Broadcast()
}
