package load

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"ios/chain"
	"ios/node/api"
)

// sink is told of every final block of a shard, in order.
type sink interface {
	block(shard chain.ShardID, ev *api.BlockEvent)
}

// streams follow the final blocks of some shards and tell them to a sink, which
// may be exchanged between blocks. When a validator breaks off, the shard's next
// one is asked to go on behind the last block.
type streams struct {
	net    *api.Network
	to     atomic.Pointer[sink]
	cancel context.CancelFunc
	wait   sync.WaitGroup
	broken atomic.Uint64 // how often a stream broke
}

// openStreams begins at the blocks that come from now on.
func openStreams(ctx context.Context, net *api.Network, shards []chain.ShardID) (*streams, error) {
	ctx, cancel := context.WithCancel(ctx)
	s := &streams{net: net, cancel: cancel}
	for _, shard := range shards {
		var from uint64
		err := net.Try(ctx, shard, func(ctx context.Context, e api.Endpoint) error {
			st, err := e.Status(ctx)
			if err == nil {
				from = st.Height + 1
			}
			return err
		})
		if err != nil {
			s.close()
			return nil, fmt.Errorf("asking shard %d for its height: %w", shard, err)
		}
		s.wait.Go(func() { s.follow(ctx, shard, from) })
	}
	return s, nil
}

func (s *streams) tell(to sink) { s.to.Store(&to) }

func (s *streams) close() {
	s.cancel()
	s.wait.Wait()
}

var errBroken = errors.New("the stream broke")

func (s *streams) follow(ctx context.Context, shard chain.ShardID, from uint64) {
	for at := 0; ctx.Err() == nil; at++ {
		endpoints := s.net.Endpoints(shard) // another epoch may have others
		one, stop := context.WithCancelCause(ctx)
		e := endpoints[at%len(endpoints)]
		if lags(one, &e, from) {
			stop(nil)
			pause(ctx, 10*time.Millisecond)
			continue
		}
		e.Follow(one, api.Follow{From: from, Lost: func(error) { s.broken.Add(1); stop(errBroken) }}, func(ev api.Event) error {
			if ev.Block != nil {
				from = ev.Block.Height + 1
				if to := s.to.Load(); to != nil {
					(*to).block(shard, ev.Block)
				}
			}
			return nil
		})
		stop(nil)
	}
}

// lags reports whether a validator cannot tell of a block as soon as it is final: one
// that comes into the shard is an endpoint, and fetches the blocks below first.
func lags(ctx context.Context, e *api.Endpoint, from uint64) bool {
	st, err := e.Status(ctx)
	return err != nil || st.Phase != api.PhaseReady || st.Height+1 < from
}
