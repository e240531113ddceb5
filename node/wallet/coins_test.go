package wallet

import (
	"errors"
	"math/bits"
	"testing"

	"pgregory.net/rapid"

	"ios/chain"
)

// some draws coins in some shards.
func some(t *rapid.T, shards int) []Coin {
	amount := rapid.OneOf(rapid.Uint64Range(1, 50), rapid.Uint64Min(1))
	n := rapid.IntRange(0, 8).Draw(t, "coins")
	coins := make([]Coin, n)
	for i := range coins {
		coins[i] = Coin{
			OutPoint: chain.OutPoint{Tx: chain.TxID{byte(i)}, Index: uint32(i)},
			Owner:    chain.Address{byte(rapid.IntRange(0, shards-1).Draw(t, "shard") * 256 / shards)},
			Amount:   amount.Draw(t, "amount"),
		}
	}
	return coins
}

// total adds up in 128 bits.
func total(coins []Coin) (hi, lo uint64) {
	var carry uint64
	for _, c := range coins {
		lo, carry = bits.Add64(lo, c.Amount, 0)
		hi += carry
	}
	return hi, lo
}

// possible is the naive twin: it tries every subset of at most max coins, of
// one shard or of any.
func possible(coins []Coin, amount uint64, max int, within func(Coin) bool) bool {
	for set := range 1 << len(coins) {
		if bits.OnesCount(uint(set)) > max {
			continue
		}
		var picked []Coin
		ok := true
		for i, c := range coins {
			if set>>i&1 == 1 {
				picked, ok = append(picked, c), ok && within(c)
			}
		}
		if hi, lo := total(picked); ok && len(picked) > 0 && (hi > 0 || lo >= amount) {
			return true
		}
	}
	return false
}

func TestSelectionAgainstTryingAll(t *testing.T) {
	const shards = 4
	rapid.Check(t, func(t *rapid.T) {
		coins := some(t, shards)
		max := rapid.IntRange(1, 6).Draw(t, "max")
		home := chain.ShardID(rapid.IntRange(0, shards-1).Draw(t, "home"))
		amount := rapid.OneOf(rapid.Uint64Range(1, 200), rapid.Uint64Min(1)).Draw(t, "amount")
		sel, err := Select(coins, amount, home, shards, max)
		anyShard := func(Coin) bool { return true }
		in := func(s chain.ShardID) func(Coin) bool {
			return func(c Coin) bool { return c.Owner.Shard(shards) == s }
		}
		if err != nil {
			if possible(coins, amount, max, anyShard) {
				t.Fatalf("it is possible, but: %v", err)
			}
			hi, lo := total(coins)
			if enough := hi > 0 || lo >= amount; enough != errors.Is(err, ErrInputs) || enough == errors.Is(err, ErrInsufficient) {
				t.Fatalf("the coins add up to %d·2^64 + %d, and %v", hi, lo, err)
			}
			return
		}
		hi, lo := total(sel.Coins)
		if change, borrow := bits.Sub64(lo, amount, 0); hi-borrow != 0 || change != sel.Change {
			t.Fatalf("%d·2^64 + %d spent for %d, change %d", hi, lo, amount, sel.Change)
		}
		if len(sel.Coins) > max {
			t.Fatalf("%d inputs", len(sel.Coins))
		}
		seen := map[chain.OutPoint]bool{}
		used := map[chain.ShardID]bool{}
		for _, c := range sel.Coins {
			if seen[c.OutPoint] {
				t.Fatal("a coin twice")
			}
			seen[c.OutPoint], used[c.Owner.Shard(shards)] = true, true
		}
		if possible(coins, amount, max, in(home)) && (len(used) != 1 || !used[home]) {
			t.Fatal("the transfer could have stayed in its shard")
		}
		one := false
		for s := range chain.ShardID(shards) {
			one = one || possible(coins, amount, max, in(s))
		}
		if one && len(used) != 1 {
			t.Fatal("one shard would have been enough")
		}
		// The order in which coins are listed does not matter.
		for i, j := 0, len(coins)-1; i < j; i, j = i+1, j-1 {
			coins[i], coins[j] = coins[j], coins[i]
		}
		again, err := Select(coins, amount, home, shards, max)
		if err != nil || len(again.Coins) != len(sel.Coins) || again.Change != sel.Change || again.Coins[0] != sel.Coins[0] {
			t.Fatalf("another order, another selection: %+v, %v", again, err)
		}
	})
}

// What goes into the registry comes from one shard, if any has enough.
func TestSelectOneStaysInAShard(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const max = 3
		shards := 1 << rapid.IntRange(0, 2).Draw(t, "shards")
		coins := some(t, shards)
		amount := rapid.Uint64Range(1, 200).Draw(t, "amount")
		can := false
		for s := range chain.ShardID(shards) {
			can = can || possible(coins, amount, max, func(c Coin) bool { return c.Owner.Shard(shards) == s })
		}
		sel, err := SelectOne(coins, amount, shards, max)
		if can != (err == nil) {
			t.Fatalf("%v, though one shard has enough: %v", err, can)
		}
		if err != nil {
			if !errors.Is(err, ErrInsufficient) && !errors.Is(err, ErrInputs) {
				t.Fatal(err)
			}
			return
		}
		hi, lo := total(sel.Coins)
		if hi != 0 || lo != amount+sel.Change || len(sel.Coins) > max {
			t.Fatalf("%+v for %d", sel, amount)
		}
		for _, c := range sel.Coins {
			if c.Owner.Shard(shards) != sel.Coins[0].Owner.Shard(shards) {
				t.Fatalf("from several shards: %+v", sel)
			}
		}
	})
}
