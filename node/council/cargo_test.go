package council

import (
	"testing"
	"time"

	"ios/chain"
	"ios/chain/sig"
	"ios/transepoch/identity"
)

// payment is a transaction that pays into the registry from a shard, and the
// bundle by which the shard shows it.
func (w *world) payment(shard chain.ShardID, nonce uint32, to chain.Address) *chain.Bundle {
	p := w.genesis.Params()
	var key *sig.Key
	for n := 0; key == nil || ownerOf(key).Shard(p.Shards) != shard; n++ {
		key = must(sig.FromSeed(seedOfTest("payer", n)))
	}
	t := &chain.Tx{
		Expiry:  w.epoch() + 2,
		Inputs:  []chain.Input{{OutPoint: chain.OutPoint{Tx: chain.Hash{1}, Index: nonce}, Owner: ownerOf(key), Amount: 1 + p.MinFee}},
		Outputs: []chain.Output{{Owner: to, Amount: 1, Stake: true}},
	}
	p.Seal(t)
	t.Witnesses = []chain.Witness{{PublicKey: key.Public(), Signature: key.Sign(chain.SignedBytes(t.ID))}}
	p.Seal(t)
	tree := chain.OutcomeTree{{Dest: chain.IdentityShard, Entries: []chain.Entry{{ID: t.ID, Outcome: chain.Accepted}}}}
	plan := must(w.book.ShardPlan(shard))
	w.heights[shard]++
	h := chain.Header{Chain: p.ChainID, Shard: shard, Epoch: plan.Epoch, Batch: plan.Last(shard), Height: w.heights[shard], Outcomes: tree.Root()}
	k := must(w.book.Committee(shard, h.Term()))
	return tree.Bundle(&chain.Block{Header: h, Cert: w.certify(k, &h)}, 0, []chain.Tx{*t})
}

// carry tells all members of a shard.
func (w *world) carry(b *chain.Bundle) {
	for _, id := range must(w.book.Committee(b.Header.Shard, b.Header.Term())).Members {
		if w.core(id) != nil {
			w.net.Do(id, Carry{b})
		}
	}
}

// credited wants all members that are up to know of so much credit.
func (w *world) credited(to chain.Address, amount uint64) {
	w.t.Helper()
	w.eventually("the credit", func() bool {
		for _, id := range w.ids {
			if c := w.core(id); c != nil && c.state.Credit(to) != amount {
				return false
			}
		}
		return true
	}, time.Minute)
	w.ok()
}

// What a shard has for the registry is put up by one of its members, and by the
// next one if that is away, also when the epoch ends meanwhile.
func TestAShardsBundlesComeToTheRegistry(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plan{validators: 8, seed: 7, faults: calm, shards: 2, policy: func(p *chain.Policy) {
		longEpochs(p)
		p.AbsentEpochs = 50
	}})
	to := chain.Address{9}
	for i := range uint32(4) {
		w.carry(w.payment(chain.ShardID(i%2), i, to))
		w.credited(to, uint64(i)+1)
	}
	if n := w.ops[identity.KindCarried]; n != 4 {
		t.Errorf("4 bundles were put up %d times", n)
	}
	b := w.payment(0, 4, to)
	first := must(w.book.Committee(0, b.Header.Term()))
	for _, id := range first.Members {
		if turn, ok := w.core(id).shardTurn(&b.Header, b.Header.Height); ok && turn == 0 {
			w.net.Crash(id)
		}
	}
	w.carry(b)
	w.credited(to, 5)
	if n := w.ops[identity.KindCarried]; n != 5 {
		t.Errorf("5 bundles were put up %d times", n)
	}
	// Nothing is kept, and what is known or nobody's is not put up.
	w.carry(b)
	other := *b
	other.Segment.Dest, other.Raw = 1, nil
	w.carry(&other)
	w.net.RunFor(time.Minute)
	w.ok()
	for _, id := range w.ids {
		if c := w.core(id); c != nil && (len(c.cargo.loads) > 0 || c.cargo.bytes != 0) {
			t.Errorf("validator %d keeps %d bundles, %d bytes", id, len(c.cargo.loads), c.cargo.bytes)
		}
	}
	if n := w.ops[identity.KindCarried]; n != 5 {
		t.Errorf("5 bundles were put up %d times", n)
	}
}

// A bundle that a body took which was not final when the epoch ended is put up
// again.
func TestABundleOutlivesTheEpoch(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plan{validators: 4, seed: 8, faults: calm})
	to := chain.Address{9}
	b := w.payment(0, 1, to)
	c := w.core(0)
	w.net.Do(0, Carry{b})
	for len(c.outbox.flying) == 0 || len(c.cargo.loads) == 0 || c.cargo.loads[0].tries == 0 {
		w.net.RunFor(time.Millisecond)
	}
	clear(c.outbox.flying) // as turnOutbox does
	c.outbox.waiting = nil
	before := c.cargo.loads[0].tries
	w.eventually("another try", func() bool {
		return len(c.cargo.loads) == 0 || c.cargo.loads[0].tries > before
	}, time.Minute)
	w.credited(to, 1)
}
