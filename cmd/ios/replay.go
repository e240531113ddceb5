package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"ios/node/load"
	"ios/node/load/bitcoin"
)

// replay makes a real Bitcoin block happen on the network.
func replay(cmd *cobra.Command, c *load.Config, file string) error {
	info, err := os.Stat(file)
	if err != nil {
		return fmt.Errorf("reading the Bitcoin block: %w", err)
	}
	if info.Size() > bitcoin.MaxBytes {
		return fmt.Errorf("%s has %d bytes, a block has at most %d; cut the file to one block", file, info.Size(), bitcoin.MaxBytes)
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("reading the Bitcoin block: %w", err)
	}
	block, err := bitcoin.Parse(raw)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	report, err := load.Replay(cmd.Context(), *c, block)
	if report != nil {
		if err := show(cmd, report, func(w io.Writer) { writeReplay(w, report) }); err != nil {
			return err
		}
	}
	return err
}

func writeReplay(w io.Writer, r *load.ReplayReport) {
	fmt.Fprintf(w, "Bitcoin block %s: %d transactions, %d replayed\n", r.Block, r.BlockTxs, r.Replayed)
	fmt.Fprintf(w, "  left out: %d coinbase, %d too large, %d outputs of zero\n", r.Coinbases, r.TooLarge, r.Zeros)
	fmt.Fprintf(w, "  inputs: %d from inside the block, %d from outside (funded first); %d owners\n", r.Inside, r.Outside, r.Owners)
	fmt.Fprintf(w, "  within a shard %d   across two %d   across more %d\n", r.Within, r.AcrossTwo, r.AcrossMore)
	fmt.Fprintf(w, "  final %d   refused %d   aborted %d   lost %d   unsent %d   in %.1f s\n", r.Final, r.Refused, r.Aborted, r.Lost, r.Unsent, r.Seconds)
	verdict := "the sums agree"
	if !r.SumsOK {
		verdict = "THE SUMS DO NOT AGREE: " + r.Problem
	}
	fmt.Fprintf(w, "  funded %d = unspent %d + fees %d: %s\n", r.Funded, r.Unspent, r.Fees, verdict)
}
