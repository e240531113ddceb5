package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"ios/atomix"
	"ios/chain"
	"ios/node/wallet"
)

// transfer is what send and track tell of one.
type transfer struct {
	ID      chain.TxID            `json:"id"`
	Verdict string                `json:"state"` // open, committed, aborted or refused
	Reason  string                `json:"reason,omitempty"`
	Shards  []wallet.ShardOutcome `json:"shards"`
	Seconds float64               `json:"seconds,omitempty"` // that it took, if it was waited for
}

// err makes the exit code tell of a transfer that did not come about.
func (t *transfer) err() error {
	switch t.Verdict {
	case wallet.VerdictAborted:
		return &refusal{fmt.Errorf("transfer %v was aborted: %s; what it locked is back", t.ID, t.Reason)}
	case wallet.VerdictRefused:
		return &refusal{fmt.Errorf("transfer %v was refused: %s; no shard has recorded it and nothing is locked", t.ID, t.Reason)}
	}
	return nil
}

func (t *transfer) write(w io.Writer) {
	fmt.Fprintf(w, "transfer %v: %s", t.ID, t.Verdict)
	if t.Seconds > 0 {
		fmt.Fprintf(w, " after %.2f s", t.Seconds)
	}
	fmt.Fprintln(w)
	for _, s := range t.Shards {
		fmt.Fprintf(w, "  shard %d: %s", s.Shard, s.State)
		if s.Height > 0 {
			fmt.Fprintf(w, " at height %d", s.Height)
		}
		if !s.Time.IsZero() {
			fmt.Fprintf(w, ", %s", s.Time.Local().Format("15:04:05.000"))
		}
		if s.Proven {
			fmt.Fprint(w, ", proven")
		}
		if s.Reason != "" {
			fmt.Fprintf(w, " (%s)", s.Reason)
		}
		fmt.Fprintln(w)
	}
}

// verdictOf sums up what the shards recorded.
func verdictOf(shards []wallet.ShardOutcome) string {
	all := true
	for _, s := range shards {
		switch s.Outcome {
		case chain.Aborted, chain.Rejected:
			return wallet.VerdictAborted
		case chain.Committed:
		default:
			all = false
		}
	}
	if all {
		return wallet.VerdictCommitted
	}
	return wallet.VerdictOpen
}

// claims are the words for what a shard has not recorded.
var claims = map[atomix.Claim]string{
	atomix.ClaimUnknown: "does not know it", atomix.ClaimPending: "pending",
	atomix.ClaimSkipped: "could not apply it", atomix.ClaimRecorded: "recorded",
}

// hear prints what happens while a transfer is waited for.
func hear(cmd *cobra.Command, start time.Time) wallet.Hear {
	return wallet.Hear{
		Progress: func(p wallet.Progress) {
			what := p.Outcome.String()
			if p.Outcome == 0 {
				what = claims[p.Claim]
			}
			line := fmt.Sprintf("%6.2f s  shard %d: %s", time.Since(start).Seconds(), p.Shard, what)
			if p.Height > 0 {
				line += fmt.Sprintf(" at height %d", p.Height)
			}
			if p.Reason != "" {
				line += " (" + p.Reason + ")"
			}
			say(cmd, "%s", line)
		},
		Decisive: func(verdict, _ string) {
			say(cmd, "%6.2f s  it is certain that it will be %s", time.Since(start).Seconds(), verdict)
		},
		Liar: func(validator string, err error) { say(cmd, "validator %s lies: %v", validator, err) },
	}
}

func newWalletSend() *cobra.Command {
	var to string
	var amount, fee uint64
	var wait bool
	cmd := &cobra.Command{
		Use:   "send",
		Short: "Send an amount to an address, in whatever shard it lives",
		Long: `Send an amount to an address, in whatever shard it lives. The transfer is in the
wallet's journal before it is sent: if anything breaks, "ios wallet track" goes on
with it. With --wait it returns once the transfer is final in every shard.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if amount == 0 {
				return usagef("--amount: at least 1 base unit is wanted")
			}
			return withWallet(cmd, func(ctx context.Context, c *client, w *wallet.Wallet) error {
				start := time.Now()
				p, err := w.Prepare(ctx, c.remote, to, amount, fee)
				if err != nil {
					return err
				}
				if wait {
					return c.finish(cmd, w, p.Tx.ID, start)
				}
				t, err := c.hand(cmd, w, p)
				return errors.Join(show(cmd, t, func(out io.Writer) {
					t.write(out)
					if err == nil {
						fmt.Fprintf(out, "accepted; what becomes of it: %s\n", hint(cmd, "track "+t.ID.String()))
					}
				}), err)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&to, "to", "", "address to send to")
	unitsVar(f, &amount, "amount", "base units")
	unitsVar(f, &fee, "fee", "base units (default: the network's least)")
	f.BoolVar(&wait, "wait", false, "return once it is final in every shard")
	cmd.MarkFlagRequired("to")
	cmd.MarkFlagRequired("amount")
	return cmd
}

// slowness is after how long somebody who waits is told that nothing is wrong.
const slowness = 5 * time.Second

// reassure says, if it takes long until stop, how to find out why.
func reassure(cmd *cobra.Command, id chain.TxID) (stop func() bool) {
	net := cmd.Flag("net").Value
	return time.AfterFunc(slowness, func() {
		say(cmd, "transfer %v takes long; ios status --net %v shows how the shards are. To interrupt is safe: go on any time with: %s", id, net, hint(cmd, "track --wait "+id.String()))
	}).Stop
}

// hand hands a transfer that is in the journal to its shards. If that fails the result
// still has its id: it may come about nevertheless.
func (c *client) hand(cmd *cobra.Command, w *wallet.Wallet, p *wallet.Prepared) (*transfer, error) {
	defer reassure(cmd, p.Tx.ID)()
	t := &transfer{ID: p.Tx.ID, Verdict: wallet.VerdictOpen, Shards: []wallet.ShardOutcome{}}
	err := w.Hand(cmd.Context(), c.remote, p)
	if err == nil {
		t.Shards = c.remote.Outcomes(cmd.Context(), p.Tx)
	} else if !ruled(err) {
		err = fmt.Errorf("%w; go on with: %s", err, hint(cmd, "track --wait "+t.ID.String()))
	}
	return t, err
}

// finish brings a transfer of the wallet to its end and shows it.
func (c *client) finish(cmd *cobra.Command, w *wallet.Wallet, id chain.TxID, start time.Time) error {
	t, err := c.follow(cmd, w, id, start)
	return errors.Join(show(cmd, t, t.write), err)
}

// follow brings a transfer of the wallet to its end. If that fails, or the end is
// none that was wanted, there is a result, too.
func (c *client) follow(cmd *cobra.Command, w *wallet.Wallet, id chain.TxID, start time.Time) (*transfer, error) {
	ctx := cmd.Context()
	defer reassure(cmd, id)()
	res, err := w.Track(ctx, c.remote, id, hear(cmd, start))
	if err != nil {
		return &transfer{ID: id, Verdict: wallet.VerdictOpen, Shards: []wallet.ShardOutcome{}},
			fmt.Errorf("following transfer %v: %w; nothing is lost, go on with: %s", id, err, hint(cmd, "track --wait "+id.String()))
	}
	t := &transfer{ID: id, Verdict: res.Verdict, Reason: res.Reason, Seconds: time.Since(start).Seconds()}
	if tx, err := w.Find(ctx, c.remote, id); err == nil {
		t.Shards = c.remote.Outcomes(ctx, tx)
	}
	return t, t.err()
}

func newWalletTrack() *cobra.Command {
	var wait bool
	cmd := &cobra.Command{
		Use:   "track ID",
		Short: "Show what every shard says of a transfer, and bring it to its end",
		Long: `Show what every shard that a transfer involves has recorded of it. It works on
any machine, without the wallet that sent it, as soon as a shard knows it.

With --wait the transfer is brought to its end: it is handed to the shards that
do not know it, and the proofs are carried that they lack.`,
		Args: oneArg("the id of the transfer"),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := chain.ParseHash(args[0])
			if err != nil {
				return usagef("%v", err)
			}
			c, err := openClient(cmd)
			if err != nil {
				return err
			}
			defer c.close()
			tx, err := c.remote.FetchTx(cmd.Context(), id)
			var w *wallet.Wallet
			if err != nil && cmd.Context().Err() == nil && c.exists() {
				// No shard has told; it may be in the journal.
				var closed error
				if w, closed = c.open(cmd); closed != nil {
					return fmt.Errorf("%w; the wallet in %s may have it, but does not open: %v", err, c.home, closed)
				}
				tx, err = w.Find(cmd.Context(), c.remote, id)
			}
			if err != nil {
				return err
			}
			t := &transfer{ID: id}
			if wait {
				start := time.Now()
				if w != nil {
					return c.finish(cmd, w, id, start)
				}
				defer reassure(cmd, id)()
				res, err := c.remote.Track(cmd.Context(), tx, hear(cmd, start))
				if err != nil {
					return err
				}
				t.Reason, t.Seconds = res.Reason, time.Since(start).Seconds()
			}
			t.Shards = c.remote.Outcomes(cmd.Context(), tx)
			t.Verdict = verdictOf(t.Shards)
			if err := show(cmd, t, t.write); err != nil {
				return err
			}
			return t.err()
		},
	}
	cmd.Flags().BoolVar(&wait, "wait", false, "bring it to its end")
	return cmd
}

func newWalletHistory() *cobra.Command {
	return &cobra.Command{
		Use:   "history",
		Short: "List the transfers that were sent from this wallet",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withWallet(cmd, func(ctx context.Context, c *client, w *wallet.Wallet) error {
				if _, err := w.Settle(ctx, c.remote); err != nil {
					say(cmd, "what has become of the open ones could not be asked: %v", err)
				}
				all, err := w.History()
				if err != nil {
					return err
				}
				result := struct {
					Transfers []*wallet.Sent `json:"transfers"`
				}{append([]*wallet.Sent{}, all...)}
				return show(cmd, result, func(out io.Writer) {
					for _, s := range all {
						to := "to "
						if s.Stake {
							to = "into the registry for "
						}
						fmt.Fprintf(out, "%s  %-9s  %12d  %s%s  id %v\n", s.Time.Local().Format(time.DateTime), s.Verdict, s.Amount, to, s.To, s.ID)
					}
					if len(all) == 0 {
						fmt.Fprintln(out, "nothing was sent from this wallet")
					}
				})
			})
		},
	}
}
