package validator

import (
	"testing"

	"ios/chain"
	"ios/pob/byzcoin"
)

// What the agreement gives up is not kept here either.
func TestWhatIsGivenUpIsForgotten(t *testing.T) {
	a, b := poolTx(1), poolTx(2)
	first, second := chain.Term{Epoch: 1}, chain.Term{Epoch: 1, Batch: 1}
	c := &Core{
		debts: []*debt{{first, map[chain.TxID]*chain.Body{a.ID: nil}}, {second, map[chain.TxID]*chain.Body{b.ID: nil}}},
		owed:  []owedTx{{tx: a}, {tx: b}},
	}
	c.dropped(byzcoin.Dropped{From: second}) // of which we were never told
	c.dropped(byzcoin.Dropped{From: first, All: true})
	if c.unsettled() != 1 || len(c.owed) != 1 || c.owed[0].tx.ID != b.ID {
		t.Errorf("%d transactions and %d to put up are kept", c.unsettled(), len(c.owed))
	}
}
