package atomix

import (
	"bytes"
	"reflect"
	"slices"
	"testing"

	"ios/chain"
	"ios/chain/utxo"
)

func FuzzLoadState(f *testing.F) {
	w := busyWorld(f)
	for _, l := range w.shards {
		f.Add(l.snapshot())
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := LoadState(w.params, 0, [16]byte{}, bytes.NewReader(raw))
		if err != nil {
			return
		}
		var again bytes.Buffer
		if err := s.WriteSnapshot(&again); err != nil || !bytes.Equal(again.Bytes(), raw) {
			t.Fatal("it is written as something else: ", err)
		}
	})
}

func FuzzDecodeReport(f *testing.F) {
	w := busyWorld(f)
	for _, l := range w.shards {
		for _, final := range l.finals {
			f.Add(AppendReport(nil, final.report))
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		tree, skipped, err := DecodeReport(raw)
		if err != nil {
			return
		}
		if !bytes.Equal(AppendReport(nil, &Report{Tree: tree, Skipped: skipped}), raw) {
			t.Fatal("it encodes to something else")
		}
	})
}

func TestAReportIsKeptWithItsTree(t *testing.T) {
	w := busyWorld(t)
	for _, l := range w.shards {
		for _, f := range l.finals {
			tree, skipped, err := DecodeReport(AppendReport(nil, f.report))
			if err != nil || tree.Root() != f.block.Header.Outcomes || len(skipped) != len(f.report.Skipped) {
				t.Fatal(err)
			}
			got := OutcomesOf(tree)
			if len(got) != len(f.report.Outcomes) {
				t.Fatalf("outcomes %v, want %v", got, f.report.Outcomes)
			}
			for _, e := range f.report.Outcomes {
				if !slices.Contains(got, e) {
					t.Fatalf("%v is missing", e)
				}
				if p := ProofOf(f.block, tree, e.ID); p == nil || p.Verify(w.params, l.id, l.committee) != nil {
					t.Fatalf("no proof of %v", e)
				}
			}
		}
	}
	if BundleOf(w.shards[0].finals[0].block, w.shards[0].finals[0].report.Tree, chain.TxID{}, 1) != nil ||
		ProofOf(w.shards[0].finals[0].block, w.shards[0].finals[0].report.Tree, chain.TxID{}) != nil {
		t.Fatal("a proof of nothing")
	}
}

// A block with many outcomes for one shard is cut into segments that fit.
func TestManyOutcomesAreCutIntoSegments(t *testing.T) {
	s, bodies := manyCoins(3000, 3000, [2]chain.ShardID{1, 0})
	root := s.Execute(&chain.Header{Epoch: 1, Height: 1}, bodies)
	r := s.Report()
	if len(r.Tree) != 6 || r.Tree.Root() != root {
		t.Fatalf("%d segments", len(r.Tree))
	}
	for _, seg := range r.Tree {
		if seg.Dest != 1 || len(seg.Entries) > chain.MaxSegmentEntries {
			t.Fatalf("a segment of %d for %d", len(seg.Entries), seg.Dest)
		}
	}
	var b treeBuilder
	b.reset(2)
	for range 3 {
		b.add(1, chain.Entry{}, chain.MaxSegmentBytes/2+1)
	}
	b.add(0, chain.Entry{}, chain.MaxTxBytes)
	if tree := b.finish(); len(tree) != 4 || tree[0].Dest != 0 {
		t.Fatalf("%v", tree)
	}
}

func TestSkipsHaveNames(t *testing.T) {
	seen := map[string]bool{}
	for s := Skip(1); s < skipEnd; s++ {
		if s.String() == "" || s.Text() == "" || seen[s.String()] {
			t.Errorf("reason %d has no name of its own", s)
		}
		seen[s.String()] = true
	}
	if skipEnd.String() != "unknown" {
		t.Error(skipEnd.String())
	}
}

func TestChangesAreWhatABlockDidToTheCoins(t *testing.T) {
	w := newWorld(t, 2, 100)
	a, l := w.coin(0, 0), w.shards[0]
	tx := w.tx([]coin{a}, pay{w.wallet(0), 60}, pay{a.owner, 30})
	l.submit(tx)
	var got []uint64
	l.state.Changes(func(e utxo.Entry, added bool) bool {
		if added != (e.Tx == tx.ID) {
			t.Errorf("%v added: %v", e, added)
		}
		got = append(got, e.Amount)
		return true
	})
	if !reflect.DeepEqual(got, []uint64{100, 60, 30}) {
		t.Error(got)
	}
}

func TestCertificatesOfAPayloadAreTakenOnce(t *testing.T) {
	w := newWorld(t, 2, 100, 100)
	tx := w.tx([]coin{w.coin(0, 0)}, pay{w.wallet(1), 99})
	w.shards[0].submit(tx)
	one, two, other := w.shards[0].bundle(tx.ID, 1), w.shards[0].bundle(tx.ID, 1), w.shards[0].bundle(tx.ID, 1)
	other.Cert.View++ // the same block by another certificate
	list := Certificates(&chain.Payload{Bundles: []*chain.Bundle{one, two, other}})
	if len(list) != 2 || list[0].Key == list[1].Key || list[0].Block != list[1].Block || w.verify(list[0]) != nil || w.verify(list[1]) == nil {
		t.Fatalf("%+v", list)
	}
}
