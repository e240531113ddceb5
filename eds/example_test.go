package eds_test

import (
	"fmt"

	"ios/chain"
	"ios/eds"
)

func ExampleAssign() {
	for shard, seats := range eds.Assign(chain.Hash{1, 2, 3}, 8, 2) {
		fmt.Println("shard", shard, "has validators", seats)
	}
	// Output:
	// shard 0 has validators [7 6 4 3]
	// shard 1 has validators [2 5 1 0]
}
