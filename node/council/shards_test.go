package council

import (
	"ios/chain"
	"ios/chain/cosi"
)

// shardsGoOn plays the shards' part: each comes to the last batch of its plan, and
// its members hear of it.
func (w *world) shardsGoOn() {
	for j := range chain.ShardID(w.genesis.Shards) {
		p := must(w.book.ShardPlan(j))
		k, err := w.book.Committee(j, chain.Term{Epoch: p.Epoch, Batch: p.Last(j)})
		if err != nil {
			w.net.Fail(err)
			return
		}
		w.heights[j]++
		at := ShardAt{Header: chain.Header{Chain: w.genesis.ID(), Shard: j, Epoch: k.Term.Epoch, Batch: k.Term.Batch, Height: w.heights[j]}}
		at.Cert = w.certify(k, &at.Header)
		for _, id := range k.Members {
			w.net.Do(id, at)
		}
	}
}

func (w *world) certify(k *chain.Committee, h *chain.Header) chain.Certificate {
	c := chain.Certificate{Phase: chain.Commit}
	msg := chain.VoteBytes(h, h.Hash(), 0, chain.Commit)
	shares := cosi.NewCollector(k.Cosi, msg)
	for seat, id := range k.Members {
		if err := shares.AddShare(seat, must(scheme.Sign(w.keys[id].cosi, msg))); err != nil {
			w.t.Fatal(err)
		}
	}
	var err error
	if c.Certificate, _, err = shares.Certificate(); err != nil {
		w.t.Fatal(err)
	}
	return c
}
