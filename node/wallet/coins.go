package wallet

import (
	"cmp"
	"math/bits"
	"slices"

	"ios/chain"
)

// Coin is an unspent output of the wallet.
type Coin struct {
	chain.OutPoint
	Owner  chain.Address
	Amount uint64
}

// Selection is the coins that a transfer spends.
type Selection struct {
	Coins  []Coin // the change goes to the owner of the first
	Change uint64
}

// MaxInputs is how many coins one transfer spends at most.
const MaxInputs = 500

// Select chooses coins for an amount, fee included. It takes them from one
// shard if it can, from home above all, because a transfer within one shard is
// the quickest: the smallest coin that is enough, or else as few as possible.
// Only if no shard has enough it takes the largest of all shards. The order of
// coins does not matter.
func Select(coins []Coin, amount uint64, home chain.ShardID, shards, max int) (Selection, error) {
	sorted := slices.Clone(coins)
	slices.SortFunc(sorted, func(a, b Coin) int {
		if c := cmp.Compare(b.Amount, a.Amount); c != 0 {
			return c
		}
		return a.OutPoint.Compare(b.OutPoint)
	})
	byShard := make(map[chain.ShardID][]Coin)
	for _, c := range sorted {
		s := c.Owner.Shard(shards)
		byShard[s] = append(byShard[s], c)
	}
	var best *Selection
	for s := range chain.ShardID(shards) {
		sel, ok := fromOne(byShard[s], amount, max)
		switch {
		case !ok:
		case s == home:
			return sel, nil
		case best == nil || less(&sel, best):
			best = &sel
		}
	}
	if best != nil {
		return *best, nil
	}
	if sel, ok := largest(sorted, amount, max); ok {
		return sel, nil
	}
	total, over := sum(sorted)
	if !over && total < amount {
		return Selection{}, chain.Rule(ErrInsufficient, "%d is needed, fee included, and %d can be spent", amount, total)
	}
	most, _ := sum(sorted[:min(len(sorted), max)])
	return Selection{}, chain.Rule(ErrInputs, "%d is needed, fee included, and the %d largest coins together have %d; send less at a time, or gather small coins by sending them to yourself", amount, max, most)
}

// SelectOne is Select for what has to come from one shard.
func SelectOne(coins []Coin, amount uint64, shards, max int) (Selection, error) {
	byShard := make(map[chain.ShardID][]Coin)
	for _, c := range coins {
		s := c.Owner.Shard(shards)
		byShard[s] = append(byShard[s], c)
	}
	var best *Selection
	var why error
	for s := range chain.ShardID(shards) {
		sel, err := Select(byShard[s], amount, s, shards, max)
		switch {
		case err != nil:
			why = err
		case best == nil || less(&sel, best):
			best = &sel
		}
	}
	if best != nil {
		return *best, nil
	}
	if total, over := sum(coins); over || total >= amount {
		return Selection{}, chain.Rule(ErrInputs, "%d is needed from one shard, fee included, and none has as much; gather it by sending it to an address of yours", amount)
	}
	return Selection{}, why
}

// less prefers fewer coins, then less change.
func less(a, b *Selection) bool {
	if len(a.Coins) != len(b.Coins) {
		return len(a.Coins) < len(b.Coins)
	}
	return a.Change < b.Change
}

// fromOne takes the smallest single coin that is enough, or the largest ones.
// The coins stand by falling amount.
func fromOne(coins []Coin, amount uint64, max int) (Selection, bool) {
	for i := len(coins) - 1; i >= 0 && max > 0; i-- {
		if coins[i].Amount >= amount {
			return Selection{Coins: coins[i : i+1 : i+1], Change: coins[i].Amount - amount}, true
		}
	}
	return largest(coins, amount, max)
}

// largest takes coins in their order until they are enough.
func largest(coins []Coin, amount uint64, max int) (Selection, bool) {
	missing := amount
	for i := range min(len(coins), max) {
		if coins[i].Amount >= missing {
			return Selection{Coins: coins[: i+1 : i+1], Change: coins[i].Amount - missing}, true
		}
		missing -= coins[i].Amount
	}
	return Selection{}, false
}

// sum adds up amounts; over says that they are more than 64 bits hold.
func sum(coins []Coin) (total uint64, over bool) {
	for i := range coins {
		var carry uint64
		if total, carry = bits.Add64(total, coins[i].Amount, 0); carry != 0 {
			return ^uint64(0), true
		}
	}
	return total, false
}
