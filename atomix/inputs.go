package atomix

import (
	"iter"

	"ios/chain"
	"ios/chain/utxo"
)

// ownInputs walks the inputs of t that lie in this shard.
func (s *State) ownInputs(t *chain.Tx) iter.Seq[*chain.Input] {
	return func(yield func(*chain.Input) bool) {
		for i := range t.Inputs {
			if t.Inputs[i].Shard(s.params.Shards) == s.shard && !yield(&t.Inputs[i]) {
				return
			}
		}
	}
}

func coinOf(in *chain.Input) utxo.Coin { return utxo.Coin{Owner: in.Owner, Amount: in.Amount} }
