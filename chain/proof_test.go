package chain

import (
	"bytes"
	"errors"
	"testing"

	"ios/chain/merkle"
)

func TestABundleProvesItsSegment(t *testing.T) {
	block, tree, committee := finalBlock(t)
	raw := tree.Bundle(block, 1, []Tx{*goodTx()}).Encode()
	b, err := testParams.DecodeBundle(raw)
	if err != nil || !bytes.Equal(b.AppendTo(nil), raw) {
		t.Fatal(err)
	}
	if err := errors.Join(b.CheckOrigin(testParams, 1), b.VerifyPath(), b.Cert.Verify(committee, &b.Header, b.Header.Hash())); err != nil {
		t.Fatal(err)
	}
	if err := b.CheckOrigin(testParams, 0); !errors.Is(err, ErrWrongShard) {
		t.Error("shown to the shard that made it:", err)
	}
	other := NewParams(Hash{7}, PrefixTest, 2, 1)
	if err := b.CheckOrigin(other, 1); !errors.Is(err, ErrWrongChain) {
		t.Error("shown to another chain:", err)
	}
	b.Segment.Entries[1].Outcome = Accepted
	if err := b.VerifyPath(); !errors.Is(err, ErrProof) {
		t.Error("a changed outcome:", err)
	}
	b.Segment.Entries[1].Outcome = Rejected
	b.Segment.Dest = 0
	if err := b.VerifyPath(); !errors.Is(err, ErrProof) {
		t.Error("a changed destination:", err)
	}
	b.Cert.Phase = Prepare
	if err := b.CheckOrigin(testParams, 0); err == nil {
		t.Error("a prepared block is taken for final")
	}
}

func TestABundleHoldsOnlyTransactionsOfItsEntries(t *testing.T) {
	block, tree, _ := finalBlock(t)
	stranger := goodTx()
	stranger.Expiry++
	testParams.Seal(stranger)
	if _, err := testParams.DecodeBundle(tree.Bundle(block, 1, []Tx{*stranger}).Encode()); !errors.Is(err, ErrEncoding) {
		t.Error("a transaction without an entry:", err)
	}
	if _, err := testParams.DecodeBundle(tree.Bundle(block, 1, []Tx{*goodTx(), *goodTx()}).Encode()); !errors.Is(err, ErrEncoding) {
		t.Error("a transaction twice:", err)
	}
}

// A caller that leaves the error out must not hold a value that was never whole.
func TestWhatDoesNotDecodeIsNoValue(t *testing.T) {
	block, tree, _ := finalBlock(t)
	if p, err := DecodeOutcomeProof(append(tree.Proof(block, 0, 0).AppendTo(nil), 0)); p != nil || !errors.Is(err, ErrEncoding) {
		t.Errorf("a proof with a byte behind it: %v, %v", p, err)
	}
	if b, err := DecodeBlock(append(block.AppendTo(nil), 0)); b != nil || !errors.Is(err, ErrEncoding) {
		t.Errorf("a block with a byte behind it: %v, %v", b, err)
	}
}

func TestAnOutcomeProofConvincesAClient(t *testing.T) {
	block, tree, committee := finalBlock(t)
	for i := range tree {
		for j := range tree[i].Entries {
			raw := tree.Proof(block, i, j).AppendTo(nil)
			p, err := DecodeOutcomeProof(raw)
			if err != nil || !bytes.Equal(p.AppendTo(nil), raw) || p.Entry != tree[i].Entries[j] {
				t.Fatal(i, j, err)
			}
			if err := p.Verify(testParams, 0, committee); err != nil {
				t.Error(i, j, err)
			}
			if err := p.Verify(testParams, 1, committee); !errors.Is(err, ErrWrongShard) {
				t.Error("taken for another shard's:", err)
			}
			for k := range raw {
				bad := bytes.Clone(raw)
				bad[k] ^= 1
				if q, err := DecodeOutcomeProof(bad); err == nil && q.Verify(testParams, 0, committee) == nil {
					t.Fatal("byte", k, "can be changed")
				}
			}
		}
	}
}

func TestABundleIsEncodedInOnePiece(t *testing.T) {
	block, tree, _ := finalBlock(t)
	b := tree.Bundle(block, 1, []Tx{*goodTx()})
	b.Place.Path = make([]merkle.Hash, maxPath)
	b.Segment.Entries = make([]Entry, MaxSegmentEntries)
	if allocs := testing.AllocsPerRun(10, func() { b.Raw = nil; b.Encode() }); allocs != 1 {
		t.Errorf("%v allocations", allocs)
	}
}
