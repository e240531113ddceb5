package identity

import (
	"slices"

	"pgregory.net/rapid"

	"ios/chain"
)

// payIn is a transaction by which a shard pays credit in, as the twin knows it.
type payIn struct {
	tx     *chain.Tx
	owner  chain.Address
	amount uint64
	expiry uint64
	done   bool
	told   uint64 // epoch
}

// drawCarried makes a bundle of a shard and says whether the twin takes it: a
// payment that is new or was shown before, or the answer to a payout, now and then
// of the wrong shard or by another outcome.
func (w *twin) drawCarried(t *rapid.T, s *State) (op Op, taken bool) {
	p, shards := s.book.params, s.book.genesis.Shards
	if rapid.Bool().Draw(t, "of a payout") && len(w.due) > 0 {
		at := rapid.IntRange(0, len(w.due)-1).Draw(t, "which")
		d := w.due[at]
		all := s.Due()
		i := slices.IndexFunc(all, func(o Payout) bool { return o.Amount == d.amount && o.To == d.to && o.ID == d.of })
		id := all[i].Tx(p).ID
		from := chain.ShardID(rapid.IntRange(0, shards-1).Draw(t, "shard"))
		outcome := rapid.SampledFrom([]chain.Outcome{chain.Committed, chain.Committed, chain.Rejected}).Draw(t, "outcome")
		if taken = from == d.to.Owner.Shard(shards) && outcome == chain.Committed; taken {
			w.due = slices.Delete(w.due, at, at+1)
			w.between -= int64(d.amount)
		}
		return carried(chain.Header{Shard: from}, chain.Entry{ID: id, Outcome: outcome}, nil), taken
	}
	if len(w.credit) == 0 || rapid.Bool().Draw(t, "new") {
		owner := payerKey(rapid.Byte().Draw(t, "owner") & 1).Public()
		n := uint64(rapid.IntRange(1, 6).Draw(t, "amount"))
		expiry := w.epoch + uint64(rapid.IntRange(0, 2).Draw(t, "ahead"))
		tx := payment(p, byte(len(w.credit)), rapid.Uint32().Draw(t, "nonce")/2, addressOf(&owner), n, expiry)
		w.credit = append(w.credit, &payIn{tx: tx, owner: addressOf(&owner), amount: n, expiry: expiry})
	}
	c := rapid.SampledFrom(w.credit).Draw(t, "payment")
	switch {
	case c.done:
		taken = c.told != w.epoch
	case c.expiry >= w.epoch:
		c.done, taken = true, true
		w.credits[c.owner] += c.amount
		w.between += int64(c.amount)
	default: // too late: the shard gets it back, while nothing can have been forgotten
		c.done = s.book.Current().Shards[c.tx.Inputs[0].Shard(shards)].Plan <= c.expiry+keepAnswers
		taken = c.done
	}
	if taken {
		c.told = w.epoch
	}
	return carried(chain.Header{Shard: c.tx.Inputs[0].Shard(shards)}, chain.Entry{ID: c.tx.ID, Outcome: chain.Accepted}, c.tx), taken
}

// payment is a transaction of a shard, without witnesses, that pays credit in.
func payment(p *chain.Params, from byte, nonce uint32, to chain.Address, amount, expiry uint64) *chain.Tx {
	t := &chain.Tx{
		Expiry:  expiry,
		Inputs:  []chain.Input{{OutPoint: chain.OutPoint{Tx: chain.Hash{1}, Index: nonce}, Owner: chain.Address{from << 4}, Amount: amount}},
		Outputs: []chain.Output{{Owner: to, Amount: amount, Stake: true}},
	}
	p.Seal(t)
	return t
}

// carried shows one outcome, by a certificate of nobody.
func carried(h chain.Header, e chain.Entry, tx *chain.Tx) *Carried {
	tree := chain.OutcomeTree{{Dest: chain.IdentityShard, Entries: []chain.Entry{e}}}
	h.Outcomes = tree.Root()
	var txs []chain.Tx
	if tx != nil {
		txs = []chain.Tx{*tx}
	}
	b := tree.Bundle(&chain.Block{Header: h, Cert: chain.Certificate{Phase: chain.Commit}}, 0, txs)
	return &Carried{b.Encode()}
}
