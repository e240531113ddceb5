package node

import (
	"context"
	"sync/atomic"
	"time"

	"ios/chain"
	"ios/node/api"
)

// Coins is that of api.Backend in one shard.
func (m *member) Coins(ctx context.Context, owner chain.Address, after *chain.OutPoint, max int) (page api.CoinsPage, err error) {
	if s := owner.Shard(m.node.net.params.Shards); s != m.chain {
		return page, chain.Rule(chain.ErrWrongShard, "the address lives in shard %d, this is shard %d", s, m.chain)
	}
	err = m.scans.do(ctx, m.done, func() (took time.Duration, err error) {
		err = m.ask(ctx, func() {
			began := time.Now()
			s := m.core.State()
			page.Height = s.Height()
			list, more := s.Owned(owner, after, max)
			page.Done = !more
			for _, e := range list {
				page.Coins = append(page.Coins, api.Coin{OutPoint: e.OutPoint, Amount: e.Amount})
			}
			took = time.Since(began)
		})
		return took, err
	})
	return page, err
}

const (
	// scanRest is how many times as long as a scan took none follows it.
	scanRest = 4
	// scanQueue is how many scans may wait.
	scanQueue = 64
)

// scans lets the walks over the coins into the loop, one at a time and with a
// rest after each, so that they take a fifth of the loop at most, whoever asks
// however often.
type scans struct {
	turn    chan struct{}
	waiting atomic.Int32
}

func newScans() *scans { return &scans{turn: make(chan struct{}, 1)} }

// do runs a scan, which tells how long it took, when it is its turn.
func (s *scans) do(ctx context.Context, stopped <-chan struct{}, scan func() (time.Duration, error)) error {
	defer s.waiting.Add(-1)
	if n := s.waiting.Add(1); n > scanQueue {
		return chain.Rule(api.ErrBusy, "%d lists of coins are waited for, and no more are allowed at a time", scanQueue)
	}
	select {
	case s.turn <- struct{}{}:
	case <-stopped:
		return errStopping
	case <-ctx.Done():
		return ctx.Err()
	}
	took, err := scan()
	time.AfterFunc(scanRest*took, func() { <-s.turn })
	return err
}
