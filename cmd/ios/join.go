package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"ios/chain"
	"ios/chain/sig"
	"ios/node/api"
	"ios/node/config"
	"ios/node/devnet"
	"ios/transepoch/identity"
)

// applicant is a validator's home, and the network that it orders something of.
type applicant struct {
	home    config.Home
	keys    *config.Keyring
	net     *network
	genesis *chain.Genesis
}

// applicant opens the home that --dir names. The network is that of --net, or of
// the home's own genesis file.
func openApplicant(cmd *cobra.Command) (*applicant, error) {
	home, err := homeOf(cmd)
	if err != nil {
		return nil, err
	}
	cfg, err := home.Load()
	if err != nil {
		return nil, err
	}
	keys, err := home.LoadKeyring()
	if err != nil {
		return nil, err
	}
	dir, _ := cmd.Flags().GetString("net")
	if dir == "" {
		if dir = filepath.Dir(home.GenesisFile(cfg)); missing(home.GenesisFile(cfg)) {
			return nil, fmt.Errorf("the validator in %s has no genesis file %s; put the network's there, or name the folder that has it by --net", home, home.GenesisFile(cfg))
		}
	} else if err := copyGenesis(dir, home.GenesisFile(cfg)); err != nil {
		return nil, err
	}
	n, err := openNetAt(dir)
	if err != nil {
		return nil, err
	}
	if n.Genesis.Policy.EpochLength == 0 {
		return nil, &refusal{fmt.Errorf("network %s has one epoch that never ends: nobody joins, leaves or changes keys; that takes a genesis with an epoch_length", n.Genesis.Name)}
	}
	return &applicant{home, keys, n, n.Genesis}, nil
}

// missing reports whether there is no such file.
func missing(file string) bool {
	_, err := os.Lstat(file)
	return errors.Is(err, fs.ErrNotExist)
}

// copyGenesis puts a network's genesis file where a validator looks for its own,
// unless it has one.
func copyGenesis(dir, to string) error {
	if !missing(to) {
		return nil
	}
	n, err := devnet.Open(dir)
	if err != nil {
		return err
	}
	text, err := n.Genesis.TOML()
	if err != nil {
		return err
	}
	return config.CreateFile(to, text, 0o644)
}

// registered asks the registry for the validator.
func (a *applicant) registered(ctx context.Context) (r api.Registered, err error) {
	err = a.net.anybody(ctx, func(ctx context.Context, e api.Endpoint) error {
		for _, key := range a.keys.Signing() {
			if r, err = e.Registered(ctx, key); err != nil || r.Known {
				break
			}
		}
		return err
	})
	return r, err
}

// member is the validator in the registry, which it has to be in.
func (a *applicant) member(ctx context.Context) (api.Registered, error) {
	r, err := a.registered(ctx)
	switch {
	case err != nil:
	case !r.Known:
		err = &refusal{errors.New("the registry has no validator with the signing key of this home; register it with: ios node join")}
	}
	return r, err
}

// orderPatience is how long an order may take to be final.
const orderPatience = time.Minute

// order puts an order up and waits until it is final.
func (a *applicant) order(ctx context.Context, op identity.Op) (height uint64, why identity.Reason, err error) {
	ctx, cancel := context.WithTimeout(ctx, orderPatience)
	defer cancel()
	err = a.net.anybody(ctx, func(ctx context.Context, e api.Endpoint) error {
		h, list, err := e.Enroll(ctx, op)
		if err == nil {
			height, why = h, list[0]
		}
		return err
	})
	return height, why, err
}

// orderTries is how often an order is made anew that something else has overtaken.
const orderTries = 3

// give has an order recorded, unless what it is for has been reached. Make gets what
// the registry has of the validator, and the keys that count there.
func (a *applicant) give(ctx context.Context, reached func(*api.Registered) bool, make func(*api.Registered, *config.Keys) (identity.Op, error)) (*joined, error) {
	var height uint64
	var why identity.Reason
	for try := 0; ; try++ {
		r, err := a.member(ctx)
		switch {
		case err != nil:
			return nil, err
		case height > 0 || reached(&r):
			return &joined{r, height, from(&r)}, nil
		case try == orderTries || why != identity.Done && why != identity.ReasonKey && why != identity.ReasonSeq:
			return nil, &refusal{fmt.Errorf("the order of validator %s is refused: %s", r.Name, refusedOrder(why))}
		}
		keys, err := a.keys.Find(r.Key)
		if err != nil {
			return nil, err
		}
		op, err := make(&r, keys)
		if err != nil {
			return nil, err
		}
		h, reason, err := a.order(ctx, op)
		if err != nil {
			return nil, err
		}
		if why = reason; why == identity.Done {
			height = h
		}
	}
}

// refusedOrder says what is in the way.
func refusedOrder(why identity.Reason) string {
	switch why {
	case identity.ReasonClash:
		return "another validator has its name, its address or one of its keys"
	case identity.ReasonGone:
		return "it has left, and its keys count no more; make a new home with: ios node init"
	case identity.ReasonKey, identity.ReasonSeq, identity.Done:
		return "others of its orders come before it; is another command at work for it?"
	}
	return string(why)
}

// from is the epoch in which an order counts at the earliest: the next one's
// members may be fixed already.
func from(r *api.Registered) uint64 {
	if r.Seeded {
		return r.Epoch + 2
	}
	return r.Epoch + 1
}

// joined is the result of the commands join and leave.
type joined struct {
	api.Registered
	Height uint64 `json:"height,omitempty"` // of the block that took the order; 0 if none was given
	Counts uint64 `json:"counts"`           // the epoch from which on it counts, at the earliest
}

func newNodeJoin() *cobra.Command {
	var stake uint64
	var payer payerFlags
	cmd := &cobra.Command{
		Use:   "join",
		Short: "Register a validator on a running network",
		Long: `Register a validator, whose home "ios node init" has made, on a running network.
Start it with "ios node start" before or after; it waits until it is a member.

Its keys count from the next epoch whose members are not fixed yet, and at most a
part of the validators may come and go in an epoch, so that it may have to wait. A
stake is paid from the credit that the payer's key has in the registry: that of a
wallet's first address, or of --payer, by which "ios wallet stake" has paid it in.`,
		Example: "  ios node join --dir v9 --net devnet\n  ios node join --dir v9 --net devnet --stake 5000 --payer-wallet wallet",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := openApplicant(cmd)
			if err != nil {
				return err
			}
			key, err := payer.key(cmd, a)
			if err != nil {
				return err
			}
			result, err := a.join(cmd.Context(), stake, key)
			if err != nil {
				return err
			}
			return show(cmd, result, result.writeJoin)
		},
	}
	cmd.Flags().String("net", "", "folder of the network (default: where the home's genesis file is)")
	unitsVar(cmd.Flags(), &stake, "stake", "stake in base units")
	cmd.Flags().StringVar(&payer.file, "payer-key", "", "file with the 64 hexadecimal digits of the key that pays the stake")
	cmd.Flags().StringVar(&payer.wallet, "payer-wallet", "", "directory of the wallet that pays the stake")
	cmd.Flags().StringVar(&payer.address, "payer", "", "address of that wallet whose credit it is (default: the first)")
	cmd.Flags().String("passphrase-file", "", "file whose first line is the wallet's passphrase (default: it is asked for)")
	return cmd
}

// payerFlags name who pays a stake.
type payerFlags struct{ file, wallet, address string }

// key is the payer's; nil if nobody pays.
func (p *payerFlags) key(cmd *cobra.Command, a *applicant) (*sig.Key, error) {
	switch {
	case p.file != "" && p.wallet != "":
		return nil, usagef("--payer-key and --payer-wallet: one payer is wanted")
	case p.file != "":
		return config.LoadSeed(p.file)
	case p.wallet == "":
		return nil, nil
	}
	c := client{home: p.wallet, network: a.net}
	w, err := c.open(cmd)
	if err != nil {
		return nil, err
	}
	owner, err := payerOf(w, p.address)
	if err != nil {
		return nil, err
	}
	return w.Signer(owner)
}

func (a *applicant) join(ctx context.Context, stake uint64, payer *sig.Key) (*joined, error) {
	v, err := config.LoadValidator(a.home.ValidatorFile())
	if err != nil {
		return nil, err
	}
	if stake > 0 {
		v.Stake = stake
	}
	p := &a.genesis.Policy
	if v.Stake < p.MinStake {
		return nil, &refusal{fmt.Errorf("a stake of %d: this network wants at least %d; name it with --stake, and who pays it with --payer-wallet or --payer-key", v.Stake, p.MinStake)}
	}
	r, err := a.registered(ctx)
	if err != nil {
		return nil, err
	}
	if r.Known {
		if r.Gone || r.Leaving {
			return nil, &refusal{fmt.Errorf("validator %s has left, and its keys count no more; make a new home with: ios node init", r.Name)}
		}
		return &joined{Registered: r, Counts: from(&r)}, nil
	}
	op, err := a.keys.Oldest().Join(a.genesis.ID(), v, payer)
	if err != nil {
		return nil, &refusal{err}
	}
	height, why, err := a.order(ctx, op)
	if err != nil {
		return nil, err
	}
	if why != identity.Done {
		return nil, &refusal{fmt.Errorf("validator %s is refused: %s", v.Name, refusedJoin(why, v, p))}
	}
	// The block is final; who is asked may not have it yet.
	ctx, cancel := context.WithTimeout(ctx, orderPatience)
	defer cancel()
	for r, err = a.registered(ctx); err == nil && !r.Known; r, err = a.registered(ctx) {
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("validator %s is registered by block %d of the identity chain, which nobody who answers has: %w", v.Name, height, ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
	if err != nil {
		return nil, err
	}
	return &joined{r, height, from(&r)}, nil
}

// refusedJoin says what is missing.
func refusedJoin(why identity.Reason, v *chain.Validator, p *chain.Policy) string {
	switch why {
	case identity.ReasonStake:
		return fmt.Sprintf("a stake of %d is too small, at least %d is wanted", v.Stake, p.MinStake)
	case identity.ReasonCredit:
		return fmt.Sprintf("the payer has less than %d as credit in the registry; pay it in with: ios wallet stake", v.Stake)
	case identity.ReasonClash:
		return "another validator has its name, its address or one of its keys; make a home of its own with: ios node init"
	case identity.ReasonFull:
		return fmt.Sprintf("%d validators are registered, or %d have been, and no more are possible", chain.MaxValidators, chain.MaxPlaces)
	}
	return string(why)
}

func (j *joined) writeJoin(w io.Writer) {
	switch {
	case j.Member:
		fmt.Fprintf(w, "validator %d (%s) is a member of epoch %d\n", j.ID, j.Name, j.Epoch)
	case j.Height == 0:
		fmt.Fprintf(w, "validator %d (%s) is registered already\n", j.ID, j.Name)
		fallthrough
	default:
		if j.Height > 0 {
			fmt.Fprintf(w, "validator %d (%s) is registered, by block %d of the identity chain\n", j.ID, j.Name, j.Height)
		}
		fmt.Fprintf(w, "  counts from  epoch %d at the earliest; this is epoch %d\n", j.Counts, j.Epoch)
		if j.Stake > 0 {
			fmt.Fprintf(w, "  stake        %d\n", j.Stake)
		}
	}
}

func newNodeLeave() *cobra.Command {
	var to string
	var credit bool
	cmd := &cobra.Command{
		Use:   "leave",
		Short: "Take a validator out of the network, and its stake back",
		Long: `Take a validator out of the network. Leave it running until it is no member any
more. Its stake is paid out some epochs after that: to an address, or as credit of
that address's key in the registry, with which somebody can join.`,
		Example: "  ios node leave --dir v3 --net devnet",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := openApplicant(cmd)
			if err != nil {
				return err
			}
			result, err := a.leave(cmd.Context(), to, credit)
			if err != nil {
				return err
			}
			return show(cmd, result, func(w io.Writer) { result.writeLeave(w, &a.genesis.Policy) })
		},
	}
	cmd.Flags().String("net", "", "folder of the network (default: where the home's genesis file is)")
	cmd.Flags().StringVar(&to, "to", "", "address that gets the stake")
	cmd.Flags().BoolVar(&credit, "credit", false, "the stake becomes credit in the registry of the address's key")
	return cmd
}

func (a *applicant) leave(ctx context.Context, to string, credit bool) (*joined, error) {
	payee := identity.Payee{Credit: credit}
	if to != "" {
		var err error
		if payee.Owner, err = chain.ParseAddress(a.genesis.Prefix(), to); err != nil {
			return nil, err
		}
	}
	left := func(r *api.Registered) bool { return r.Leaving || r.Gone }
	return a.give(ctx, left, func(r *api.Registered, keys *config.Keys) (identity.Op, error) {
		if r.Stake > 0 && to == "" {
			return nil, usagef("--to is wanted: the address that gets the stake of %d", r.Stake)
		}
		return keys.Leave(a.genesis.ID(), r.ID, r.Orders, payee), nil
	})
}

func (j *joined) writeLeave(w io.Writer, p *chain.Policy) {
	if j.Gone {
		fmt.Fprintf(w, "validator %d (%s) has left\n", j.ID, j.Name)
	} else {
		fmt.Fprintf(w, "validator %d (%s) leaves with epoch %d at the earliest; this is epoch %d\n", j.ID, j.Name, j.Counts, j.Epoch)
		if j.Stake > 0 {
			fmt.Fprintf(w, "  stake  %d, back %d epochs after that\n", j.Stake, p.UnbondEpochs)
		}
	}
	for _, o := range j.Payouts {
		fmt.Fprintf(w, "  stake  %d, back in epoch %d\n", o.Amount, o.Due)
	}
}
