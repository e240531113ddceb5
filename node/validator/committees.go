package validator

import (
	"ios/chain"
)

// Genesis are the committees of the shards in the first term, by shard, before
// any other is known.
type Genesis []*chain.Committee

// Committee implements chain.Committees.
func (g Genesis) Committee(shard chain.ShardID, term chain.Term) (*chain.Committee, error) {
	if int(shard) >= len(g) {
		return nil, chain.Rule(chain.ErrProof, "there is no shard %d", shard)
	}
	switch first := g[shard].Term; term.Compare(first) {
	case 0:
		return g[shard], nil
	case -1:
		return nil, chain.Rule(chain.ErrProof, "shard %d begins with term %v", shard, first)
	}
	return nil, chain.Rule(chain.ErrNotReady, "term %v of shard %d is not known yet", term, shard)
}
