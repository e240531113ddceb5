package node

import (
	"sync"

	"ios/atomix"
	"ios/chain"
)

// maxSkipped bounds the skipped transactions that are remembered.
const maxSkipped = 1 << 14

// skippedTxs remembers the transactions that blocks listed lately and could not
// apply, so that a client can be told why. Nothing is recorded of them.
type skippedTxs struct {
	mu   sync.Mutex
	byID map[chain.TxID]skippedTx
	ring []chain.TxID
	next int
}

type skippedTx struct {
	height uint64
	reason atomix.Skip
}

func newSkippedTxs() *skippedTxs { return &skippedTxs{byID: make(map[chain.TxID]skippedTx)} }

func (s *skippedTxs) add(id chain.TxID, height uint64, reason atomix.Skip) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.byID[id]; !ok {
		if len(s.ring) < maxSkipped {
			s.ring = append(s.ring, id)
		} else {
			delete(s.byID, s.ring[s.next])
			s.ring[s.next] = id
			s.next = (s.next + 1) % maxSkipped
		}
	}
	s.byID[id] = skippedTx{height, reason}
}

func (s *skippedTxs) find(id chain.TxID) (skippedTx, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.byID[id]
	return t, ok
}
