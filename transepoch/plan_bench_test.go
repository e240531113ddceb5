package transepoch

import (
	"testing"

	"ios/chain"
	"ios/eds"
)

// The largest network: 4,096 validators in 64 shards, a third of them swapped.
func BenchmarkMakePlan(b *testing.B) {
	in := &Input{Old: eds.Assign(chain.Hash{1}, chain.MaxValidators, 64), SwapPermille: 334, BatchSize: 6}
	for v := range chain.ValidatorID(chain.MaxValidators) {
		in.Members = append(in.Members, v)
	}
	for b.Loop() {
		if _, err := MakePlan(in); err != nil {
			b.Fatal(err)
		}
	}
}
