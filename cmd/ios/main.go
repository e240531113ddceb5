// Command ios is the whole project in one binary: it makes and runs networks,
// runs validators, and is a wallet, a faucet and a load generator.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() { os.Exit(run(os.Args[1:])) }

// run carries out a command line and returns the exit code.
func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := newRoot()
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if err = usual(cmd, err); err != nil {
		fmt.Fprintf(os.Stderr, "ios: %s\n", describe(err))
	}
	return exitCode(err)
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "ios",
		Short: "A sharded ledger: networks, validators, wallets",
		Long: `A sharded ledger: networks, validators, wallets.

  ios devnet up --dir D --detach    a network of 8 validators in 2 shards on this machine
  ios status --net D                how it is
  ios wallet --home W --net D new   a wallet on it

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 refused: a rule, too little funds or a
wrong passphrase stands against it.`,
		SilenceErrors:              true,
		SilenceUsage:               true,
		Version:                    version(),
		SuggestionsMinimumDistance: 2,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.PersistentFlags().Bool("json", false, "print the result as one JSON object")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usagef("%v; see: %s --help", err, cmd.CommandPath())
	})
	root.AddCommand(newGenesis(), newStatus(), newDevnet(), newNode(), newWallet(), newFaucet(), newLoad(), newDemo(), newBench(), newSecurity(), newBeacon())
	return root
}
