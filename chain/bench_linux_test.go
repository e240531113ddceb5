package chain

import (
	"encoding/binary"
	"testing"

	"ios/chain/cosi"
	"ios/internal/testenv"
)

// manyTxs are n transactions with an input and an output, to shard 1 of 2. Their
// signatures are none.
func manyTxs(n int) []Tx {
	k := testKey(1)
	owner, other := ownerOf(k), Address{0x80}
	txs := make([]Tx, n)
	for i := range txs {
		t := &txs[i]
		*t = Tx{Expiry: 1, Inputs: []Input{{Owner: owner, Amount: 5}}, Outputs: []Output{{Owner: other, Amount: 4}}}
		binary.BigEndian.PutUint64(t.Inputs[0].Tx[:], uint64(i))
		t.Witnesses = []Witness{{PublicKey: k.Public()}}
		testParams.Seal(t)
	}
	return txs
}

// BenchmarkEncode is a bundle of 512 transactions.
func BenchmarkEncode(b *testing.B) {
	txs := manyTxs(MaxSegmentEntries)
	bundle := &Bundle{Segment: Segment{Dest: 1}, Txs: txs}
	bundle.Cert.Mask, bundle.Cert.Phase = cosi.NewMask(4), Commit
	for i := range txs {
		bundle.Segment.Entries = append(bundle.Segment.Entries, Entry{txs[i].ID, Accepted})
	}
	b.ReportAllocs()
	start := testenv.CPU(b)
	for b.Loop() {
		bundle.Raw = nil
		bundle.Encode()
	}
	b.ReportMetric(float64((testenv.CPU(b)-start).Nanoseconds())/float64(b.N*len(txs)), "cpu-ns/tx")
}

// BenchmarkDecode is what a member does with a body of 1,024 transactions, or with
// one of 2 bundles of 512, before it looks at signatures and certificates.
func BenchmarkDecode(b *testing.B) {
	const n = 1024
	txs := manyTxs(n)
	raws := make([][]byte, n)
	var tree OutcomeTree
	for i := range txs {
		raws[i] = txs[i].Raw
		if i%MaxSegmentEntries == 0 {
			tree = append(tree, Segment{Dest: 1})
		}
		s := &tree[len(tree)-1]
		s.Entries = append(s.Entries, Entry{txs[i].ID, Accepted})
	}
	block := &Block{Header: Header{Chain: testParams.ChainID, Outcomes: tree.Root()}}
	block.Cert.Mask, block.Cert.Phase = cosi.NewMask(4), Commit
	var bundles [][]byte
	for i := range tree {
		bundles = append(bundles, tree.Bundle(block, i, txs[i*MaxSegmentEntries:(i+1)*MaxSegmentEntries]).Encode())
	}
	run := func(name string, payload []byte) {
		pl, err := testParams.DecodePayload(payload)
		if err != nil {
			b.Fatal(err)
		}
		measure := func(what string, f func() error) {
			b.Run(name+"/"+what, func(b *testing.B) {
				b.ReportAllocs()
				start := testenv.CPU(b)
				for b.Loop() {
					if err := f(); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64((testenv.CPU(b)-start).Nanoseconds())/float64(b.N*n), "cpu-ns/tx")
			})
		}
		measure("decode", func() error {
			_, err := testParams.DecodePayload(payload)
			return err
		})
		measure("check", func() error {
			list := [][]Tx{pl.Txs}
			for _, bundle := range pl.Bundles {
				list = append(list, bundle.Txs)
				if err := bundle.VerifyPath(); err != nil {
					return err
				}
			}
			for _, txs := range list {
				for i := range txs {
					if err := testParams.CheckTx(&txs[i], 1); err != nil {
						return err
					}
				}
			}
			return nil
		})
	}
	run("txs", PayloadOf(raws, nil))
	run("bundles", PayloadOf(nil, bundles))
}
