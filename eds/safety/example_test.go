package safety_test

import (
	"fmt"

	"ios/eds/safety"
)

func ExampleAssess() {
	plan := safety.Plan{Validators: 1800, Shards: 32, ByzantineShare: 0.125, Bound: 1e-6}
	_, err := safety.Assess(plan)
	fmt.Println(err)
	plan.Shards = 16
	r, err := safety.Assess(plan)
	fmt.Printf("16 shards of %d: %.1e, %v\n", r.ShardSize, r.Epoch, err)
	// Output:
	// unsafe: 32 shards of 56: some committee has more than 18 Byzantine members with probability 0.000781 in an epoch, above the bound of 1e-06; 1800 validators can form at most 16 shards, of 112; 32 shards want 3104 validators, 97 each
	// 16 shards of 112: 1.7e-08, <nil>
}
