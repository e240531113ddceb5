package chain

import (
	"bytes"
	"errors"
	"testing"

	"pgregory.net/rapid"

	"ios/chain/sig"
)

var testParams = NewParams(Hash{1, 2, 3}, PrefixTest, 2, 1)

// testKey is the key of owner n.
func testKey(n byte) *sig.Key {
	k, err := sig.FromSeed(bytes.Repeat([]byte{n}, sig.SeedSize))
	if err != nil {
		panic(err)
	}
	return k
}

func ownerOf(k *sig.Key) Address {
	pub := [32]byte(k.Public())
	return AddressOf(&pub)
}

// signTx gives t a witness by each key and seals it.
func signTx(t *Tx, keys ...*sig.Key) *Tx {
	t.Witnesses = nil
	testParams.Seal(t)
	for _, k := range keys {
		t.Witnesses = append(t.Witnesses, Witness{k.Public(), k.Sign(SignedBytes(t.ID))})
	}
	testParams.Seal(t)
	return t
}

// goodTx spends an output of 10 of owner 1 and one of 5 of owner 2.
func goodTx() *Tx {
	a, b := testKey(1), testKey(2)
	t := &Tx{
		Expiry:  3,
		Inputs:  []Input{{OutPoint{Hash{9}, 0}, ownerOf(a), 10}, {OutPoint{Hash{9}, 1}, ownerOf(b), 5}},
		Outputs: []Output{{Owner: ownerOf(b), Amount: 12, Data: []byte("rent")}, {Owner: ownerOf(a), Amount: 2}},
	}
	return signTx(t, a, b)
}

func TestTheIDCoversAllButTheWitnesses(t *testing.T) {
	one, two := goodTx(), goodTx()
	two.Witnesses[0].Signature[5]++
	testParams.Seal(two)
	if one.ID != two.ID {
		t.Error("a witness changed the id")
	}
	two.Outputs[1].Data = []byte{1}
	testParams.Seal(two)
	if one.ID == two.ID {
		t.Error("data did not change the id")
	}
	other := NewParams(Hash{4}, PrefixTest, 2, 1)
	elsewhere, err := other.DecodeTx(one.Raw)
	if err != nil || elsewhere.ID == one.ID {
		t.Error("the id is the same on another chain", err)
	}
}

func TestStaticFaultsAreRefused(t *testing.T) {
	if err := testParams.CheckTx(goodTx(), 3); err != nil {
		t.Fatal("the good one:", err)
	}
	for name, c := range map[string]struct {
		change func(*Tx)
		want   ErrorKind
	}{
		"no inputs":                {func(x *Tx) { x.Inputs = nil }, ErrNoInput},
		"no outputs":               {func(x *Tx) { x.Outputs = nil }, ErrNoInput},
		"expired":                  {func(x *Tx) { x.Expiry = 2 }, ErrExpired},
		"expiry too far ahead":     {func(x *Tx) { x.Expiry = 6 }, ErrExpiry},
		"gives more than it takes": {func(x *Tx) { x.Outputs[0].Amount = 1000 }, ErrAmount},
		"an output of nothing":     {func(x *Tx) { x.Outputs[1].Amount = 0 }, ErrAmount},
		"an input of nothing":      {func(x *Tx) { x.Inputs[1].Amount = 0 }, ErrAmount},
		"outputs overflow":         {func(x *Tx) { x.Outputs[0].Amount, x.Outputs[1].Amount = 1<<63, 1<<63 }, ErrAmount},
		"inputs overflow":          {func(x *Tx) { x.Inputs[0].Amount, x.Inputs[1].Amount = 1<<63, 1<<63 }, ErrAmount},
		"no fee":                   {func(x *Tx) { x.Outputs[0].Amount = 13 }, ErrFee},
		"one input twice":          {func(x *Tx) { x.Inputs[1].OutPoint = x.Inputs[0].OutPoint }, ErrDuplicate},
		"a witness missing":        {func(x *Tx) { x.Witnesses = x.Witnesses[:1] }, ErrWitness},
		"one owner's twice":        {func(x *Tx) { x.Witnesses[1] = x.Witnesses[0] }, ErrWitness},
		"witnesses out of order":   {func(x *Tx) { w := x.Witnesses; w[0], w[1] = w[1], w[0] }, ErrWitness},
	} {
		x := goodTx()
		c.change(x)
		if err := testParams.CheckTx(x, 3); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestManyOwnersNeedOneWitnessEach(t *testing.T) {
	x := &Tx{Expiry: 1, Outputs: []Output{{Amount: 1}}}
	var keys []*sig.Key
	for i := range 40 { // every owner twice, above the size where a map takes over
		k := testKey(byte(1 + i%20))
		x.Inputs = append(x.Inputs, Input{OutPoint{Hash{1}, uint32(i)}, ownerOf(k), 1})
		if i < 20 {
			keys = append(keys, k)
		}
	}
	if err := testParams.CheckTx(signTx(x, keys...), 1); err != nil {
		t.Error(err)
	}
	if err := testParams.CheckTx(signTx(x, keys[:19]...), 1); !errors.Is(err, ErrWitness) {
		t.Error("19 of 20 owners:", err)
	}
	x.Inputs[39].OutPoint = x.Inputs[3].OutPoint
	if err := testParams.CheckTx(signTx(x, keys...), 1); !errors.Is(err, ErrDuplicate) {
		t.Error("one input twice:", err)
	}
}

func TestBatchesDecodeToTheirTransactions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var raw []byte
		var ids []TxID
		for range rapid.IntRange(0, 20).Draw(t, "n") {
			x := &Tx{Expiry: rapid.Uint64().Draw(t, "expiry")}
			for range rapid.IntRange(1, 5).Draw(t, "in") {
				x.Inputs = append(x.Inputs, Input{Amount: rapid.Uint64().Draw(t, "a")})
			}
			for range rapid.IntRange(1, 5).Draw(t, "out") {
				x.Outputs = append(x.Outputs, Output{Data: rapid.SliceOfN(rapid.Byte(), 0, MaxOutputData).Draw(t, "d")})
			}
			x.Witnesses = make([]Witness, rapid.IntRange(1, 3).Draw(t, "w"))
			testParams.Seal(x)
			raw, ids = append(raw, x.Raw...), append(ids, x.ID)
		}
		txs, err := testParams.DecodeTxs(raw, len(ids))
		if err != nil || len(txs) != len(ids) {
			t.Fatal(len(txs), err)
		}
		var again []byte
		for i := range txs {
			if txs[i].ID != ids[i] {
				t.Fatal("transaction", i, "has another id")
			}
			again = txs[i].AppendTo(again)
		}
		if !bytes.Equal(raw, again) {
			t.Fatal("the encoding changed")
		}
		if len(ids) > 0 {
			if _, err := testParams.DecodeTxs(raw, len(ids)-1); !errors.Is(err, ErrEncoding) {
				t.Fatal("one too many:", err)
			}
		}
	})
}

func TestSignaturesBindToTheirPurpose(t *testing.T) {
	x := goodTx()
	key := sig.PublicKey(x.Witnesses[0].PublicKey)
	if !sig.Verify(&key, SignedBytes(x.ID), &x.Witnesses[0].Signature) {
		t.Error("the signature does not verify")
	}
	if sig.Verify(&key, x.ID[:], &x.Witnesses[0].Signature) {
		t.Error("the signature verifies without its tag")
	}
}
