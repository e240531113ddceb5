package eds

import "ios/chain"

const tagAssign = "ios/eds-assign/v1"

// Assign permutes validators 0 to validators-1 by the seed and cuts them into
// shards whose sizes differ by at most one, the larger ones first. Within a
// shard the order is that of the permutation: it gives the seats. There are no
// shards if a number makes no sense.
func Assign(seed chain.Hash, validators int, shards int) [][]chain.ValidatorID {
	if shards < 1 || shards > chain.MaxShards || validators < 0 || validators > chain.MaxValidators {
		return nil
	}
	order := validatorIDs(Permutation(tagAssign, seed, validators))
	sets := make([][]chain.ValidatorID, shards)
	for i := range sets {
		size := validators / shards
		if i < validators%shards {
			size++
		}
		sets[i], order = order[:size:size], order[size:]
	}
	return sets
}

func validatorIDs(order []int) []chain.ValidatorID {
	ids := make([]chain.ValidatorID, len(order))
	for i, v := range order {
		ids[i] = chain.ValidatorID(v)
	}
	return ids
}
