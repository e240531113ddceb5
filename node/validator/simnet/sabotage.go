package simnet

import (
	"ios/chain"
	"ios/chain/utxo"
)

// finalBody reports whether a body is in a final block.
func (n *Net) finalBody(raw []byte) bool {
	b, err := chain.DecodeBody(raw)
	return err == nil && b.Term() == n.judge.chains[b.Shard].term() && b.Number <= n.judge.chains[b.Shard].numbers[b.Author]
}

// creditTwice is sabotage: a validator's ledger pays an output again.
func (n *Net) creditTwice() {
	m := n.members[0].posts[0]
	if !n.sim.Up(m.id) {
		return
	}
	w := n.wallets[m.shard][0]
	m.core.State().Coins().Add(chain.OutPoint{Tx: chain.Hash{1}}, utxo.Coin{Owner: w.addr, Amount: 5})
}
