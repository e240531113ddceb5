package node

import (
	"context"
	"errors"
	"os"
	"runtime"
	"syscall"
	"time"

	"ios/node/api"
)

// Status implements api.Backend.
func (n *Node) Status(ctx context.Context) (*api.Status, error) {
	w := n.net
	phase, reason := n.view.phaseAndReason()
	s := &api.Status{
		ChainID: w.params.ChainID, Network: w.genesis.Name,
		Shard: w.shard, Shards: w.params.Shards,
		Validator: w.self, Name: w.name(w.self),
		PID: os.Getpid(), Version: n.cfg.Version, Started: n.started,
		Phase: phase, Reason: reason, NextAction: n.view.next(phase),
		Epoch: firstEpoch, Resources: n.resources(),
	}
	n.view.mu.Lock()
	s.Percent, s.Height, s.BlockTime = n.view.percent, n.view.height, n.view.blockTime
	s.View, s.Leader = n.view.viewNo, n.view.leaderID
	serving := n.view.running
	n.view.mu.Unlock()
	s.WaitsFor = n.view.waitsFor()
	if !serving {
		return s, nil
	}
	s.Peers = n.peers()
	f, err := n.figures(ctx)
	s.Mempool, s.Supply = f.mempool, f.supply
	return s, err
}

// figures is what only the loop knows.
type figures struct {
	mempool api.Mempool
	supply  api.Supply
}

// figuresPatience is how long the loop may take to tell the figures: while the
// disk takes no writes it waits, and the status is wanted all the same.
const figuresPatience = time.Second

// figures asks the loop, or tells what it said last.
func (n *Node) figures(ctx context.Context) (f figures, err error) {
	short, cancel := context.WithTimeout(ctx, figuresPatience)
	defer cancel()
	err = n.ask(short, func() {
		txs, bytes, capacity := n.core.Queue()
		f.mempool = api.Mempool{Txs: uint64(txs), Bytes: uint64(bytes), Capacity: uint64(capacity)}
		f.supply = n.supply()
	})
	n.view.mu.Lock()
	defer n.view.mu.Unlock()
	switch {
	case err == nil:
		n.view.figures = f
	case ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded):
		return n.view.figures, nil
	}
	return f, err
}

// supply is what the shard accounts for. It runs in the loop.
func (n *Node) supply() api.Supply {
	state := n.core.State()
	sp := state.Supply()
	between := sp.BetweenSum()
	return api.Supply{
		Value: sp.Value, Between: int64(between.Lo), Open: uint64(sp.Open),
		Fees: sp.Fees, Coins: uint64(state.Coins().Len()),
	}
}

func (n *Node) peers() []api.Peer {
	stats := n.wire.Stats()
	list := make([]api.Peer, 0, len(stats))
	for _, p := range stats {
		list = append(list, api.Peer{
			Validator: p.ID, Name: n.net.name(p.ID), Shard: n.net.shardOf(p.ID),
			Connected: p.Connected, LastHeard: p.LastHeard,
			Queued: uint64(p.QueuedBytes), Dropped: p.Dropped, Error: p.LastError,
		})
	}
	return list
}

// resources is what the process uses.
func (n *Node) resources() (r api.Resources) {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) == nil {
		r.CPUSeconds = time.Duration(usage.Utime.Nano() + usage.Stime.Nano()).Seconds()
	}
	r.RSS, r.Goroutines = residentBytes(), uint64(runtime.NumGoroutine())
	if n.view.serving() {
		r.Disk = n.stats.diskSize(n.disk)
	}
	return r
}
