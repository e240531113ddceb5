package load

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ios/chain"
	"ios/node/api"
	"ios/node/faucet"
)

// fanOut is the number of outputs of one funding transaction; with them it has
// about 160 kB.
const fanOut = 4000

// patience is how long nothing may happen to transactions that were accepted.
var patience = 30 * time.Second // tests shorten it

// fund pays the outputs, all of owners in one shard, and returns the coins that
// they became, in the same order. Payments that others were faster with are made
// again from other coins.
func fund(ctx context.Context, f *faucet.Faucet, s *streams, shard chain.ShardID, epoch uint64, outputs []chain.Output) ([]chain.Input, error) {
	coins := make([]chain.Input, len(outputs))
	var todo [][2]int // ranges of outputs
	for at := 0; at < len(outputs); at += fanOut {
		todo = append(todo, [2]int{at, min(at+fanOut, len(outputs))})
	}
	for idle := 0; len(todo) > 0; {
		left, err := fundOnce(ctx, f, s, shard, epoch, outputs, coins, todo)
		if err != nil {
			return nil, fmt.Errorf("funding in shard %d: %w", shard, err)
		}
		if idle++; len(left) < len(todo) {
			idle = 0
		}
		if idle == 5 {
			return nil, fmt.Errorf("funding in shard %d: others spend the faucet's coins all the time; end the other load generators", shard)
		}
		todo = left
	}
	return coins, nil
}

// fundOnce makes as many payments as the faucet has coins for, waits for them,
// and returns what is left to do.
func fundOnce(ctx context.Context, f *faucet.Faucet, s *streams, shard chain.ShardID, epoch uint64, outputs []chain.Output, coins []chain.Input, todo [][2]int) (left [][2]int, err error) {
	purse, err := f.Coins(ctx, shard)
	if err != nil {
		return nil, err
	}
	type payment struct {
		*chain.Tx
		what [2]int
		how  ending
	}
	payments := make(map[chain.TxID]*payment)
	w := newWaiter(func(id chain.TxID, how ending) { payments[id].how = how })
	var order []*payment
	for len(todo) > 0 {
		t, used, err := f.Build(shard, epoch, purse, outputs[todo[0][0]:todo[0][1]])
		if errors.Is(err, faucet.ErrEmpty) && len(order) > 0 {
			break
		}
		if err != nil {
			return nil, err
		}
		p := &payment{Tx: t, what: todo[0]}
		payments[t.ID], order = p, append(order, p)
		w.add(f.Params, t)
		purse, todo = purse[used:], todo[1:]
	}
	s.tell(w)
	for _, p := range order {
		if err := submitOne(ctx, f.Network, shard, p.Raw); err != nil {
			var rule *chain.RuleError
			if !errors.As(err, &rule) {
				return nil, err
			}
			w.end(p.ID, refused)
		}
	}
	if err := w.settle(ctx, patience); err != nil {
		return nil, err
	}
	for _, p := range order {
		if p.how != committed {
			todo = append(todo, p.what)
			continue
		}
		for i := p.what[0]; i < p.what[1]; i++ {
			coins[i] = chain.Input{
				OutPoint: chain.OutPoint{Tx: p.ID, Index: uint32(i - p.what[0])},
				Owner:    outputs[i].Owner, Amount: outputs[i].Amount,
			}
		}
	}
	return todo, nil
}

// submitOne submits a transaction to a shard and asks again while its
// validators have no room. A refusal is a chain.RuleError.
func submitOne(ctx context.Context, net *api.Network, shard chain.ShardID, raw []byte) error {
	for start := time.Now(); ; {
		var res api.SubmitResult
		err := net.Try(ctx, shard, func(ctx context.Context, e api.Endpoint) (err error) {
			res, err = e.Submit(ctx, raw)
			return err
		})
		switch {
		case err == nil && len(res.Refused) == 0:
			return nil
		case err == nil && !noRoom(res.Refused[0].Kind):
			return res.Refused[0].Err()
		case ctx.Err() != nil:
			return ctx.Err()
		case time.Since(start) > patience && err == nil:
			return fmt.Errorf("shard %d had no room for %v: %w", shard, patience, res.Refused[0].Err())
		case time.Since(start) > patience:
			return err
		case err != nil && !errors.Is(err, api.ErrUnreachable):
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// noRoom reports whether a refusal is for the moment only.
func noRoom(k chain.ErrorKind) bool {
	return k == chain.ErrFull || k == chain.ErrNotReady || k == api.ErrBusy || k == api.ErrStopping || k == api.ErrUnreachable || k == api.ErrInternal ||
		k == chain.ErrWrongShard // an epoch has moved the validator
}
