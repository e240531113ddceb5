package wallet_test

import (
	"fmt"

	"ios/chain"
	"ios/node/wallet"
)

// A transfer to shard 1 takes its coins from there if they are enough.
func ExampleSelect() {
	in := func(first byte, amount uint64) wallet.Coin {
		return wallet.Coin{OutPoint: chain.OutPoint{Index: uint32(amount)}, Owner: chain.Address{first}, Amount: amount}
	}
	coins := []wallet.Coin{in(0x00, 500), in(0x80, 70), in(0x80, 30)}
	sel, err := wallet.Select(coins, 40, 1, 2, wallet.MaxInputs)
	fmt.Println(sel.Coins[0].Amount, sel.Change, err)
	_, err = wallet.Select(coins, 700, 1, 2, wallet.MaxInputs)
	fmt.Println(err)
	// Output:
	// 70 30 <nil>
	// insufficient_funds: 700 is needed, fee included, and 600 can be spent
}
