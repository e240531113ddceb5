package api

import (
	"context"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	logtest "github.com/sirupsen/logrus/hooks/test"

	"ios/chain"
	"ios/node/epochs"
)

// fake is a backend in memory.
type fake struct {
	Registry // of what nothing here asks
	mu       sync.Mutex
	txs      map[chain.TxID][]byte
	carried  [][]byte
	coins    []Coin
	blocks   []*BlockEvent // height 1 first
	pruned   uint64
	reasons  []string
	hold     chan struct{} // Submit waits for it, if not nil
	entered  chan struct{} // Submit tells that it waits
	submits  int
	refusal  error
	statuses int
	replayed int
	shard    chain.ShardID
	id       chain.ValidatorID
	chainID  chain.Hash
	epochs   []*epochs.Record        // from the second on
	later    []uint64                // epochs that it does not tell the next time
	more     map[chain.ShardID]*fake // further shards
}

func newFake() *fake { return &fake{txs: make(map[chain.TxID][]byte)} }

func (f *fake) Submit(ctx context.Context, raw []byte) (SubmitResult, error) {
	f.mu.Lock()
	hold, refusal := f.hold, f.refusal
	f.submits++
	f.mu.Unlock()
	if refusal != nil {
		return SubmitResult{}, refusal
	}
	if hold != nil {
		f.entered <- struct{}{}
		select {
		case <-hold:
		case <-ctx.Done():
			return SubmitResult{}, ctx.Err()
		}
	}
	var res SubmitResult
	for i, b := range raw {
		if b == 0xff {
			res.Refused = append(res.Refused, Refusal{Index: i, Kind: chain.ErrSpent, Text: "input 0 was spent"})
		} else {
			res.Accepted++
		}
	}
	return res, nil
}

func (f *fake) Carry(_ context.Context, bundle []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if bundle[0] == 0xff {
		return chain.Rule(chain.ErrProof, "a forged proof")
	}
	f.carried = append(f.carried, append([]byte(nil), bundle...))
	return nil
}

func (f *fake) Coins(_ context.Context, _ chain.Address, after *chain.OutPoint, max int) (CoinsPage, error) {
	p := CoinsPage{Height: 9}
	for _, c := range f.coins {
		if after != nil && c.OutPoint.Compare(*after) <= 0 {
			continue
		}
		if len(p.Coins) == max {
			return p, nil
		}
		p.Coins = append(p.Coins, c)
	}
	p.Done = true
	return p, nil
}

func (f *fake) Outcome(_ context.Context, id chain.TxID, proof bool) (Outcome, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.txs[id]; !ok {
		return Outcome{}, nil
	}
	o := Outcome{State: StateCommitted, Height: 7, Time: time.Unix(1, 2), Involved: []chain.ShardID{0, 3}, Reason: "because"}
	if proof {
		o.Proof = []byte("proof")
	}
	return o, nil
}

func (f *fake) Bundle(_ context.Context, id chain.TxID, dest chain.ShardID) ([]byte, error) {
	return nil, chain.Rule(ErrNotFound, "no outcome of %s for shard %d", id.Short(), dest)
}

func (f *fake) Tx(_ context.Context, id chain.TxID) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if raw, ok := f.txs[id]; ok {
		return raw, nil
	}
	return nil, chain.Rule(ErrNotFound, "transaction %s", id.Short())
}

func (f *fake) Block(_ context.Context, height uint64) ([]byte, error) {
	switch {
	case height <= f.pruned:
		return nil, chain.Rule(ErrPruned, "block %d", height)
	case height > uint64(len(f.blocks)):
		return nil, chain.Rule(ErrNotYet, "block %d", height)
	}
	return []byte{byte(height)}, nil
}

func (f *fake) BlockEvent(_ context.Context, height uint64) (*BlockEvent, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.replayed++
	switch {
	case height <= f.pruned:
		return nil, chain.Rule(ErrPruned, "block %d", height)
	case height > uint64(len(f.blocks)):
		return nil, chain.Rule(ErrNotYet, "block %d", height)
	}
	return f.blocks[height-1], nil
}

func (f *fake) Status(context.Context) (*Status, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.statuses++
	return &Status{
		ChainID: f.chainID, Network: "test", Shard: f.shard, Shards: 4, Validator: f.id, Name: "v3", PID: 42, Version: "1",
		Started: time.Unix(5, 0), Phase: PhaseSyncing, Percent: 12.5, Reason: "behind", WaitsFor: "v1", NextAction: "fetch",
		Height: uint64(len(f.blocks)), BlockTime: time.Unix(6, 0), View: 2, Leader: 1, Epoch: 3,
		Peers:   []Peer{{Validator: 1, Name: "v1", Shard: 2, Connected: true, LastHeard: time.Unix(7, 0), Queued: 8, Dropped: 9, Error: "e"}},
		Mempool: Mempool{1, 2, 3}, Supply: Supply{Value: 1 << 63, Between: -4, Open: 5, Fees: 6, Coins: 7},
		Resources: Resources{CPUSeconds: 1.5, RSS: 2, Disk: 3, Goroutines: 4},
	}, nil
}

func (f *fake) Ready() []string { return f.reasons }

// Shard implements Backend: it is in one shard, and in those that it joined.
func (f *fake) Shard(want *chain.ShardID) (Shard, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if want == nil || *want == f.shard {
		return f, nil
	}
	if other := f.more[*want]; other != nil {
		return other, nil
	}
	return nil, chain.Rule(chain.ErrWrongShard, "it is not in shard %d", *want)
}

func (f *fake) ID() chain.ShardID { return f.shard }

func (f *fake) Epoch(_ context.Context, number uint64) (*epochs.Record, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.later) > 0 && f.later[0] == number {
		f.later = f.later[1:]
		return nil, chain.Rule(chain.ErrNotReady, "epoch %d", number)
	}
	if number-2 < uint64(len(f.epochs)) {
		return f.epochs[number-2], nil
	}
	return nil, chain.Rule(ErrNotYet, "epoch %d", number)
}

// block adds a block with n outcomes.
func (f *fake) block(n int) *BlockEvent {
	f.mu.Lock()
	defer f.mu.Unlock()
	h := uint64(len(f.blocks) + 1)
	ev := &BlockEvent{Height: h, Hash: chain.Hash{byte(h), byte(h >> 8), 1}, Time: time.Unix(int64(h), 0), Epoch: 1}
	for i := range n {
		ev.Outcomes = ev.Outcomes.Append(chain.TxID{byte(h), byte(i), byte(i >> 8)}, byte(chain.Committed))
	}
	f.blocks = append(f.blocks, ev)
	return ev
}

// rig is a server over a fake backend, with its log.
type rig struct {
	*Server
	backend *fake
	log     *logtest.Hook
}

func serve(t testing.TB, limits Limits) *rig {
	t.Helper()
	return serveOn(t, newFake(), limits)
}

func serveOn(t testing.TB, f *fake, limits Limits) *rig {
	t.Helper()
	log := logrus.New()
	log.SetOutput(io.Discard)
	hook := logtest.NewLocal(log)
	s, err := NewServer(Config{Listen: "127.0.0.1:0", Backend: f, Prefix: chain.PrefixTest, Log: log, Limits: limits})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		s.Close(ctx)
	})
	return &rig{Server: s, backend: f, log: hook}
}

func (r *rig) client(t testing.TB, cfg ClientConfig) *Client {
	t.Helper()
	c := NewClient(r.URL(), cfg)
	t.Cleanup(c.Close)
	return c
}

// lines counts the log lines with the reason.
func (r *rig) lines(reason string) (n int) {
	for _, e := range r.log.AllEntries() {
		if e.Data["reason"] == reason {
			n++
		}
	}
	return n
}

// eventually waits for a condition.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(15 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("not within 15 s: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}
