package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ios/chain"
	"ios/node/api"
	"ios/node/faucet"
)

// trafficConfig says what runs.
type trafficConfig struct {
	shards []chain.ShardID // where owners begin; all if nil
	owners int             // in each shard
	coins  int             // of each owner
	batch  int             // transactions an owner submits at a time
	cross  float64         // share of transactions across shards
	pace   time.Duration   // the least time between two rounds of an owner
}

// traffic is what runs beside the faults.
type traffic struct {
	net       *network
	cfg       trafficConfig
	owners    []*owner
	histories []*history // by shard

	stopped  atomic.Bool
	hurry    context.CancelFunc // ends rounds that do not end
	workers  sync.WaitGroup
	final    atomic.Int64 // transactions
	accepted atomic.Int64

	mu       sync.Mutex
	acked    map[chain.TxID]chain.Shards
	refusals map[string]int
	times    []time.Duration // of rounds
	lastEnd  time.Time
	faults   []error
}

// startTraffic funds the owners and lets them begin.
func startTraffic(t *testing.T, n *network, cfg trafficConfig) *traffic {
	t.Helper()
	if cfg.shards == nil {
		for s := range n.params.Shards {
			cfg.shards = append(cfg.shards, chain.ShardID(s))
		}
	}
	tr := &traffic{net: n, cfg: cfg, acked: make(map[chain.TxID]chain.Shards), refusals: make(map[string]int), lastEnd: time.Now()}
	watch, unwatch := context.WithCancel(context.Background())
	work, hurry := context.WithCancel(context.Background())
	tr.hurry = hurry
	t.Cleanup(func() { tr.stopped.Store(true); hurry(); tr.workers.Wait(); unwatch() })
	for s := range n.params.Shards {
		tr.histories = append(tr.histories, n.follow(watch, chain.ShardID(s)))
	}
	for _, s := range cfg.shards {
		tr.fund(t, s)
	}
	for _, o := range tr.owners {
		tr.workers.Go(func() { tr.run(work, o) })
	}
	return tr
}

// fund gives the shard's owners their coins, one transaction each.
func (tr *traffic) fund(t *testing.T, shard chain.ShardID) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	keys, err := tr.net.Faucet()
	if err != nil {
		t.Fatal(err)
	}
	f := &faucet.Faucet{Keys: keys, Network: tr.net.api, Params: tr.net.params}
	coins, err := f.Coins(ctx, shard)
	if err != nil {
		t.Fatal(err)
	}
	var txs []*chain.Tx
	for i := range tr.cfg.owners {
		o := &owner{traffic: tr, index: i, home: shard, coins: make([][]chain.Input, tr.net.params.Shards), rand: rand.New(rand.NewPCG(uint64(shard), uint64(i)))}
		name := fmt.Sprintf("owner %d of %d at %d", i, shard, time.Now().UnixNano())
		for s := range tr.net.params.Shards {
			o.keys = append(o.keys, keyIn(name, chain.ShardID(s), tr.net.params.Shards))
		}
		outputs := make([]chain.Output, tr.cfg.coins)
		for j := range outputs {
			outputs[j] = chain.Output{Owner: addressOf(o.keys[shard]), Amount: 1 + uint64(o.rand.IntN(1_000_000))}
		}
		tx, used, err := f.Build(shard, firstEpoch, coins, outputs)
		if err != nil {
			t.Fatal(err)
		}
		coins = coins[used:]
		for j := range outputs {
			o.coins[shard] = append(o.coins[shard], outputOf(tx, j))
		}
		txs = append(txs, tx)
		tr.owners = append(tr.owners, o)
	}
	if err := tr.owners[len(tr.owners)-1].bring(ctx, shard, txs); err != nil {
		t.Fatal(err)
	}
}

func (tr *traffic) run(ctx context.Context, o *owner) {
	for !tr.stopped.Load() && ctx.Err() == nil {
		begin := time.Now()
		if err := o.round(ctx); err != nil {
			tr.mu.Lock()
			tr.faults = append(tr.faults, err)
			tr.mu.Unlock()
			return
		}
		if wait := tr.cfg.pace - time.Since(begin); wait > 0 {
			select {
			case <-time.After(wait):
			case <-ctx.Done():
			}
		}
	}
}

func (tr *traffic) acknowledge(t *chain.Tx) {
	tr.accepted.Add(1)
	tr.mu.Lock()
	tr.acked[t.ID] = tr.net.params.Involved(t)
	tr.mu.Unlock()
}

// count counts refusals by their kind.
func (tr *traffic) count(err error) {
	kind := err.Error()
	var rule *chain.RuleError
	var known *api.Error
	switch {
	case errors.As(err, &rule):
		kind = string(rule.Kind)
	case errors.As(err, &known):
		kind = string(known.Kind)
	}
	tr.mu.Lock()
	tr.refusals[kind]++
	tr.mu.Unlock()
}

func (tr *traffic) took(d time.Duration, txs int) {
	tr.final.Add(int64(txs))
	tr.mu.Lock()
	tr.times, tr.lastEnd = append(tr.times, d), time.Now()
	tr.mu.Unlock()
}

// more waits until so many more transactions are final.
func (tr *traffic) more(t *testing.T, count int, patience time.Duration) {
	t.Helper()
	goal := tr.final.Load() + int64(count)
	await(t, patience, func() string {
		if got := tr.final.Load(); got < goal {
			return fmt.Sprintf("%d transactions are final, %d were expected; %v", got, goal, tr.troubles())
		}
		return ""
	})
}

// stop lets the rounds under way end, and checks that they do.
func (tr *traffic) stop(t *testing.T, patience time.Duration) {
	t.Helper()
	tr.stopped.Store(true)
	late := time.AfterFunc(patience, tr.hurry)
	tr.workers.Wait()
	late.Stop()
	tr.mu.Lock()
	defer tr.mu.Unlock()
	for _, err := range tr.faults {
		t.Errorf("%v after the end: %v", patience, err)
	}
	if n := tr.refusals[string(chain.ErrSpent)]; n > 0 {
		t.Errorf("%d times an owner was told that its coin is spent, and nobody else has its keys", n)
	}
	t.Logf("traffic: %d acknowledged, %d final, refusals %v, rounds %s", tr.accepted.Load(), tr.final.Load(), tr.refusals, summary(tr.times))
}

// troubles is what the owners met.
func (tr *traffic) troubles() string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return fmt.Sprintf("refusals %v, faults %v, last round ended %v ago", tr.refusals, tr.faults, time.Since(tr.lastEnd).Round(time.Millisecond))
}

// percentile is of the times in a sorted list.
func percentile(sorted []time.Duration, p float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(p*float64(len(sorted))))]
}

func summary(times []time.Duration) string {
	s := slices.Sorted(slices.Values(times))
	return fmt.Sprintf("%d, p50 %v, p99 %v, max %v", len(s), percentile(s, .5).Round(time.Millisecond), percentile(s, .99).Round(time.Millisecond), percentile(s, 1).Round(time.Millisecond))
}
