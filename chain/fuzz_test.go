package chain

import (
	"bytes"
	"testing"
)

func FuzzTxs(f *testing.F) {
	f.Add(goodTx().Raw)
	f.Add(append(goodTx().Raw, goodTx().Raw...))
	stake := goodTx()
	stake.Outputs[0].Stake = true
	f.Add(signTx(stake, testKey(1), testKey(2)).Raw)
	f.Add(testParams.PayoutTx(Hash{7}, Address{1}, 5).Raw)
	f.Fuzz(func(t *testing.T, raw []byte) {
		txs, err := testParams.DecodeTxs(raw, 100)
		if err != nil {
			return
		}
		var again []byte
		for i := range txs {
			testParams.CheckTx(&txs[i], 3)
			again = txs[i].AppendTo(again)
		}
		if !bytes.Equal(raw, again) {
			t.Fatal("two encodings of one list")
		}
	})
}

func FuzzBody(f *testing.F) {
	b := &Body{Epoch: 3, Batch: 2, Payload: PayloadOf([][]byte{goodTx().Raw}, nil)}
	b.SignBody(testKey(1))
	f.Add(b.Raw)
	f.Fuzz(func(t *testing.T, raw []byte) {
		b, err := DecodeBody(raw)
		if err != nil {
			return
		}
		again := *b
		again.SignBody(testKey(1))
		if !bytes.Equal(again.Raw[:len(raw)-64], raw[:len(raw)-64]) || again.Hash != b.Hash {
			t.Fatal("two encodings of one body")
		}
	})
}

func FuzzPayload(f *testing.F) {
	block, tree, _ := finalBlock(f)
	f.Add(PayloadOf([][]byte{goodTx().Raw}, [][]byte{tree.Bundle(block, 1, []Tx{*goodTx()}).Encode()}))
	f.Add(TurnPayloadOf([]byte("turn"), nil, nil))
	f.Fuzz(func(t *testing.T, raw []byte) {
		pl, err := testParams.DecodePayload(raw)
		if err != nil {
			return
		}
		var txs, bundles [][]byte
		for i := range pl.Txs {
			txs = append(txs, pl.Txs[i].AppendTo(nil))
		}
		for _, b := range pl.Bundles {
			b.VerifyPath()
			bundles = append(bundles, b.AppendTo(nil))
		}
		if !bytes.Equal(TurnPayloadOf(pl.Turn, txs, bundles), raw) || !bytes.Equal(TurnOf(raw), pl.Turn) {
			t.Fatal("two encodings of one payload")
		}
	})
}

func FuzzBlock(f *testing.F) {
	block, _, _ := finalBlock(f)
	f.Add(block.AppendTo(nil))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if b, err := DecodeBlock(raw); err == nil && !bytes.Equal(b.AppendTo(nil), raw) {
			t.Fatal("two encodings of one block")
		}
	})
}

func FuzzOutcomeProof(f *testing.F) {
	block, tree, committee := finalBlock(f)
	f.Add(tree.Proof(block, 1, 1).AppendTo(nil))
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := DecodeOutcomeProof(raw)
		if err != nil {
			return
		}
		p.Verify(testParams, 0, committee)
		if !bytes.Equal(p.AppendTo(nil), raw) {
			t.Fatal("two encodings of one proof")
		}
	})
}
