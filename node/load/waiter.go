package load

import (
	"context"
	"fmt"
	"sync"
	"time"

	"ios/atomix"
	"ios/chain"
	"ios/node/api"
)

// ending is how a transaction ended.
type ending uint8

const (
	pending   ending = iota
	committed        // in every shard that it involves
	aborted          // rejected or aborted in one
	skipped          // a block listed it and could not apply it
	refused          // validators refused it for good
)

// waiter is a sink that waits for single transactions. It suits some thousands
// of them, not the measured load.
type waiter struct {
	mu   sync.Mutex
	open map[chain.TxID]*waited
	// ended gets each transaction once, under the lock.
	ended func(id chain.TxID, how ending)
	moved chan struct{} // has an element when something ended
}

type waited struct {
	missing chain.Shards
	sources int // shards that hold an input
}

// unapplied reports whether a skip is the end of a transaction with its inputs
// in that many shards. Where they are in several, another shard may have locked
// its part: then there will be an outcome.
func unapplied(reason byte, sources int) bool {
	switch atomix.Skip(reason) {
	case atomix.SkipMissing, atomix.SkipLocked, atomix.SkipClaim, atomix.SkipExpired, atomix.SkipWrongShard:
		return sources == 1
	}
	return false // the shard has its answer, or the entry was about another one's
}

func newWaiter(ended func(chain.TxID, ending)) *waiter {
	return &waiter{open: make(map[chain.TxID]*waited), ended: ended, moved: make(chan struct{}, 1)}
}

// add waits for a transaction, which must not have been submitted yet.
func (w *waiter) add(p *chain.Params, t *chain.Tx) {
	in := p.InputShards(t)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open[t.ID] = &waited{p.Involved(t), len(in.List())}
}

// end ends a transaction that will never be in a block.
func (w *waiter) end(id chain.TxID, how ending) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.endLocked(id, how)
}

func (w *waiter) endLocked(id chain.TxID, how ending) {
	if _, ok := w.open[id]; !ok {
		return
	}
	delete(w.open, id)
	w.ended(id, how)
	select {
	case w.moved <- struct{}{}:
	default:
	}
}

func (w *waiter) block(shard chain.ShardID, ev *api.BlockEvent) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range ev.Outcomes.Len() {
		id, o := ev.Outcomes.At(i)
		t, ok := w.open[id]
		if !ok {
			continue
		}
		switch chain.Outcome(o) {
		case chain.Committed:
			t.missing.Remove(shard)
			if t.missing == (chain.Shards{}) {
				w.endLocked(id, committed)
			}
		case chain.Aborted, chain.Rejected:
			w.endLocked(id, aborted)
		}
	}
	for i := range ev.Skipped.Len() {
		id, reason := ev.Skipped.At(i)
		if t, ok := w.open[id]; ok && unapplied(reason, t.sources) {
			w.endLocked(id, skipped)
		}
	}
}

// left is the number of transactions that are waited for.
func (w *waiter) left() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.open)
}

// settle waits until all have ended. It gives up when none ended for a while.
func (w *waiter) settle(ctx context.Context, patience time.Duration) error {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		left := w.left()
		if left == 0 {
			return nil
		}
		select {
		case <-w.moved:
			timer.Reset(patience)
		case <-timer.C:
			return fmt.Errorf("%d transactions that were accepted are not final, and none became final for %v; look at: ios devnet status", left, patience)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
