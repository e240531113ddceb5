package main

import (
	"github.com/spf13/cobra"

	"ios/node/devnet"
)

func newStatus() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show how a network is: epoch, beacon, shards, validators, supply",
		Long: `Show how a network is: the epoch and what happens in it, who leads and who is
awaited, the batches of each shard's transition, each validator, and the supply over all
shards. Who runs the beacon shows a table of who has dealt, or opened shares.`,
		Example: "  ios status --net devnet",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, _ := cmd.Flags().GetString("net")
			return showStatus(cmd, dir)
		},
	}
	netFlag(cmd)
	return cmd
}

// showStatus asks all validators of the network in a folder.
func showStatus(cmd *cobra.Command, dir string) error {
	n, err := devnet.Open(dir)
	if err != nil {
		return err
	}
	status, err := n.Status(cmd.Context())
	if err != nil {
		return err
	}
	return show(cmd, status, status.Write)
}
