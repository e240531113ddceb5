package utxo

import (
	"bytes"
	"testing"

	"ios/chain"
)

func TestACloneDoesNotChangeWithItsSet(t *testing.T) {
	s := New([16]byte{1})
	coin := func(i int) (chain.OutPoint, Coin) {
		return chain.OutPoint{Tx: chain.Hash{byte(i), byte(i >> 8)}, Index: uint32(i)}, Coin{chain.Address{31: byte(i)}, uint64(i + 1)}
	}
	for i := range 3000 { // indexes are growing now
		s.Add(coin(i))
	}
	var before, after bytes.Buffer
	if err := s.AppendSnapshot(&before); err != nil {
		t.Fatal(err)
	}
	c := s.Clone()
	for i := range 3000 {
		op, x := coin(i)
		if i%2 == 0 {
			s.Remove(op, x.Owner)
		}
		s.Add(coin(i + 3000))
	}
	if err := c.AppendSnapshot(&after); err != nil || !bytes.Equal(before.Bytes(), after.Bytes()) {
		t.Error("the clone changed", err)
	}
	for i := range 3000 {
		op, x := coin(i)
		if amount, ok := c.Get(op, x.Owner); !ok || amount != x.Amount {
			t.Fatal("coin", i, "is not in the clone")
		}
		c.Add(coin(i + 9000))
	}
	if _, _, err := c.Recount(); err != nil {
		t.Error(err)
	}
	if _, _, err := s.Recount(); err != nil {
		t.Error(err)
	}
}

func TestCoinsAreListedPageByPage(t *testing.T) {
	s, owner := New([16]byte{2}), chain.Address{5}
	for i := range 1000 {
		s.Add(chain.OutPoint{Tx: chain.Hash{byte(i * 7), byte(i)}, Index: uint32(i)}, Coin{owner, 1})
		s.Add(chain.OutPoint{Tx: chain.Hash{byte(i * 3)}, Index: uint32(i)}, Coin{chain.Address{6}, 1})
	}
	var after *chain.OutPoint
	seen := 0
	for more := true; more; {
		var page []Entry
		page, more = s.Owned(owner, after, 7)
		for i := range page {
			if after != nil && page[i].OutPoint.Compare(*after) <= 0 || page[i].Owner != owner {
				t.Fatal("coin", seen, "is out of order or another's")
			}
			after = &page[i].OutPoint
			seen++
		}
	}
	if seen != 1000 {
		t.Error(seen, "of 1000 coins were listed")
	}
}
