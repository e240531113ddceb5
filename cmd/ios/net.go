package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"

	"ios/chain"
	"ios/chain/cosi"
	"ios/node/api"
	"ios/node/devnet"
	"ios/node/faucet"
)

// network is a network that this command line talks to.
type network struct {
	*devnet.Network
	api    *api.Network
	urls   map[chain.ValidatorID]string
	params *chain.Params
}

func netFlag(cmd *cobra.Command) {
	cmd.PersistentFlags().String("net", "devnet", "folder of the network: its genesis.toml names the validators")
}

// openNet reads the network that --net names. The validators' own
// configurations, where they are in the folder, say where their APIs listen.
func openNet(cmd *cobra.Command) (*network, error) {
	dir, _ := cmd.Flags().GetString("net")
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return nil, usagef("--net %s: the folder that has the network's genesis.toml is wanted, and this is a file", dir)
	}
	n, err := openNetAt(dir)
	if errors.Is(err, fs.ErrNotExist) && !cmd.Flags().Changed("net") {
		err = fmt.Errorf("%w; or name the folder of your network by --net", err)
	}
	return n, err
}

func openNetAt(dir string) (*network, error) {
	n, err := devnet.Open(dir)
	if err != nil {
		return nil, err
	}
	urls := make(map[chain.ValidatorID]string)
	for i, home := range n.Homes {
		if cfg, err := home.Load(); err == nil {
			urls[chain.ValidatorID(i)] = "http://" + cfg.API
		}
	}
	view, err := api.FollowNetwork(n.Genesis, cosi.BLS{}, urls)
	if err != nil {
		return nil, err
	}
	return &network{Network: n, api: view, urls: urls, params: n.Genesis.Params()}, nil
}

// momentPatience is how long all validators may not be ready: when an epoch begins
// they are not for a moment.
const momentPatience = 5 * time.Second

// anybody asks one validator after the other until one answers, whatever its
// shard.
func (n *network) anybody(ctx context.Context, f func(context.Context, api.Endpoint) error) error {
	for deadline := time.Now().Add(momentPatience); ; {
		err := n.once(ctx, f)
		if !errors.Is(err, chain.ErrNotReady) || time.Now().After(deadline) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (n *network) once(ctx context.Context, f func(context.Context, api.Endpoint) error) (err error) {
	for s := range chain.ShardID(n.Genesis.Shards) {
		err = n.api.Try(ctx, s, f)
		var nobody *api.ShardError
		if !errors.As(err, &nobody) {
			return err
		}
	}
	return err
}

func (n *network) faucet() (*faucet.Faucet, error) {
	keys, err := n.Network.Faucet()
	if err != nil {
		return nil, err
	}
	return &faucet.Faucet{Keys: keys, Network: n.api, Params: n.params}, nil
}
