package load

import (
	"cmp"
	"context"
	"io"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"ios/chain"
	"ios/chain/sig"
	"ios/node/api"
	"ios/node/epochs"
	"ios/node/faucet"
)

// world is a ledger of some shards behind one real API server each. It checks
// no signature and agrees with nobody, and it can be made to break promises.
type world struct {
	params *chain.Params
	shards []*fakeShard
	net    *api.Network
	faucet *faucet.Faucet

	mu       sync.Mutex
	coins    map[chain.OutPoint]chain.Output
	crossing []*crossing
	vice     vice
}

// vice is what the world does wrong.
type vice struct {
	forget  int // every so many accepted transactions one is forgotten
	abort   bool
	refuse  bool // half of the submissions find no room, once each
	double  bool // every outcome is told twice
	forged  int  // every so many transactions one is refused for good
	counter int
}

// crossing is a transfer across shards and how far it is.
type crossing struct {
	tx   *chain.Tx
	step int
}

type fakeShard struct {
	api.Registry // of what nothing here asks
	shardCalls
	w       *world
	id      chain.ShardID
	server  *api.Server
	height  uint64
	phase   string // if it is not ready
	pending []*chain.Tx
	refused map[chain.TxID]bool
	done    map[chain.TxID]chain.Outcome
}

// shardCalls are those that the tests do not need.
type shardCalls struct{ api.Shard }

func (f *fakeShard) Carry(context.Context, []byte) error { return nil }
func (f *fakeShard) ID() chain.ShardID                   { return f.id }

// Shard implements api.Backend.
func (f *fakeShard) Shard(*chain.ShardID) (api.Shard, error) { return f, nil }

func newWorld(t *testing.T, shards int, v vice) *world {
	t.Helper()
	w := &world{coins: make(map[chain.OutPoint]chain.Output), vice: v}
	g := &chain.Genesis{Name: "load", TestNetwork: true, Shards: shards, Policy: chain.DefaultPolicy()}
	g.Validators = make([]chain.Validator, shards)
	w.params = g.Params()
	quiet := logrus.New()
	quiet.SetOutput(io.Discard)
	members, urls := make([][]chain.ValidatorID, shards), make(map[chain.ValidatorID]string)
	for s := range shards {
		f := &fakeShard{w: w, id: chain.ShardID(s), refused: make(map[chain.TxID]bool), done: make(map[chain.TxID]chain.Outcome)}
		server, err := api.NewServer(api.Config{Listen: "127.0.0.1:0", Backend: f, Prefix: w.params.Prefix, Log: quiet})
		if err != nil {
			t.Fatal(err)
		}
		f.server = server
		w.shards = append(w.shards, f)
		members[s], urls[chain.ValidatorID(s)] = []chain.ValidatorID{chain.ValidatorID(s)}, server.URL()
	}
	var err error
	if w.net, err = api.NewNetwork(g, members, urls); err != nil {
		t.Fatal(err)
	}
	w.fillFaucet(t, shards)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { w.makeBlocks(stop) })
	t.Cleanup(func() {
		close(stop)
		wg.Wait()
		w.net.Close()
		for _, f := range w.shards {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			f.server.Close(ctx)
			cancel()
		}
	})
	return w
}

func (w *world) fillFaucet(t *testing.T, shards int) {
	w.faucet = &faucet.Faucet{Network: w.net, Params: w.params}
	for s, n := 0, byte(0); s < shards; n++ {
		k, err := sig.FromSeed(append(make([]byte, 31), n))
		if err != nil {
			t.Fatal(err)
		}
		public := k.Public()
		owner := chain.AddressOf((*[32]byte)(&public))
		if int(owner.Shard(shards)) != s {
			continue
		}
		w.faucet.Keys = append(w.faucet.Keys, k)
		for i := range 3 {
			w.coins[chain.OutPoint{Tx: chain.Hash{byte(s)}, Index: uint32(i)}] = chain.Output{Owner: owner, Amount: 1 << 40}
		}
		s++
	}
}

func (w *world) members() [][]chain.ValidatorID {
	m := make([][]chain.ValidatorID, len(w.shards))
	for s := range m {
		m[s] = []chain.ValidatorID{chain.ValidatorID(s)}
	}
	return m
}

// makeBlocks makes a block of every shard that has work, again and again.
func (w *world) makeBlocks(stop chan struct{}) {
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-stop:
			return
		}
		w.mu.Lock()
		events := make([]*api.BlockEvent, len(w.shards))
		for i, f := range w.shards {
			events[i] = &api.BlockEvent{Time: time.Now(), Epoch: 1}
			for _, tx := range f.pending {
				f.apply(tx, events[i])
			}
			f.pending = nil
		}
		w.cross(events)
		for i, f := range w.shards {
			if ev := events[i]; ev.Outcomes.Len() > 0 || ev.Skipped.Len() > 0 {
				f.height++
				ev.Height = f.height
				f.server.Publish(f.id, ev)
			}
		}
		w.mu.Unlock()
	}
}

func (w *world) tell(ev *api.BlockEvent, f *fakeShard, id chain.TxID, o chain.Outcome) {
	f.done[id] = o
	ev.Outcomes = ev.Outcomes.Append(id, byte(o))
	if w.vice.double {
		ev.Outcomes = ev.Outcomes.Append(id, byte(o))
	}
}

func (f *fakeShard) apply(tx *chain.Tx, ev *api.BlockEvent) {
	w := f.w
	for _, in := range tx.Inputs {
		if in.Owner.Shard(w.params.Shards) != f.id {
			continue
		}
		if _, ok := w.coins[in.OutPoint]; !ok {
			ev.Skipped = ev.Skipped.Append(tx.ID, 1) // an input is missing
			return
		}
		delete(w.coins, in.OutPoint)
	}
	if _, only := w.params.OnlyShard(tx); only {
		w.pay(tx)
		w.tell(ev, f, tx.ID, chain.Committed)
		return
	}
	w.tell(ev, f, tx.ID, chain.Accepted)
	w.crossing = append(w.crossing, &crossing{tx: tx})
}

func (w *world) pay(tx *chain.Tx) {
	for i, out := range tx.Outputs {
		w.coins[chain.OutPoint{Tx: tx.ID, Index: uint32(i)}] = out
	}
}

// cross moves transfers across shards on: the shards of the outputs commit in
// one block, those of the inputs in a later one.
func (w *world) cross(events []*api.BlockEvent) {
	left := w.crossing[:0]
	for _, c := range w.crossing {
		in, all := w.params.InputShards(c.tx), w.params.Involved(c.tx)
		outcome := chain.Committed
		if w.vice.abort {
			outcome = chain.Aborted
		}
		switch c.step++; c.step {
		case 3:
			for _, s := range all.List() {
				if !in.Has(s) {
					w.tell(events[s], w.shards[s], c.tx.ID, outcome)
				}
			}
			if outcome == chain.Committed {
				w.pay(c.tx)
			}
		case 4:
			for _, s := range in.List() {
				w.tell(events[s], w.shards[s], c.tx.ID, outcome)
			}
			continue
		}
		left = append(left, c)
	}
	w.crossing = left
}

func (f *fakeShard) Ready() []string { return nil }

func (f *fakeShard) Status(context.Context) (*api.Status, error) {
	f.w.mu.Lock()
	defer f.w.mu.Unlock()
	return &api.Status{
		ChainID: f.w.params.ChainID, Shard: f.id, Shards: len(f.w.shards), Validator: chain.ValidatorID(f.id),
		PID: os.Getpid(), Phase: cmp.Or(f.phase, api.PhaseReady), Height: f.height, Epoch: 1,
	}, nil
}

func (f *fakeShard) Submit(_ context.Context, raw []byte) (res api.SubmitResult, err error) {
	w := f.w
	txs, err := w.params.DecodeTxs(raw, api.MaxSubmitTxs)
	if err != nil {
		return res, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	refuse := func(i int, kind chain.ErrorKind) {
		res.Refused = append(res.Refused, api.Refusal{Index: i, Kind: kind, Text: "by the test"})
	}
	for i := range txs {
		tx := &txs[i]
		w.vice.counter++
		switch {
		case w.params.CheckTx(tx, 1) != nil:
			refuse(i, chain.ErrWitness)
		case w.vice.refuse && tx.ID[31]%2 == 0 && !f.refused[tx.ID]:
			f.refused[tx.ID] = true
			refuse(i, chain.ErrFull)
		case w.vice.forged > 0 && len(tx.Outputs) < 100 && w.vice.counter%w.vice.forged == 0:
			refuse(i, chain.ErrSignature)
		case w.vice.forget > 0 && len(tx.Outputs) < 100 && w.vice.counter%w.vice.forget == 0:
			res.Accepted++
		default:
			res.Accepted++
			f.pending = append(f.pending, tx)
		}
	}
	return res, nil
}

func (f *fakeShard) Coins(_ context.Context, owner chain.Address, _ *chain.OutPoint, _ int) (page api.CoinsPage, err error) {
	f.w.mu.Lock()
	defer f.w.mu.Unlock()
	for at, c := range f.w.coins {
		if c.Owner == owner {
			page.Coins = append(page.Coins, api.Coin{OutPoint: at, Amount: c.Amount})
		}
	}
	page.Height, page.Done = f.height, true
	return page, nil
}

func (f *fakeShard) Outcome(_ context.Context, id chain.TxID, _ bool) (out api.Outcome, err error) {
	f.w.mu.Lock()
	defer f.w.mu.Unlock()
	out.State = api.StateOf(f.done[id])
	return out, nil
}

func (f *fakeShard) Epoch(context.Context, uint64) (*epochs.Record, error) {
	return nil, chain.Rule(api.ErrNotYet, "there is one epoch")
}
