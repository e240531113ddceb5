package e2e

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"ios/chain"
	"ios/chain/sig"
	"ios/node/faucet"
)

// owner spends its own coins over and over, to itself, in one shard or another.
type owner struct {
	*traffic
	index int
	home  chain.ShardID
	keys  []*sig.Key      // one in each shard
	coins [][]chain.Input // by shard: what its books say
	rand  *rand.Rand
}

// keyIn makes the first key of a name's sequence that lives in the shard.
func keyIn(name string, shard chain.ShardID, shards int) *sig.Key {
	for i := 0; ; i++ {
		seed := sha256.Sum256(fmt.Appendf(nil, "%s/%d/%d", name, shard, i))
		k, err := sig.FromSeed(seed[:])
		if err != nil {
			panic(err) // 32 bytes were given
		}
		if addressOf(k).Shard(shards) == shard {
			return k
		}
	}
}

func addressOf(k *sig.Key) chain.Address {
	public := k.Public()
	return chain.AddressOf((*[32]byte)(&public))
}

// pay makes and signs a transaction that moves one coin to an owner.
func pay(p *chain.Params, coin chain.Input, key *sig.Key, to chain.Address) *chain.Tx {
	t := &chain.Tx{Expiry: firstEpoch + chain.ExpiryAhead, Inputs: []chain.Input{coin}, Outputs: []chain.Output{{Owner: to, Amount: coin.Amount}}}
	faucet.Sign(p, t, key)
	return t
}

const firstEpoch = 1

// outputOf is the coin that output i of a transaction makes.
func outputOf(t *chain.Tx, i int) chain.Input {
	return chain.Input{OutPoint: chain.OutPoint{Tx: t.ID, Index: uint32(i)}, Owner: t.Outputs[i].Owner, Amount: t.Outputs[i].Amount}
}

// round spends some coins of one shard and returns once all are final, which
// is at last when the deadline has passed after the traffic's end.
func (o *owner) round(ctx context.Context) error {
	shard := o.home
	for len(o.coins[shard]) == 0 {
		shard = (shard + 1) % chain.ShardID(len(o.coins))
	}
	o.home = shard
	if o.cfg.cross > 0 {
		o.home = (shard + 1) % chain.ShardID(len(o.coins))
	}
	count := min(o.cfg.batch, len(o.coins[shard]))
	txs := make([]*chain.Tx, count)
	for i, coin := range o.coins[shard][:count] {
		dest := shard
		if o.rand.Float64() < o.cfg.cross {
			dest = (shard + 1) % chain.ShardID(len(o.coins))
		}
		txs[i] = pay(o.net.params, coin, o.keys[shard], addressOf(o.keys[dest]))
	}
	if err := o.bring(ctx, shard, txs); err != nil {
		return err
	}
	o.coins[shard] = o.coins[shard][count:]
	for _, t := range txs {
		coin := outputOf(t, 0)
		dest := coin.Owner.Shard(o.net.params.Shards)
		o.coins[dest] = append(o.coins[dest], coin)
	}
	return nil
}

// bring submits transactions of one shard, as often as it takes, and waits
// until all are final everywhere.
func (o *owner) bring(ctx context.Context, shard chain.ShardID, txs []*chain.Tx) error {
	begin := time.Now()
	acked := make([]bool, len(txs))
	last := make([]error, len(txs)) // what was last said against it
	for at := o.index; ; at++ {
		var open []int
		var changed <-chan struct{}
		for i, t := range txs {
			done, more := o.committed(t)
			if !done {
				changed = more
			}
			if !done && !acked[i] {
				open = append(open, i)
			}
		}
		if changed == nil {
			break
		}
		if len(open) > 0 {
			o.submit(ctx, shard, at, txs, open, acked, last)
		}
		select {
		case <-changed:
		case <-time.After(5 * tick):
		case <-ctx.Done():
			return o.unfinished(txs, acked, last)
		}
	}
	o.took(time.Since(begin), len(txs))
	return nil
}

// submit hands the open ones to one validator and notes what it says.
func (o *owner) submit(ctx context.Context, shard chain.ShardID, at int, txs []*chain.Tx, open []int, acked []bool, last []error) {
	var raw []byte
	for _, i := range open {
		raw = append(raw, txs[i].Raw...)
	}
	endpoints := o.net.api.Endpoints(shard)
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	res, err := endpoints[at%len(endpoints)].Submit(ctx, raw)
	if err != nil {
		for _, i := range open {
			last[i] = err
		}
		o.count(err)
		return
	}
	refused := make(map[int]bool)
	for j := range res.Refused {
		r := &res.Refused[j]
		refused[r.Index], last[open[r.Index]] = true, r.Err()
		o.count(r.Err())
	}
	for j, i := range open {
		if !refused[j] {
			acked[i] = true
			o.acknowledge(txs[i])
		}
	}
}

// committed reports whether the transaction is committed in every shard that
// it involves, and what to wait for if it is not.
func (o *owner) committed(t *chain.Tx) (bool, <-chan struct{}) {
	involved := o.net.params.Involved(t)
	for _, s := range involved.List() {
		if got, changed := o.histories[s].of(t.ID); got != chain.Committed {
			return false, changed
		}
	}
	return true, nil
}

// unfinished says what became of a round that did not end.
func (o *owner) unfinished(txs []*chain.Tx, acked []bool, last []error) error {
	var errs []error
	for i, t := range txs {
		if done, _ := o.committed(t); done {
			continue
		}
		what := "was never accepted"
		if acked[i] {
			what = "was ACKNOWLEDGED and is not final"
		}
		var got []string
		involved := o.net.params.Involved(t)
		for _, s := range involved.List() {
			out, _ := o.histories[s].of(t.ID)
			got = append(got, fmt.Sprintf("shard %d: %v", s, out))
		}
		errs = append(errs, fmt.Errorf("transaction %v %s (%v; last refusal: %v)", t.ID, what, got, last[i]))
		if len(errs) == 5 {
			break
		}
	}
	return errors.Join(errs...)
}
