package wallet

import (
	"testing"

	"ios/chain"
)

// A validator that an epoch has moved judges nothing: the wallet goes on with the
// others. One that finds a coin spent does judge.
func TestWhoLeftTheShardRefusesNothing(t *testing.T) {
	if refusal(chain.Rule(chain.ErrWrongShard, "no input is in shard 0")) {
		t.Error("a validator of another shard was taken for a judge")
	}
	if !refusal(chain.Rule(chain.ErrSpent, "output 0 was spent")) {
		t.Error("a spent coin is no refusal")
	}
}
