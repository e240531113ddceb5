package node

import (
	"bytes"
	"fmt"
	"slices"

	"ios/chain"
	"ios/chain/cosi"
	"ios/chain/sig"
	"ios/eds"
	"ios/node/config"
	"ios/node/onetnet"
	"ios/node/validator"
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
	w.members, w.committees, err = Committees(g)
	return w, err
}

// Committees are the members and committees of the shards in the first epoch.
func Committees(g *chain.Genesis) ([][]chain.ValidatorID, []*cosi.Committee, error) {
	members := eds.Assign(g.Seed, len(g.Validators), g.Shards)
	committees := make([]*cosi.Committee, len(members))
	for s, ids := range members {
		keys := make([]cosi.PublicKey, len(ids))
		for i, id := range ids {
			keys[i] = g.Validators[id].Cosi
		}
		c, err := cosi.BLS{}.NewCommittee(keys)
		if err != nil {
			return nil, nil, fmt.Errorf("the committee of shard %d: %w", s, err)
		}
		committees[s] = c
	}
	return members, committees, nil
}

// agreement configures a shard's chain.
func (w *network) agreement(keys *config.Keys, shard chain.ShardID) byzcoin.ChainConfig {
	g := w.genesis
	known := make(validator.Genesis, len(w.members))
	for s, ids := range w.members {
		signing := make([]sig.PublicKey, len(ids))
		for i, id := range ids {
			signing[i] = g.Validators[id].Signing
		}
		known[s] = &chain.Committee{Shard: chain.ShardID(s), Term: firstTerm, Members: ids, Signing: signing, Cosi: w.committees[s]}
	}
	return byzcoin.ChainConfig{
		ChainID: w.params.ChainID, Shard: shard, Self: w.self, Committees: known,
		Key: keys.Signing,
		Cosign: func(msg []byte) (cosi.Signature, error) {
			return cosi.BLS{}.Sign(keys.Cosi, msg)
		},
		Policy: byzcoin.Policy{
			Quota: g.Policy.BodyQuota, MinGap: g.Policy.BlockGap,
			BlockInterval: g.Policy.BlockInterval, Delta: g.Policy.Delta,
		}.WithDefaults(),
		Start:   byzcoin.Point{Hash: w.params.ChainID},
		Sources: w.others(shard),
	}
}

// others are the members of a shard without ourselves.
func (w *network) others(shard chain.ShardID) []chain.ValidatorID {
	return slices.DeleteFunc(slices.Clone(w.members[shard]), func(id chain.ValidatorID) bool { return id == w.self })
}

// firstEpoch is the epoch that the genesis begins.
const firstEpoch = 1

var firstTerm = chain.Term{Epoch: firstEpoch}

// connect starts the transport.
func (n *Node) connect() (Transport, error) {
	if n.cfg.Transport != nil {
		return n.cfg.Transport(n.received)
	}
	peers := make([]onetnet.Peer, len(n.net.genesis.Validators))
	for i := range peers {
		v := &n.net.genesis.Validators[i]
		peers[i] = onetnet.Peer{ID: chain.ValidatorID(i), Public: v.Identity[:], Address: v.Address}
	}
	return onetnet.New(onetnet.Config{
		Self: n.net.self, Secret: n.cfg.Keys.Identity, Chain: n.net.params.ChainID,
		Listen: n.cfg.Node.Listen, Peers: peers, Log: n.log, Handler: n.received,
	})
}
