package validator_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"ios/node/validator/simnet"
)

// broken runs seeds of a plan until something is noticed, and wants it to be what
// it should: one of want.
func broken(t *testing.T, plan func(seed uint64) simnet.Plan, want ...string) {
	t.Helper()
	for seed := uint64(1); seed <= 20; seed++ {
		if _, err := simnet.Run(plan(seed)); err != nil {
			if !slices.ContainsFunc(want, func(w string) bool { return strings.Contains(err.Error(), w) }) {
				t.Errorf("noticed is something else than %q: %v", want, err)
			}
			return
		}
	}
	t.Errorf("20 runs do not notice it")
}

// quiet is a network without faults of its own.
func quiet(seed uint64, sizes ...int) simnet.Plan {
	p := simnet.PlanOf(seed)
	p.Sizes, p.Traitors, p.Vices = sizes, make([]int, len(sizes)), 0
	p.Faults, p.Fragile, p.Cuts, p.Blackouts, p.Snapshots = simnet.Calm, 0, 0, 0, 0
	p.Until, p.Every, p.Payments = 3*time.Second, time.Hour, 100
	p.Policy.MinGap, p.Leaders = 100*time.Millisecond, true
	return p
}

// Validators that believe every proof let one be paid from nothing.
func TestForgedProofsThatAreBelievedAreNoticed(t *testing.T) {
	broken(t, func(seed uint64) simnet.Plan {
		p := quiet(seed, 4, 4)
		p.Traitors, p.Vices, p.Sabotage.Blind = []int{1, 1}, simnet.Forges, true
		return p
	}, "invariant")
}

// One hostile member more than a committee can bear makes two blocks final, so
// the attack that the others make is a real one.
func TestOneTraitorTooManyForksTheChain(t *testing.T) {
	for _, size := range []int{4, 6} {
		broken(t, func(seed uint64) simnet.Plan {
			p := quiet(seed, size, 4)
			p.Traitors[0], p.Vices = simnet.Faults(size)+1, simnet.TwoProposals
			return p
		}, "invariant 2")
	}
}

// As many as it can bear do not, in any order of seats.
func TestTraitorsWithinTheBoundForkNothing(t *testing.T) {
	for _, size := range []int{4, 6, 9} {
		twins := 0
		for seed := range uint64(2) {
			p := quiet(seed, size, 4)
			p.Traitors[0], p.Vices = simnet.Faults(size), simnet.TwoProposals|simnet.HidesPrepared
			r, err := simnet.Run(p)
			if err != nil {
				t.Fatal(err)
			}
			twins += r.Twins
		}
		if twins == 0 {
			t.Errorf("%d members: no leader showed two blocks", size)
		}
	}
}

// A shard whose members all forget what they stored loses what it promised, and
// says other things than before.
func TestForgottenBodiesAreNoticed(t *testing.T) {
	broken(t, func(seed uint64) simnet.Plan {
		p := quiet(seed, 4, 4)
		p.Until, p.Payments, p.Sabotage.Amnesia = time.Second, 150, true
		return p
	}, "invariant 7", "acks two bodies")
}

func TestACoinFromNowhereIsNoticed(t *testing.T) {
	broken(t, func(seed uint64) simnet.Plan {
		p := quiet(seed, 4, 4)
		p.Sabotage.CreditTwice = true
		return p
	}, "invariant 3")
}

// Validators that take any turn for granted let a hostile one change the committee
// by what nobody has signed, or into an epoch that there is not.
func TestTurnsThatAreNotLookedAtAreNoticed(t *testing.T) {
	plan := func(hasty bool) func(seed uint64) simnet.Plan {
		return func(seed uint64) simnet.Plan {
			p := changing(seed, 1, 4, 5)
			p.Until, p.Payments, p.Spares = 4*time.Second, 40, 1
			p.Traitors, p.Vices, p.Sabotage.Hasty = []int{1, 1}, simnet.BadBodies, hasty
			return p
		}
	}
	broken(t, plan(true), "ready by what it did not sign", "enters epoch", "does not fit its plan", "is not known yet", "does not exist")
	made := 0 // runs with turns that are made up
	for seed := uint64(1); made < 3 && seed <= 9; seed++ {
		r, err := simnet.Run(plan(false)(seed))
		if err != nil {
			t.Error(err)
		}
		if r.BadTurns > 0 {
			made++
		}
	}
	if made < 3 {
		t.Errorf("turns are made up in %d runs", made)
	}
}
