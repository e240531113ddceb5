package wallet

import (
	"context"
	"fmt"
	"math/bits"
	"slices"
	"sync"

	"ios/chain"
	"ios/node/api"
)

// maxCoins bounds the coins that are listed of one address.
const maxCoins = 20_000

// ShardBalance is what the wallet has in one shard.
type ShardBalance struct {
	Shard chain.ShardID `json:"shard"`
	// Amount is nil if the shard could not be asked; Reason then says why.
	Amount *uint64 `json:"amount"`
	// Partial: there are more coins than were listed, Amount is the least.
	Partial bool   `json:"partial,omitempty"`
	Coins   int    `json:"coins"`
	Height  uint64 `json:"height,omitempty"` // of the state that was read
	Reason  string `json:"reason,omitempty"`
}

// Balance is what the wallet has in the shards where it has addresses.
type Balance struct {
	Shards []ShardBalance `json:"shards"`
	// Total is nil if a shard could not be asked.
	Total *uint64 `json:"total"`
	// Known is the sum over the shards that could be asked.
	Known uint64 `json:"known"`
	// Outgoing is the amount of coins that unfinished transfers spend; they are
	// part of the balance until their transfers are final.
	Outgoing uint64 `json:"outgoing"`
	// Locked is what unfinished transfers have locked. It is no part of the balance:
	// what is not spent comes back with their end.
	Locked uint64 `json:"locked"`
}

// holdings are the coins in one shard.
type holdings struct {
	ShardBalance
	coins []Coin
	err   error
}

// Balance asks all shards where the wallet has addresses.
func (w *Wallet) Balance(ctx context.Context, r *Remote) (*Balance, error) {
	if err := w.on(r); err != nil {
		return nil, err
	}
	_, locked, err := w.settle(ctx, r)
	if err != nil {
		return nil, err
	}
	spoken, err := w.spoken()
	if err != nil {
		return nil, err
	}
	b := &Balance{Shards: []ShardBalance{}, Locked: locked}
	complete := true
	for _, h := range w.holdings(ctx, r, spoken) {
		if known, over := bits.Add64(b.Known, h.known(), 0); over == 0 {
			b.Known = known
		} else {
			h.fail(chain.Rule(chain.ErrAmount, "with it the shards list coins of more than 64 bits hold"))
		}
		b.Shards = append(b.Shards, h.ShardBalance)
		if h.err != nil {
			complete = false
			continue
		}
		complete = complete && !h.Partial
		for _, c := range h.coins {
			if spoken[c.OutPoint] != 0 {
				b.Outgoing += c.Amount
			}
		}
	}
	if complete {
		b.Total = &b.Known
	}
	return b, ctx.Err()
}

// holdings lists the wallet's coins, by shard, but for those that are spent.
func (w *Wallet) holdings(ctx context.Context, r *Remote, spoken map[chain.OutPoint]use) []*holdings {
	byShard := make(map[chain.ShardID][]*Key)
	for _, k := range w.Keys() {
		s := k.Address.Shard(w.network.Shards)
		byShard[s] = append(byShard[s], k)
	}
	var all []*holdings
	var wait sync.WaitGroup
	for s, keys := range byShard {
		h := &holdings{ShardBalance: ShardBalance{Shard: s}}
		all = append(all, h)
		wait.Go(func() { h.fill(ctx, r, keys, spoken) })
	}
	wait.Wait()
	slices.SortFunc(all, func(a, b *holdings) int { return int(a.Shard) - int(b.Shard) })
	return all
}

func (h *holdings) fill(ctx context.Context, r *Remote, keys []*Key, spoken map[chain.OutPoint]use) {
	for _, k := range keys {
		page, err := r.coins(ctx, h.Shard, k.Address)
		if err != nil {
			h.fail(err)
			return
		}
		for _, c := range page.Coins {
			if spoken[c.OutPoint] != spent {
				h.coins = append(h.coins, Coin{OutPoint: c.OutPoint, Owner: k.Address, Amount: c.Amount})
			}
		}
		h.Partial = h.Partial || !page.Done
		h.Height = max(h.Height, page.Height)
	}
	total, over := sum(h.coins)
	if over {
		h.fail(chain.Rule(chain.ErrAmount, "shard %d lists coins of more than 64 bits hold", h.Shard))
		return
	}
	h.Amount, h.Coins = &total, len(h.coins)
}

// fail makes the shard's balance unknown.
func (h *holdings) fail(err error) {
	h.err, h.coins = err, nil
	h.Amount, h.Reason, h.Coins, h.Partial = nil, err.Error(), 0, false
}

// known is what the shard is known to hold.
func (h *holdings) known() uint64 {
	if h.Amount == nil {
		return 0
	}
	return *h.Amount
}

// coins lists an owner's coins from one validator of the shard.
func (r *Remote) coins(ctx context.Context, shard chain.ShardID, owner chain.Address) (page api.CoinsPage, err error) {
	err = r.Net.Try(ctx, shard, func(ctx context.Context, e api.Endpoint) error {
		page, err = e.Coins(ctx, owner.Text(r.Params.Prefix), maxCoins)
		return err
	})
	return page, err
}

// recoverGap is how many indexes in a row without coins end a recovery, for
// each shard: an address in a wanted shard may be that many indexes away.
const recoverGap = 20

// Recover takes the addresses into use that hold coins. It tries the indexes in
// order, and ends after 20 times the number of shards in a row without any.
func (w *Wallet) Recover(ctx context.Context, r *Remote) (found int, err error) {
	if err := w.on(r); err != nil {
		return 0, err
	}
	var hits []uint32
	for index, misses := uint32(0), 0; misses < recoverGap*w.network.Shards; index++ {
		k, err := w.keyAt(index)
		if err != nil {
			return 0, err
		}
		shard := k.Address.Shard(w.network.Shards)
		page, err := r.coins(ctx, shard, k.Address)
		if err != nil {
			return 0, fmt.Errorf("recovering address %d in shard %d: %w", index, shard, err)
		}
		if misses++; len(page.Coins) > 0 {
			hits, misses = append(hits, index), 0
		}
		if len(hits) > MaxAddresses {
			return 0, chain.Rule(chain.ErrFull, "more than %d addresses hold coins", MaxAddresses)
		}
	}
	err = w.change(func(c *content) error {
		for _, n := range hits {
			before := len(c.Indexes)
			c.Indexes = insert(c.Indexes, n)
			found += len(c.Indexes) - before
		}
		return nil
	})
	return found, err
}

func (w *Wallet) keyAt(index uint32) (*Key, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.branch.keyAt(index)
}
