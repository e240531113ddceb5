package council

import (
	"errors"
	"slices"
	"testing"
	"time"

	"ios/chain"
	"ios/internal/sim"
	"ios/internal/sm"
	"ios/transepoch/identity"
)

// join is the registration of a validator that will get its own number.
func (w *world) join(id sm.NodeID) *identity.Join {
	k := w.keys[id]
	j := &identity.Join{Validator: k.validator(int(id))}
	msg := j.SignedBytes(w.genesis.ID())
	j.Proofs = identity.KeyProofs{Signing: k.signing.Sign(msg), Identity: k.identity.Sign(msg), Cosi: must(scheme.Sign(k.cosi, msg))}
	return j
}

func (w *world) leave(id sm.NodeID, seq uint64) *identity.Leave {
	op := &identity.Leave{Order: identity.Order{ID: id, Seq: seq}, To: identity.Payee{Owner: chain.Address{1}}}
	identity.SignOrder(op, w.genesis.ID(), w.keys[id].signing)
	return op
}

func (w *world) submit(to sm.NodeID, tag string, ops ...identity.Op) {
	w.net.Do(to, Submit{Ops: ops, Tag: tag})
}

func (w *world) answered(tag string) func() bool {
	return func() bool { _, ok := w.answers[tag]; return ok }
}

// done wants a submission's ops to have had the effects.
func (w *world) done(tag string, reasons ...identity.Reason) {
	w.t.Helper()
	w.eventually("an answer to "+tag, w.answered(tag), time.Minute)
	a := w.answers[tag]
	if a.Err != nil || a.Height == 0 || len(a.Results) != len(reasons) {
		w.t.Fatalf("%s: %+v", tag, a)
	}
	for i, why := range reasons {
		if a.Results[i].Reason != why {
			w.t.Errorf("%s, op %d: %q", tag, i, a.Results[i].Reason)
		}
	}
}

func (w *world) members() (ids []chain.ValidatorID) {
	for _, m := range w.book.Validators() {
		ids = append(ids, m.ID)
	}
	return ids
}

// Validators come and go, and those who came take part in all.
func TestValidatorsComeAndGo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plan{validators: 5, joiners: 2, seed: 3, faults: calm, policy: func(p *chain.Policy) { p.Churn = 400 }})
	w.submit(0, "join 5", w.join(5))
	w.done("join 5", identity.Done)
	w.submit(1, "join 6", w.join(6))
	w.done("join 6", identity.Done)
	w.submit(2, "leave", w.leave(3, 1))
	w.done("leave", identity.Done)
	w.submit(2, "leave again", w.leave(3, 1))
	w.done("leave again", identity.ReasonSeq)
	w.toEpoch(4, time.Minute)
	w.drawn()
	if want := []chain.ValidatorID{0, 1, 2, 4, 5, 6}; !slices.Equal(w.members(), want) {
		t.Fatalf("members are %v, %v are wanted", w.members(), want)
	}
	for _, id := range w.members() {
		if s, _ := w.core(0).state.Validator(id); s.Missed > 0 {
			t.Errorf("validator %d gave no sign of life in %d epochs", id, s.Missed)
		}
	}
	// Without two of the old, the new make up the quorum.
	w.net.Crash(0)
	w.submit(5, "by a newcomer", w.leave(1, 1))
	w.done("by a newcomer", identity.Done)
	w.toEpoch(6, 2*time.Minute)
	w.drawn()
}

// A third of the validators is gone for good: the epochs go on, and they are left
// out one after the other, so that there is room for new ones.
func TestAThirdIsGoneForGood(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plan{validators: 12, seed: 9, faults: calm, policy: func(p *chain.Policy) { p.Churn, p.AbsentEpochs = 170, 1 }})
	w.toEpoch(2, time.Minute)
	gone := []chain.ValidatorID{1, 4, 7, 10}
	for _, id := range gone {
		w.net.Crash(id)
	}
	w.eventually("a frozen set without them", func() bool { return len(w.members()) == 8 }, 5*time.Minute)
	w.ok()
	var shed []chain.ValidatorID
	for _, e := range w.records {
		shed = append(shed, e.Epoch.Shed...)
		if len(e.Epoch.Shed) > 2 {
			t.Errorf("%d were left out at once", len(e.Epoch.Shed))
		}
	}
	slices.Sort(shed)
	if !slices.Equal(shed, gone) {
		t.Errorf("%v were left out, %v are gone", shed, gone)
	}
	w.toEpoch(w.epoch()+1, time.Minute)
	w.drawn()
}

// What cannot be put up is refused, with a reason.
func TestSubmissionsThatAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plan{validators: 4, joiners: 1, seed: 1, faults: calm})
	w.net.RunFor(time.Second)
	forged := w.leave(2, 1)
	forged.Signature[0] ^= 1
	many := make([]identity.Op, identity.MaxOps+1)
	for i := range many {
		many[i] = w.leave(2, 1)
	}
	for tag, c := range map[string]struct {
		to   sm.NodeID
		ops  []identity.Op
		kind error
	}{
		"forged":      {0, []identity.Op{forged}, chain.ErrSignature},
		"empty":       {0, nil, identity.ErrOp},
		"too many":    {0, many, identity.ErrOp},
		"not theirs":  {0, []identity.Op{&identity.Alive{Epoch: 1}}, identity.ErrOp},
		"no member's": {4, []identity.Op{w.leave(2, 1)}, chain.ErrNotReady},
	} {
		w.submit(c.to, tag, c.ops...)
		w.eventually(tag, w.answered(tag), time.Minute)
		if a := w.answers[tag]; !errors.Is(a.Err, c.kind) {
			t.Errorf("%s: %v", tag, a.Err)
		}
	}
	// Far too many at once.
	for range maxSubmissions {
		w.net.Do(0, Submit{Ops: []identity.Op{w.leave(2, 7)}, Tag: "one of many"})
	}
	w.submit(0, "one too many", w.leave(2, 7))
	w.net.RunFor(time.Millisecond)
	if a := w.answers["one too many"]; !errors.Is(a.Err, chain.ErrFull) {
		t.Errorf("one too many: %v", a.Err)
	}
	w.toEpoch(2, time.Minute)
	w.submit(0, "after it", w.leave(2, 1))
	w.done("after it", identity.Done)
}

// A submission that the end of the epoch overtakes is put up again in the next.
func TestSubmissionsAcrossTheEndOfAnEpoch(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plan{validators: 4, seed: 12, faults: calm})
	// Bodies with orders reach nobody before epoch 2.
	w.net.FilterOut(1, drop(func(_ sm.NodeID, msg sm.Message) bool { return carries(msg, identity.KindLeave) && w.epoch() == 1 }))
	w.chaotic = true
	w.eventually("a leader", w.phase(Dealing), time.Minute)
	w.submit(1, "leave", w.leave(3, 1))
	w.toEpoch(2, time.Minute)
	w.done("leave", identity.Done)
	w.toEpoch(3, time.Minute)
	if slices.Contains(w.members(), 3) {
		t.Error("it did not leave")
	}
}

// Whoever was away for epochs, or comes from nowhere, learns all of them in order.
func TestALaggardLearnsAllEpochs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plan{validators: 7, joiners: 1, seed: 4, faults: calm, policy: func(p *chain.Policy) { p.AbsentEpochs = 50 }})
	w.net.Crash(2)
	w.net.Crash(7)
	w.toEpoch(5, 2*time.Minute)
	w.net.Restart(2)
	w.net.Restart(7)
	w.toEpoch(7, 2*time.Minute)
	if s, ok := w.core(0).state.Validator(2); !ok || s.Missed > 1 {
		t.Errorf("it does not take part again: %+v", s)
	}
	for _, id := range []sm.NodeID{2, 7} {
		var seen []uint64
		c := must(New(w.config(id), must(identity.NewState(w.genesis, scheme)), nil, slices.Values(w.net.Records(id))))
		for _, e := range c.Step(w.net.Now(), Start{}) {
			if d, ok := e.(sm.Deliver); ok {
				if v, ok := d.Value.(NewEpoch); ok && v.Restored {
					seen = append(seen, v.Epoch.Number)
				}
			}
		}
		if len(seen) < 5 || seen[0] != 2 || !slices.IsSorted(seen) {
			t.Errorf("after a restart validator %d tells of the epochs %v", id, seen)
		}
	}
}

// Who has lost its keys for the beacon votes and follows, but says that it has no
// part in it.
func TestWrongBeaconKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plan{validators: 4, seed: 5, faults: calm, policy: func(p *chain.Policy) { p.AbsentEpochs = 50 }})
	w.net.Crash(1)
	stranger := newSecrets(99)
	w.keys[1].vrf = stranger.vrf
	w.net.Restart(1)
	w.toEpoch(3, time.Minute)
	w.drawn()
	if s := w.status[1]; s.Reason == "" || s.Phase != Running {
		t.Errorf("%+v", s)
	}
}

// The outcomes of each block are in the log, and say what the report said.
func TestOutcomesAreStored(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plan{validators: 4, seed: 6, faults: sim.Faults{}})
	w.submit(0, "leave", w.leave(3, 1))
	w.toEpoch(3, time.Minute)
	heights := uint64(0)
	found := false
	for _, p := range w.net.Records(0) {
		if p.Kind != RecordOutcomes {
			continue
		}
		o := must(DecodeOutcomes(p.Data))
		heights++
		if o.Height != heights || OutcomesHeight(p.Data) != heights || o.Time == 0 || len(o.Tree) == 0 {
			t.Fatalf("%+v", o)
		}
		for _, r := range o.Results {
			found = found || r.Kind == identity.KindLeave && r.Author == 0 && r.Reason == identity.Done
		}
	}
	if !found || heights != w.core(0).Point().Height {
		t.Errorf("outcomes of %d blocks, the order among them: %v", heights, found)
	}
}

// rotation is a validator's first order, by which it changes all its keys.
func rotation(w *world, id sm.NodeID, old, fresh *secrets) *identity.Rotate {
	op := &identity.Rotate{Order: identity.Order{ID: id, Seq: 1}, Validator: fresh.validator(int(id))}
	op.Key = old.signing.Public()
	msg := op.SignedBytes(w.genesis.ID())
	op.Proofs = identity.KeyProofs{Signing: fresh.signing.Sign(msg), Identity: fresh.identity.Sign(msg), Cosi: must(scheme.Sign(fresh.cosi, msg))}
	identity.SignOrder(op, w.genesis.ID(), old.signing)
	return op
}

// A validator changes all its keys. While it does not have the new ones, it
// follows without a voice; then it takes part again, whatever its log is from, and
// whether it was started again or not. Who has both takes part all the time.
func TestKeysAreRotated(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plan{validators: 5, seed: 8, faults: calm, policy: func(p *chain.Policy) { p.AbsentEpochs = 50 }})
	old, fresh := w.keys[2], newSecrets(77)
	w.submit(0, "rotate", rotation(w, 2, old, fresh))
	w.done("rotate", identity.Done)
	w.held[2] = []*secrets{old}
	w.keys[2] = fresh // for the shards' blocks
	w.toEpoch(3, time.Minute)
	if c := w.core(2); c.bft.Seat() >= 0 || c.beacon != nil {
		t.Error("it takes part with keys that it does not have")
	}
	w.held[2] = []*secrets{old, fresh}
	w.toEpoch(4, time.Minute)
	if w.core(2).bft.Seat() < 0 || w.core(2).beacon == nil {
		t.Error("it does not take its new keys up:", w.core(2).why)
	}
	w.net.Crash(2)
	w.held[2] = []*secrets{fresh}
	w.net.Restart(2)
	w.toEpoch(5, time.Minute)
	w.drawn()
	if s, _ := w.core(0).state.Validator(2); w.core(2).bft.Seat() < 0 || s.Missed > 0 {
		t.Errorf("it does not take part: %+v", s)
	}
}

// A validator that has its old and its new keys takes part in every epoch, also if it
// crashes in between.
func TestKeysAreRotatedWithoutAGap(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plan{validators: 4, seed: 9, faults: calm, policy: func(p *chain.Policy) { p.AbsentEpochs = 50 }})
	old, fresh := w.keys[2], newSecrets(77)
	w.held[2] = []*secrets{old, fresh}
	w.submit(0, "rotate", rotation(w, 2, old, fresh))
	w.done("rotate", identity.Done)
	w.keys[2] = fresh
	for e := uint64(2); e <= 4; e++ {
		w.toEpoch(e, time.Minute)
		if s, _ := w.core(0).state.Validator(2); w.core(2).bft.Seat() < 0 || w.core(2).beacon == nil || s.Missed > 0 {
			t.Errorf("epoch %d: it does not take part: %+v, %s", e, s, w.core(2).why)
		}
		w.net.Crash(2)
		w.net.Restart(2)
	}
	if s, _ := w.core(0).state.Validator(2); s.Validator.Signing != fresh.signing.Public() {
		t.Error("the new keys do not count")
	}
}
