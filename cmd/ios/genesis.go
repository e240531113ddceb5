package main

import (
	"crypto/rand"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"ios/chain"
	"ios/chain/cosi"
	"ios/node/config"
	"ios/transepoch/identity"
)

func newGenesis() *cobra.Command {
	return group("genesis", "Make and check genesis files", newGenesisMake(), newGenesisCheck())
}

func newGenesisMake() *cobra.Command {
	var o struct {
		name, seed, out string
		test            bool
		shards          int
		allocate        []string
		stake           uint64
	}
	policy := chain.DefaultPolicy()
	cmd := &cobra.Command{
		Use:   "make VALIDATOR.toml...",
		Short: "Make a genesis file from validators' public files",
		Long: `Make a genesis file from the public files of the validators, which
"ios node init" writes as validator.toml. The order of the files is the order of
the validators.`,
		Example: `  ios genesis make --name mynet --shards 2 --allocate ios1...=1000000 --out genesis.toml v*/validator.toml`,
		RunE: func(cmd *cobra.Command, files []string) error {
			if len(files) == 0 {
				return usagef("the validators' public files are wanted as arguments; each validator's operator makes one with: ios node init")
			}
			g := &chain.Genesis{Name: o.name, TestNetwork: o.test, Shards: o.shards, Policy: policy}
			if o.seed == "" {
				if _, err := rand.Read(g.Seed[:]); err != nil {
					return fmt.Errorf("reading randomness for the seed: %w", err)
				}
			} else if err := g.Seed.UnmarshalText([]byte(o.seed)); err != nil {
				return usagef("--seed: %v", err)
			}
			for _, file := range files {
				v, err := config.LoadValidator(file)
				if err != nil {
					return err
				}
				if v.Stake == 0 {
					v.Stake = o.stake
				}
				g.Validators = append(g.Validators, *v)
			}
			for _, text := range o.allocate {
				out, err := parseAllocation(g.Prefix(), text)
				if err != nil {
					return err
				}
				g.Allocations = append(g.Allocations, out)
			}
			if err := identity.CheckGenesis(g, cosi.BLS{}); err != nil {
				return err
			}
			text, err := g.TOML()
			if err != nil {
				return err
			}
			if err := config.CreateFile(o.out, text, 0o644); err != nil {
				return err
			}
			return showGenesis(cmd, o.out, g)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.name, "name", "", "name of the network")
	f.StringVar(&o.out, "out", "genesis.toml", "file to write; it must not exist")
	f.BoolVar(&o.test, "test-network", false, "addresses begin with iost1, and a faucet may exist")
	f.IntVar(&o.shards, "shards", 1, "number of shards, a power of two")
	f.StringVar(&o.seed, "seed", "", "64 hexadecimal digits that assign validators to shards (default random; a real network's operators agree on a value that none of them could choose)")
	f.StringArrayVar(&o.allocate, "allocate", nil, "ADDRESS=AMOUNT in base units; repeat it for each allocation")
	unitsVar(f, &o.stake, "stake", "stake in base units of each validator whose public file names none")
	policyFlags(f, &policy)
	cmd.MarkFlagRequired("name")
	return cmd
}

// policyFlags sets a policy by flags; what it holds are the defaults.
func policyFlags(f *pflag.FlagSet, p *chain.Policy) {
	f.DurationVar(&p.BlockInterval, "block-interval", p.BlockInterval, "longest time between blocks of a shard that has work")
	f.DurationVar(&p.BlockGap, "block-gap", p.BlockGap, "shortest time between two blocks")
	f.DurationVar(&p.Delta, "delta", p.Delta, "assumed bound on the network's delay")
	f.IntVar(&p.BodyQuota, "body-quota", p.BodyQuota, "bodies of one author in a block")
	unitsVar(f, &p.MinFee, "min-fee", "least fee of a transaction in base units")
	f.DurationVar(&p.EpochLength, "epoch-length", p.EpochLength, "age of an epoch at which the next is prepared, 0 for one epoch that never ends")
	f.IntVar(&p.GroupSize, "group-size", p.GroupSize, "least number of validators in a group of the random beacon, 0 for one group of all")
	f.IntVar(&p.SwapPermille, "swap-permille", p.SwapPermille, "thousandths of a shard's seats whose holders change in an epoch")
	f.IntVar(&p.Byzantine, "byzantine-permille", p.Byzantine, "thousandths of the validators that may be Byzantine, for which the sizes must be safe")
	f.IntVar(&p.Bound, "bound", p.Bound, "the number n of the failure probability 10^-n of an epoch that the sizes must meet")
	unitsVar(f, &p.MinStake, "min-stake", "least stake of a validator in base units")
	f.IntVar(&p.UnbondEpochs, "unbond-epochs", p.UnbondEpochs, "epochs after which stake that was taken back is paid out")
	f.IntVar(&p.AbsentEpochs, "absent-epochs", p.AbsentEpochs, "epochs without a sign of life after which a validator is left out")
	f.IntVar(&p.Churn, "churn-permille", p.Churn, "thousandths of the validators that may come and go in an epoch, at least one of them")
	f.DurationVar(&p.BatchDeadline, "batch-deadline", p.BatchDeadline, "how long a batch of swaps waits for those that come in")
}

func parseAllocation(prefix, text string) (out chain.Output, err error) {
	address, amount, ok := strings.Cut(text, "=")
	if !ok {
		return out, usagef("--allocate %q: ADDRESS=AMOUNT is wanted", text)
	}
	if out.Owner, err = chain.ParseAddress(prefix, address); err != nil {
		return out, err
	}
	if out.Amount, err = strconv.ParseUint(amount, 10, 64); err != nil {
		return out, usagef("--allocate %q: %q is not a whole number of base units", text, amount)
	}
	return out, nil
}

func newGenesisCheck() *cobra.Command {
	return &cobra.Command{
		Use:   "check FILE",
		Short: "Check every rule of a genesis file and show its chain id",
		Args:  oneArg("the genesis file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			g, err := config.LoadGenesis(args[0])
			if err != nil {
				return err
			}
			return showGenesis(cmd, args[0], g)
		},
	}
}

func showGenesis(cmd *cobra.Command, file string, g *chain.Genesis) error {
	result := struct {
		File       string     `json:"file"`
		ChainID    chain.Hash `json:"chain_id"`
		Name       string     `json:"name"`
		Shards     int        `json:"shards"`
		Validators int        `json:"validators"`
		Supply     uint64     `json:"supply"`
		Staked     uint64     `json:"staked"`
		Risk       string     `json:"risk,omitempty"` // what a test network risks
	}{File: file, ChainID: g.ID(), Name: g.Name, Shards: g.Shards, Validators: len(g.Validators), Supply: g.Supply(), Staked: g.Staked()}
	var risks []string
	if _, err := identity.Risk(g); err != nil {
		risks = append(risks, err.Error())
	}
	if g.Policy.EpochLength > 0 && g.Policy.MinStake == 0 {
		risks = append(risks, "min_stake is 0: anybody can fill the registry")
	}
	result.Risk = strings.Join(risks, "; ")
	return show(cmd, result, func(w io.Writer) {
		fmt.Fprintf(w, "%s is good\n  chain id    %v\n  name        %s\n  shards      %d\n  validators  %d\n  supply      %d\n",
			file, result.ChainID, g.Name, g.Shards, len(g.Validators), result.Supply)
		if result.Staked > 0 {
			fmt.Fprintf(w, "  staked      %d\n", result.Staked)
		}
		if result.Risk != "" {
			fmt.Fprintf(w, "  risk        %s\n", result.Risk)
		}
	})
}
