package atomix

import (
	"errors"
	"testing"
	"time"

	"ios/chain"
	"ios/internal/sm"
)

// talk is a client's machine alone, whose effects are looked at one by one.
type talk struct {
	t   *testing.T
	m   *Transfer
	now time.Time
}

func newTalk(t *testing.T, w *world, tx *chain.Tx) *talk {
	cfg := TransferConfig{Params: w.params, Tx: tx}
	for _, l := range w.shards {
		cfg.Committees, cfg.Members = append(cfg.Committees, l.committee), append(cfg.Members, perShard)
	}
	m, err := NewTransfer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return &talk{t, m, time.Unix(1000, 0)}
}

// step gives the effects without timers.
func (k *talk) step(ev sm.Event) (effects []sm.Effect) {
	for _, e := range k.m.Step(k.now, ev) {
		if _, timer := e.(sm.SetTimer); !timer {
			effects = append(effects, e)
		}
	}
	return effects
}

// ring is the shard's timer.
func (k *talk) ring(s chain.ShardID) []sm.Effect {
	k.now = k.now.Add(DefaultMaxInterval)
	return k.step(sm.Fire{Key: sm.TimerKey{Kind: transferTimer, N: uint64(s)}})
}

// find is the one effect of type E among others.
func find[E any](t *testing.T, effects []sm.Effect) (found E) {
	t.Helper()
	n := 0
	for _, e := range effects {
		if x, ok := e.(E); ok {
			found = x
			n++
		} else if d, ok := e.(sm.Deliver); ok {
			if x, ok := d.Value.(E); ok {
				found = x
				n++
			}
		}
	}
	if n != 1 {
		t.Fatalf("%d %T in %v", n, found, effects)
	}
	return found
}

func (l *ledger) proof(id chain.TxID) *chain.OutcomeProof {
	for h := len(l.finals); h > 0; h-- {
		if p := ProofOf(l.finals[h-1].block, l.finals[h-1].report.Tree, id); p != nil {
			return p
		}
	}
	return nil
}

// Shard 0 refuses; shard 1 has taken the transaction and may yet lock: the client
// must not say that nothing happened.
func TestARefusalWaitsForTheOtherInputShards(t *testing.T) {
	w := newWorld(t, 2, 100)
	tx := w.tx([]coin{w.coin(0, 0), w.coin(1, 0)}, pay{w.wallet(0), 199})
	k := newTalk(t, w, tx)
	k.step(StartTransfer{})
	a := find[SubmitTx](t, k.step(Asked{Peer: Peer{0, 0}}))
	b := find[SubmitTx](t, k.step(Asked{Peer: Peer{1, 0}}))
	k.step(Submitted{Peer: b.Peer})
	for range 2 { // who has not heard of it yet
		k.step(Asked{Peer: find[Ask](t, k.ring(1)).Peer})
	}
	no := chain.Rule(chain.ErrSpent, "gone")
	ask := find[Ask](t, k.step(Submitted{Peer: a.Peer, Refused: true, Err: no}))
	a = find[SubmitTx](t, k.step(Asked{Peer: ask.Peer}))
	find[Ask](t, k.step(Submitted{Peer: a.Peer, Refused: true, Err: no})) // and not Done
	// Shard 1 turns out to refuse, too.
	for range 3 {
		ask = find[Ask](t, k.ring(1))
		effects := k.step(Asked{Peer: ask.Peer, Claim: ClaimSkipped, Reason: "missing"})
		for _, e := range effects {
			if d, ok := e.(sm.Deliver); ok {
				if done, ok := d.Value.(Done); ok {
					if done.Verdict != TransferRefuse {
						t.Fatalf("%+v", done)
					}
					return
				}
			}
			if s, ok := e.(SubmitTx); ok {
				k.step(Submitted{Peer: s.Peer, Err: nil})
			}
		}
	}
	t.Fatal("two members of each shard refused, and the client does not believe it")
}

// An input that one member has shown may not be final yet at the next ones. They
// must not all be asked within the moment that it takes.
func TestWhatIsMissingNowMayBeThereLater(t *testing.T) {
	for _, kind := range []chain.ErrorKind{chain.ErrUnknown, chain.ErrLocked} {
		w := newWorld(t, 2, 100)
		k := newTalk(t, w, w.tx([]coin{w.coin(0, 0)}, pay{w.wallet(0), 99}))
		k.step(StartTransfer{})
		s := find[SubmitTx](t, k.step(Asked{Peer: Peer{0, 0}}))
		if at := k.step(Submitted{Peer: s.Peer, Refused: true, Err: chain.Rule(kind, "not yet")}); len(at) != 0 {
			t.Fatalf("%s: %v at once", kind, at)
		}
		s = find[SubmitTx](t, k.step(Asked{Peer: find[Ask](t, k.ring(0)).Peer}))
		if s.Member != 1 {
			t.Fatalf("%s: %+v", kind, s)
		}
		find[Done](t, k.step(Submitted{Peer: s.Peer, Refused: true, Err: chain.Rule(kind, "never")}))
	}
}

func TestAForgedBundleIsNotCarried(t *testing.T) {
	w := newWorld(t, 2, 100)
	tx := w.tx([]coin{w.coin(0, 0)}, pay{w.wallet(1), 99})
	w.shards[0].submit(tx)
	fetching := func() (*talk, FetchBundle) {
		k := newTalk(t, w, tx)
		k.step(StartTransfer{})
		k.step(Asked{Peer: Peer{0, 0}, Claim: ClaimRecorded, Proof: w.shards[0].proof(tx.ID)})
		return k, find[FetchBundle](t, k.step(Asked{Peer: Peer{1, 0}}))
	}
	good := w.shards[0].bundle(tx.ID, 1)
	for name, forge := range map[string]func(b *chain.Bundle){
		"certificate": func(b *chain.Bundle) { b.Cert.View++ },
		"path":        func(b *chain.Bundle) { b.Place.Total++ },
		"shard":       func(b *chain.Bundle) { b.Header.Shard = 1 },
		"entry":       func(b *chain.Bundle) { b.Segment.Entries = []chain.Entry{{ID: chain.TxID{1}, Outcome: chain.Accepted}} },
	} {
		k, f := fetching()
		b := *good
		forge(&b)
		if liar := find[Liar](t, k.step(Fetched{Peer: f.Peer, Dest: 1, Bundle: &b})); liar.Peer != f.Peer {
			t.Errorf("%s: %+v", name, liar)
		}
	}
	k, f := fetching()
	c := find[Carry](t, k.step(Fetched{Peer: f.Peer, Dest: 1, Bundle: good}))
	if c.Shard != 1 || len(c.Bundle.Txs) != 1 {
		t.Fatalf("%+v", c)
	}
}

// Once the end is certain to be an abort, nobody's funds are locked any more for
// it.
func TestAnAbortLocksNothingMore(t *testing.T) {
	w := newWorld(t, 4, 100)
	a, b, c := w.coin(0, 0), w.coin(1, 0), w.coin(2, 0)
	tx := w.tx([]coin{a, b, c}, pay{w.wallet(0), 299})
	w.shards[1].submit(w.tx([]coin{b}, pay{w.wallet(1), 99}))
	w.shards[0].submit(tx)
	w.shards[1].carry(w.shards[0].bundle(tx.ID, 1))
	k := newTalk(t, w, tx)
	k.step(StartTransfer{})
	k.step(Asked{Peer: Peer{0, 0}, Claim: ClaimRecorded, Proof: w.shards[0].proof(tx.ID)})
	effects := k.step(Asked{Peer: Peer{1, 0}, Claim: ClaimRecorded, Proof: w.shards[1].proof(tx.ID)})
	if d := find[Decisive](t, effects); d.Verdict != TransferAbort {
		t.Fatalf("%+v", d)
	}
	peer := Peer{2, 0}
	for range 4 {
		for _, e := range k.step(Asked{Peer: peer}) {
			switch e.(type) {
			case FetchBundle, SubmitTx, Carry:
				t.Fatalf("%T after the abort is certain", e)
			}
		}
		peer = find[Ask](t, k.ring(2)).Peer
	}
	// Shard 0 is brought the rejection and gives the funds back.
	ask := find[Ask](t, k.ring(0))
	f := find[FetchBundle](t, k.step(Asked{Peer: ask.Peer, Claim: ClaimRecorded, Proof: w.shards[0].proof(tx.ID)}))
	if f.Shard != 1 || f.Dest != 0 {
		t.Fatalf("%+v", f)
	}
	w.shards[0].carry(w.shards[1].bundle(tx.ID, 0))
	k.step(Fetched{Peer: f.Peer, Dest: 0, Err: errors.New("gone")})
	ask = find[Ask](t, k.ring(0))
	if d := find[Done](t, k.step(Asked{Peer: ask.Peer, Claim: ClaimRecorded, Proof: w.shards[0].proof(tx.ID)})); d.Verdict != TransferAbort {
		t.Fatalf("%+v", d)
	}
	if k.step(StartTransfer{}) != nil {
		t.Fatal("it goes on after the end")
	}
}

func TestAllAcceptancesAreDecisive(t *testing.T) {
	w := newWorld(t, 4, 100)
	tx := w.tx([]coin{w.coin(0, 0), w.coin(1, 0), w.coin(2, 0)}, pay{w.wallet(0), 299})
	k := newTalk(t, w, tx)
	k.step(StartTransfer{})
	var effects []sm.Effect
	for s := range chain.ShardID(3) {
		w.shards[s].submit(tx)
		effects = k.step(Asked{Peer: Peer{s, 0}, Claim: ClaimRecorded, Proof: w.shards[s].proof(tx.ID)})
	}
	if d := find[Decisive](t, effects); d.Verdict != TransferCommit {
		t.Fatalf("%+v", d)
	}
}

// When nobody answers, or everybody lies, the client rests and tries again.
func TestAClientNeitherSpinsNorGivesUp(t *testing.T) {
	w := newWorld(t, 2, 100)
	tx := w.tx([]coin{w.coin(0, 0)}, pay{w.wallet(0), 99})
	k := newTalk(t, w, tx)
	ask := find[Ask](t, k.step(StartTransfer{}))
	for round := range 3 {
		for i := range perShard {
			dead := Asked{Peer: ask.Peer, Err: errors.New("connection refused")}
			if round > 0 {
				dead = Asked{Peer: ask.Peer, Claim: ClaimRecorded} // without a proof
			}
			var next []sm.Effect
			for _, e := range k.step(dead) {
				if a, ok := e.(Ask); ok {
					next = append(next, a)
				}
			}
			if i == perShard-1 {
				if next != nil {
					t.Fatal("it asks again at once")
				}
				next = k.ring(0)
			}
			ask = find[Ask](t, next)
		}
	}
}
