package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"ios/chain"
	"ios/node/devnet"
)

func newDevnet() *cobra.Command {
	cmd := group("devnet", "Run a whole network on this machine", newDevnetUp(), newDevnetStatus(), newDevnetDown())
	cmd.PersistentFlags().String("dir", "devnet", "folder of the network")
	return cmd
}

func dirOf(cmd *cobra.Command) string {
	dir, _ := cmd.Flags().GetString("dir")
	return dir
}

func newDevnetUp() *cobra.Command {
	var o devnet.Options
	var detach bool
	var epoch time.Duration
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Make the network if need be, and start its validators",
		Long: `Make the network if the folder has none, and start its validators, one process
each. On a folder that has one, those that are dead are started and the rest is
left alone; so are validators that joined later and have run, if their homes are in
the folder.

With --detach it returns once every shard is ready, and the validators go on;
"ios devnet down" ends them. Without, it shows how they are and ends them all
when it is interrupted.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Policy = devnet.Policy(epoch)
			n, err := openOrCreate(cmd, dirOf(cmd), o)
			if err != nil {
				return err
			}
			return up(cmd, n, detach)
		},
	}
	f := cmd.Flags()
	f.IntVar(&o.Shards, "shards", 2, "number of shards of a new network, a power of two")
	f.IntVar(&o.Validators, "validators", 8, "validators of a new network, in all shards together")
	f.DurationVar(&epoch, "epoch", 0, "how long an epoch of a new network lasts before the next is prepared, 30s say; 0 for one that never ends")
	f.StringVar(&o.Name, "name", "devnet", "name of a new network")
	f.StringVar(&o.LogLevel, "log-level", "info", "of the validators of a new network: error, warn, info or debug")
	f.BoolVar(&detach, "detach", false, "return once every shard is ready")
	return cmd
}

// openOrCreate makes the network unless the folder has one. Flags that
// contradict it are refused rather than ignored.
func openOrCreate(cmd *cobra.Command, dir string, o devnet.Options) (*devnet.Network, error) {
	if _, err := os.Stat(filepath.Join(dir, "genesis.toml")); errors.Is(err, fs.ErrNotExist) {
		n, err := devnet.Create(dir, o)
		return n, flagged(err)
	}
	n, err := devnet.Open(dir)
	if err != nil {
		return nil, err
	}
	g := n.Genesis
	for _, c := range []struct {
		flag        string
		wanted, has any
	}{
		{"shards", o.Shards, g.Shards}, {"validators", o.Validators, len(g.Validators)}, {"name", o.Name, g.Name},
		{"epoch", o.Policy.EpochLength, g.Policy.EpochLength},
	} {
		if cmd.Flags().Changed(c.flag) && c.wanted != c.has {
			return nil, usagef("--%s %v: the network in %s has %v; leave the flag out, or choose another --dir", c.flag, c.wanted, dir, c.has)
		}
	}
	if cmd.Flags().Changed("log-level") {
		return nil, usagef("--log-level is for a new network; change log_level in the node.toml of each validator in %s", dir)
	}
	return n, nil
}

type upResult struct {
	Dir        string          `json:"dir"`
	ChainID    chain.Hash      `json:"chain_id"`
	Shards     int             `json:"shards"`
	Validators []devnet.Member `json:"validators"`
	Seconds    float64         `json:"seconds"`
}

func up(cmd *cobra.Command, n *devnet.Network, detach bool) error {
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("looking for this program's own file: %w", err)
	}
	start := time.Now()
	members, err := n.Up(cmd.Context(), program, func(word string) { say(cmd, "%s", word) })
	if err != nil {
		if !detach {
			n.Stop()
		}
		return err
	}
	result := upResult{n.Dir, n.Genesis.ID(), n.Genesis.Shards, members, time.Since(start).Seconds()}
	err = show(cmd, result, func(w io.Writer) {
		started, ready := 0, 0
		for _, m := range members {
			if m.Started {
				started++
			}
			if m.Ready {
				ready++
			}
		}
		fmt.Fprintf(w, "network %s in %s: %d shards, %d validators, %d ready after %.1f s (%d started now)\n",
			result.ChainID.Short(), n.Dir, result.Shards, len(members), ready, result.Seconds, started)
		if detach {
			fmt.Fprintf(w, "  how it is:  ios status --net %s\n  end it:     ios devnet down --dir %s\n", n.Dir, n.Dir)
		}
	})
	if err != nil || detach {
		return err
	}
	return watch(cmd, n)
}

// watch shows the network until it is interrupted, and then ends it.
func watch(cmd *cobra.Command, n *devnet.Network) error {
	say(cmd, "interrupt (^C) to end them all")
	said := ""
	for {
		select {
		case <-cmd.Context().Done():
			pids, err := n.Stop()
			if err == nil {
				say(cmd, "ended %d validators", len(pids))
			}
			return err
		case <-time.After(time.Second):
		}
		status, err := n.Status(cmd.Context())
		if err != nil {
			continue // interrupted; the loop sees it
		}
		if line := status.Line(); line != said {
			say(cmd, "%s  %s", time.Now().Format(time.TimeOnly), line)
			said = line
		}
	}
}

func newDevnetStatus() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show every shard and validator, and count the supply over all shards",
		Args:  noArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return showStatus(cmd, dirOf(cmd)) },
	}
}

func newDevnetDown() *cobra.Command {
	return &cobra.Command{
		Use:   "down",
		Short: "End all validators whose homes are in the network's folder; the folder stays",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			n, err := devnet.Open(dirOf(cmd))
			if err != nil {
				return err
			}
			pids, err := n.Stop()
			if err != nil {
				return err
			}
			result := struct {
				Dir   string `json:"dir"`
				Ended []int  `json:"ended"`
			}{n.Dir, append([]int{}, pids...)}
			return show(cmd, result, func(w io.Writer) { fmt.Fprintf(w, "ended %d validators of %s\n", len(pids), n.Dir) })
		},
	}
}
