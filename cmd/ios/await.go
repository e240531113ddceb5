package main

import (
	"context"
	"fmt"
	"time"

	"ios/chain"
	"ios/node/api"
)

// awaitPatience is how long a payment that was accepted may take.
const awaitPatience = time.Minute

// await asks a shard for a transaction until it is final there.
func (n *network) await(ctx context.Context, shard chain.ShardID, id chain.TxID) (out api.Outcome, err error) {
	ctx, cancel := context.WithTimeout(ctx, awaitPatience)
	defer cancel()
	for {
		err = n.api.Try(ctx, shard, func(ctx context.Context, e api.Endpoint) (err error) {
			out, err = e.Outcome(ctx, id, false)
			return err
		})
		switch {
		case ctx.Err() != nil:
			return out, fmt.Errorf("transaction %v is %v in shard %d; it goes on by itself, ask later with: ios wallet track %v: %w", id, out.State, shard, id, ctx.Err())
		case err != nil:
			return out, err
		case out.State == api.StateCommitted:
			return out, nil
		case out.State == api.StateSkipped, out.State == api.StateRejected, out.State == api.StateAborted:
			return out, &refusal{fmt.Errorf("transaction %v is %v in shard %d: %s", id, out.State, shard, out.Reason)}
		}
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}
