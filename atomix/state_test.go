package atomix

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"ios/chain"
	"ios/chain/utxo"
)

func TestATransferWithinAShardCommitsAtOnce(t *testing.T) {
	w := newWorld(t, 2, 100)
	a, l := w.coin(0, 0), w.shards[0]
	bob := w.wallet(0)
	tx := w.tx([]coin{a}, pay{bob, 60}, pay{a.owner, 30})
	f := l.submit(tx)
	l.expectBalance(bob, 60)
	l.expectBalance(a.owner, 30)
	if sp := l.state.Supply(); sp.Fees != 10 || sp.Value != 100 || sp.Open != 0 {
		t.Fatalf("%+v", sp)
	}
	p := ProofOf(f.block, f.report.Tree, tx.ID)
	if p == nil || p.Entry.Outcome != chain.Committed || p.Verify(w.params, 0, l.committee) != nil {
		t.Fatal("no proof of the commit")
	}
	l.submit(tx).expectSkip(t, SkipMissing)
	l.submit(w.tx([]coin{out(tx, 0, bob)}, pay{a.owner, 59})) // what was received can be spent
	l.expectBalance(a.owner, 89)
}

// A block that makes a coin and spends it, and one that locks a coin and gives
// it back: try compares the lists of coins in the open execution.
func TestAnOpenExecutionDoesNotShow(t *testing.T) {
	w := newWorld(t, 2, 100)
	a, b := w.coin(0, 0), w.coin(1, 0)
	bob := w.wallet(0)
	first := w.tx([]coin{a}, pay{bob, 60}, pay{a.owner, 30})
	second := w.tx([]coin{out(first, 0, bob)}, pay{bob, 59})
	if _, err := w.shards[0].try([]*chain.Tx{first, second}, nil); err != nil {
		t.Fatal(err)
	}
	w.shards[0].expectBalance(bob, 59)

	c := out(first, 1, a.owner)
	both := w.tx([]coin{c, b}, pay{bob, 100})
	w.shards[1].submit(w.tx([]coin{b}, pay{b.owner, 99})) // so that shard 1 rejects
	l := w.shards[0]
	before := l.snapshot()
	l.submit(both)
	w.shards[1].carry(w.shards[0].bundle(both.ID, 1))
	no := w.shards[1].bundle(both.ID, 0)
	// Shard 0 executes the lock and the rejection in one block.
	var err error
	if l.state, err = LoadState(w.params, 0, [16]byte{}, bytes.NewReader(before)); err != nil {
		t.Fatal(err)
	}
	l.finals = l.finals[:len(l.finals)-1]
	if _, err := l.try([]*chain.Tx{both}, []*chain.Bundle{no}); err != nil {
		t.Fatal(err)
	}
	l.expectBalance(a.owner, 30)
}

func TestATransferAcrossShardsCommitsEverywhere(t *testing.T) {
	w := newWorld(t, 2, 100)
	from, to := w.shards[0], w.shards[1]
	a, bob := w.coin(0, 0), w.wallet(1)
	tx := w.tx([]coin{a}, pay{bob, 60}, pay{a.owner, 30})
	from.submit(tx)
	from.expect(tx.ID, chain.Accepted)
	from.expectBalance(a.owner, 0) // locked
	to.carry(from.bundle(tx.ID, 1))
	to.expect(tx.ID, chain.Committed)
	to.expectBalance(bob, 60)
	from.carry(to.bundle(tx.ID, 0))
	from.expect(tx.ID, chain.Committed)
	from.expectBalance(a.owner, 30)
	if sp := from.state.Supply(); sp.Fees != 10 || sp.Value != 40 || sp.Locked != 0 {
		t.Fatalf("%+v", sp)
	}
	if to.state.Supply().Fees != 0 {
		t.Fatal("the fee was booked twice")
	}
}

// Inputs in two shards, outputs in two others: everybody answers everybody.
func TestATransferAcrossFourShards(t *testing.T) {
	w := newWorld(t, 4, 100)
	a, b := w.coin(0, 0), w.coin(1, 0)
	c, d := w.wallet(2), w.wallet(3)
	tx := w.tx([]coin{a, b}, pay{c, 120}, pay{d, 79})
	w.shards[0].submit(tx)
	w.shards[1].carry(w.shards[0].bundle(tx.ID, 1)) // learns of it by the lock proof
	w.shards[1].expect(tx.ID, chain.Accepted)
	w.shards[2].carry(w.shards[1].bundle(tx.ID, 2))
	w.shards[3].carry(w.shards[2].bundle(tx.ID, 3)) // an output shard's yes implies a lock
	for _, l := range w.shards {
		l.expect(tx.ID, chain.Accepted)
	}
	for _, l := range w.shards {
		for _, other := range w.shards {
			if l != other {
				l.carry(other.bundle(tx.ID, l.id))
			}
		}
		l.expect(tx.ID, chain.Committed)
	}
	w.shards[2].expectBalance(c, 120)
	w.shards[3].expectBalance(d, 79)
}

func TestAnInputSpentMeanwhileAbortsAndReturnsTheFunds(t *testing.T) {
	w := newWorld(t, 2, 100)
	a, b := w.coin(0, 0), w.coin(1, 0)
	tx := w.tx([]coin{a, b}, pay{w.wallet(0), 150}, pay{w.wallet(1), 49})
	w.shards[0].submit(tx)
	w.shards[1].submit(w.tx([]coin{b}, pay{w.wallet(1), 99}))
	w.shards[1].carry(w.shards[0].bundle(tx.ID, 1))
	w.shards[1].expect(tx.ID, chain.Rejected)
	w.shards[0].expectBalance(a.owner, 0)
	w.shards[0].carry(w.shards[1].bundle(tx.ID, 0))
	w.shards[0].expect(tx.ID, chain.Aborted)
	w.shards[0].expectBalance(a.owner, 100)
	// It stays so, whoever shows it again.
	w.shards[0].submit(tx).expectSkip(t, SkipDecided)
	w.shards[0].submit(w.tx([]coin{a}, pay{w.wallet(0), 99}))
}

func TestALockedInputCannotBeSpent(t *testing.T) {
	w := newWorld(t, 2, 100)
	a := w.coin(0, 0)
	tx := w.tx([]coin{a}, pay{w.wallet(1), 99})
	other := w.tx([]coin{a}, pay{w.wallet(0), 99})
	w.shards[0].submit(tx)
	w.shards[0].submit(other).expectSkip(t, SkipLocked)
	if err := w.shards[0].state.Validate(other, 1); !errors.Is(err, chain.ErrLocked) {
		t.Fatal(err)
	}
	if err := w.shards[0].state.Validate(tx, 1); !errors.Is(err, chain.ErrDecided) {
		t.Fatal(err)
	}
}

// A record that one item of a block opens and a later one closes tells the
// others its yes all the same.
func TestOpenedAndClosedInOneBlock(t *testing.T) {
	for first := range chain.ShardID(2) { // the own segment comes behind the others or before
		w := newWorld(t, 2, 100)
		second := 1 - first
		tx := w.tx([]coin{w.coin(0, 0), w.coin(1, 0)}, pay{w.wallet(0), 150}, pay{w.wallet(1), 49})
		w.shards[first].submit(tx)
		f, err := w.shards[second].try([]*chain.Tx{tx}, []*chain.Bundle{w.shards[first].bundle(tx.ID, second)})
		if err != nil {
			t.Fatal(err)
		}
		want := []chain.Entry{{ID: tx.ID, Outcome: chain.Accepted}, {ID: tx.ID, Outcome: chain.Committed}}
		if !slices.Equal(f.report.Outcomes, want) {
			t.Fatal(f.report.Outcomes)
		}
		if p := ProofOf(f.block, f.report.Tree, tx.ID); p.Entry.Outcome != chain.Committed {
			t.Fatal("the proof for clients is not of the end")
		}
		w.shards[first].carry(w.shards[second].bundle(tx.ID, first))
		w.shards[first].expect(tx.ID, chain.Committed)
	}
}

func TestStatusShowsOnlyWhatIsFinal(t *testing.T) {
	w := newWorld(t, 2, 100)
	a, l := w.coin(0, 0), w.shards[0]
	tx := w.tx([]coin{a}, pay{w.wallet(1), 99})
	run := func(pl *chain.Payload) {
		l.state.Execute(&chain.Header{Epoch: 1, Height: l.state.Height() + 1}, []*chain.Body{{Content: pl}})
	}
	run(&chain.Payload{Txs: []chain.Tx{*tx}})
	l.expect(tx.ID, 0)
	l.state.Revert()
	l.submit(tx)
	l.expect(tx.ID, chain.Accepted)
	w.shards[1].carry(l.bundle(tx.ID, 1))
	run(&chain.Payload{Bundles: []*chain.Bundle{w.shards[1].bundle(tx.ID, 0)}})
	l.expect(tx.ID, chain.Accepted)
	if _, ok := l.state.OpenTx(tx.ID); !ok {
		t.Fatal("what an open execution closes is not there any more")
	}
	l.state.Revert()
	l.expect(tx.ID, chain.Accepted)
	// Nor does what is opened and closed at once.
	other := w.tx([]coin{w.coin(1, 0)}, pay{w.wallet(0), 99})
	w.shards[1].submit(other)
	run(&chain.Payload{Bundles: []*chain.Bundle{w.shards[1].bundle(other.ID, 0)}})
	l.expect(other.ID, 0)
}

// The epoch of the block counts, whatever the bodies' check saw.
func TestABlockSkipsWhatHasExpired(t *testing.T) {
	w := newWorld(t, 2, 100, 100)
	local, across := w.tx([]coin{w.coin(0, 0)}, pay{w.wallet(0), 99}), w.tx([]coin{w.coin(0, 1)}, pay{w.wallet(1), 99})
	s := w.shards[0].state
	s.Execute(&chain.Header{Epoch: 2, Height: 1}, []*chain.Body{{Content: &chain.Payload{Txs: []chain.Tx{*local, *across}}}})
	for _, k := range s.Report().Skipped {
		if k.Reason != SkipExpired {
			t.Error(k)
		}
	}
	if r := s.Report(); len(r.Skipped) != 2 || len(r.Outcomes) != 0 {
		t.Errorf("%+v", r)
	}
	s.Revert()
	if err := s.Validate(across, 2); !errors.Is(err, chain.ErrExpired) {
		t.Error(err)
	}
}

// A shard commits only after it heard all, so its commit speaks for all.
func TestACommitElsewhereSpeaksForAll(t *testing.T) {
	w := newWorld(t, 4, 100)
	tx := w.tx([]coin{w.coin(0, 0)}, pay{w.wallet(1), 50}, pay{w.wallet(2), 49})
	w.shards[0].submit(tx)
	s := w.shards[0].state
	b := *w.shards[0].bundle(tx.ID, 1)
	b.Header.Shard, b.Segment.Entries = 1, []chain.Entry{{ID: tx.ID, Outcome: chain.Committed}}
	s.Execute(&chain.Header{Epoch: 1, Height: 2}, []*chain.Body{{Content: &chain.Payload{Bundles: []*chain.Bundle{&b}}}})
	if r := s.Report(); len(r.Closed) != 1 || r.Closed[0].Outcome != chain.Committed {
		t.Fatalf("%+v", r)
	}
}

// Whatever goes wrong with the memory, an audit finds it.
func TestAnAuditFindsEveryFault(t *testing.T) {
	for name, spoil := range map[string]func(s *State){
		"a coin too many":    func(s *State) { s.coins.Add(chain.OutPoint{Index: 7}, utxo.Coin{Amount: 1}) },
		"fees":               func(s *State) { s.sums.fees++ },
		"value":              func(s *State) { s.sums.value++ },
		"locked":             func(s *State) { s.sums.locked++ },
		"genesis":            func(s *State) { s.base++ },
		"between":            func(s *State) { s.between[1] = Net{Lo: 12} },
		"a forgotten lock":   func(s *State) { clear(s.locked) },
		"a lock too many":    func(s *State) { s.locked[chain.OutPoint{}] = chain.TxID{} },
		"open and decided":   func(s *State) { s.decided[s.OpenRecords()[0].Tx.ID] = Decision{Outcome: chain.Aborted} },
		"a forgotten record": func(s *State) { clear(s.open) },
		"a failed undo":      func(s *State) { s.broken = errors.New("undo") },
	} {
		s := busyWorld(t).shards[0].state
		if err := s.Audit(); err != nil {
			t.Fatal(err)
		}
		if spoil(s); s.Audit() == nil {
			t.Errorf("%s: the audit finds nothing", name)
		}
	}
}

func TestALockRecordsNothingAfterTheExpiry(t *testing.T) {
	w := newWorld(t, 2, 100)
	a := w.coin(0, 0)
	tx := w.tx([]coin{a}, pay{w.wallet(1), 99})
	late := w.tx([]coin{w.coin(1, 0)}, pay{w.wallet(0), 99})
	w.shards[0].submit(tx)
	w.epoch = 2
	f := w.shards[1].carry(w.shards[0].bundle(tx.ID, 1))
	w.shards[1].expect(tx.ID, 0)
	if f.report.Ignored[SkipExpired] != 1 {
		t.Fatal(f.report.Ignored)
	}
	if _, err := w.shards[1].try([]*chain.Tx{late}, nil); !errors.Is(err, chain.ErrExpired) {
		t.Fatal(err)
	}
	// What is open can still be closed.
	w.epoch = 1
	w.shards[1].carry(w.shards[0].bundle(tx.ID, 1))
	w.epoch = 2
	w.shards[0].carry(w.shards[1].bundle(tx.ID, 0))
	w.shards[0].expect(tx.ID, chain.Committed)
}

func TestASnapshotRestoresEverything(t *testing.T) {
	w := busyWorld(t)
	for i, l := range w.shards {
		raw := l.snapshot()
		s, err := LoadState(w.params, l.id, [16]byte{99}, bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		l.state = s
		if !bytes.Equal(l.snapshot(), raw) {
			t.Fatal("the restored state writes another snapshot")
		}
		if _, err := LoadState(w.params, 1-l.id, [16]byte{}, bytes.NewReader(raw)); err == nil {
			t.Fatal("taken for another shard's")
		}
		swapped := bytes.Clone(raw)
		if n := len(s.decided); n > 1 {
			const size = 32 + 1 + 3*8
			ids := sortedIDs(s.decided)
			at := bytes.Index(raw, append(bytes.Clone(ids[0][:]), byte(s.decided[ids[0]].Outcome)))
			copy(swapped[at:], raw[at+size:at+2*size])
			copy(swapped[at+size:], raw[at:at+size])
			if _, err := LoadState(w.params, l.id, [16]byte{}, bytes.NewReader(swapped)); err == nil {
				t.Fatal("decided transactions out of order are accepted")
			}
		}
		for _, cut := range []int{0, 5, len(raw) / 2, len(raw) - 1} {
			if _, err := LoadState(w.params, l.id, [16]byte{}, bytes.NewReader(raw[:cut])); err == nil {
				t.Fatal("shard", i, "cut at", cut, "is accepted")
			}
		}
	}
}

// busyWorld has coins, locks and every kind of decision.
func busyWorld(t fataler) *world {
	w := newWorld(t, 2, 100, 50, 30)
	x := w.tx([]coin{w.coin(0, 0)}, pay{w.wallet(1), 99})
	w.shards[0].submit(x)
	w.shards[1].carry(w.shards[0].bundle(x.ID, 1))
	w.shards[0].carry(w.shards[1].bundle(x.ID, 0))
	spent := w.tx([]coin{w.coin(1, 0)}, pay{w.wallet(1), 99})
	y := w.tx([]coin{w.coin(0, 1), w.coin(1, 0)}, pay{w.wallet(1), 149})
	w.shards[1].submit(spent)
	w.shards[0].submit(y)
	w.shards[1].carry(w.shards[0].bundle(y.ID, 1))
	w.shards[0].carry(w.shards[1].bundle(y.ID, 0))
	z := w.tx([]coin{w.coin(0, 2), w.coin(1, 2)}, pay{w.wallet(1), 59})
	w.shards[0].submit(z)
	w.shards[1].submit(z)
	return w
}
