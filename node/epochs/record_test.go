package epochs_test

import (
	"bytes"
	"testing"

	"ios/chain"
	"ios/chain/cosi"
	"ios/chain/cosi/cositest"
	"ios/node/epochs"
	"ios/node/epochs/epochstest"
	"ios/transepoch/identity"
)

// network is a genesis of four validators in one shard, and its epochs.
func network(t testing.TB) (*chain.Genesis, *epochstest.Chain) {
	t.Helper()
	scheme := cositest.New("epochs")
	g := &chain.Genesis{Name: "test", TestNetwork: true, Shards: 1, Policy: chain.DefaultPolicy()}
	for i := range 4 {
		key, err := scheme.Public(cositest.Secret(i))
		if err != nil {
			t.Fatal(err)
		}
		g.Validators = append(g.Validators, chain.Validator{Name: string(rune('a' + i)), Address: "127.0.0.1:1", Cosi: key, Signing: [32]byte{byte(i)}})
	}
	book, err := identity.NewBook(g, scheme)
	if err != nil {
		t.Fatal(err)
	}
	return g, &epochstest.Chain{T: t, Scheme: scheme, Book: book, Secret: func(id chain.ValidatorID) cosi.Secret { return cositest.Secret(int(id)) }}
}

func TestABookTellsWhenThereIsAnotherEpoch(t *testing.T) {
	g, c := network(t)
	b, err := epochs.NewBook(g, c.Scheme)
	if err != nil {
		t.Fatal(err)
	}
	second, third := c.Next(identity.Void), c.Next(identity.Void)
	changed := b.Changed()
	if _, err := b.Add(third); err == nil {
		t.Error("an epoch was passed over")
	}
	if added, err := b.Add(second); !added || err != nil {
		t.Error(added, err)
	}
	<-changed
	if added, err := b.Add(second); added || err != nil {
		t.Error("the same record once more:", added, err)
	}
	if _, err := b.Add(third); err != nil || b.Number() != 3 {
		t.Error(b.Number(), err)
	}
	first := chain.Term{Epoch: 1}
	if _, err := b.Committee(0, first); err == nil {
		t.Error("a term of two epochs ago convinces")
	}
	if by, err := b.Ever().Committee(0, first); err != nil || len(by.Members) != 4 {
		t.Error("a term of two epochs ago is not known:", err)
	}
	if list, err := b.Seats(0); err != nil || len(list) != 4 {
		t.Error(list, err)
	}
	if block, err := third.Block(); err != nil || block == (chain.Hash{}) {
		t.Error(block, err)
	}
}

func TestRecordsAreAnchors(t *testing.T) {
	g, c := network(t)
	b, err := epochs.NewBook(g, c.Scheme)
	if err != nil {
		t.Fatal(err)
	}
	bases := map[uint64]identity.Point{}
	if below, above := b.Around(0, 100); below.Height != 0 || above.Height != 0 {
		t.Error("the genesis names", below, above)
	}
	for e := uint64(2); e <= 6; e++ {
		if e > 2 { // the second record finds no block of the shard yet
			bases[e] = identity.Point{Term: chain.Term{Epoch: e - 1}, Height: 10 * e, Block: chain.Hash{byte(e)}}
			c.Bases = map[chain.ShardID]identity.Point{0: bases[e]}
		}
		if _, err := b.Add(c.Next(identity.Void)); err != nil {
			t.Fatal(err)
		}
	}
	for height, want := range map[uint64][2]uint64{0: {0, 3}, 29: {0, 3}, 30: {3, 4}, 45: {4, 5}, 59: {5, 6}, 60: {6, 0}, 1000: {6, 0}} {
		below, above := b.Around(0, height)
		if below.Height != bases[want[0]].Height || below.Height > 0 && below != bases[want[0]] || above != bases[want[1]] {
			t.Errorf("around block %d: %v and %v, not those of epochs %v", height, below, above, want)
		}
	}
	// The identity chain of this test has one block an epoch.
	record, err := epochs.DecodeRecord(c.Next(identity.Void).AppendTo(nil))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Add(record); err != nil {
		t.Fatal(err)
	}
	block, _ := record.Block()
	below, above := b.Around(chain.IdentityShard, 5)
	if below.Height != 5 || above.Height != 6 || above.Block != block || above.Term.Epoch != 6 {
		t.Error("around block 5 of the identity chain:", below, above)
	}
	if below, above := b.Around(chain.IdentityShard, 6); below.Height != 6 || above.Height != 0 {
		t.Error("around its last block:", below, above)
	}
	for e, want := range map[uint64]bool{1: false, 5: false, 6: true, 7: true, 8: true} {
		for _, id := range []chain.ShardID{0, chain.IdentityShard} {
			if b.Convinces(id, chain.Term{Epoch: e}) != want {
				t.Errorf("epoch %d convinces in epoch 7: %v", e, !want)
			}
		}
	}
}

func FuzzDecodeRecord(f *testing.F) {
	_, c := network(f)
	f.Add(c.Next(identity.Void).AppendTo(nil))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := epochs.DecodeRecord(raw)
		if err != nil {
			return
		}
		if !bytes.Equal(r.AppendTo(nil), raw) {
			t.Error("another encoding")
		}
	})
}
