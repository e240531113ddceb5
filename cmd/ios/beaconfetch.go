package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"ios/chain"
	"ios/chain/cosi"
	"ios/node/api"
	"ios/node/epochs"
	"ios/transepoch/beacon"
)

func newBeaconLatest() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "latest",
		Short: "Fetch and verify the random value of the current epoch",
		Args:  noArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return fetchBeacon(cmd, 0) },
	}
	fetchFlags(cmd)
	return cmd
}

func newBeaconGet() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "get EPOCH",
		Short:   "Fetch and verify the random value of an epoch",
		Example: "  ios beacon get 7 --net devnet --out beacon-7",
		Args:    oneArg("the epoch"),
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := strconv.ParseUint(args[0], 10, 64)
			if err != nil || n == 0 {
				return usagef("%q is no epoch; they count from 1", args[0])
			}
			return fetchBeacon(cmd, n)
		},
	}
	fetchFlags(cmd)
	return cmd
}

func fetchFlags(cmd *cobra.Command) {
	netFlag(cmd)
	cmd.Flags().String("out", "", "file to keep, for: ios beacon verify")
}

// fetchPatience is how long fetching the records of all epochs may take.
const fetchPatience = 5 * time.Minute

// fetchBeacon fetches what proves an epoch's value, 0 for the current one's, and
// verifies it.
func fetchBeacon(cmd *cobra.Command, epoch uint64) error {
	n, err := openNet(cmd)
	if err != nil {
		return err
	}
	defer n.api.Close()
	out, _ := cmd.Flags().GetString("out")
	if out != "" {
		if _, err := os.Lstat(out); err == nil {
			return usagef("%s exists already; choose another --out", out)
		}
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), fetchPatience)
	defer cancel()
	parent := "" // where temporary files are
	if out != "" {
		parent = filepath.Dir(out) // so that it can be renamed
	}
	dir, err := os.MkdirTemp(parent, ".beacon-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "file")
	var v *beacon.Value
	err = n.anybody(ctx, func(ctx context.Context, e api.Endpoint) error {
		if err := fetchFrom(ctx, e, n, file, epoch); err != nil {
			return err
		}
		v, err = verifyFile(file, n)
		return err
	})
	if err != nil {
		return err
	}
	if out != "" {
		if err := os.Rename(file, out); err != nil {
			return err
		}
	}
	return show(cmd, v, func(w io.Writer) {
		writeValue(w, v)
		if out != "" {
			fmt.Fprintf(w, "verify it anywhere with: ios beacon verify %s --genesis %s\n", out, filepath.Join(n.Dir, "genesis.toml"))
		}
	})
}

func verifyFile(file string, n *network) (*beacon.Value, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	v, err := beacon.Verify(f, n.Genesis, cosi.BLS{})
	if err != nil {
		return nil, notVerified("what the validator sent", err)
	}
	return v, nil
}

// fetchFrom writes what one validator tells to a file.
func fetchFrom(ctx context.Context, e api.Endpoint, n *network, file string, epoch uint64) error {
	latest := epoch == 0
	if latest {
		st, err := e.Status(ctx)
		if err != nil {
			return err
		}
		if epoch = 1; st.Coming != nil {
			epoch = st.Coming.Epoch
		}
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer f.Close()
	w, err := beacon.NewWriter(f, beacon.Head{Chain: n.Genesis.ID(), Epoch: epoch})
	if err != nil {
		return err
	}
	enough, next := errors.New("enough"), uint64(2)
	if epoch > 1 {
		err = e.Epochs(ctx, 2, func(r *epochs.Record) error {
			if next++; r.Number > epoch {
				return enough
			}
			return w.Link(beacon.Link{Record: r.Epoch, Proof: r.Proof})
		})
	}
	switch {
	case err != nil && !errors.Is(err, enough):
		return err
	case next <= epoch && latest:
		return chain.Rule(chain.ErrNotReady, "the record of epoch %d is not here yet", epoch)
	case next <= epoch:
		return &refusal{fmt.Errorf("there is no epoch %d yet: the current one is %d", epoch, next-1)}
	}
	transcript, err := e.Transcript(ctx, epoch)
	if err != nil && !errors.Is(err, api.ErrNotFound) && epoch > 1 {
		return err
	}
	return w.Close(transcript)
}
