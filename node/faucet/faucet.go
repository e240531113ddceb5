// Package faucet pays from a test network's allocations. Whoever has the
// faucet's keys makes these payments as any owner would; the network knows no
// faucet.
package faucet

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"ios/chain"
	"ios/chain/sig"
	"ios/node/api"
)

// Faucet pays from one key in each shard.
type Faucet struct {
	Keys    []*sig.Key // by shard
	Network *api.Network
	Params  *chain.Params
}

// Coin is a coin of the faucet.
type Coin = chain.Input

// maxCoins bounds the coins that are listed; the rest is not needed.
const maxCoins = 10_000

// Owner is the faucet's address in a shard.
func (f *Faucet) Owner(shard chain.ShardID) chain.Address {
	public := f.Keys[shard].Public()
	return chain.AddressOf((*[32]byte)(&public))
}

// Coins lists the faucet's coins in a shard, in random order, so that payments
// of several programs seldom meet.
func (f *Faucet) Coins(ctx context.Context, shard chain.ShardID) ([]Coin, error) {
	var coins []Coin
	owner := f.Owner(shard)
	err := f.Network.Try(ctx, shard, func(ctx context.Context, e api.Endpoint) error {
		page, err := e.Coins(ctx, owner.Text(f.Params.Prefix), maxCoins)
		if err != nil {
			return err
		}
		coins = coins[:0]
		for _, c := range page.Coins {
			coins = append(coins, Coin{OutPoint: c.OutPoint, Owner: owner, Amount: c.Amount})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("listing the faucet's coins in shard %d: %w", shard, err)
	}
	rand.Shuffle(len(coins), func(i, j int) { coins[i], coins[j] = coins[j], coins[i] })
	return coins, nil
}

// ErrEmpty is in the error of a payment that the faucet cannot make.
var ErrEmpty = errors.New("the faucet has too little")

// Build makes and signs a payment of the outputs from coins of one shard. What
// the coins hold above it goes back to the faucet. It takes the fewest coins
// from the front that suffice, and returns how many.
func (f *Faucet) Build(shard chain.ShardID, epoch uint64, coins []Coin, outputs []chain.Output) (t *chain.Tx, used int, err error) {
	need := f.Params.MinFee
	for i := range outputs {
		if need+outputs[i].Amount < need {
			return nil, 0, chain.Rule(chain.ErrAmount, "the payments add up to more than 64 bits hold")
		}
		need += outputs[i].Amount
	}
	var have uint64
	for have < need && used < len(coins) {
		have += coins[used].Amount
		used++
	}
	if have < need {
		return nil, 0, fmt.Errorf("%w: %d base units in %d coins of shard %d, %d are wanted", ErrEmpty, have, len(coins), shard, need)
	}
	t = &chain.Tx{Expiry: epoch + chain.ExpiryAhead, Inputs: coins[:used:used], Outputs: outputs}
	if have > need {
		t.Outputs = append(outputs[:len(outputs):len(outputs)], chain.Output{Owner: f.Owner(shard), Amount: have - need})
	}
	Sign(f.Params, t, f.Keys[shard])
	return t, used, nil
}

// Sign seals a transaction whose inputs belong to one key.
func Sign(p *chain.Params, t *chain.Tx, key *sig.Key) {
	p.Seal(t)
	t.Witnesses = []chain.Witness{{PublicKey: key.Public(), Signature: key.Sign(chain.SignedBytes(t.ID))}}
	p.Seal(t)
}

// payAttempts is how often Pay tries other coins when others were faster.
const payAttempts = 8

// Pay gives an amount to an address, from the faucet in the address's shard,
// and returns once the payment is accepted.
func (f *Faucet) Pay(ctx context.Context, to chain.Address, amount uint64) (*chain.Tx, error) {
	shard := to.Shard(f.Params.Shards)
	for attempt := 1; ; attempt++ {
		t, err := f.payOnce(ctx, shard, chain.Output{Owner: to, Amount: amount})
		again := false
		for _, kind := range []chain.ErrorKind{chain.ErrSpent, chain.ErrUnknown, chain.ErrLocked} {
			again = again || errors.Is(err, kind)
		}
		if !again || attempt == payAttempts {
			return t, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(time.Duration(attempt) * 50 * time.Millisecond):
		}
	}
}

func (f *Faucet) payOnce(ctx context.Context, shard chain.ShardID, out chain.Output) (*chain.Tx, error) {
	coins, err := f.Coins(ctx, shard)
	if err != nil {
		return nil, err
	}
	var t *chain.Tx
	err = f.Network.Try(ctx, shard, func(ctx context.Context, e api.Endpoint) error {
		st, err := e.Status(ctx)
		if err != nil {
			return err
		}
		if t, _, err = f.Build(shard, st.Epoch, coins, []chain.Output{out}); err != nil {
			return err
		}
		res, err := e.Submit(ctx, t.Raw)
		if err == nil && len(res.Refused) > 0 {
			err = res.Refused[0].Err()
		}
		return err
	})
	return t, err
}
