package eds

import (
	"fmt"

	"ios/chain"
	"ios/chain/cosi"
)

// FirstTerm is the term of the committees that the genesis gives.
var FirstTerm = chain.Term{Epoch: 1}

// Committees are those of the first term, by shard: whom the seed of a genesis
// that was checked assigns to each.
func Committees(g *chain.Genesis, scheme cosi.Scheme) ([]*chain.Committee, error) {
	list := make([]*chain.Committee, g.Shards)
	for s, members := range Assign(g.Seed, len(g.Validators), g.Shards) {
		c := &chain.Committee{Shard: chain.ShardID(s), Term: FirstTerm, Members: members}
		keys := make([]cosi.PublicKey, len(members))
		for i, id := range members {
			v := &g.Validators[id]
			keys[i] = v.Cosi
			c.Signing = append(c.Signing, v.Signing)
		}
		var err error
		if c.Cosi, err = scheme.NewCommittee(keys); err != nil {
			return nil, fmt.Errorf("the committee of shard %d: %w", s, err)
		}
		list[s] = c
	}
	return list, nil
}
