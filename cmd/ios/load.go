package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"ios/chain"
	"ios/node/load"
)

func newLoad() *cobra.Command {
	var c load.Config
	var seconds, shard int
	var warmUp time.Duration
	var bitcoin string
	cmd := &cobra.Command{
		Use:   "load",
		Short: "Put a test network under load and measure it, or replay a Bitcoin block on it",
		Long: `Put a test network under load and measure it.

Everything is funded and signed before the clock starts. With --rate the load
comes at that rate, whatever the network does. Without, the highest rate is
found that the network sustains for the whole time.

With --bitcoin a real block is replayed instead: each of its transactions
becomes one of this network's with the same inputs, outputs and amounts.`,
		Example: `  ios load --net devnet --seconds 30
  ios load --net devnet --seconds 30 --rate 5000 --cross 0.5
  ios load --net devnet --bitcoin block.dat`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			n, err := openNet(cmd)
			if err != nil {
				return err
			}
			defer n.api.Close()
			if c.Faucet, err = n.faucet(); err != nil {
				return err
			}
			c.Network, c.Members = n.api, n.Members()
			c.Progress = func(word string) { say(cmd, "%s", word) }
			if bitcoin != "" {
				return replay(cmd, &c, bitcoin)
			}
			c.Window, c.WarmUp = time.Duration(seconds)*time.Second, warmUp
			if shard >= n.Genesis.Shards || shard < -1 {
				return usagef("--shard %d: the network has shards 0 to %d", shard, n.Genesis.Shards-1)
			}
			for s := range n.Genesis.Shards {
				if shard == -1 || shard == s {
					c.Shards = append(c.Shards, chain.ShardID(s))
				}
			}
			if err := c.Check(); err != nil {
				return usagef("%v", err)
			}
			report, err := load.Run(cmd.Context(), c)
			if report != nil {
				if err := show(cmd, report, func(w io.Writer) { writeLoad(w, report) }); err != nil {
					return err
				}
			}
			return err
		},
	}
	netFlag(cmd)
	f := cmd.Flags()
	f.IntVar(&seconds, "seconds", 30, "time that is measured")
	f.DurationVar(&warmUp, "warmup", 5*time.Second, "time before it, under the same load")
	f.Float64Var(&c.Rate, "rate", 0, "transactions a second over all shards (default: the highest that is sustained)")
	f.Float64Var(&c.Across, "cross", 0, "share of the transactions that end in another shard, 0 to 1")
	f.IntVar(&shard, "shard", -1, "the only shard that pays")
	f.Lookup("shard").DefValue = "all"
	f.BoolVar(&c.Single, "single", false, "one transaction a request, from many clients")
	f.IntVar(&c.Clients, "clients", 0, "requests at a time per shard (default 48, or 1536 with --single)")
	f.IntVar(&c.Owners, "owners", 0, "payers per shard (default 1024)")
	f.DurationVar(&c.Target, "target", 0, "latency within a shard that the search for the highest rate aims at, twice that across shards (default 400ms)")
	f.StringVar(&bitcoin, "bitcoin", "", "file with a Bitcoin block to replay")
	for _, other := range []string{"seconds", "rate", "cross", "shard", "single"} {
		cmd.MarkFlagsMutuallyExclusive("bitcoin", other)
	}
	return cmd
}

func writeLoad(w io.Writer, r *load.Report) {
	fmt.Fprintf(w, "%.0f tx/s final, %.0f %% of the floor of %.0f (signature %.1f µs, %d cores, %d members)\n",
		r.TxPerS, 100*r.Ratio, r.Floor, r.SignatureUS, r.Cores, r.Members)
	fmt.Fprintf(w, "  submitted %d   final %d   refused %d   lost %d\n", r.Submitted, r.Final, r.Refused, r.Lost)
	fmt.Fprintf(w, "  latency p50 %.0f ms, p99 %.0f ms\n", r.LatencyMS.P50, r.LatencyMS.P99)
	if r.CrossFinal+r.CrossAborted > 0 {
		fmt.Fprintf(w, "  within a shard p50 %.0f ms; across p50 %.0f ms, decided after %.0f ms; %d final across, %d aborted\n",
			r.WithinMS.P50, r.CrossMS.P50, r.DecisiveMS.P50, r.CrossFinal, r.CrossAborted)
	}
	fmt.Fprintf(w, "  CPU per transaction: validators %.1f µs, load %.1f µs\n", r.CPUPerTx, r.OwnCPUPerTx)
	fmt.Fprintf(w, "  %s\n", r.Conditions)
	if r.Shortfall != "" {
		fmt.Fprintf(w, "  note: %s\n", r.Shortfall)
	}
}
