package node

import (
	"bytes"
	"fmt"
	"slices"

	"ios/chain"
	"ios/chain/cosi"
	"ios/node/config"
	"ios/node/epochs"
	"ios/node/onetnet"
	"ios/pob/byzcoin"
)

// newNetwork finds the validator of the name in the genesis and checks that the
// keys are its own.
func newNetwork(g *chain.Genesis, name string, keys *config.Keys) (*network, error) {
	self := slices.IndexFunc(g.Validators, func(v chain.Validator) bool { return v.Name == name })
	if self < 0 {
		return nil, fmt.Errorf("the genesis of %s has no validator named %q; check the name in node.toml", g.Name, name)
	}
	v := &g.Validators[self]
	identity, err := onetnet.PublicIdentity(keys.Identity)
	if err != nil {
		return nil, err
	}
	public, err := cosi.BLS{}.Public(keys.Cosi)
	if err != nil {
		return nil, err
	}
	shares, err := keys.PVSS.Public()
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(identity, v.Identity[:]) || keys.Signing.Public() != v.Signing || public != v.Cosi ||
		keys.VRF.Public() != v.VRF || shares != v.PVSS {
		return nil, fmt.Errorf("the keys are not those that the genesis has for validator %q; put its own keys.toml in place", name)
	}
	w := &network{genesis: g, params: g.Params(), self: chain.ValidatorID(self)}
	w.book, err = epochs.NewBook(g, cosi.BLS{})
	return w, err
}

// agreement configures a shard's chain.
func (w *network) agreement(keys *config.Keys, shard chain.ShardID) byzcoin.ChainConfig {
	policy := &w.genesis.Policy
	return byzcoin.ChainConfig{
		ChainID: w.params.ChainID, Shard: shard, Self: w.self, Committees: w.book.Ever(),
		Key: keys.Signing,
		Cosign: func(msg []byte) (cosi.Signature, error) {
			return cosi.BLS{}.Sign(keys.Cosi, msg)
		},
		Policy: byzcoin.Policy{
			Quota: policy.BodyQuota, MinGap: policy.BlockGap,
			BlockInterval: policy.BlockInterval, Delta: policy.Delta,
		}.WithDefaults(),
		Start:   byzcoin.Point{Hash: w.params.ChainID},
		Sources: w.others(shard),
	}
}

// firstEpoch is the epoch that the genesis begins.
const firstEpoch = 1

var firstTerm = chain.Term{Epoch: firstEpoch}

// connect starts the transport.
func (n *Node) connect() (Transport, error) {
	if n.cfg.Transport != nil {
		return n.cfg.Transport(n.received)
	}
	return onetnet.New(onetnet.Config{
		Self: n.net.self, Secret: n.cfg.Keys.Identity, Chain: n.net.params.ChainID,
		Listen: n.cfg.Node.Listen, Peers: n.net.peers(), Log: n.log, Handler: n.received,
	})
}
