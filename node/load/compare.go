package load

import (
	"context"
	"fmt"
	"sync"

	"ios/chain"
	"ios/node/api"
)

// compare asks the shards for the coins of every owner of an output that the
// block does not spend again, and adds up those that are the block's.
func (r *replay) compare(ctx context.Context, rep *ReplayReport) error {
	unspent := make(map[chain.Address]map[chain.OutPoint]uint64)
	for _, t := range r.txs {
		for j, out := range t.Outputs {
			if unspent[out.Owner] == nil {
				unspent[out.Owner] = make(map[chain.OutPoint]uint64)
			}
			unspent[out.Owner][chain.OutPoint{Tx: t.ID, Index: uint32(j)}] = out.Amount
		}
	}
	for _, t := range r.txs {
		for _, in := range t.Inputs {
			delete(unspent[in.Owner], in.OutPoint)
		}
	}
	var mu sync.Mutex
	var failed error
	var absent int
	owners := make(chan chain.Address)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for owner := range owners {
				sum, missing, err := r.coinsOf(ctx, owner, unspent[owner])
				mu.Lock()
				rep.Unspent += sum
				absent += missing
				if failed == nil {
					failed = err
				}
				mu.Unlock()
			}
		})
	}
	for owner, want := range unspent {
		if len(want) > 0 {
			owners <- owner
		}
	}
	close(owners)
	wg.Wait()
	if failed != nil {
		return fmt.Errorf("comparing the coins: %w", failed)
	}
	rep.SumsOK = absent == 0 && rep.Funded == rep.Unspent+rep.Fees
	if !rep.SumsOK && rep.Problem == "" {
		rep.Problem = fmt.Sprintf("%d were funded, %d are in coins and %d are fees; %d outputs are not there or have another amount", rep.Funded, rep.Unspent, rep.Fees, absent)
	}
	return nil
}

// maxOwnerCoins bounds the coins that are listed of one owner.
const maxOwnerCoins = 1 << 20

// coinsOf adds up those of the wanted coins that the owner's shard has, and
// counts those that it has not. A validator may be a block behind.
func (r *replay) coinsOf(ctx context.Context, owner chain.Address, want map[chain.OutPoint]uint64) (sum uint64, missing int, err error) {
	params := r.Faucet.Params
	for range 20 {
		sum, missing = 0, len(want)
		err = r.Network.Try(ctx, owner.Shard(params.Shards), func(ctx context.Context, e api.Endpoint) error {
			page, err := e.Coins(ctx, owner.Text(params.Prefix), maxOwnerCoins)
			if err != nil {
				return err
			}
			for _, c := range page.Coins {
				if amount, ok := want[c.OutPoint]; ok && amount == c.Amount {
					sum += amount
					missing--
				}
			}
			return nil
		})
		if err != nil || missing == 0 || ctx.Err() != nil {
			break
		}
		pause(ctx, tick*10)
	}
	return sum, missing, err
}
