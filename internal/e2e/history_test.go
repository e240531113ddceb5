package e2e

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"ios/chain"
	"ios/node/api"
)

// history is what a shard's blocks came to, learned from the events of one
// validator after the other: who breaks off is followed by the next.
type history struct {
	shard chain.ShardID

	mu       sync.Mutex
	height   uint64
	outcomes map[chain.TxID]chain.Outcome
	changed  chan struct{} // closed at the next block
}

// follow reads the shard's events until ctx ends.
func (n *network) follow(ctx context.Context, shard chain.ShardID) *history {
	h := &history{shard: shard, outcomes: make(map[chain.TxID]chain.Outcome), changed: make(chan struct{})}
	endpoints := n.api.Endpoints(shard)
	go func() {
		for i := 0; ctx.Err() == nil; i++ {
			h.read(ctx, &endpoints[i%len(endpoints)])
			select {
			case <-ctx.Done():
			case <-time.After(tick):
			}
		}
	}()
	return h
}

// read follows one validator until its stream breaks.
func (h *history) read(ctx context.Context, e *api.Endpoint) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	h.mu.Lock()
	from := h.height + 1
	h.mu.Unlock()
	_ = e.Follow(ctx, api.Follow{From: from, Lost: func(error) { cancel() }}, func(ev api.Event) error {
		if ev.Block != nil {
			h.add(ev.Block)
		}
		return nil
	})
}

func (h *history) add(b *api.BlockEvent) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if b.Height != h.height+1 {
		return // two streams of a moment
	}
	h.height = b.Height
	for i := range b.Outcomes.Len() {
		id, o := b.Outcomes.At(i)
		h.outcomes[id] = later(h.outcomes[id], chain.Outcome(o))
	}
	close(h.changed)
	h.changed = make(chan struct{})
}

// later is which of two outcomes of one transaction came later: one that is
// open may become committed or aborted, also within a block.
func later(a, b chain.Outcome) chain.Outcome {
	if b == chain.Accepted && a != 0 {
		return a
	}
	return b
}

// of is what the shard last recorded of a transaction, and what is closed when
// there is more to know.
func (h *history) of(id chain.TxID) (chain.Outcome, <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.outcomes[id], h.changed
}

// blocks is every block that a validator tells, from the first to the height.
func (n *network) blocks(t *testing.T, id chain.ValidatorID, height uint64) []*api.BlockEvent {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	c := api.NewClient(n.urls[id], api.ClientConfig{})
	defer c.Close()
	var list []*api.BlockEvent
	if height == 0 {
		return nil
	}
	enough := fmt.Errorf("enough")
	err := c.Follow(ctx, api.Follow{From: 1}, func(ev api.Event) error {
		if ev.Block != nil {
			list = append(list, ev.Block)
		}
		if uint64(len(list)) >= height {
			return enough
		}
		return nil
	})
	if err != enough {
		t.Fatalf("reading the %d blocks of v%d: %v after %d", height, id, err, len(list))
	}
	return list
}
