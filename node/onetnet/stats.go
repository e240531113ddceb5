package onetnet

import (
	"cmp"
	"slices"
	"time"

	"ios/internal/sm"
)

// PeerStat is what is known of the traffic with one peer. Messages and bytes
// are counted from the start; bytes are without encryption.
type PeerStat struct {
	ID             sm.NodeID
	Address        string
	Connected      bool
	QueuedMessages int
	QueuedBytes    int
	Sent           uint64 // messages written to a connection, not necessarily delivered
	SentBytes      uint64
	Received       uint64 // messages handed to the handler
	ReceivedBytes  uint64
	Dropped        uint64 // messages that were queued, or should have been, and never written
	LastError      string
	LastErrorAt    time.Time
	LastHeard      time.Time // when the peer last sent anything, heartbeats included
	RefusedUntil   time.Time // end of its last ban
}

// Stats returns one entry for each peer, by id.
func (n *Net) Stats() []PeerStat {
	n.mu.RLock()
	stats := make([]PeerStat, 0, len(n.byID))
	for _, p := range n.byID {
		stats = append(stats, p.stat())
	}
	n.mu.RUnlock()
	slices.SortFunc(stats, func(a, b PeerStat) int { return cmp.Compare(a.ID, b.ID) })
	return stats
}

func (p *peer) stat() PeerStat {
	p.mu.Lock()
	defer p.mu.Unlock()
	return PeerStat{
		ID: p.id, Address: p.address, Connected: len(p.conns) > 0,
		QueuedMessages: p.queue.len(), QueuedBytes: p.queue.bytes - p.queue.len()*itemOverhead,
		Sent: p.sent, SentBytes: p.sentBytes, Received: p.received, ReceivedBytes: p.readBytes,
		Dropped: p.dropped, LastError: p.lastError, LastErrorAt: p.lastErrorAt,
		LastHeard: p.heard, RefusedUntil: p.bannedUntil,
	}
}

// Refusals counts what was refused and belongs to no peer.
type Refusals struct {
	Sends       uint64 // messages to oneself, to nobody known, empty or too big
	Connections uint64 // of strangers, banned peers and other networks
}

// Refusals returns the counts from the start.
func (n *Net) Refusals() Refusals {
	return Refusals{Sends: n.refusedSends.Load(), Connections: n.refusedConns.Load()}
}
