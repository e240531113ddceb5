package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"ios/chain"
	"ios/chain/cosi"
	"ios/node/api"
	"ios/node/devnet"
	"ios/node/epochs"
	"ios/node/faucet"
	"ios/node/wallet"
	"ios/transepoch/beacon"
	"ios/transepoch/identity"
)

// A network goes through epochs under load while validators are killed at random
// moments and come back: every epoch has its beacon, which verifies from the
// genesis, what was accepted is committed, and the supply is exact.
func TestEpochsUnderLoadWithRandomKills(t *testing.T) {
	t.Parallel()
	validators, last, length := 8, uint64(4), 6*time.Second
	if os.Getenv("IOS_SOAK") != "" {
		validators, last, length = 16, 11, 20*time.Second
	}
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("IOS_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("IOS_SEED=%d repeats the choices, though not the moments", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	n := makeNetwork(t, filepath.Join(t.TempDir(), "net"), 2, validators, devnet.Policy(length))
	n.start(n.all()...)
	n.awaitReady(n.all()...)

	remote, err := wallet.NewRemote(n.Genesis, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer remote.Close()
	book, err := epochs.NewBook(n.Genesis, cosi.BLS{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	load, gaps := startPayments(t, ctx, n, remote), watchGaps(ctx, n, remote.Net)
	for book.Number() < last {
		before := book.Number()
		victim := n.all()[random.IntN(validators)]
		time.Sleep(time.Duration(random.Int64N(int64(length))))
		n.kill(victim)
		t.Logf("v%d killed in epoch %d", victim, before)
		time.Sleep(time.Duration(random.Int64N(int64(2 * time.Second))))
		n.start(victim)
		await(t, 4*length+90*time.Second, func() string {
			if n.learn(t, book); book.Number() == before {
				return fmt.Sprintf("no epoch after %d", before)
			}
			return ""
		})
	}
	paid := load.count()
	await(t, time.Minute, func() string { // payments go on after all of it
		if load.count() < paid+4 {
			return fmt.Sprintf("no payments after the epochs: %v", load.fault())
		}
		return ""
	})
	stop()
	load.wait()
	gaps.wait(t)
	if err := load.lost(); err != nil {
		t.Error(err)
	}
	t.Logf("%d payments were committed", load.count())
	await(t, time.Minute, func() string {
		s, err := n.Network.Status(t.Context())
		switch {
		case err != nil:
			return err.Error()
		case !s.Supply.OK:
			return "the supply is not exact: " + s.Supply.Reason
		}
		return ""
	})
}

// learn takes the records of new epochs, and verifies the beacon of each.
func (n *network) learn(t *testing.T, book *epochs.Book) {
	t.Helper()
	for _, id := range n.all() {
		c := api.NewClient(n.urls[id], api.ClientConfig{Attempts: 1})
		err := c.Epochs(t.Context(), book.Number()+1, func(r *epochs.Record) error {
			before := book.Snapshot()
			if _, err := book.Add(r); err != nil {
				t.Fatal(err)
			}
			e := book.Current()
			if e.Course != identity.Drawn {
				t.Errorf("epoch %d is %v", e.Number, e.Course)
				return nil
			}
			raw := n.transcript(t, e.Number)
			v, err := beacon.Judge(before, e, raw)
			if err != nil {
				t.Fatalf("the beacon of epoch %d: %v", e.Number, err)
			}
			t.Logf("epoch %d: random %s, %d dealt, %d invalid, stalled shards %v", e.Number, v.Random.Short(), len(v.Dealt), len(v.Invalid), e.Stalled.List())
			return nil
		})
		c.Close()
		if err == nil {
			return
		}
	}
}

// transcript is that of an epoch, from whoever has it.
func (n *network) transcript(t *testing.T, epoch uint64) (raw []byte) {
	t.Helper()
	await(t, time.Minute, func() string {
		var err error
		for _, id := range n.all() {
			c := api.NewClient(n.urls[id], api.ClientConfig{Attempts: 1})
			raw, err = c.Transcript(t.Context(), epoch)
			c.Close()
			if err == nil {
				return ""
			}
		}
		return err.Error()
	})
	return raw
}

// payments are a load: in each shard one payment of the faucet after the other,
// each followed until all its shards have decided.
type payments struct {
	all  sync.WaitGroup
	mu   sync.Mutex
	done int
	last error
	bad  error
}

func startPayments(t *testing.T, ctx context.Context, n *network, remote *wallet.Remote) *payments {
	t.Helper()
	keys, err := n.Faucet()
	if err != nil {
		t.Fatal(err)
	}
	f := &faucet.Faucet{Keys: keys, Network: remote.Net, Params: remote.Params}
	p := new(payments)
	for s := range keys {
		public := keys[s].Public()
		to := chain.AddressOf((*[32]byte)(&public))
		p.all.Go(func() {
			for ctx.Err() == nil {
				tx, err := f.Pay(ctx, to, 1)
				if err != nil {
					p.note(nil, err)
					continue
				}
				// What was accepted is followed to its end, whatever happens.
				to, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Minute)
				res, err := remote.Track(to, tx, wallet.Hear{})
				cancel()
				if err == nil && res.Verdict != wallet.VerdictCommitted {
					err = fmt.Errorf("%v: %s", res.Verdict, res.Reason)
				}
				p.note(tx, err)
			}
		})
	}
	return p
}

func (p *payments) note(tx *chain.Tx, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case err == nil:
		p.done++
	case tx != nil && p.bad == nil:
		p.bad = fmt.Errorf("payment %v, which was accepted: %w", tx.ID, err)
	}
	p.last = err
}

func (p *payments) count() int   { p.mu.Lock(); defer p.mu.Unlock(); return p.done }
func (p *payments) fault() error { p.mu.Lock(); defer p.mu.Unlock(); return p.last }
func (p *payments) lost() error  { p.mu.Lock(); defer p.mu.Unlock(); return p.bad }
func (p *payments) wait()        { p.all.Wait() }

// gapWatch are the times between final blocks, by shard, within transitions and
// without.
type gapWatch struct {
	all sync.WaitGroup
	mu  sync.Mutex
	of  map[string][]time.Duration
}

func watchGaps(ctx context.Context, n *network, net *api.Network) *gapWatch {
	g := &gapWatch{of: make(map[string][]time.Duration)}
	for s := range chain.ShardID(n.Genesis.Shards) {
		g.all.Go(func() {
			var last uint64
			var at time.Time
			for ctx.Err() == nil {
				var st *api.Status
				err := net.Try(ctx, s, func(ctx context.Context, e api.Endpoint) (err error) {
					st, err = e.Status(ctx)
					return err
				})
				if err == nil && st.Phase == api.PhaseReady && st.Height > last {
					if st.Height == last+1 && !at.IsZero() {
						g.add(s, st, st.BlockTime.Sub(at))
					}
					last, at = st.Height, st.BlockTime
				}
				select {
				case <-ctx.Done():
				case <-time.After(10 * time.Millisecond):
				}
			}
		})
	}
	return g
}

func (g *gapWatch) add(s chain.ShardID, st *api.Status, gap time.Duration) {
	kind := "otherwise"
	for _, m := range st.Memberships {
		if m.Shard == s && m.Batch < m.Batches {
			kind = "within transitions"
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	key := fmt.Sprintf("shard %d %s", s, kind)
	g.of[key] = append(g.of[key], gap)
}

// wait ends the watch and shows the table.
func (g *gapWatch) wait(t *testing.T) {
	g.all.Wait()
	var names []string
	for name := range g.of {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		of := g.of[name]
		slices.Sort(of)
		t.Logf("%-30s median %v, longest %v of %d", name, of[len(of)/2].Round(time.Millisecond), of[len(of)-1].Round(time.Millisecond), len(of))
	}
}
