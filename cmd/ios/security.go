package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"ios/eds/safety"
	"ios/node/config"
	"ios/transepoch/identity"
)

func newSecurity() *cobra.Command {
	var p safety.Plan
	var genesis string
	cmd := &cobra.Command{
		Use:   "security",
		Short: "Compute how likely chance puts too many Byzantine validators into one shard",
		Long: `Compute how likely chance puts too many Byzantine validators into one shard,
into the committee of a batch of swaps, or into a group of the random beacon, and
the sizes that meet a bound. If the plan misses it the exit code is 3.

With --genesis the plan is that of a network's policy; --validators is then how many
it has now, if that is another number than at its beginning.`,
		Example: `  ios security --validators 1800 --byzantine 0.125 --shards 16 --group-size 64
  ios security --genesis net/genesis.toml --validators 40`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if genesis != "" {
				g, err := config.LoadGenesis(genesis)
				if err != nil {
					return err
				}
				if !cmd.Flags().Changed("validators") {
					p.Validators = len(g.Validators)
				}
				p = identity.SafetyPlan(&g.Policy, p.Validators, g.Shards)
			} else if !cmd.Flags().Changed("byzantine") || !cmd.Flags().Changed("validators") {
				return usagef(`required flag(s) "validators" and "byzantine" not set, nor "genesis"`)
			} else if !cmd.Flags().Changed("leavers") && p.Shards > 0 {
				p.Leavers = (p.Validators/p.Shards + 9) / 10
			}
			r, verdict := safety.Assess(p)
			if verdict != nil && !errors.Is(verdict, safety.ErrUnsafe) {
				return usagef("%v", verdict)
			}
			result := &security{Report: r, Leavers: p.Leavers, Safe: verdict == nil, MostShards: safety.MostShards(p), SmallestGroup: safety.SmallestGroup(p)}
			var err error
			if result.SmallestShard, err = safety.SmallestShard(p); err != nil {
				result.SmallestShard = 0
			}
			if err := show(cmd, result, result.write); err != nil {
				return err
			}
			return verdict
		},
	}
	f := cmd.Flags()
	f.IntVar(&p.Validators, "validators", 0, "number of validators")
	f.Float64Var(&p.ByzantineShare, "byzantine", 0, "largest share of them that may be Byzantine, below 1/3")
	f.IntVar(&p.Shards, "shards", 1, "number of shards")
	f.IntVar(&p.Leavers, "leavers", 0, "seats of each shard that change hands in an epoch (default a tenth of the shard)")
	f.IntVar(&p.GroupSize, "group-size", 0, "least number of servers in a group of the beacon, 0 for one group of all")
	f.Float64Var(&p.Bound, "bound", 1e-6, "largest probability of failure in an epoch")
	f.StringVar(&genesis, "genesis", "", "genesis file of a network whose policy is the plan")
	for _, other := range []string{"byzantine", "shards", "leavers", "group-size", "bound"} {
		cmd.MarkFlagsMutuallyExclusive("genesis", other)
	}
	return cmd
}

// security is the result of the command.
type security struct {
	safety.Report
	Leavers       int  `json:"leavers"`
	Safe          bool `json:"safe"`
	SmallestShard int  `json:"smallest_shard"`
	SmallestGroup int  `json:"smallest_group"`
	MostShards    int  `json:"most_shards"`
}

func (s *security) write(w io.Writer) {
	fmt.Fprintf(w, "%d validators, at most %d of them Byzantine; bound %.2g in an epoch\n\n", s.Validators, s.Byzantine, s.Bound)
	fmt.Fprintf(w, "%-10s %-52s %-12s %s\n", "", "what fails", "probability", "")
	row := func(part, what string, p float64, note string) {
		fmt.Fprintf(w, "%-10s %-52s %-12.3g %s\n", part, what, p, note)
	}
	judge := func(p float64) string {
		if p > s.Bound {
			return "ABOVE THE BOUND"
		}
		return "within the bound"
	}
	row("shard", fmt.Sprintf("more than %d of %d are Byzantine", s.Faults, s.ShardSize), s.Shard, fmt.Sprintf("%.3g if drawn with replacement", s.Binomial))
	row("epoch", fmt.Sprintf("any committee of %d shards, %d batches each", s.Shards, s.Batches), s.Epoch, judge(s.Epoch))
	stall := "within the bound"
	if s.Swap > s.Bound {
		stall = "above the bound: a swap may stop a shard until its newcomers are there"
	}
	row("batch", fmt.Sprintf("%d absent newcomers and the Byzantine stop a shard", s.BatchSize), s.Swap, stall)
	row("beacon", fmt.Sprintf("one of %d groups of %d withholds the output", s.Groups, s.GroupSize), s.Withheld, judge(s.Withheld))
	fmt.Fprintf(w, "\na shard has likely up to %d Byzantine members\n", s.Likely)
	if s.SmallestShard > 0 {
		fmt.Fprintf(w, "smallest safe shard: %d validators; these form at most %d shards (a power of two)\n", s.SmallestShard, s.MostShards)
	} else {
		fmt.Fprintln(w, "smallest safe shard: none; more validators are needed")
	}
	fmt.Fprintf(w, "smallest safe group of the beacon: %d of %d\n", s.SmallestGroup, s.Validators)
}
