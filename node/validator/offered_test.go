package validator

import (
	"testing"

	"ios/atomix"
	"ios/chain"
)

// A body that no block of its term lists is lost, and what it brought from another
// chain is put up once more in the next term, though the members are the same.
func TestANewTermIsOfferedWhatTheLastOneLeft(t *testing.T) {
	h := newHermit(t)
	tx := hermitParams.PayoutTx(chain.Hash{7}, h.owner(), 5)
	tree := chain.OutcomeTree{{Entries: []chain.Entry{{ID: tx.ID, Outcome: chain.Accepted}}}}
	head := chain.Header{Chain: hermitParams.ChainID, Shard: chain.IdentityShard, Epoch: 1, Height: 1, Outcomes: tree.Root()}
	h.core.cfg.Limits.Bodies = 0
	h.step(atomix.CarryIn{Bundle: tree.Bundle(&chain.Block{Header: head, Cert: chain.Certificate{Phase: chain.Commit}}, 0, []chain.Tx{*tx})})
	if h.core.pool.bundles.len() != 1 {
		t.Fatal("it does not wait for a body")
	}
	h.core.pool.bundles = queue[*chain.Bundle]{} // it is in one
	h.enter(2)
	if h.core.pool.bundles.len() != 1 {
		t.Error("it does not wait for a body of the next term")
	}
}
