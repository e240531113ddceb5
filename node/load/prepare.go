package load

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"ios/chain"
	"ios/node/api"
	"ios/node/faucet"
)

// lane is the prepared load of one paying shard.
type lane struct {
	shard chain.ShardID
	base  int    // place of the first transaction among those of all lanes
	count int    // of transactions
	size  int    // bytes of each transaction
	raw   []byte // all of them, one behind the other
	// build signs one of them; late says that this is to be done when it is
	// submitted, because what is signed before expires with its epoch.
	build func(j int, epoch uint64) *chain.Tx
	late  bool
	epoch uint64 // of the shard, when the load was prepared
}

// sign signs the transactions from and to, counted within the lane.
func (p *prepared) sign(l *lane, from, to int, epoch uint64) {
	for j := from; j < to; j++ {
		t := l.build(j, epoch)
		p.ids[l.base+j] = t.ID
		copy(l.bytes(j, j+1), t.Raw)
	}
}

// bytes are the transactions from and to, counted within the lane.
func (l *lane) bytes(from, to int) []byte { return l.raw[from*l.size : to*l.size] }

// prepared is a load that is ready to be sent.
type prepared struct {
	lanes []*lane
	ids   []chain.TxID
	dests []chain.ShardID // of each transaction
}

// amount is what each transaction of the load moves, in base units.
const amount = 1000

// prepare funds and signs count transactions for each paying shard.
func prepare(ctx context.Context, c *Config, s *streams, count int) (*prepared, error) {
	params := c.Faucet.Params
	owners, err := newOwners(c.Owners, params.Shards)
	if err != nil {
		return nil, err
	}
	total := count * len(c.Shards)
	p := &prepared{ids: make([]chain.TxID, total), dests: make([]chain.ShardID, total)}
	start := time.Now()
	for i, shard := range c.Shards {
		epoch, err := epochOf(ctx, c.Network, shard)
		if err != nil {
			return nil, err
		}
		payers := owners[shard]
		outputs := make([]chain.Output, count)
		for j := range outputs {
			outputs[j] = chain.Output{Owner: payers[j%len(payers)].address, Amount: amount + params.MinFee}
		}
		c.Progress(fmt.Sprintf("shard %d: making %d coins", shard, count))
		coins, err := fund(ctx, c.Faucet, s, shard, epoch, outputs)
		if err != nil {
			return nil, err
		}
		l := &lane{shard: shard, base: i * count, count: count, epoch: epoch}
		p.lanes = append(p.lanes, l)
		p.plan(c, l, owners, coins)
		l.raw = make([]byte, l.count*l.size)
		if l.late = c.Network.Genesis().Policy.EpochLength > 0; !l.late {
			c.Progress(fmt.Sprintf("shard %d: signing %d transactions", shard, count))
			parallel(count, func(from, to int) { p.sign(l, from, to, epoch) })
		}
	}
	c.Progress(fmt.Sprintf("%d transactions prepared in %.1f s", total, time.Since(start).Seconds()))
	return p, nil
}

func epochOf(ctx context.Context, net *api.Network, shard chain.ShardID) (epoch uint64, err error) {
	err = net.Try(ctx, shard, func(ctx context.Context, e api.Endpoint) error {
		st, err := e.Status(ctx)
		if err == nil {
			epoch = st.Epoch
		}
		return err
	})
	return epoch, err
}

// plan says what the transactions of a lane are: each spends one coin and gives
// all of it to another owner.
func (p *prepared) plan(c *Config, l *lane, owners [][]owner, coins []chain.Input) {
	params := c.Faucet.Params
	payers := owners[l.shard]
	seed := rand.Uint64()
	l.build = func(j int, epoch uint64) *chain.Tx {
		random := rand.New(rand.NewPCG(seed, uint64(j)))
		dest := l.shard
		if random.Float64() < c.Across {
			// Evenly over the other shards.
			if dest = chain.ShardID(random.IntN(params.Shards - 1)); dest >= l.shard {
				dest++
			}
		}
		p.dests[l.base+j] = dest
		payee := &owners[dest][random.IntN(len(owners[dest]))]
		t := &chain.Tx{
			Expiry: epoch + chain.ExpiryAhead, Inputs: coins[j : j+1 : j+1],
			Outputs: []chain.Output{{Owner: payee.address, Amount: amount}},
		}
		faucet.Sign(params, t, payers[j%len(payers)].key)
		return t
	}
	l.size = len(l.build(0, 0).Raw)
}
