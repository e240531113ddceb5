package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"ios/chain"
	"ios/node/wallet"
)

func newWallet() *cobra.Command {
	cmd := group("wallet", "Keep keys, send transfers, follow them",
		newWalletNew(), newWalletAddress(), newWalletBalance(), newWalletSend(), newWalletStake(), newWalletTrack(), newWalletHistory())
	netFlag(cmd)
	f := cmd.PersistentFlags()
	f.String("home", "wallet", "directory of the wallet")
	f.String("passphrase-file", "", "file whose first line is the passphrase (default: it is asked for)")
	f.Int("work-factor", wallet.DefaultWorkFactor, "log2 of what a guess at the passphrase costs; lower it on weak machines only")
	return cmd
}

// client is a network as wallets see it.
type client struct {
	*network // nil if there is none yet
	remote   *wallet.Remote
	home     string
}

func openClient(cmd *cobra.Command) (*client, error) {
	n, err := openNet(cmd)
	if err != nil {
		return nil, err
	}
	n.api.Close() // the remote has its own
	remote, err := wallet.NewRemote(n.Genesis, n.urls)
	if err != nil {
		return nil, err
	}
	home, _ := cmd.Flags().GetString("home")
	return &client{n, remote, home}, nil
}

// openMaybe is openClient for what a wallet can do without a network: if none is
// named, there need not be one.
func openMaybe(cmd *cobra.Command) (*client, error) {
	c, err := openClient(cmd)
	if errors.Is(err, fs.ErrNotExist) && !cmd.Flags().Changed("net") {
		home, _ := cmd.Flags().GetString("home")
		return &client{home: home}, nil
	}
	return c, err
}

func (c *client) close() {
	if c.remote != nil {
		c.remote.Close()
	}
}

// where is the network of the wallet, as far as it is known.
func (c *client) where() wallet.Network {
	if c.network == nil {
		return wallet.Network{}
	}
	return wallet.NetworkOf(c.Genesis)
}

func (c *client) exists() bool {
	_, err := os.Lstat(filepath.Join(c.home, "wallet.age"))
	return err == nil
}

func (c *client) open(cmd *cobra.Command) (*wallet.Wallet, error) {
	if !c.exists() {
		return nil, fmt.Errorf("no wallet in %s; make one, or have it again from its words, with: %s", c.home, hint(cmd, "new"))
	}
	passphrase, err := readPassphrase(cmd, false)
	if err != nil {
		return nil, err
	}
	return wallet.Open(c.home, passphrase, c.where(), walletOptions(cmd))
}

// hint is the command line of another command for the same wallet on the same network.
func hint(cmd *cobra.Command, words string) string {
	line := "ios wallet"
	for _, name := range []string{"home", "net"} {
		if f := cmd.Flag(name); f != nil && f.Changed {
			line += fmt.Sprintf(" --%s %s", name, f.Value)
		}
	}
	return line + " " + words
}

func walletOptions(cmd *cobra.Command) wallet.Options {
	factor, _ := cmd.Flags().GetInt("work-factor")
	return wallet.Options{WorkFactor: min(max(factor, 1), 22)} // what age can read back
}

// readPassphrase reads the passphrase from the file that the flag names, or
// asks for it, twice if it is new.
func readPassphrase(cmd *cobra.Command, isNew bool) (string, error) {
	file, _ := cmd.Flags().GetString("passphrase-file")
	if file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return "", fmt.Errorf("reading the passphrase: %w", err)
		}
		line, _, _ := strings.Cut(string(text), "\n")
		return strings.TrimSuffix(line, "\r"), nil
	}
	fd := int(os.Stdin.Fd())
	if !term.IsTerminal(fd) {
		return "", usagef("there is no terminal to ask for the passphrase; name a file with --passphrase-file")
	}
	ask := func(what string) (string, error) {
		fmt.Fprintf(cmd.ErrOrStderr(), "%s: ", what)
		b, err := term.ReadPassword(fd)
		fmt.Fprintln(cmd.ErrOrStderr())
		return string(b), err
	}
	first, err := ask("Passphrase")
	if err != nil || !isNew {
		return first, err
	}
	second, err := ask("The same again")
	if err == nil && first != second {
		err = errors.New("the passphrases differ; try again")
	}
	return first, err
}

type address struct {
	Address string         `json:"address"`
	Shard   *chain.ShardID `json:"shard,omitempty"` // nil without a network
	Index   uint32         `json:"index"`
}

func addressOf(w *wallet.Wallet, k *wallet.Key) address {
	n := w.Network()
	a := address{Address: k.Address.Text(n.Prefix), Index: k.Index}
	if n.Shards > 0 {
		s := k.Address.Shard(n.Shards)
		a.Shard = &s
	}
	return a
}

// String is the address and where it lives.
func (a *address) String() string {
	if a.Shard == nil {
		return a.Address
	}
	return fmt.Sprintf("%s in shard %d", a.Address, *a.Shard)
}

func newWalletNew() *cobra.Command {
	shard := wallet.AnyShard
	var wordsFile string
	var test bool
	cmd := &cobra.Command{
		Use:   "new",
		Short: "Make a wallet, or another address of the one that is there",
		Long: `Make a wallet with an address. If the directory has a wallet, another address of
it is taken into use. An address lives in one shard, which --shard chooses.

A new wallet shows its words, once: whoever has them has its coins, and they are
all that is needed to have the wallet again (--words-file).

A wallet belongs to one network. Where none is there yet and none is named by --net,
it is made for the network that is to come, and belongs to the first that it is used
on. Only a network says which shards there are.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := openMaybe(cmd)
			if err != nil {
				return err
			}
			defer c.close()
			switch {
			case c.network == nil && shard != wallet.AnyShard:
				return usagef("--shard: only a network says which shards there are; name it by --net")
			case c.network == nil:
			case test && !c.Genesis.TestNetwork:
				return usagef("--test-network: %s is no test network", c.Genesis.Name)
			case shard != wallet.AnyShard && (shard < 0 || shard >= c.Genesis.Shards):
				return usagef("--shard %d: the network has shards 0 to %d", shard, c.Genesis.Shards-1)
			}
			w, result, err := c.openOrCreate(cmd, wordsFile, test)
			if err != nil {
				return err
			}
			k, err := w.NewAddress(shard)
			if err == nil {
				result.address = addressOf(w, k)
			}
			if err != nil && !result.Created {
				return err
			}
			// The words are shown now or never, whatever else fails.
			result.again = wordsFile != ""
			return errors.Join(show(cmd, result, func(out io.Writer) { result.write(out, c.home) }), err)
		},
	}
	cmd.Flags().IntVar(&shard, "shard", wallet.AnyShard, "shard in which the address lives")
	cmd.Flags().Lookup("shard").DefValue = "any"
	cmd.Flags().BoolVar(&test, "test-network", false, "without a network: its addresses are to begin with iost1")
	cmd.Flags().StringVar(&wordsFile, "words-file", "", "file with the words of a wallet that is to be had again")
	return cmd
}

// newAddress is what "wallet new" tells.
type newAddress struct {
	address
	Created   bool   `json:"created"`
	Words     string `json:"words,omitempty"`
	Recovered int    `json:"recovered,omitempty"`
	Unbound   bool   `json:"unbound,omitempty"` // belongs to no network yet

	again bool // it was made from its words, or its coins were looked for again
}

func (a *newAddress) write(out io.Writer, home string) {
	if a.Words != "" {
		fmt.Fprintf(out, "a new wallet in %s; write its words down, they are not shown again:\n\n  %s\n\n", home, a.Words)
	}
	if a.again && a.Created {
		fmt.Fprintf(out, "the wallet of the words is in %s\n", home)
	}
	switch {
	case !a.again || a.Unbound:
	case a.Recovered > 0:
		fmt.Fprintf(out, "%d more of its addresses have coins and are in use now\n", a.Recovered)
	default:
		fmt.Fprintln(out, "no more of its addresses have coins")
	}
	if a.Address != "" && a.again {
		fmt.Fprint(out, "a new address: ")
	}
	if a.Address != "" {
		fmt.Fprintln(out, &a.address)
	}
	if a.Unbound {
		fmt.Fprintln(out, "the wallet belongs to no network yet; it will to the first that it is used on (--net)")
	}
}

// openOrCreate opens the wallet, or makes it: from new words, or from those of
// a file, whose addresses with coins it then finds. A wallet that has those
// words already looks for its coins again. Without a network nobody can be asked for
// coins.
func (c *client) openOrCreate(cmd *cobra.Command, wordsFile string, test bool) (w *wallet.Wallet, result newAddress, err error) {
	var given string
	if wordsFile != "" {
		text, err := os.ReadFile(wordsFile)
		if err != nil {
			return nil, result, fmt.Errorf("reading the words: %w", err)
		}
		if given, err = wallet.CheckWords(string(text)); err != nil {
			return nil, result, usagef("--words-file: %v", err)
		}
	}
	if c.exists() {
		if w, err = c.open(cmd); err == nil && given != "" && given != w.Words() {
			err = usagef("--words-file: the wallet in %s has other words; choose another --home", c.home)
		}
	} else {
		var passphrase string
		if passphrase, err = readPassphrase(cmd, true); err != nil {
			return nil, result, err
		}
		on := c.where()
		if c.network == nil {
			if on = wallet.AnyNetwork(chain.PrefixMain); test {
				on = wallet.AnyNetwork(chain.PrefixTest)
			}
		}
		if w, err = wallet.Create(c.home, passphrase, given, on, walletOptions(cmd)); err == nil && given == "" {
			result.Words = w.Words()
		}
		result.Created = true
	}
	if err != nil {
		return w, result, err
	}
	n := w.Network()
	if test && n.Prefix != chain.PrefixTest {
		return w, result, usagef("--test-network: the wallet in %s has addresses that begin with %s1", c.home, n.Prefix)
	}
	if result.Unbound = n.Chain.IsZero(); given == "" || c.network == nil {
		return w, result, nil
	}
	if result.Recovered, err = w.Recover(cmd.Context(), c.remote); err != nil {
		err = fmt.Errorf("looking for the coins of the wallet, which is in %s now: %w; run the same command again when the shard can be asked", c.home, err)
	}
	return w, result, err
}

func newWalletAddress() *cobra.Command {
	return &cobra.Command{
		Use:   "address",
		Short: "Show the newest address, and all that are in use",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := openMaybe(cmd)
			if err != nil {
				return err
			}
			defer c.close()
			w, err := c.open(cmd)
			if err != nil {
				return err
			}
			var result struct {
				address
				All []address `json:"addresses"`
			}
			for _, k := range w.Keys() {
				result.All = append(result.All, addressOf(w, k))
			}
			if len(result.All) == 0 {
				return fmt.Errorf("the wallet has no address in use; take one with: ios wallet --home %s new", c.home)
			}
			result.address = result.All[len(result.All)-1]
			return show(cmd, result, func(out io.Writer) {
				for i := range result.All {
					newest := ""
					if i == len(result.All)-1 {
						newest = "  (newest)"
					}
					fmt.Fprintf(out, "%v%s\n", &result.All[i], newest)
				}
			})
		},
	}
}

// withWallet runs f with the open wallet.
func withWallet(cmd *cobra.Command, f func(context.Context, *client, *wallet.Wallet) error) error {
	c, err := openClient(cmd)
	if err != nil {
		return err
	}
	defer c.close()
	w, err := c.open(cmd)
	if err != nil {
		return err
	}
	return f(cmd.Context(), c, w)
}

func newWalletBalance() *cobra.Command {
	return &cobra.Command{
		Use:   "balance",
		Short: "Show what the wallet has in each shard",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withWallet(cmd, func(ctx context.Context, c *client, w *wallet.Wallet) error {
				b, err := w.Balance(ctx, c.remote)
				if err != nil {
					return err
				}
				return show(cmd, b, func(out io.Writer) { writeBalance(out, b, hint(cmd, "history")) })
			})
		},
	}
}

// writeBalance shows a balance. History is the command that lists transfers.
func writeBalance(out io.Writer, b *wallet.Balance, history string) {
	for _, s := range b.Shards {
		switch {
		case s.Amount == nil:
			fmt.Fprintf(out, "shard %d: unknown: %s\n", s.Shard, s.Reason)
		case s.Partial:
			fmt.Fprintf(out, "shard %d: at least %d in more than %d coins, at height %d\n", s.Shard, *s.Amount, s.Coins, s.Height)
		case s.Coins == 1:
			fmt.Fprintf(out, "shard %d: %d in 1 coin, at height %d\n", s.Shard, *s.Amount, s.Height)
		default:
			fmt.Fprintf(out, "shard %d: %d in %d coins, at height %d\n", s.Shard, *s.Amount, s.Coins, s.Height)
		}
	}
	if b.Total != nil {
		fmt.Fprintf(out, "total %d", *b.Total)
	} else {
		fmt.Fprintf(out, "known %d, the total is unknown", b.Known)
	}
	if b.Outgoing > 0 {
		fmt.Fprintf(out, ", of which unfinished transfers spend %d", b.Outgoing)
	}
	fmt.Fprintln(out)
	if b.Locked > 0 {
		fmt.Fprintf(out, "%d more is locked by unfinished transfers, see: %s\n", b.Locked, history)
	}
}
