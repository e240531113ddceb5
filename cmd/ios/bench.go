package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"ios/chain"
	"ios/node/api"
	"ios/node/devnet"
	"ios/node/faucet"
	"ios/node/load"
)

func newBench() *cobra.Command {
	var seconds int
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure networks of real processes on this machine against the figures that they should reach",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := os.MkdirTemp("", "ios-bench-")
			if err != nil {
				return err
			}
			defer os.RemoveAll(dir)
			b := &bench{cmd: cmd, dir: dir, window: time.Duration(seconds) * time.Second}
			if err := b.run(cmd.Context()); err != nil {
				return err
			}
			if err := show(cmd, b, b.write); err != nil {
				return err
			}
			for _, f := range b.Figures {
				if !f.Reached {
					return errors.New("not every figure was reached; close other programs and measure again")
				}
			}
			return nil
		},
	}
	cmd.Flags().IntVar(&seconds, "seconds", 30, "time of each measurement")
	return cmd
}

// bench measures one network after the other.
type bench struct {
	cmd    *cobra.Command
	dir    string
	window time.Duration

	Figures []figure                `json:"figures"`
	Runs    map[string]*load.Report `json:"runs"`
}

// figure is something measured and what it should be.
type figure struct {
	What    string  `json:"what"`
	Value   float64 `json:"value"`
	Unit    string  `json:"unit"`
	Wanted  string  `json:"wanted"`
	Reached bool    `json:"reached"`
}

func (b *bench) atLeast(what string, value, least float64, unit string) {
	b.Figures = append(b.Figures, figure{what, value, unit, fmt.Sprintf("at least %.4g", least), value >= least})
}

func (b *bench) atMost(what string, value, most float64, unit string) {
	b.Figures = append(b.Figures, figure{what, value, unit, fmt.Sprintf("at most %.4g", most), value > 0 && value <= most})
}

func (b *bench) write(w io.Writer) {
	for _, f := range b.Figures {
		verdict := "reached"
		if !f.Reached {
			verdict = "NOT REACHED"
		}
		fmt.Fprintf(w, "%-62s %10.4g %-8s %-16s %s\n", f.What, f.Value, f.Unit, f.Wanted, verdict)
	}
}

// rig is a network that is measured.
type rig struct {
	*network
	config  load.Config
	startup time.Duration
}

func (b *bench) up(ctx context.Context, name string, shards, validators int) (*rig, error) {
	dir, err := devnet.Create(filepath.Join(b.dir, name), devnet.Options{Name: name, Shards: shards, Validators: validators, Policy: chain.DefaultPolicy(), LogLevel: "warn"})
	if err != nil {
		return nil, err
	}
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	start := time.Now()
	if _, err := dir.Up(ctx, program, func(word string) { say(b.cmd, "%s", word) }); err != nil {
		dir.Stop()
		return nil, err
	}
	r := &rig{network: &network{Network: dir, params: dir.Genesis.Params()}, startup: time.Since(start)}
	if r.api, err = api.NewNetwork(dir.Genesis, dir.Members(), nil); err != nil {
		dir.Stop()
		return nil, err
	}
	keys, err := dir.Faucet()
	r.config = load.Config{
		Network: r.api, Faucet: &faucet.Faucet{Keys: keys, Network: r.api, Params: r.params}, Members: dir.Members(),
		Window: b.window, WarmUp: 5 * time.Second, Progress: func(word string) { say(b.cmd, "%s: %s", name, word) },
	}
	for s := range shards {
		r.config.Shards = append(r.config.Shards, chain.ShardID(s))
	}
	return r, err
}

func (r *rig) down() {
	r.api.Close()
	r.Stop()
}

// load runs one load and keeps its report.
func (b *bench) load(ctx context.Context, r *rig, what string, change func(*load.Config)) (*load.Report, error) {
	c := r.config
	change(&c)
	say(b.cmd, "== %s", what)
	report, err := load.Run(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	var text bytes.Buffer
	writeLoad(&text, report)
	say(b.cmd, "%s", text.String())
	b.Runs[what] = report
	return report, nil
}

func (b *bench) run(ctx context.Context) error {
	b.Runs = make(map[string]*load.Report)
	if err := b.oneShard(ctx); err != nil {
		return err
	}
	return b.twoShards(ctx)
}

func (b *bench) oneShard(ctx context.Context) error {
	r, err := b.up(ctx, "one", 1, 4)
	if err != nil {
		return err
	}
	defer r.down()
	full, err := b.load(ctx, r, "one shard, the highest rate", func(*load.Config) {})
	if err != nil {
		return err
	}
	b.atLeast("one shard of 4: rate ÷ floor", full.Ratio, 0.70, "")
	half, err := b.load(ctx, r, "one shard, half of that", func(c *load.Config) { c.Rate = full.TxPerS / 2 })
	if err != nil {
		return err
	}
	b.atMost("at half that rate: final p50", half.LatencyMS.P50, 150, "ms")
	b.atMost("at half that rate: final p99", half.LatencyMS.P99, 400, "ms")
	single, err := b.load(ctx, r, "one shard, one transaction a request", func(c *load.Config) { c.Single = true })
	if err != nil {
		return err
	}
	b.atLeast("single transactions: rate ÷ batched rate", single.TxPerS/full.TxPerS, 1./3, "")
	return nil
}

func (b *bench) twoShards(ctx context.Context) error {
	r, err := b.up(ctx, "two", 2, 8)
	if err != nil {
		return err
	}
	defer r.down()
	b.atMost("a network of 8 starts", r.startup.Seconds(), 10, "s")
	if err := b.idle(ctx, r); err != nil {
		return err
	}
	within, err := b.load(ctx, r, "two shards, nothing across", func(*load.Config) {})
	if err != nil {
		return err
	}
	across, err := b.load(ctx, r, "two shards, half across", func(c *load.Config) { c.Across = 0.5 })
	if err != nil {
		return err
	}
	b.atLeast("half across: rate ÷ rate without any", across.TxPerS/within.TxPerS, 0.5, "")
	b.atMost("in that run: across p50 ÷ within p50", across.CrossMS.P50/across.WithinMS.P50, 2.5, "")
	return nil
}

// idleTime is how long a network does nothing.
const idleTime = 10 * time.Second

// idle measures a network without work.
func (b *bench) idle(ctx context.Context, r *rig) error {
	say(b.cmd, "two: nothing for %v", idleTime)
	use := func() (cpu float64, rss uint64) {
		for _, h := range r.api.Statuses(ctx) {
			if h.Status != nil {
				cpu += h.Status.Resources.CPUSeconds
				rss = max(rss, h.Status.Resources.RSS)
			}
		}
		return cpu, rss
	}
	before, _ := use()
	select {
	case <-time.After(idleTime):
	case <-ctx.Done():
		return ctx.Err()
	}
	after, rss := use()
	b.atMost("an idle network of 8: CPU, of one core", 100*(after-before)/idleTime.Seconds(), 5, "%")
	b.atMost("an idle validator: memory", float64(rss>>20), 150, "MB")
	return nil
}
