package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"ios/chain"
	"ios/node/api"
	"ios/node/faucet"
)

func newFaucet() *cobra.Command {
	var to string
	var amount uint64
	var wait bool
	cmd := &cobra.Command{
		Use:   "faucet",
		Short: "Pay from a test network's allocations",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			n, err := openNet(cmd)
			if err != nil {
				return err
			}
			defer n.api.Close()
			if !n.Genesis.TestNetwork {
				return &refusal{fmt.Errorf("network %s is no test network: it has no faucet", n.Genesis.Name)}
			}
			owner, err := chain.ParseAddress(n.params.Prefix, to)
			if err != nil {
				return err
			}
			if amount == 0 {
				return usagef("--amount: at least 1 base unit is wanted")
			}
			f, err := n.faucet()
			if err != nil {
				return err
			}
			t, err := f.Pay(cmd.Context(), owner, amount)
			if errors.Is(err, faucet.ErrEmpty) {
				return &refusal{err}
			}
			if err != nil {
				return err
			}
			result := paid{ID: t.ID, To: to, Amount: amount, Shard: owner.Shard(n.params.Shards), State: api.StatePending.String()}
			if wait {
				out, err := n.await(cmd.Context(), result.Shard, t.ID)
				if err != nil {
					return err
				}
				result.State, result.Height = out.State.String(), out.Height
			}
			return show(cmd, result, func(w io.Writer) {
				fmt.Fprintf(w, "%d base units to %s in shard %d: %s", amount, to, result.Shard, result.State)
				if wait {
					fmt.Fprintf(w, " at height %d", result.Height)
				}
				fmt.Fprintf(w, "\n  id %v\n", t.ID)
			})
		},
	}
	netFlag(cmd)
	f := cmd.Flags()
	f.StringVar(&to, "to", "", "address to pay to")
	unitsVar(f, &amount, "amount", "base units")
	f.BoolVar(&wait, "wait", false, "return once the payment is final")
	cmd.MarkFlagRequired("to")
	cmd.MarkFlagRequired("amount")
	return cmd
}

type paid struct {
	ID     chain.TxID    `json:"id"`
	To     string        `json:"to"`
	Amount uint64        `json:"amount"`
	Shard  chain.ShardID `json:"shard"`
	State  string        `json:"state"`
	Height uint64        `json:"height,omitempty"`
}
