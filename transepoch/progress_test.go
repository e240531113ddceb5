package transepoch

import (
	"errors"
	"slices"
	"testing"
	"time"

	"ios/chain"
	"ios/internal/sm"
)

func TestAllAreReady(t *testing.T) {
	s := newShardTest(t, 3)
	if s.p.Done() || len(s.joiners()) != 3 {
		t.Fatalf("the first batch brings in %v", s.joiners())
	}
	for batch := uint32(1); !s.p.Done(); batch++ {
		for i, v := range s.joiners() {
			if s.proposal != nil {
				t.Fatalf("%v was proposed with %d of %d ready", s.proposal, i, len(s.joiners()))
			}
			s.receive(s.ready(v))
		}
		s.record()
		state := s.p.State()
		got, err := state.Committee(s.p.Plan())
		want, _ := s.p.Plan().Committee(testShard, batch)
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("after batch %d the committee is %v (%v), want %v", batch, got, err, want)
		}
	}
	s.wantAbsent()
	if !s.timer.IsZero() || len(s.waiting) > 0 {
		t.Fatalf("the timer is at %v, waiting for %v", s.timer, s.waiting)
	}
	if s.step(Tick{}); s.proposal != nil {
		t.Fatalf("%v was proposed after the last batch", s.proposal)
	}
}

func TestASilentJoinerIsAbsent(t *testing.T) {
	s := newShardTest(t, 3)
	joiners := s.joiners()
	silent := joiners[1]
	s.receive(s.ready(joiners[0]))
	s.receive(s.ready(joiners[2]))
	early := &SwapRecord{Epoch: 1, Batch: 1}
	for _, v := range []chain.ValidatorID{min(joiners[0], joiners[2]), max(joiners[0], joiners[2])} {
		r := s.ready(v)
		early.Present = append(early.Present, Presence{v, r.Height, r.StateRoot, r.Signature})
	}
	s.now = s.now.Add(4 * time.Second)
	if wait, err := s.p.Validate(s.now, s.height+1, early); wait != testDeadline-4*time.Second || err != nil {
		t.Fatalf("a record that leaves out validator %d may be voted for in %v (%v)", silent, wait, err)
	}
	if s.step(Tick{}); s.proposal != nil {
		t.Fatalf("%v was proposed before the deadline", s.proposal)
	}
	s.expire()
	s.record()
	s.wantAbsent(silent)

	// It is ready at last: the record of the next batch says so.
	s.height += 5
	s.receive(s.ready(silent))
	s.wantAbsent()
	if got := s.p.State().Absent; len(got) != 1 || got[0].Validator != silent || got[0].Batch != 1 {
		t.Fatalf("by the blocks %v are absent", got)
	}
	for _, v := range s.joiners() {
		s.receive(s.ready(v))
	}
	if s.proposal.find(silent) == nil {
		t.Fatalf("the record %v leaves out validator %d", s.proposal, silent)
	}
	s.record()
	if got := s.p.State().Absent; len(got) > 0 {
		t.Fatalf("%v are absent", got)
	}
}

func TestTheNextBatchWaitsForTheAbsent(t *testing.T) {
	s := newShardTest(t, 3)
	absent := s.joiners()
	s.expire()
	s.record()
	s.wantAbsent(absent...)

	s.expire()
	if s.step(Tick{}); s.proposal != nil {
		t.Fatalf("%v was proposed", s.proposal)
	}
	missing := s.joiners()
	if len(s.waiting) != 1 || !slices.Equal(s.waiting[0].Missing, missing) || !slices.Equal(s.waiting[0].Absent, s.p.Absent()) {
		t.Fatalf("waiting for %v, want one report that %v are absent and %v missing", s.waiting, absent, missing)
	}
	rec := &SwapRecord{Epoch: 1, Batch: 2}
	if _, err := s.p.Validate(s.now, s.height+1, rec); !errors.Is(err, ErrRecord) {
		t.Fatalf("a record with %d seats absent: %v", len(absent)+len(missing), err)
	}

	// Two of the absent and one joiner: 1 + 2 seats would be absent, as many as may.
	s.receive(s.ready(absent[0]))
	s.receive(s.ready(absent[2]))
	if s.proposal != nil {
		t.Fatalf("%v was proposed with 4 absent", s.proposal)
	}
	s.receive(s.ready(missing[1]))
	s.record()
	s.wantAbsent(absent[1], missing[0], missing[2])

	// The absent do not hold up a batch whose joiners are all ready.
	for _, v := range s.joiners() {
		s.receive(s.ready(v))
	}
	s.record()
}

func TestReadiesThatDoNotCount(t *testing.T) {
	s := newShardTest(t, 1)
	v := s.joiners()[0]
	leaver := s.p.Plan().Batch(testShard, 1)[0].Out
	for name, spoil := range map[string]func(*Ready){
		"another chain":    func(r *Ready) { r.Chain = chain.Hash{2} },
		"another shard":    func(r *Ready) { r.Shard = 0 },
		"another epoch":    func(r *Ready) { r.Epoch = 2 },
		"another batch":    func(r *Ready) { r.Batch = 2 },
		"another root":     func(r *Ready) { r.StateRoot[0] ^= 1 },
		"before the entry": func(r *Ready) { r.Height, r.StateRoot = 99, testRoot(99) },
		"not coming in":    func(r *Ready) { r.Validator = leaver },
		"unknown":          func(r *Ready) { r.Validator = None },
	} {
		r := s.ready(v)
		spoil(r)
		r.Sign(testKey(r.Validator))
		if s.receive(r); s.proposal != nil {
			t.Fatalf("%s: %v was proposed", name, s.proposal)
		}
		rec := &SwapRecord{Epoch: 1, Batch: 1, Present: []Presence{{r.Validator, r.Height, r.StateRoot, r.Signature}}}
		if _, err := s.p.Validate(s.now.Add(time.Hour), s.height+1, rec); err == nil {
			t.Fatalf("%s: a record with it is voted for", name)
		}
	}
	r := s.ready(v)
	r.Signature[3] ^= 1
	if s.receive(r); s.proposal != nil {
		t.Fatal("a bad signature counts")
	}
	if s.step(sm.Receive{From: leaver, Msg: s.ready(v)}); s.proposal != nil {
		t.Fatal("a Ready counts that its owner did not send")
	}
	if s.receive(s.ready(v)); s.proposal == nil {
		t.Fatal("a good Ready does not count after bad ones")
	}
	s.record()
}

func TestAReadyAheadOfTheMemberWaits(t *testing.T) {
	s := newShardTest(t, 1)
	v := s.joiners()[0]
	s.height += 7
	ahead := s.ready(v)
	s.height -= 7
	s.receive(ahead)
	s.height += 9
	later := s.ready(v)
	s.height -= 9
	s.receive(later)
	if s.proposal != nil {
		t.Fatal("a root counts that is not known")
	}
	rec := &SwapRecord{Epoch: 1, Batch: 1, Present: []Presence{{v, ahead.Height, ahead.StateRoot, ahead.Signature}}}
	if _, err := s.p.Validate(s.now, s.height+1, rec); !errors.Is(err, ErrRecord) {
		t.Fatalf("a record with a Ready above its height: %v", err)
	}
	s.height += 7
	if s.step(Tick{}); s.proposal == nil || s.proposal.Present[0].Height != ahead.Height {
		t.Fatalf("%v is proposed when the height is there", s.proposal)
	}
}

// Once a seat is absent, a Ready from before it came in says nothing new.
func TestAnOldReadyDoesNotBringBackTheAbsent(t *testing.T) {
	s := newShardTest(t, 1)
	v := s.joiners()[0]
	s.height = 105
	old := s.ready(v)
	s.height = 104
	s.receive(old) // not known to be right
	s.expire()
	rec := s.proposal
	s.height = 110
	s.step(Recorded{rec, 110})
	s.receive(old)
	s.wantAbsent(v)
	for _, w := range s.joiners() {
		s.receive(s.ready(w))
	}
	late := &SwapRecord{rec.Epoch, 2, append([]Presence{{v, old.Height, old.StateRoot, old.Signature}}, s.proposal.Present...)}
	slices.SortFunc(late.Present, func(a, b Presence) int { return int(a.Validator) - int(b.Validator) })
	if _, err := s.p.Validate(s.now, 111, late); !errors.Is(err, ErrRecord) {
		t.Fatalf("a record with a Ready from before the seat was absent: %v", err)
	}
	s.receive(s.ready(v))
	s.wantAbsent()
}

func TestRecordsThatAreRefused(t *testing.T) {
	s := newShardTest(t, 2)
	for _, v := range s.joiners() {
		s.receive(s.ready(v))
	}
	good := s.proposal
	for name, spoil := range map[string]func(*SwapRecord){
		"another epoch":          func(r *SwapRecord) { r.Epoch = 2 },
		"the batch after":        func(r *SwapRecord) { r.Batch = 2 },
		"no batch":               func(r *SwapRecord) { r.Batch = 0 },
		"somebody twice":         func(r *SwapRecord) { r.Present[1] = r.Present[0] },
		"another's signature":    func(r *SwapRecord) { r.Present[1].Signature = r.Present[0].Signature },
		"another's height":       func(r *SwapRecord) { r.Present[0].Height++ },
		"a joiner of later":      func(r *SwapRecord) { r.Present[0].Validator = s.p.Plan().Batch(testShard, 2)[0].In },
		"more than can be there": func(r *SwapRecord) { r.Present = make([]Presence, MaxPresent+1) },
	} {
		bad := &SwapRecord{good.Epoch, good.Batch, slices.Clone(good.Present)}
		spoil(bad)
		if _, err := s.p.Validate(s.now.Add(time.Hour), s.height+1, bad); err == nil {
			t.Errorf("%s: a member votes for %v", name, bad)
		}
	}
	// A good Ready for a later batch, and one of somebody who is in already.
	later := s.ready(s.p.Plan().Batch(testShard, 2)[0].In)
	with := func(rec *SwapRecord, r *Ready) *SwapRecord {
		rec = &SwapRecord{rec.Epoch, rec.Batch, append(slices.Clone(rec.Present), Presence{r.Validator, r.Height, r.StateRoot, r.Signature})}
		slices.SortFunc(rec.Present, func(a, b Presence) int { return int(a.Validator) - int(b.Validator) })
		return rec
	}
	if _, err := s.p.Validate(s.now, s.height+1, with(good, later)); !errors.Is(err, ErrRecord) {
		t.Errorf("a joiner of batch 2 in the record of batch 1: %v", err)
	}
	in := s.ready(good.Present[0].Validator)
	s.record()
	for _, v := range s.joiners() {
		s.receive(s.ready(v))
	}
	if _, err := s.p.Validate(s.now, s.height+1, with(s.proposal, in)); !errors.Is(err, ErrRecord) {
		t.Errorf("one of batch 1 that was present in the record of batch 2: %v", err)
	}

	s = newShardTest(t, 2)
	s.step(Recorded{&SwapRecord{Epoch: 1, Batch: 2}, 101})
	if len(s.faults) != 1 || s.p.State().Batch != 0 {
		t.Errorf("a final record of batch 2 leads to batch %d and faults %v", s.p.State().Batch, s.faults)
	}
}

func TestARestartInTheMiddle(t *testing.T) {
	s := newShardTest(t, 3)
	silent := s.joiners()[0]
	for _, v := range s.joiners()[1:] {
		s.receive(s.ready(v))
	}
	s.expire()
	s.record()
	for _, v := range s.joiners()[1:] {
		s.receive(s.ready(v))
	}
	last := s.joiners()[0]

	s.restart(s.p.State(), s.p.Plan())
	s.wantAbsent(silent)
	for _, v := range s.joiners() { // Readies are repeated
		s.receive(s.ready(v))
	}
	if s.proposal == nil || s.proposal.find(last) == nil {
		t.Fatalf("after the restart %v was proposed", s.proposal)
	}
	s.record()
	for !s.p.Done() {
		for _, v := range s.joiners() {
			s.receive(s.ready(v))
		}
		s.record()
	}
	s.wantAbsent(silent)
}

func TestASealedShardIsTakenUpWhereItStands(t *testing.T) {
	s := newShardTest(t, 3)
	silent := s.joiners()[0]
	for _, v := range s.joiners()[1:] {
		s.receive(s.ready(v))
	}
	s.expire()
	s.record()

	// The state block is certified with batches left to do.
	var good *SwapRecord
	for i, v := range s.joiners() {
		if i == 2 {
			s.step(Sealed{})
		}
		s.receive(s.ready(v))
		good, _ = s.p.record()
	}
	s.step(sm.Fire{})
	if s.proposal != nil {
		t.Fatalf("%v was proposed after the state block", s.proposal)
	}
	if _, err := s.p.Validate(s.now, s.height+1, good); len(good.Present) != 3 || !errors.Is(err, ErrRecord) {
		t.Fatalf("a record after the state block: %v", err)
	}

	// An epoch block that takes it up elsewhere is of no use to it, one in which
	// it is stalled neither.
	cur := s.p.Plan()
	s.step(Announced{testPlan(t, 2, cur.New, 3), chain.Hash{2}})
	if len(s.faults) != 1 || !errors.Is(s.faults[0], ErrEnter) || s.entry != nil {
		t.Fatalf("entering with another committee: %v, %v", s.faults, s.entry)
	}
	s.faults = nil
	var stalled chain.Shards
	stalled.Add(testShard)
	skipped, err := Unchanged(chain.Hash{1}, 3, cur.New, stalled)
	if err != nil {
		t.Fatal(err)
	}
	if s.step(Announced{skipped, chain.Hash{3}}); s.entry != nil || len(s.faults) > 0 {
		t.Fatalf("a stalled shard: %v, %v", s.entry, s.faults)
	}

	// The next one takes it up at batch 1; shard 0 was done.
	seats, _ := cur.Committee(testShard, 1)
	old := Assignment{cur.New[0], seats}
	next := testPlan(t, 4, old, 3)
	s.step(Announced{next, chain.Hash{4}})
	if s.entry == nil || *s.entry != (Enter{4, chain.Hash{4}}) {
		t.Fatalf("the entry is %v (%v)", s.entry, s.faults)
	}
	if err := s.p.ValidateEnter(s.entry); err != nil {
		t.Fatal(err)
	}
	if err := s.p.ValidateEnter(&Enter{4, chain.Hash{5}}); !errors.Is(err, ErrEnter) {
		t.Fatalf("an entry by another epoch block: %v", err)
	}
	s.height++
	s.step(Entered{next, s.height})
	if state := s.p.State(); state.Epoch != 4 || state.Batch != 0 || state.Entered != s.height {
		t.Fatalf("the shard is in epoch %d at batch %d", state.Epoch, state.Batch)
	}
	if err := s.p.ValidateEnter(s.entry); !errors.Is(err, ErrEnter) {
		t.Fatalf("entering twice: %v", err)
	}

	// Who was absent still is, and may say that it is ready as before.
	s.wantAbsent(silent)
	s.receive(s.readyFor(silent, 1, 1))
	s.wantAbsent()
	for _, v := range s.joiners() {
		s.receive(s.ready(v))
	}
	s.record()
	if got := s.p.State().Absent; len(got) > 0 {
		t.Fatalf("%v are absent", got)
	}
}
