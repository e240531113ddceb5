package chain

import (
	"errors"
	"math/bits"
	"testing"
)

// inShard is a key whose address lies in a shard of the test's chain.
func inShard(t *testing.T, want ShardID, after byte) byte {
	t.Helper()
	for i := after + 1; i != 0; i++ {
		if ownerOf(testKey(i)).Shard(testParams.Shards) == want {
			return i
		}
	}
	t.Fatalf("no key in shard %d of %d", want, testParams.Shards)
	return 0
}

// Who pays into the registry involves one shard besides, so that its yes is all
// that the identity chain has to hear.
func TestPayingIntoTheRegistry(t *testing.T) {
	if bits.OnesCount(uint(testParams.Shards)) != 1 || testParams.Shards < 2 {
		t.Fatal("two shards are wanted")
	}
	i := inShard(t, 0, 0)
	a, other := testKey(i), testKey(inShard(t, 1, 0))
	good := func(change func(*Tx)) *Tx {
		x := &Tx{
			Expiry:  3,
			Inputs:  []Input{{OutPoint{Hash{9}, 0}, ownerOf(a), 20}},
			Outputs: []Output{{Owner: ownerOf(other), Amount: 10, Stake: true}, {Owner: ownerOf(a), Amount: 9}},
		}
		if change != nil {
			change(x)
		}
		return signTx(x, a)
	}
	x := good(nil)
	if err := testParams.CheckTx(x, 3); err != nil {
		t.Fatal(err)
	}
	back, err := testParams.DecodeTx(x.Raw)
	if err != nil || !back.Outputs[0].Stake || back.Outputs[1].Stake || back.ID != x.ID {
		t.Fatal("it decodes to something else:", err)
	}
	plain := good(func(x *Tx) { x.Outputs[0].Stake = false })
	if plain.ID == x.ID {
		t.Error("the id does not say where the output goes")
	}
	involved := testParams.Involved(x)
	if list := involved.List(); len(list) != 1 || list[0] != 0 || !involved.Has(IdentityShard) || involved.Has(1) || involved.Has(MaxShards) {
		t.Errorf("it involves %v", involved)
	}
	if _, only := testParams.OnlyShard(x); only {
		t.Error("it is no transaction of one shard")
	}
	strict := *testParams
	strict.MinStake = 11
	if err := strict.CheckTx(x, 3); !errors.Is(err, ErrStake) {
		t.Error("less than a stake:", err)
	}
	for name, change := range map[string]func(*Tx){
		"two payments":            func(x *Tx) { x.Outputs[1].Stake = true },
		"change in another shard": func(x *Tx) { x.Outputs[1].Owner = ownerOf(other) },
	} {
		if err := testParams.CheckTx(good(change), 3); !errors.Is(err, ErrStake) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A payout is as the registry makes it, or none. No shard holds its input, so no
// client can submit it.
func TestPayouts(t *testing.T) {
	to := ownerOf(testKey(inShard(t, 1, 0)))
	good := func() *Tx { return testParams.PayoutTx(Hash{7}, to, 5) }
	x := good()
	if err := testParams.CheckTx(x, x.Expiry); err != nil {
		t.Fatal(err)
	}
	inputs, involved := testParams.InputShards(x), testParams.Involved(x)
	if inputs.List() != nil || !inputs.Has(IdentityShard) || len(involved.List()) != 1 || !involved.Has(1) {
		t.Errorf("its input is in %v, it involves %v", inputs, involved)
	}
	if good().ID != x.ID || testParams.PayoutTx(Hash{8}, to, 5).ID == x.ID {
		t.Error("payouts and their ids do not match one to one")
	}
	block, tree, _ := finalBlock(t)
	tree = append(tree, Segment{Dest: 1, Entries: []Entry{{x.ID, Accepted}}})
	if b, err := testParams.DecodeBundle(tree.Bundle(block, len(tree)-1, []Tx{*x}).AppendTo(nil)); err != nil || b.Txs[0].ID != x.ID {
		t.Errorf("a bundle does not hold it: %v", err)
	}
	key := testKey(3)
	for name, change := range map[string]func(*Tx){
		"more than it takes": func(x *Tx) { x.Outputs[0].Amount++ },
		"less than it takes": func(x *Tx) { x.Outputs[0].Amount-- },
		"nothing":            func(x *Tx) { x.Inputs[0].Amount, x.Outputs[0].Amount = 0, 0 },
		"to another":         func(x *Tx) { x.Outputs[0].Owner[5]++ },
		"back again":         func(x *Tx) { x.Outputs[0].Stake = true },
		"with data":          func(x *Tx) { x.Outputs[0].Data = []byte{1} },
		"that expires":       func(x *Tx) { x.Expiry = 3 },
		"with a second output": func(x *Tx) {
			x.Outputs = append(x.Outputs, x.Outputs[0])
		},
		"with an input of a shard": func(x *Tx) {
			x.Inputs = append(x.Inputs, Input{OutPoint{Hash{9}, 0}, ownerOf(key), 5})
		},
		"with a witness": func(x *Tx) { signTx(x, key) },
	} {
		x := good()
		change(x)
		if err := testParams.CheckTx(x, x.Expiry); !errors.Is(err, ErrStake) {
			t.Errorf("a payout %s: %v", name, err)
		}
	}
}
