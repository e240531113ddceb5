package atomix

import (
	"testing"

	"ios/chain"
	"ios/internal/sm"
)

// Who loses its seat asks nobody any more, and still answers; with a new seat it
// takes up what is open.
func TestASeatMakesTheDifference(t *testing.T) {
	w := newWorld(t, 2, 100, 100)
	o := newOne(t, w)
	bundleTo(t, lockOne(o, 0, 0))
	id := w.shards[1].finals[0].report.Opened[0].Tx.ID
	o.nothing(o.step(CommitteesChanged{Committees: [][]chain.ValidatorID{nil, {5, 6, 7, 8}}}))
	o.nothing(lockOne(o, 1, 0))
	o.nothing(o.wait(9 * patience))
	if b := content(only[sm.Send](t, o.receive(1, &QueryMsg{[]chain.TxID{id}}))).(*BundleMsg).Bundle; b.Segment.Entries[0].ID != id {
		t.Fatalf("%+v", b)
	}
	w.shards[0].submit(w.tx([]coin{w.coin(0, 0)}, pay{w.wallet(1), 99}))
	proof := w.shards[0].bundle(w.shards[0].finals[0].report.Opened[0].Tx.ID, 1)
	check := only[CheckProof](t, o.receive(0, &BundleMsg{proof}))
	handed := only[sm.Send](t, o.step(ProofChecked{Key: check.Key})) // no body of ours would take it
	if to := handed.To[0]; to < 5 || to > 8 || handed.Msg.(*Letter).To != 1 {
		t.Fatalf("handed on to %d", to)
	}
	o.nothing(o.receive(5, &BundleMsg{proof})) // nor do we hand on what was handed over
	o.step(CommitteesChanged{Committees: [][]chain.ValidatorID{nil, {5, 4, 7, 8}}})
	asked := map[chain.TxID]bool{}
	for range 8 {
		for _, e := range o.wait(patience) {
			if q, ok := content(e.(sm.Send)).(*QueryMsg); ok {
				for _, id := range q.IDs {
					asked[id] = true
				}
			}
		}
	}
	if len(asked) != 2 {
		t.Errorf("it asks for %d of the 2 that are open", len(asked))
	}
}

// A relay talks to the members of a shard as it knows them, and hears those of
// the list before, too.
func TestMembersOfOtherShardsChange(t *testing.T) {
	w := newWorld(t, 2, 100, 100, 100, 100, 100)
	o := newOne(t, w)
	o.step(CommitteesChanged{Committees: [][]chain.ValidatorID{{0, 11, 12, 4}, nil}})
	for i := range 4 {
		if to := bundleTo(t, lockOne(o, i, 0)); to != 0 && to != 11 && to != 12 {
			t.Errorf("told validator %d, who is not in shard 0 or is ourselves", to)
		}
	}
	id := w.shards[1].finals[0].report.Opened[0].Tx.ID
	ask := func(from chain.ValidatorID, shard chain.ShardID) []sm.Effect {
		return o.step(sm.Receive{From: from, Msg: &Letter{From: shard, Msg: &QueryMsg{[]chain.TxID{id}}}})
	}
	for _, v := range []chain.ValidatorID{0, 3, 11} {
		only[sm.Send](t, ask(v, 0))
	}
	o.nothing(ask(5, 0)) // it is in shard 1
	o.nothing(ask(13, 0))
	o.nothing(ask(0, 77))
	o.step(CommitteesChanged{Committees: [][]chain.ValidatorID{{10, 11, 12, 13}, nil}})
	only[sm.Send](t, ask(13, 0))
	only[sm.Send](t, ask(0, 0))
	o.nothing(ask(3, 0))
	o.nothing(o.step(CommitteesChanged{Committees: [][]chain.ValidatorID{{1}}})) // of another network
	o.nothing(ask(1, 0))
}

// While members come and go, those who surely have a seat are told, all of them
// are asked in the end, and all are heard.
func TestWhoComesAndGoesIsAskedLater(t *testing.T) {
	w := newWorld(t, 2, 100, 100, 100, 100, 100)
	o := newOne(t, w)
	o.step(CommitteesChanged{Committees: [][]chain.ValidatorID{{0, 1}, nil}, Others: [][]chain.ValidatorID{{21, 22}, nil}})
	for i := range 4 {
		if to := bundleTo(t, lockOne(o, i, 0)); to > 1 {
			t.Errorf("validator %d is told first, who comes or goes", to)
		}
	}
	asked := map[chain.ValidatorID]bool{}
	for range 64 {
		for _, e := range o.wait(patience) {
			v := e.(sm.Send).To[0]
			if asked[v] = true; v > 1 && !(asked[0] && asked[1]) {
				t.Errorf("validator %d is asked first, who comes or goes", v)
			}
		}
	}
	id := w.shards[1].finals[0].report.Opened[0].Tx.ID
	for _, v := range []chain.ValidatorID{0, 1, 21, 22} {
		if !asked[v] {
			t.Errorf("validator %d is never asked", v)
		}
		only[sm.Send](t, o.step(sm.Receive{From: v, Msg: &Letter{From: 0, Msg: &QueryMsg{[]chain.TxID{id}}}}))
	}
	o.nothing(o.step(CommitteesChanged{Committees: make([][]chain.ValidatorID, 2), Others: make([][]chain.ValidatorID, 1)})) // of another network
}

// A new committee begins without the bodies that the last one left undone: what
// waits is offered once more, to whoever has a seat.
func TestANewCommitteeIsOfferedWhatWaits(t *testing.T) {
	w, proofs := transfers(t, 1)
	o := newOne(t, w)
	check := only[CheckProof](t, o.receive(0, &BundleMsg{proofs[0]}))
	only[sm.Deliver](t, o.step(ProofChecked{check.Key, nil}))
	o.nothing(o.step(CommitteesChanged{Committees: [][]chain.ValidatorID{{0, 1}, nil}})) // not ours
	d := only[sm.Deliver](t, o.step(CommitteesChanged{Committees: [][]chain.ValidatorID{nil, {5, 4, 7, 8}}}))
	if d.Value.(SubmitBundle).Bundle.Header.Height != proofs[0].Header.Height {
		t.Fatalf("%+v", d.Value)
	}
	o.nothing(o.step(CommitteesChanged{Committees: [][]chain.ValidatorID{nil, {5, 4, 7, 8}}}))
	only[sm.Deliver](t, o.step(CommitteesChanged{Committees: make([][]chain.ValidatorID, 2), Anew: true})) // the same, in another term
	m := only[sm.Send](t, o.step(CommitteesChanged{Committees: [][]chain.ValidatorID{nil, {9, 6, 7, 10}}}))
	if l := m.Msg.(*Letter); l.To != 1 || m.To[0] != 7 { // the others need not know of their seats yet
		t.Fatalf("handed on to %v", m.To)
	}
	// While it is handed on, the one that gets it may leave.
	m = only[sm.Send](t, o.step(CommitteesChanged{Committees: [][]chain.ValidatorID{nil, {9, 11, 12, 13}}}))
	if m.To[0] != 9 {
		t.Fatalf("handed on to %v", m.To)
	}
	if o.nothing(o.wait(patience / 2)); len(o.r.inbox.bundles) != 0 {
		t.Error("it is kept without a seat")
	}
}

// Seats are handed over with the view that the new committee begins with.
func TestTheLeaderOfATermTellsFirst(t *testing.T) {
	w := newWorld(t, 2, 100, 100)
	o := newOne(t, w) // seat 0
	tx := w.tx([]coin{w.coin(1, 0)}, pay{w.wallet(0), 99})
	f := w.shards[1].submit(tx)
	block := *f.block
	block.Cert.View = 6
	bundleTo(t, o.step(Decided{Block: &block, Report: f.report, Lead: 2}))
	tx = w.tx([]coin{w.coin(1, 1)}, pay{w.wallet(0), 99})
	f = w.shards[1].submit(tx)
	o.nothing(o.step(Decided{Block: f.block, Report: f.report, Lead: 2}))
}

// A proof counts in the epoch of its certificate and the next one.
func TestStaleProofsAreIgnored(t *testing.T) {
	for later := range uint64(4) {
		w := newWorld(t, 2, 100)
		tx := w.tx([]coin{w.coin(0, 0)}, pay{w.wallet(1), 99})
		tx.Expiry += 2
		w.params.Seal(tx)
		tx.Witnesses[0].Signature = w.coin(0, 0).owner.key.Sign(chain.SignedBytes(tx.ID))
		w.params.Seal(tx)
		w.shards[0].submit(tx)
		proof := w.shards[0].bundle(tx.ID, 1)
		w.epoch += later
		f := w.shards[1].carry(proof)
		stale := f.report.Ignored[SkipStale]
		switch {
		case later <= 1:
			w.shards[1].expect(tx.ID, chain.Committed)
		case stale != 1:
			t.Errorf("%d epochs later %d entries are stale", later, stale)
		}
		if later > 1 {
			w.shards[1].expect(tx.ID, 0)
		}
	}
}

// What stays open is told again in each epoch, so that there is always a proof
// that convinces.
func TestWhatIsOpenIsToldAgainInEachEpoch(t *testing.T) {
	w := newWorld(t, 2, 100, 100)
	w.epoch = 3 // what is made now expires with it
	tx := w.tx([]coin{w.coin(0, 0)}, pay{w.wallet(1), 99})
	w.epoch = 1
	l := w.shards[0]
	first := l.submit(tx)
	l.submit(w.tx([]coin{w.coin(0, 1)}, pay{w.wallet(0), 99}))
	w.epoch = 2
	f, err := l.try(nil, nil)
	if err != nil || len(f.report.Retold) != 1 {
		t.Fatalf("retold %v, %v", f, err)
	}
	if f, err := l.try(nil, nil); err != nil || len(f.report.Retold) != 0 {
		t.Fatalf("retold %v within an epoch, %v", f, err)
	}
	if st, ok := l.state.Status(tx.ID); !ok || st.Told != f.block.Header.Height || st.Outcome != chain.Accepted {
		t.Fatalf("%+v", st)
	}
	w.epoch = 3
	show := func(f *final) *chain.Bundle {
		b := BundleOf(f.block, f.report.Tree, tx.ID, 1)
		b.Txs = []chain.Tx{*tx}
		return b
	}
	w.shards[1].carry(show(first))
	w.shards[1].expect(tx.ID, 0)
	w.shards[1].carry(show(f))
	w.shards[1].expect(tx.ID, chain.Committed)
	l.carry(w.shards[1].bundle(tx.ID, 0))
	l.expect(tx.ID, chain.Committed)
}

// Whom we told of a block and who then turns out to leave may have left: another
// one is told. After the patience has passed it is asked for instead.
func TestWhatALeaverWasToldIsToldAgain(t *testing.T) {
	w := newWorld(t, 2, 100, 100)
	o := newOne(t, w)
	leaver := bundleTo(t, lockOne(o, 0, 0))
	stays := (leaver + 1) % 4
	change := func(members ...chain.ValidatorID) []sm.Effect {
		return o.step(CommitteesChanged{Committees: [][]chain.ValidatorID{members, nil}, Others: [][]chain.ValidatorID{{leaver}, nil}})
	}
	o.nothing(change(leaver, stays))
	o.now = o.now.Add(patience - 1)
	if to := bundleTo(t, change(stays)); to != stays {
		t.Fatalf("told validator %d, %d stays", to, stays)
	}
	o.nothing(change(stays, 9))
	o.now = o.now.Add(patience)
	o.nothing(change(9))
	for range 2 * maxTold {
		o.r.announce(w.shards[1].finals[0].block, 0, 0, nil)
	}
	if len(o.r.told) != maxTold {
		t.Errorf("%d are kept", len(o.r.told))
	}
}

// What could not be checked is checked again as soon as committees change, as its
// own may be known by then.
func TestANewCommitteeHasUnreadyBundlesChecked(t *testing.T) {
	w, proofs := transfers(t, 1)
	o := newOne(t, w)
	check := only[CheckProof](t, o.receive(0, &BundleMsg{proofs[0]}))
	changed := CommitteesChanged{Committees: make([][]chain.ValidatorID, 2)}
	o.nothing(o.step(changed)) // it is being checked
	for range 2 * maxUnready {
		o.nothing(o.step(ProofChecked{check.Key, chain.Rule(chain.ErrNotReady, "of an epoch to come")}))
		check = only[CheckProof](t, o.step(changed))
	}
	only[sm.Deliver](t, o.step(ProofChecked{check.Key, nil}))
	if u := o.r.inbox.unready; u.bundles != 0 {
		t.Fatalf("%+v is left", u)
	}
}
