package node

import (
	"fmt"
	"sync"
	"time"

	"ios/chain"
)

// Bounds of how often one peer may send.
const (
	// peerRate is how many messages a peer may send in a second on average. The
	// protocols need a few hundred; with thousands nothing else would get done.
	peerRate = 4096
	// peerBurst is how many may come at once: what gathers in a transport's
	// queue for a process that was stopped for a while, twice.
	peerBurst = 1 << 15
)

// rates counts the messages of all chains, by peer.
type rates struct {
	mu    sync.Mutex
	peers map[chain.ValidatorID]*peerTokens
}

type peerTokens struct {
	left   float64 // messages that it may still send now
	filled time.Time
}

func newRates() *rates { return &rates{peers: make(map[chain.ValidatorID]*peerTokens)} }

// count counts a message, before anything is done with it. An error says that
// its sender floods us. Only who is in the registry gets here.
func (r *rates) count(from chain.ValidatorID, now time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.peers[from]
	if p == nil {
		p = &peerTokens{left: peerBurst, filled: now}
		r.peers[from] = p
	}
	p.left = min(peerBurst, p.left+now.Sub(p.filled).Seconds()*peerRate)
	p.filled = now
	if p.left < 1 {
		return fmt.Errorf("sends far more than the %d messages a second that are allowed", peerRate)
	}
	p.left--
	return nil
}
