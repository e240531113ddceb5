package transepoch_test

import (
	"fmt"

	"ios/chain"
	"ios/transepoch"
)

// Two shards of four swap half of their members, one at a time, so that never
// more than one seat of a committee is taken by somebody new.
func Example() {
	plan, err := transepoch.MakePlan(&transepoch.Input{
		Epoch: 2, Random: chain.Hash{42},
		Old:          transepoch.Assignment{{0, 1, 2, 3}, {4, 5, 6, 7}},
		Members:      []chain.ValidatorID{0, 1, 2, 3, 4, 5, 6, 7},
		SwapPermille: 500, BatchSize: 1,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for batch := range plan.Last(1) + 1 {
		committee, err := plan.Committee(1, batch)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println("shard 1, batch", batch, committee)
	}
	// Output:
	// shard 1, batch 0 [4 5 6 7]
	// shard 1, batch 1 [0 5 6 7]
	// shard 1, batch 2 [0 5 6 3]
}
