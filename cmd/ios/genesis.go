package main

import (
	"crypto/rand"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ios/chain"
	"ios/chain/cosi"
	"ios/node/config"
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
		interval, gap   time.Duration
		delta           time.Duration
		quota           int
		fee             uint64
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
			g := &chain.Genesis{Name: o.name, TestNetwork: o.test, Shards: o.shards}
			g.Policy = chain.Policy{BlockInterval: o.interval, BlockGap: o.gap, Delta: o.delta, BodyQuota: o.quota, MinFee: o.fee}
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
				g.Validators = append(g.Validators, *v)
			}
			for _, text := range o.allocate {
				out, err := parseAllocation(g.Prefix(), text)
				if err != nil {
					return err
				}
				g.Allocations = append(g.Allocations, out)
			}
			if err := g.Check(cosi.BLS{}); err != nil {
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
	f.DurationVar(&o.interval, "block-interval", policy.BlockInterval, "longest time between blocks of a shard that has work")
	f.DurationVar(&o.gap, "block-gap", policy.BlockGap, "shortest time between two blocks")
	f.DurationVar(&o.delta, "delta", policy.Delta, "assumed bound on the network's delay")
	f.IntVar(&o.quota, "body-quota", policy.BodyQuota, "bodies of one author in a block")
	f.Uint64Var(&o.fee, "min-fee", policy.MinFee, "least fee of a transaction in base units")
	cmd.MarkFlagRequired("name")
	return cmd
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
	}{file, g.ID(), g.Name, g.Shards, len(g.Validators), g.Supply()}
	return show(cmd, result, func(w io.Writer) {
		fmt.Fprintf(w, "%s is good\n  chain id    %v\n  name        %s\n  shards      %d\n  validators  %d\n  supply      %d\n",
			file, result.ChainID, g.Name, g.Shards, len(g.Validators), result.Supply)
	})
}
