package node

import (
	"context"
	"errors"
	"os"
	"time"

	"ios/chain"
	"ios/node/api"
)

// Status implements api.Shard.
func (m *member) Status(ctx context.Context) (*api.Status, error) {
	n, w := m.node, m.node.net
	phase, reason := m.view.phaseAndReason()
	s := &api.Status{
		ChainID: w.params.ChainID, Network: w.genesis.Name,
		Shard: m.chain, Shards: w.params.Shards,
		Validator: w.self, Name: w.name(w.self),
		PID: os.Getpid(), Version: n.cfg.Version, Started: n.started,
		Phase: phase, Reason: reason, NextAction: m.view.next(phase),
		Epoch: m.epoch.Load(), Memberships: n.memberships(), Coming: n.coming(), Registry: n.funds(), Resources: n.resources(),
	}
	serving := m.view.tell(s)
	s.WaitsFor = m.view.waitsFor()
	if !serving {
		return s, nil
	}
	s.Peers = n.peers()
	f, err := m.askFigures(ctx)
	s.Mempool, s.Supply = f.mempool, f.supply
	return s, err
}

// Status implements api.Backend.
func (n *Node) Status(context.Context) (*api.Status, error) {
	w := n.net
	return &api.Status{
		ChainID: w.params.ChainID, Network: w.genesis.Name, Shard: chain.IdentityShard, Shards: w.params.Shards,
		Validator: w.self, Name: w.name(w.self), PID: os.Getpid(), Version: n.cfg.Version, Started: n.started,
		Phase: api.PhaseFollowing, Reason: "it has no seat in a shard", NextAction: "it joins the shard that an epoch gives it a seat in; if it was left out for its absence, bring it back with: ios node resume",
		Epoch: w.book.Number(), Coming: n.coming(), Registry: n.funds(), Resources: n.resources(), Peers: n.peers(),
	}, nil
}

// figures is what only the loop knows.
type figures struct {
	mempool api.Mempool
	supply  api.Supply
}

// figuresPatience is how long the loop may take to tell the figures: while the
// disk takes no writes it waits, and the status is wanted all the same.
const figuresPatience = time.Second

// askFigures asks the loop, or tells what it said last.
func (m *member) askFigures(ctx context.Context) (f figures, err error) {
	short, cancel := context.WithTimeout(ctx, figuresPatience)
	defer cancel()
	err = m.ask(short, func() {
		txs, bytes, capacity := m.core.Queue()
		f.mempool = api.Mempool{Txs: uint64(txs), Bytes: uint64(bytes), Capacity: uint64(capacity)}
		f.supply = m.supply()
		m.noteTurn()
	})
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case err == nil:
		m.figures = f
	case ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded):
		return m.figures, nil
	}
	return f, err
}

// supply is what the shard accounts for. It runs in the loop.
func (m *member) supply() api.Supply {
	state := m.core.State()
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
