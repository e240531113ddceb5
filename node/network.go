package node

import (
	"fmt"
	"slices"

	"ios/chain"
	"ios/chain/cosi"
	"ios/chain/sig"
	"ios/eds"
	"ios/node/config"
	"ios/node/epochs"
	"ios/node/onetnet"
	"ios/pob/byzcoin"
)

// newNetwork is that of a genesis. If that has the validator of the name, with these
// keys, it is us.
func newNetwork(g *chain.Genesis, name string, keys *config.Keyring) (*network, error) {
	w := &network{genesis: g, params: g.Params(), self: eds.Nobody}
	if i := slices.IndexFunc(g.Validators, func(v chain.Validator) bool { return v.Name == name }); i >= 0 {
		err := keys.Owns(&g.Validators[i])
		if err != nil && !w.ends() {
			return nil, err
		}
		if err == nil { // or they were replaced
			w.self = chain.ValidatorID(i)
		}
	}
	var err error
	w.book, err = epochs.NewBook(g, cosi.BLS{})
	return w, err
}

// recognize finds the validator in the newest epoch that is known, unless the
// genesis has it.
func (w *network) recognize(name string, keys *config.Keyring) error {
	if w.self != eds.Nobody {
		return nil
	}
	id, ok := ownSeat(w.book, keys)
	if !ok {
		return fmt.Errorf("neither the genesis of %s nor epoch %d has validator %q; check the name in node.toml and the keys, or register it with: ios node join", w.genesis.Name, w.book.Number(), name)
	}
	w.self = id
	return nil
}

// agreement configures a shard's chain.
func (w *network) agreement(voice func(sig.PublicKey) (byzcoin.Voice, bool), shard chain.ShardID) byzcoin.ChainConfig {
	policy := &w.genesis.Policy
	return byzcoin.ChainConfig{
		Anchors: anchors{w.book},
		ChainID: w.params.ChainID, Shard: shard, Self: w.self, Committees: w.book.Ever(),
		Voice: voice,
		Policy: byzcoin.Policy{
			Quota: policy.BodyQuota, MinGap: policy.BlockGap,
			BlockInterval: policy.BlockInterval, Delta: policy.Delta,
		}.WithDefaults(),
		Start:   byzcoin.Point{Hash: w.params.ChainID},
		Sources: w.others(shard),
	}
}

// anchors is the book as the agreement reads it.
type anchors struct{ *epochs.Book }

func (a anchors) Around(id chain.ShardID, height uint64) (below, above byzcoin.Point) {
	b, o := a.Book.Around(id, height)
	return byzcoin.Point{Height: b.Height, Hash: b.Block}, byzcoin.Point{Height: o.Height, Hash: o.Block}
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
		Self: n.net.self, Secret: n.cfg.Keys.Oldest().Identity, Chain: n.net.params.ChainID,
		Listen: n.cfg.Node.Listen, Peers: n.net.peers(), Log: n.log, Handler: n.received,
	})
}
