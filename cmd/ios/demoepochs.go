package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"ios/chain"
	"ios/chain/cosi"
	"ios/node/api"
	"ios/node/devnet"
	"ios/node/epochs"
	"ios/node/faucet"
	"ios/node/wallet"
	"ios/transepoch"
	"ios/transepoch/identity"
)

// demoEpoch is how long an epoch of the demonstration lasts before the next is
// prepared.
const demoEpoch = 15 * time.Second

// demoEpochs is how many of them are shown.
const demoEpochs = 3

// epochs shows a network that goes from epoch to epoch under load, while one
// validator joins and another leaves.
func (d *demo) epochs(ctx context.Context) (err error) {
	d.title("Three epochs of at least %v under load; a validator joins, another leaves", demoEpoch)
	policy := devnet.Policy(demoEpoch)
	d.net, err = devnet.Create(filepath.Join(d.dir, "epochs"), devnet.Options{Name: "demo", Shards: 2, Validators: 8, Policy: policy, LogLevel: "info"})
	if err != nil {
		return err
	}
	if err := d.start8(ctx); err != nil {
		return err
	}
	if d.remote, err = wallet.NewRemote(d.net.Genesis, nil); err != nil {
		return err
	}
	keys, err := d.net.Faucet()
	if err != nil {
		return err
	}
	d.faucet = &faucet.Faucet{Keys: keys, Network: d.remote.Net, Params: d.remote.Params}
	if err := d.change(ctx); err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	var load payments
	gaps := newGaps(d.remote.Net, d.net.Genesis.Shards)
	var all sync.WaitGroup
	for s := range d.net.Genesis.Shards {
		all.Go(func() { load.run(running, d, chain.ShardID(s)) })
		all.Go(func() { gaps.watch(running, chain.ShardID(s)) })
	}
	err = d.watchEpochs(ctx)
	stop()
	all.Wait()
	if err != nil {
		return err
	}
	d.say("%d payments were committed meanwhile", load.done.Load())
	if load.done.Load() == 0 {
		return fmt.Errorf("the demonstration went wrong: no payment was committed: %v", load.fault())
	}
	for _, line := range gaps.lines() {
		d.say("%s", line)
	}
	if err := d.lastBeacon(ctx); err != nil {
		return err
	}
	return d.supply(ctx)
}

// change has a validator join and another one leave.
func (d *demo) change(ctx context.Context) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	home, err := d.net.Add("v8", "info")
	if err != nil {
		return err
	}
	if err := d.net.Start(program, home); err != nil {
		return err
	}
	for _, args := range [][]string{{"node", "join", "--dir", string(home)}, {"node", "leave", "--dir", string(d.net.Homes[3])}} {
		out, err := exec.CommandContext(ctx, program, args...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("ios %s: %w: %s", strings.Join(args[:2], " "), err, out)
		}
		first, _, _ := strings.Cut(string(out), "\n")
		d.say("ios %s: %s", strings.Join(args[:2], " "), first)
	}
	return nil
}

// watchEpochs tells of the epochs as they begin.
func (d *demo) watchEpochs(ctx context.Context) error {
	book, err := epochs.NewBook(d.net.Genesis, cosi.BLS{})
	if err != nil {
		return err
	}
	led := ""
	deadline := time.Now().Add(demoEpochs * (demoEpoch + 30*time.Second))
	for book.Number() < 1+demoEpochs {
		if time.Now().After(deadline) {
			return fmt.Errorf("the demonstration went wrong: only epoch %d has begun", book.Number())
		}
		var st *api.Status
		err := d.remote.Net.Try(ctx, 0, func(ctx context.Context, e api.Endpoint) (err error) {
			if st, err = e.Status(ctx); err != nil {
				return err
			}
			return e.Epochs(ctx, book.Number()+1, func(r *epochs.Record) error {
				before := book.Current()
				if _, err := book.Add(r); err != nil {
					return err
				}
				d.tellEpoch(before, book.Current(), led)
				return nil
			})
		})
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if c := st; err == nil && c.Coming != nil && c.Coming.Leader != "" {
			led = c.Coming.Leader
		}
		time.Sleep(50 * time.Millisecond)
	}
	return nil
}

// tellEpoch shows what an epoch's record says.
func (d *demo) tellEpoch(before, e *identity.Epoch, led string) {
	d.say("epoch %d is %v: random %s, led by %s; joined %s, left %s", e.Number, e.Course, e.Random.Short(), word(led),
		demoNames(e, e.Joined), demoNames(before, e.Left))
	plan, err := e.Plan()
	if err != nil {
		d.say("  no plan: %v", err)
		return
	}
	for s := range plan.Shards {
		var swaps []string
		for _, batch := range plan.Shards[s].Batches {
			var parts []string
			for _, w := range batch {
				parts = append(parts, swapText(e, w))
			}
			swaps = append(swaps, strings.Join(parts, " and "))
		}
		d.say("  shard %d: %s", s, word(strings.Join(swaps, ", then ")))
	}
}

func swapText(e *identity.Epoch, w transepoch.Swap) string {
	switch {
	case w.In == transepoch.None:
		return demoName(e, w.Out) + " goes"
	case w.Out == transepoch.None:
		return demoName(e, w.In) + " comes"
	}
	return fmt.Sprintf("%s for %s", demoName(e, w.In), demoName(e, w.Out))
}

func word(s string) string {
	if s == "" {
		return "nobody"
	}
	return s
}

func demoName(e *identity.Epoch, id chain.ValidatorID) string {
	if v, ok := e.Validator(id); ok {
		return v.Name
	}
	return "nobody"
}

func demoNames(e *identity.Epoch, ids []chain.ValidatorID) string {
	var list []string
	for _, id := range ids {
		list = append(list, demoName(e, id))
	}
	return word(strings.Join(list, ", "))
}

// lastBeacon fetches the last value and verifies it as a third party would.
func (d *demo) lastBeacon(ctx context.Context) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	file := filepath.Join(d.dir, "beacon")
	for _, args := range [][]string{
		{"beacon", "latest", "--net", d.net.Dir, "--out", file},
		{"beacon", "verify", file, "--genesis", filepath.Join(d.net.Dir, "genesis.toml")},
	} {
		out, err := exec.CommandContext(ctx, program, args...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("ios %s: %w: %s", strings.Join(args[:2], " "), err, out)
		}
		if args[1] == "verify" {
			d.say("ios beacon verify:")
			for line := range bytes.Lines(out) {
				fmt.Fprintf(d.out, "             %s", line)
			}
		}
	}
	return nil
}

// payEvery is how often a payment begins in each shard, and maxPaying how many may
// be under way. They do not wait for each other: so the gaps between blocks are the
// shard's own, and not those of a client that looks for another validator.
const (
	payEvery  = 100 * time.Millisecond
	maxPaying = 16
)

// payments are the load.
type payments struct {
	done atomic.Int64
	mu   sync.Mutex
	last error
}

func (p *payments) fault() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last
}

func (p *payments) run(ctx context.Context, d *demo, shard chain.ShardID) {
	var paying sync.WaitGroup
	defer paying.Wait()
	room := make(chan struct{}, maxPaying)
	for tick := time.Tick(payEvery); ; {
		select {
		case <-tick:
		case <-ctx.Done():
			return
		}
		select {
		case room <- struct{}{}:
			paying.Go(func() {
				p.pay(ctx, d, shard)
				<-room
			})
		default: // too many wait for an answer
		}
	}
}

func (p *payments) pay(ctx context.Context, d *demo, shard chain.ShardID) {
	public := d.faucet.Keys[shard].Public()
	to := chain.AddressOf((*[32]byte)(&public))
	t, err := d.faucet.Pay(ctx, to, 1)
	if err == nil {
		var res wallet.Result
		if res, err = d.remote.Track(ctx, t, wallet.Hear{}); err == nil {
			err = committedAll(res)
		}
	}
	if err == nil {
		p.done.Add(1)
		return
	}
	p.mu.Lock()
	p.last = err
	p.mu.Unlock()
}

// gaps are the times between final blocks, by shard, within transitions and
// without.
type gaps struct {
	net *api.Network
	mu  sync.Mutex
	all [][2][]time.Duration
}

func newGaps(net *api.Network, shards int) *gaps {
	return &gaps{net: net, all: make([][2][]time.Duration, shards)}
}

func (g *gaps) watch(ctx context.Context, shard chain.ShardID) {
	var last uint64
	var at time.Time
	for ctx.Err() == nil {
		var st *api.Status
		err := g.net.Try(ctx, shard, func(ctx context.Context, e api.Endpoint) (err error) {
			st, err = e.Status(ctx)
			return err
		})
		if err == nil && st.Phase == api.PhaseReady && st.Height > last {
			if st.Height == last+1 && !at.IsZero() {
				kind := 0
				for _, m := range st.Memberships {
					if m.Shard == shard && m.Batch < m.Batches {
						kind = 1
					}
				}
				g.mu.Lock()
				g.all[shard][kind] = append(g.all[shard][kind], st.BlockTime.Sub(at))
				g.mu.Unlock()
			}
			last, at = st.Height, st.BlockTime
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (g *gaps) lines() (list []string) {
	for s := range g.all {
		for kind, name := range []string{"otherwise", "within transitions"} {
			of := g.all[s][kind]
			if len(of) == 0 {
				continue
			}
			slices.Sort(of)
			list = append(list, fmt.Sprintf("gap between blocks of shard %d %s: median %v, longest %v of %d", s, name,
				of[len(of)/2].Round(time.Millisecond), of[len(of)-1].Round(time.Millisecond), len(of)))
		}
	}
	return list
}
