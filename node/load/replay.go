package load

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"ios/chain"
	"ios/node/api"
	"ios/node/load/bitcoin"
)

// ReplayReport is what replaying a Bitcoin block came to.
type ReplayReport struct {
	Block string `json:"block"`

	// The block, and what was made of it; see mapping for the rules.
	BlockTxs   int `json:"block_transactions"`
	Coinbases  int `json:"coinbases_left_out"`
	TooLarge   int `json:"too_large_left_out"`
	Zeros      int `json:"zero_outputs_left_out"`
	ToppedUp   int `json:"topped_up"`
	Replayed   int `json:"replayed"`
	Inside     int `json:"inputs_from_inside"`
	Outside    int `json:"inputs_from_outside"`
	Owners     int `json:"owners"`
	Within     int `json:"within_a_shard"`
	AcrossTwo  int `json:"across_two"`
	AcrossMore int `json:"across_more"`

	// What became of it.
	Final   int `json:"final"`
	Refused int `json:"refused"`
	Aborted int `json:"cross_aborted"`
	Lost    int `json:"lost"`
	Unsent  int `json:"unsent"` // since what they spend did not come about

	// Base units; one for each satoshi.
	Funded  uint64 `json:"funded"`
	Fees    uint64 `json:"fees"`
	Unspent uint64 `json:"unspent"` // outputs that the shards have in their coins
	SumsOK  bool   `json:"sums_ok"` // funded = unspent + fees, and every output is there
	Problem string `json:"problem,omitempty"`

	Seconds float64 `json:"seconds"` // from the first submission to the last final block
	TxPerS  float64 `json:"tx_per_s"`
}

// Err is not nil when not everything is final or the sums do not agree.
func (r *ReplayReport) Err() error {
	switch {
	case r.Final != r.Replayed:
		return fmt.Errorf("%d of %d transactions are final: %s", r.Final, r.Replayed, r.Problem)
	case !r.SumsOK:
		return fmt.Errorf("the sums do not agree: %s", r.Problem)
	}
	return nil
}

// replay is one run.
type replay struct {
	*Config
	m    *mapping
	txs  []*chain.Tx
	wait *waiter

	mu       sync.Mutex
	ready    []int // whose inputs are all there and which are not submitted yet
	missing  []int // by transaction: parents that are not final
	children [][]int
	place    map[chain.TxID]int
	how      []ending
	problem  error
	refused  int
	moved    chan struct{}
}

// Replay makes a Bitcoin block happen on the network: it funds the inputs from
// outside, submits each transaction as soon as those it spends from are final,
// and compares the coins at the end.
func Replay(ctx context.Context, c Config, block *bitcoin.Block) (*ReplayReport, error) {
	c.Shards = []chain.ShardID{0}
	c.Window = time.Second
	if err := c.Check(); err != nil {
		return nil, err
	}
	m, err := mapBlock(block, c.Faucet.Params)
	if err != nil {
		return nil, err
	}
	every := make([]chain.ShardID, c.Faucet.Params.Shards)
	for i := range every {
		every[i] = chain.ShardID(i)
	}
	s, err := openStreams(ctx, c.Network, every)
	if err != nil {
		return nil, err
	}
	defer s.close()
	epoch, err := epochOf(ctx, c.Network, 0)
	if err != nil {
		return nil, err
	}
	coins, err := fundMapping(ctx, &c, s, m, epoch)
	if err != nil {
		return nil, err
	}
	c.Progress(fmt.Sprintf("signing %d transactions of %d owners", len(m.txs), len(m.owners)))
	r := newReplay(&c, m, m.build(c.Faucet.Params, epoch, coins))
	s.tell(r.wait)
	start := time.Now()
	if err := r.submitAll(ctx); err != nil {
		return nil, err
	}
	rep := r.report(block)
	rep.Seconds = time.Since(start).Seconds()
	rep.TxPerS = float64(rep.Final) / rep.Seconds
	c.Progress("comparing the coins")
	if err := r.compare(ctx, rep); err != nil {
		return rep, err
	}
	return rep, rep.Err()
}

// fundMapping pays for the inputs from outside, shard by shard.
func fundMapping(ctx context.Context, c *Config, s *streams, m *mapping, epoch uint64) ([]chain.Input, error) {
	shards := c.Faucet.Params.Shards
	places := make([][]int, shards)
	outputs := make([][]chain.Output, shards)
	for i, o := range m.outside {
		shard := o.Owner.Shard(shards)
		places[shard], outputs[shard] = append(places[shard], i), append(outputs[shard], o)
	}
	coins := make([]chain.Input, len(m.outside))
	for shard := range shards {
		if len(outputs[shard]) == 0 {
			continue
		}
		c.Progress(fmt.Sprintf("shard %d: funding %d inputs from outside the block", shard, len(outputs[shard])))
		made, err := fund(ctx, c.Faucet, s, chain.ShardID(shard), epoch, outputs[shard])
		if err != nil {
			return nil, err
		}
		for i, at := range places[shard] {
			coins[at] = made[i]
		}
	}
	return coins, nil
}

func newReplay(c *Config, m *mapping, txs []*chain.Tx) *replay {
	r := &replay{
		Config: c, m: m, txs: txs, place: make(map[chain.TxID]int),
		missing: make([]int, len(txs)), children: make([][]int, len(txs)), how: make([]ending, len(txs)),
		moved: make(chan struct{}, 1),
	}
	r.wait = newWaiter(r.ended)
	for i := range m.txs {
		r.place[txs[i].ID] = i
		parents := make(map[int]bool)
		for _, in := range m.txs[i].inputs {
			if in.parent >= 0 && !parents[in.parent] {
				parents[in.parent] = true
				r.children[in.parent] = append(r.children[in.parent], i)
			}
		}
		if r.missing[i] = len(parents); len(parents) == 0 {
			r.ready = append(r.ready, i)
		}
	}
	return r
}

// ended is told by the waiter how a transaction ended.
func (r *replay) ended(id chain.TxID, how ending) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := r.place[id]
	r.how[at] = how
	if how == committed {
		for _, c := range r.children[at] {
			if r.missing[c]--; r.missing[c] == 0 {
				r.ready = append(r.ready, c)
			}
		}
	}
	select {
	case r.moved <- struct{}{}:
	default:
	}
}

func (r *replay) takeReady() []int {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.ready
	r.ready = nil
	return list
}

// submitAll submits what is ready, again and again, until nothing is and nothing
// is waited for.
func (r *replay) submitAll(ctx context.Context) error {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		left := r.wait.left() // before looking at what is ready: the last to end may make the next ready
		ready := r.takeReady()
		if len(ready) > 0 {
			if err := r.submit(ctx, ready); err != nil {
				return err
			}
			timer.Reset(patience)
			continue
		}
		if left == 0 {
			return nil
		}
		select {
		case <-r.moved:
			timer.Reset(patience)
		case <-timer.C:
			r.fail(fmt.Errorf("%d transactions that were accepted did not become final within %v", r.wait.left(), patience))
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (r *replay) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.problem == nil {
		r.problem = err
	}
}

// submit hands transactions to every shard that has an input of theirs.
func (r *replay) submit(ctx context.Context, list []int) error {
	params := r.Faucet.Params
	byShard := make([][]int, params.Shards)
	for _, i := range list {
		r.wait.add(params, r.txs[i])
		in := params.InputShards(r.txs[i])
		for _, s := range in.List() {
			byShard[s] = append(byShard[s], i)
		}
	}
	errs := make([]error, params.Shards)
	var wg sync.WaitGroup
	for s, places := range byShard {
		wg.Go(func() { errs[s] = r.submitTo(ctx, chain.ShardID(s), places) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// submitTo submits transactions to one shard until each is accepted or refused
// for good. A validator that is a block behind does not know yet what a
// transaction spends, so that is no reason to give up at once.
func (r *replay) submitTo(ctx context.Context, shard chain.ShardID, places []int) error {
	for start := time.Now(); len(places) > 0; {
		late := time.Since(start) > patience
		n, raw := r.batch(places)
		var res api.SubmitResult
		err := r.Network.Try(ctx, shard, func(ctx context.Context, e api.Endpoint) (err error) {
			res, err = e.Submit(ctx, raw)
			return err
		})
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			if late || !retryable(err) {
				return fmt.Errorf("submitting to shard %d: %w", shard, err)
			}
			pause(ctx, 100*time.Millisecond)
			continue
		}
		var again []int
		for i := range res.Refused {
			f := &res.Refused[i]
			if f.Index >= n {
				continue
			}
			at := places[f.Index]
			if !late && (noRoom(f.Kind) || f.Kind == chain.ErrUnknown) {
				again = append(again, at)
				continue
			}
			r.fail(fmt.Errorf("transaction %v of the block (%v here): %w", r.m.txs[at].id, r.txs[at].ID, f.Err()))
			r.wait.end(r.txs[at].ID, refused)
		}
		places = append(again, places[n:]...)
		if len(again) > 0 {
			pause(ctx, 20*time.Millisecond)
		}
	}
	return nil
}

// batch is as many of the transactions as fit into one submission.
func (r *replay) batch(places []int) (n int, raw []byte) {
	for n < len(places) && n < batchMax {
		t := r.txs[places[n]]
		if n > 0 && len(raw)+len(t.Raw) > api.MaxSubmitBytes {
			break
		}
		raw = append(raw, t.Raw...)
		n++
	}
	return n, raw
}

func (r *replay) report(block *bitcoin.Block) *ReplayReport {
	rep := &ReplayReport{
		Block: block.Hash.String(), BlockTxs: len(block.Txs), Coinbases: r.m.coinbases, TooLarge: r.m.tooLarge,
		Zeros: r.m.zeros, ToppedUp: r.m.toppedUp, Replayed: len(r.txs), Inside: r.m.inside, Outside: len(r.m.outside),
		Owners: len(r.m.owners),
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, t := range r.txs {
		involved := r.Faucet.Params.Involved(t)
		switch len(involved.List()) {
		case 1:
			rep.Within++
		case 2:
			rep.AcrossTwo++
		default:
			rep.AcrossMore++
		}
		switch {
		case r.how[i] == committed:
			rep.Final++
			rep.Fees += r.m.txs[i].fee
		case r.how[i] == refused:
			rep.Refused++
		case r.how[i] == aborted:
			rep.Aborted++
		case r.missing[i] > 0:
			rep.Unsent++
		default:
			rep.Lost++
		}
	}
	for _, o := range r.m.outside {
		rep.Funded += o.Amount
	}
	if r.problem != nil {
		rep.Problem = r.problem.Error()
	}
	return rep
}
