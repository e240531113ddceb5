package drp

import (
	"slices"
	"testing"
	"time"

	"ios/chain"
	"ios/drp/pvss"
	"ios/internal/sm"
)

// Who floods a server gets no more out of it than who asks once in a while.
func TestFloods(t *testing.T) {
	cfg, keys := newConfig(7, 7, 9)
	checks := 0
	verify := cfg.VerifySignOff
	cfg.VerifySignOff = func(view uint64, choice chain.Hash, signOff []byte) error {
		checks++
		return verify(view, choice, signOff)
	}
	m := must(NewServer(cfg, keys[2], nil))
	now := time.Unix(1, 0)
	count := func(ev sm.Event) (n int) {
		for _, e := range m.Step(now, ev) {
			if s, ok := e.(sm.Send); ok {
				n += len(s.To)
			}
		}
		return n
	}
	count(Begin{0})
	answers := 0
	for range 1000 {
		answers += count(sm.Receive{From: keys[0].Self, Msg: &Ask{7, 0}})
	}
	if answers != 1 {
		t.Errorf("%d dealings for 1000 questions at once", answers)
	}
	tr := transcriptOf(cfg, keys, 0)
	hash := tr.Choice.Hash()
	for i := range 1000 {
		wrong := slices.Clone(tr.SignOff)
		wrong[10] ^= byte(i)
		wrong[11] ^= byte(i>>8) + 1
		for _, from := range []chain.ValidatorID{keys[0].Self, 60000, 60001} {
			answers += count(sm.Receive{From: from, Msg: &Show{7, 0, hash, wrong}})
		}
	}
	if checks != 3 || answers != 1 {
		t.Errorf("%d checks for 1000 sign-offs of a server and of two strangers, %d answers", checks, answers-1)
	}
	// One that failed is remembered.
	wrong := slices.Clone(tr.SignOff)
	wrong[10] ^= 1
	now = now.Add(cfg.Delta)
	for range 10 {
		now = now.Add(cfg.Delta)
		count(sm.Receive{From: keys[1].Self, Msg: &Show{7, 0, hash, wrong}})
	}
	if checks != 4 {
		t.Errorf("one wrong sign-off was checked %d times", checks-3)
	}
	// The right one gets a question for the choice, then the shares, once.
	now = now.Add(cfg.Delta)
	answers = 0
	for range 100 {
		answers += count(sm.Receive{From: 60000, Msg: &Show{7, 0, hash, tr.SignOff}})
	}
	if answers != 1 || checks != 5 {
		t.Errorf("%d answers, %d checks", answers, checks-4)
	}
	if n := count(sm.Receive{From: keys[1].Self, Msg: &Full{7, tr.Choice.Raw}}); n != 0 || m.decided != nil {
		t.Error("a choice is taken from whom it was not asked of")
	}
	if n := count(sm.Receive{From: 60000, Msg: &Full{7, tr.Choice.Raw}}); n != 1 || m.decided == nil {
		t.Errorf("%d answers to the choice", n)
	}
	for range 100 {
		if n := count(sm.Receive{From: 60000, Msg: &Show{7, 0, hash, tr.SignOff}}); n != 0 {
			t.Fatal("shares are sent again at once")
		}
	}
	// A choice that was asked for is sent once in a while.
	count(Collect{})
	answers = 0
	for range 100 {
		answers += count(sm.Receive{From: keys[4].Self, Msg: &Want{7, hash}})
	}
	if answers != 1 {
		t.Errorf("%d choices for 100 questions", answers)
	}
	// Slots are one each, whatever comes, and other epochs' messages are nothing.
	for i := range 100 {
		count(sm.Receive{From: keys[4].Self, Msg: &Open{7, hash, make([]byte, i)}})
	}
	if m.collect.slots[4].state != Invalid || m.collect.have[0] != 1 {
		t.Error("garbage counts as shares")
	}
	for range 100 {
		count(sm.Receive{From: keys[5].Self, Msg: &Open{7, hash, make([]byte, pvss.DecryptionSize(3))}})
	}
	if m.collect.have[0] != 2 || m.collect.slots[5].state != Dealt {
		t.Error("a server has more than one slot")
	}
	if n := count(sm.Receive{From: keys[5].Self, Msg: &Show{8, 0, hash, tr.SignOff}}); n != 0 {
		t.Error("another epoch's message is answered")
	}
	m.Step(now, Stop{})
	if n := count(sm.Receive{From: keys[5].Self, Msg: &Show{7, 0, hash, tr.SignOff}}); n != 0 {
		t.Error("a stopped machine answers")
	}
}
