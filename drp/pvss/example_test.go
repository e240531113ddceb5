package pvss_test

import (
	"fmt"
	"math/rand/v2"

	"ios/drp/pvss"
)

// A dealer shares a secret among four receivers, two of which open it.
func Example() {
	random := rand.NewChaCha8([32]byte{1}) // crypto/rand.Reader in earnest
	var keys []pvss.SecretKey
	var public []pvss.PublicKey
	for range 4 {
		key, _ := pvss.Generate(random)
		k, _ := key.Public()
		keys, public = append(keys, key), append(public, k)
	}
	group, err := pvss.ParseReceivers(public)
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := pvss.Context{Session: [32]byte{7}, Dealer: 0}
	raw, _ := pvss.Deal(ctx, group, keys[0], random)

	// Everybody:
	dealing, err := group.Parse(ctx, raw)
	if err != nil {
		fmt.Println(err)
		return
	}
	var batch pvss.Batch
	batch.Add(dealing)
	all := []*pvss.Parsed{dealing}

	// Receivers 1 and 3:
	var opened []*pvss.Opened
	for _, j := range []int{1, 3} {
		shares, _ := pvss.Decrypt(pvss.Binding{9}, group, j, all, keys[j], random)
		o, err := group.Open(pvss.Binding{9}, j, all, shares)
		if err != nil {
			fmt.Println(err)
			return
		}
		batch.Add(o)
		opened = append(opened, o)
	}
	var sum pvss.Sum
	fmt.Println(group.Threshold(), "of", group.Count(), "shares, wrong:", batch.Check(), sum.Add(opened))
	// Output: 2 of 4 shares, wrong: [] <nil>
}
