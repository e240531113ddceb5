package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"ios/chain"
	"ios/chain/sig"
	"ios/node/api"
	"ios/node/wallet"
)

// paidIn is the result of the command stake.
type paidIn struct {
	*transfer
	For    string  `json:"for"` // the address whose key can pay a stake with it
	Credit *uint64 `json:"credit,omitempty"`
}

func newWalletStake() *cobra.Command {
	var to string
	var amount, fee uint64
	var wait bool
	cmd := &cobra.Command{
		Use:   "stake",
		Short: "Pay an amount into the registry, as credit to pay a validator's stake with",
		Long: `Pay an amount into the registry, where it becomes credit of an address: that of the
wallet's first key, if --for names no other. With it "ios node join --payer-wallet"
pays the stake of a validator. It comes from the coins of one shard, and the
registry takes no less than the least stake.

What is credit cannot be sent. It comes back as coins when a validator whose stake
it became has left, see "ios node leave".`,
		Example: "  ios wallet stake --amount 5000 --wait --net devnet",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if amount == 0 {
				return usagef("--amount: at least 1 base unit is wanted")
			}
			return withWallet(cmd, func(ctx context.Context, c *client, w *wallet.Wallet) error {
				owner, err := payerOf(w, to)
				if err != nil {
					return err
				}
				start := time.Now()
				p, err := w.PrepareStake(ctx, c.remote, owner, amount, fee)
				if err != nil {
					return err
				}
				result := &paidIn{For: owner.Text(c.Genesis.Prefix())}
				if !wait {
					result.transfer, err = c.hand(cmd, w, p)
					return errors.Join(show(cmd, result, result.write), err)
				}
				result.transfer, err = c.follow(cmd, w, p.Tx.ID, start)
				if signer, fault := w.Signer(owner); err == nil && fault == nil {
					result.Credit = c.credit(ctx, signer)
				}
				return errors.Join(show(cmd, result, result.write), err)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&to, "for", "", "address whose key can pay a stake with it (default: the wallet's first)")
	unitsVar(f, &amount, "amount", "base units")
	unitsVar(f, &fee, "fee", "base units (default: the network's least)")
	f.BoolVar(&wait, "wait", false, "return once the registry has it")
	cmd.MarkFlagRequired("amount")
	return cmd
}

// payerOf is the address that a text names, or the wallet's first.
func payerOf(w *wallet.Wallet, text string) (a chain.Address, err error) {
	if text != "" {
		return chain.ParseAddress(w.Network().Prefix, text)
	}
	keys := w.Keys()
	if len(keys) == 0 {
		return a, usagef("the wallet has no address; make one with: ios wallet new")
	}
	return keys[0].Address, nil
}

// credit is what a key has in the registry; nil if nobody tells.
func (c *client) credit(ctx context.Context, key *sig.Key) (amount *uint64) {
	_ = c.remote.Net.Try(ctx, 0, func(ctx context.Context, e api.Endpoint) error {
		r, err := e.Registered(ctx, key.Public())
		if err == nil {
			amount = &r.Credit
		}
		return err
	})
	return amount
}

func (p *paidIn) write(w io.Writer) {
	p.transfer.write(w)
	if p.Verdict == wallet.VerdictCommitted {
		fmt.Fprintf(w, "  registry: credit of %s", p.For)
		if p.Credit != nil {
			fmt.Fprintf(w, ", which has %d now", *p.Credit)
		}
		fmt.Fprintln(w)
	}
}
