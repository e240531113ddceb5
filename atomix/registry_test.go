package atomix

import (
	"errors"
	"testing"

	"ios/chain"
	"ios/internal/sm"
)

// says is a bundle of a block of the identity chain.
func (w *world) says(shard chain.ShardID, o chain.Outcome, t *chain.Tx) *chain.Bundle {
	tree := chain.OutcomeTree{{Dest: shard, Entries: []chain.Entry{{ID: t.ID, Outcome: o}}}}
	h := chain.Header{Chain: w.params.ChainID, Shard: chain.IdentityShard, Epoch: w.epoch, Height: uint64(len(w.registry.finals) + 1), Outcomes: tree.Root()}
	b := &chain.Block{Header: h, Cert: w.registry.certify(&h)}
	w.registry.finals = append(w.registry.finals, &final{block: b})
	return tree.Bundle(b, 0, []chain.Tx{*t})
}

// stake makes a transaction that pays what a coin has, less 1, into the registry.
func (w *world) stake(c coin, expiry uint64) *chain.Tx {
	t := &chain.Tx{
		Expiry:  expiry,
		Inputs:  []chain.Input{{OutPoint: c.OutPoint, Owner: c.owner.addr, Amount: c.amount}},
		Outputs: []chain.Output{{Owner: w.wallet(0).addr, Amount: c.amount - 1, Stake: true}},
	}
	return w.sign(t, []coin{c})
}

func (w *world) move(expiry uint64, in, out uint64) {
	n := w.moved[expiry]
	n.Add(in)
	n.Sub(out)
	w.moved[expiry] = n
}

// A shard locks what is paid into the registry, tells the identity chain in every
// epoch, and commits when that has it.
func TestPayingIn(t *testing.T) {
	w := newWorld(t, 2, 100, 100)
	l, c := w.shards[1], w.coin(1, 0)
	tx := w.stake(c, 2)
	first := l.submit(tx)
	l.expect(tx.ID, chain.Accepted)
	l.expectBalance(c.owner, 0)
	if b := first.bundle(tx.ID, chain.IdentityShard); b == nil || len(b.Txs) != 1 || b.Txs[0].ID != tx.ID || first.bundle(tx.ID, 0) != nil {
		t.Fatalf("the identity chain is shown %+v", b)
	}
	w.epoch = 2
	again, err := l.try(nil, nil)
	if err != nil || BundleOf(again.block, again.report.Tree, tx.ID, chain.IdentityShard) == nil {
		t.Fatalf("it is not told again: %v", err)
	}
	w.move(2, 99, 0)
	yes := w.says(1, chain.Committed, tx)
	l.carry(yes)
	l.expect(tx.ID, chain.Committed)
	sp := l.state.Supply()
	if sp.Value != 101 || sp.Fees != 1 || sp.Open != 0 {
		t.Errorf("%+v", sp)
	}
	if f := l.carry(yes); f.report.Ignored[SkipDecided] != 1 {
		t.Error("it counts twice")
	}
	if l.balance(c.owner) != 0 {
		t.Error("there is a coin of it")
	}
}

// What the registry does not take is a coin again.
func TestPayingInInVain(t *testing.T) {
	w := newWorld(t, 2, 100)
	l, c := w.shards[0], w.coin(0, 0)
	tx := w.stake(c, 1)
	l.submit(tx)
	l.carry(w.says(0, chain.Rejected, tx))
	l.expect(tx.ID, chain.Aborted)
	l.expectBalance(c.owner, 100)
}

// A payout is a coin once, in whatever epoch it is shown how often. Only the
// identity chain can show it.
func TestPayouts(t *testing.T) {
	w := newWorld(t, 2, 100)
	l, owner := w.shards[1], w.wallet(1)
	tx := w.params.PayoutTx(chain.Hash{7}, owner.addr, 40)
	w.waiting = 1
	w.epoch = 5
	if _, err := l.try([]*chain.Tx{tx}, nil); !errors.Is(err, chain.ErrExpiry) && !errors.Is(err, chain.ErrWrongShard) {
		t.Errorf("a client submits a payout: %v", err)
	}
	other := w.says(1, chain.Accepted, tx)
	other.Header.Shard = 0
	other.Cert = w.shards[0].certify(&other.Header)
	if f := l.carry(other); f.report.Ignored[SkipUninvolved] != 1 {
		t.Errorf("another shard shows a payout: %v", f.report.Ignored)
	}
	more := w.says(1, chain.Accepted, tx)
	more.Txs[0] = *w.params.PayoutTx(chain.Hash{7}, owner.addr, 41)
	if _, err := l.try(nil, []*chain.Bundle{more}); !errors.Is(err, chain.ErrEncoding) {
		t.Errorf("another amount: %v", err)
	}
	if _, err := w.shards[0].try(nil, []*chain.Bundle{w.says(0, chain.Accepted, tx)}); err != nil {
		t.Fatal(err)
	}
	w.shards[0].expect(tx.ID, 0)

	shown := w.says(1, chain.Accepted, tx)
	f := l.carry(shown)
	l.expect(tx.ID, chain.Committed)
	l.expectBalance(owner, 40)
	if b := BundleOf(f.block, f.report.Tree, tx.ID, chain.IdentityShard); b == nil || b.Segment.Entries[0].Outcome != chain.Committed {
		t.Fatalf("the identity chain is told %+v", b)
	}
	w.waiting = 0
	w.move(chain.Never, 0, 40)
	// In the same epoch the answer stands; in a later one it is given again.
	for range 3 {
		f = l.carry(w.says(1, chain.Accepted, tx), shown)
		if len(f.report.Tree) != 0 || f.report.Ignored[SkipDecided] != 2 {
			t.Fatalf("the block tells %+v", f.report.Tree)
		}
		w.epoch++ // the registry tells what waits in the last block before
		f = l.carry(shown)
		if b := BundleOf(f.block, f.report.Tree, tx.ID, chain.IdentityShard); b == nil || b.Segment.Entries[0].Outcome != chain.Committed || len(b.Segment.Entries) != 1 {
			t.Fatalf("the identity chain is told %+v", b)
		}
		if st, _ := l.state.Status(tx.ID); st.Told != f.block.Header.Height || st.Again != 0 {
			t.Fatalf("%+v", st)
		}
		l.expectBalance(owner, 40)
		shown = w.says(1, chain.Accepted, tx)
	}
}

// A shard that still waits for an answer which convinces nobody any more gets it
// anew.
func TestWhoAsksInALaterEpochIsAnsweredAgain(t *testing.T) {
	w := newWorld(t, 2, 100)
	tx := w.tx([]coin{w.coin(0, 0)}, pay{w.wallet(1), 99})
	a, b := w.shards[0], w.shards[1]
	a.submit(tx)
	b.carry(a.bundle(tx.ID, 1))
	lost := b.bundle(tx.ID, 0)
	for _, w.epoch = range []uint64{2, 3} {
		if _, err := b.try(nil, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := a.try(nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	if f := a.carry(lost); f.report.Ignored[SkipStale] != 1 {
		t.Fatal("it is not stale")
	}
	old := BundleOf(a.finals[1].block, a.finals[1].report.Tree, tx.ID, 1)
	old.Txs = []chain.Tx{*tx}
	if f := b.carry(old); len(f.report.Tree) != 0 || f.report.Ignored[SkipDecided] != 1 {
		t.Error("it answers who waited an epoch ago")
	}
	told := a.finals[2]
	ask := BundleOf(told.block, told.report.Tree, tx.ID, 1)
	if f := b.carry(ask); len(f.report.Tree) != 0 {
		t.Error("it answers without the transaction")
	}
	ask.Txs = []chain.Tx{*tx}
	ask.Raw = nil
	f := b.carry(ask)
	a.carry(BundleOf(f.block, f.report.Tree, tx.ID, 0))
	a.expect(tx.ID, chain.Committed)
}

// What a block has for the registry goes to the own part in the identity chain,
// also after a restart; what the identity chain has for the shard comes to all
// members, who take turns.
func TestTheRelayAndTheRegistry(t *testing.T) {
	w := newWorld(t, 2, 100, 100)
	o := newOne(t, w)
	for seat := range 4 {
		if rank, _ := o.r.turn(3, chain.IdentityShard); rank == 2 {
			break
		}
		o.step(CommitteesChanged{Committees: [][]chain.ValidatorID{nil, rotated([]chain.ValidatorID{4, 5, 6, 7}, seat+1)}})
	}
	tx := w.stake(w.coin(1, 0), 1)
	f := w.shards[1].submit(tx)
	forIt := func(effects []sm.Effect) *chain.Bundle {
		t.Helper()
		return only[sm.Deliver](t, effects).Value.(ForRegistry).Bundle
	}
	if b := forIt(o.step(Decided{Block: f.block, Report: f.report})); b.Segment.Dest != chain.IdentityShard || len(b.Txs) != 1 || b.Check(w.params, chain.IdentityShard) != nil {
		t.Fatalf("%+v", b)
	}
	o.nothing(o.wait(20 * patience)) // nobody is asked
	fresh := newOne(t, w)
	recall := only[Recall](t, fresh.step(Restored{w.shards[1].state.OpenRecords()}))
	if recall.Dest != chain.IdentityShard || recall.Height != 1 {
		t.Fatalf("%+v", recall)
	}
	if b := forIt(fresh.step(Recalled{recall, BundleOf(f.block, f.report.Tree, tx.ID, chain.IdentityShard)})); len(b.Txs) != 1 {
		t.Fatalf("%+v", b)
	}

	owner := w.wallet(1)
	w.says(1, chain.Accepted, tx) // height 1
	w.says(1, chain.Accepted, tx)
	pay := w.params.PayoutTx(chain.Hash{7}, owner.addr, 40)
	shown := w.says(1, chain.Accepted, pay) // height 3
	o.nothing(o.step(CarryIn{Bundle: shown, All: true}))
	o.nothing(o.wait(patience))
	if s := only[sm.Deliver](t, o.wait(patience)).Value.(SubmitBundle); s.Bundle != shown {
		t.Fatal("another bundle is submitted")
	}
	w.waiting = 1
	f = w.shards[1].carry(shown)
	b := forIt(o.step(Decided{Block: f.block, Report: f.report}))
	if b.Segment.Entries[0] != (chain.Entry{ID: pay.ID, Outcome: chain.Committed}) {
		t.Fatalf("%+v", b)
	}
	o.nothing(o.wait(64 * patience))
	// Who did not hear that it was taken says so again, and is told again.
	if again := forIt(o.step(CarryIn{Bundle: w.says(1, chain.Accepted, pay), All: true})); again.Header.Height != f.block.Header.Height {
		t.Fatalf("%+v", again)
	}
	o.nothing(o.wait(64 * patience))
}

func rotated(list []chain.ValidatorID, by int) []chain.ValidatorID {
	return append(append([]chain.ValidatorID(nil), list[by:]...), list[:by]...)
}

// A client knows that what it pays in was taken when the shard has committed it,
// and not when the shard, alone of all shards, has locked it.
func TestAClientWaitsForTheRegistry(t *testing.T) {
	w := newWorld(t, 2, 100)
	tx := w.stake(w.coin(1, 0), 1)
	k := newTalk(t, w, tx)
	only[Ask](t, k.step(StartTransfer{})) // of one shard
	w.shards[1].submit(tx)
	recorded := func(p Peer) []sm.Effect {
		return k.step(Asked{Peer: p, Claim: ClaimRecorded, Proof: w.shards[1].proof(tx.ID)})
	}
	for _, e := range recorded(Peer{1, 0}) {
		if d, ok := e.(sm.Deliver); ok {
			if _, decisive := d.Value.(Decisive); decisive {
				t.Fatal("its end is certain before the registry has heard of it")
			}
		}
	}
	w.move(1, 99, 0)
	w.shards[1].carry(w.says(1, chain.Committed, tx))
	if d := find[Done](t, recorded(find[Ask](t, k.ring(1)).Peer)); d.Verdict != TransferCommit {
		t.Errorf("%+v", d)
	}
}
