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
