package identity

import (
	"testing"

	"ios/chain"
)

// shows is a bundle of a shard's final block, of the last batch that it is in.
func (r *rig) shows(shard chain.ShardID, e chain.Entry, tx *chain.Tx) *Carried {
	r.Helper()
	plan := must(r.state.Book().ShardPlan(shard))
	r.heights[shard]++
	h := chain.Header{Chain: r.g.ID(), Shard: shard, Epoch: plan.Epoch, Batch: plan.Last(shard), Height: r.heights[shard]}
	tree := chain.OutcomeTree{{Dest: chain.IdentityShard, Entries: []chain.Entry{e}}}
	h.Outcomes = tree.Root()
	c, err := r.state.Book().Committee(shard, h.Term())
	if err != nil {
		r.Fatal(err)
	}
	var txs []chain.Tx
	if tx != nil {
		txs = []chain.Tx{*tx}
	}
	return &Carried{tree.Bundle(&chain.Block{Header: h, Cert: r.certify(c, &h)}, 0, txs).Encode()}
}

// pays is a signed transaction of shard 0 that pays credit in.
func (r *rig) pays(nonce uint32, to chain.Address, amount, expiry uint64) *chain.Tx {
	r.Helper()
	p := r.g.Params()
	for n := byte(10); ; n++ {
		key := payerKey(n)
		public := key.Public()
		owner := addressOf(&public)
		if owner.Shard(r.g.Shards) != 0 {
			continue
		}
		t := &chain.Tx{
			Expiry:  expiry,
			Inputs:  []chain.Input{{OutPoint: chain.OutPoint{Tx: chain.Hash{1}, Index: nonce}, Owner: owner, Amount: amount + p.MinFee}},
			Outputs: []chain.Output{{Owner: to, Amount: amount, Stake: true}},
		}
		p.Seal(t)
		t.Witnesses = []chain.Witness{{PublicKey: public, Signature: key.Sign(chain.SignedBytes(t.ID))}}
		p.Seal(t)
		return t
	}
}

func yes(t *chain.Tx) chain.Entry { return chain.Entry{ID: t.ID, Outcome: chain.Accepted} }

// answers are what the last block tells a shard.
func (r *rig) answers(shard chain.ShardID) map[chain.TxID]chain.Outcome {
	list := map[chain.TxID]chain.Outcome{}
	for _, s := range r.state.Report().Tree {
		for _, e := range s.Entries {
			if s.Dest == shard {
				list[e.ID] = e.Outcome
			}
		}
	}
	return list
}

// wantAnswer makes a block of a bundle and compares what it tells the shard.
func (r *rig) wantAnswer(id chain.TxID, want chain.Outcome, op *Carried) {
	r.Helper()
	r.want(Done, op)
	if got := r.answers(0)[id]; got != want {
		r.Fatalf("the shard is told %v, %v is wanted", got, want)
	}
}

// Credit that a shard pays in counts once, whoever shows it how often; with it a
// validator joins.
func TestCreditFromAShard(t *testing.T) {
	r := newRig(t, 2, 4, 100)
	r.g.Allocations = []chain.Output{{Amount: 1000}}
	r = startRig(t, r.g, r.keys, scheme)
	payer := payerKey(1)
	to := creditOf(payer).Owner
	tx := r.pays(1, to, 60, 2)
	first := r.shows(0, yes(tx), tx)
	r.wantAnswer(tx.ID, chain.Committed, first)
	if r.state.Credit(to) != 60 || r.state.Funds().Between != 60 {
		t.Fatalf("a credit of %d, funds %+v", r.state.Credit(to), r.state.Funds())
	}
	for _, again := range []*Carried{first, r.shows(0, yes(tx), tx)} {
		r.want(ReasonAgain, again)
	}
	r.want(Done, r.join(9, 60, payer))
	small := r.pays(2, to, 49, 2)
	r.refused(chain.ErrStake, r.shows(0, yes(small), small))
	giant := r.pays(3, to, r.g.Supply(), 2)
	r.wantAnswer(giant.ID, chain.Rejected, r.shows(0, yes(giant), giant))
	late := r.pays(4, to, 60, 1)
	r.epoch()
	r.wantAnswer(late.ID, chain.Rejected, r.shows(0, yes(late), late))
	// Whoever has not heard the answer hears it anew, and nothing else happens.
	r.wantAnswer(tx.ID, chain.Committed, r.shows(0, yes(tx), tx))
	r.wantAnswer(giant.ID, chain.Rejected, r.shows(0, yes(giant), giant))
	r.want(ReasonAgain, r.shows(0, yes(tx), tx))
	for range 2 { // the shard is stalled
		r.block(append(r.alive(), r.body(r.members()[0], r.bases(0)...))...)
		r.finish()
	}
	for range keepAnswers - 1 {
		r.epoch()
	}
	if _, known := r.state.final.findAnswer(tx.ID); !known {
		t.Error("it is forgotten while the shard may ask")
	}
	r.epoch()
	r.want(ReasonEpoch, r.shows(0, yes(tx), tx)) // forgotten, and too late to count again
	if f := r.state.Funds(); r.state.Credit(to) != 0 || f.Between != 60 || f.Staked != 460 {
		t.Errorf("a credit of %d, funds %+v", r.state.Credit(to), f)
	}
}

// What does not prove that a shard has locked the amount is never acked.
func TestFalseProofsOfCredit(t *testing.T) {
	r := newRig(t, 2, 9, 100)
	to := creditOf(payerKey(1)).Owner
	tx := r.pays(1, to, 60, 2)
	good := r.shows(0, yes(tx), tx)
	p := r.g.Params()
	changed := func(change func(*chain.Bundle)) *Carried {
		b := must(p.DecodeBundle(good.Raw))
		change(b)
		return &Carried{b.AppendTo(nil)}
	}
	r.refused(chain.ErrProof, changed(func(b *chain.Bundle) { b.Header.Height++ }))
	r.refused(chain.ErrProof, changed(func(b *chain.Bundle) { b.Header.Shard = 1 }))
	r.refused(chain.ErrProof, changed(func(b *chain.Bundle) { b.Header.Epoch = 2 }))
	r.refused(chain.ErrProof, changed(func(b *chain.Bundle) { b.Cert.Phase = chain.Prepare }))
	r.refused(chain.ErrWrongShard, changed(func(b *chain.Bundle) { b.Header.Shard = 2 }))
	r.refused(chain.ErrWrongShard, changed(func(b *chain.Bundle) { b.Header.Shard = chain.IdentityShard }))
	r.refused(chain.ErrWrongShard, changed(func(b *chain.Bundle) { b.Segment.Dest = 1 }))
	more := r.pays(1, to, 70, 2)
	r.refused(chain.ErrEncoding, changed(func(b *chain.Bundle) { b.Txs[0] = *more }))
	r.refused(chain.ErrProof, changed(func(b *chain.Bundle) { b.Txs[0], b.Segment.Entries[0].ID = *more, more.ID }))
	r.refused(ErrOp, repeat(good, MaxCarried+1)...)
	r.epoch()
	r.epoch()
	r.refused(chain.ErrExpired, good)
	if r.state.Credit(to) != 0 {
		t.Error("there is credit")
	}
	// A proof of another shard says nothing of what this one holds, nor does a
	// transaction that pays nobody in the registry.
	tx = r.pays(2, to, 60, 4)
	r.want(ReasonWrong, r.shows(1, yes(tx), tx))
	r.want(ReasonAgain, r.shows(0, yes(tx), nil))
	r.want(ReasonAgain, r.shows(0, chain.Entry{ID: tx.ID, Outcome: chain.Committed}, tx))
	r.want(Done, r.shows(0, yes(tx), tx))
}

func repeat(op Op, n int) (ops []Op) {
	for range n {
		ops = append(ops, op)
	}
	return ops
}

// A payout is told again with every epoch until its shard has taken it, and the
// funds have it until then.
func TestPayoutsWaitForTheirShard(t *testing.T) {
	r := newRig(t, 2, 9, 100)
	owner := chain.Address{0x80} // of shard 1
	r.want(Done, r.leave(3, Payee{Owner: owner}))
	var rec *Epoch
	for rec == nil || len(rec.Payouts) == 0 {
		rec = r.epoch()
	}
	id := rec.Payouts[0].Tx(r.g.Params()).ID
	took := chain.Entry{ID: id, Outcome: chain.Committed}
	r.want(ReasonWrong, r.shows(0, took, nil))
	r.want(ReasonWrong, r.shows(1, chain.Entry{ID: id, Outcome: chain.Rejected}, nil))
	for range 3 {
		if list := r.state.Report().Due; r.state.Funds().Due != 100 || len(r.state.Due()) != 1 {
			t.Fatalf("due are %v, told %d", r.state.Due(), len(list))
		}
		r.epoch()
		if list := r.state.Report().Due; r.answers(1)[id] != chain.Accepted || len(list) != 1 || list[0].ID != id || list[0].Outputs[0].Owner != owner {
			t.Fatalf("shard 1 is told %v of %v", r.answers(1), list)
		}
	}
	r.want(Done, r.shows(1, took, nil))
	if f := r.state.Funds(); f.Due != 0 || -f.Between != 100 || f.Staked != 800 {
		t.Fatalf("funds %+v", f)
	}
	r.want(ReasonAgain, r.shows(1, took, nil))
	r.epoch()
	if len(r.answers(1)) != 0 {
		t.Error("it is told again")
	}
}

// A no is free, so a stranger can have many: they fill the room of its own shard,
// and others pay in.
func TestAShardFillsItsOwnRoomForAnswers(t *testing.T) {
	r := newRig(t, 2, 4, 100)
	r.g.Allocations = []chain.Output{{Amount: 1000}}
	r = startRig(t, r.g, r.keys, scheme)
	x := &execution{book: r.state.book, cur: r.state.book.current(), l: r.state.final.clone(), height: 99, report: &Report{}}
	stake := func(n byte, expiry uint64) (*chain.Tx, *chain.Output) {
		t := &chain.Tx{ID: chain.Hash{1, n}, Expiry: expiry}
		return t, &chain.Output{Amount: 50, Stake: true}
	}
	for i := range maxAnswers / 2 {
		x.l.answers = append(x.l.answers, answer{tx: chain.Hash{0, byte(i >> 8), byte(i)}, shard: 1, outcome: chain.Rejected})
	}
	late, out := stake(1, 0)
	if why := x.receive(1, late, out); why != ReasonFull {
		t.Errorf("shard 1 has filled its room, and gets one more answer: %q", why)
	}
	good, out := stake(2, 2)
	if why := x.receive(0, good, out); why != Done || x.l.answers[len(x.l.answers)-1].outcome != chain.Committed {
		t.Errorf("shard 0 pays in: %q", why)
	}
}
