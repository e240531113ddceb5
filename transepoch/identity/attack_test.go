package identity

import (
	"fmt"
	"slices"
	"testing"

	"ios/chain"
)

// Anyone can put an old registration up again. It registers nobody twice, also
// when its validator has rotated to another name, address and keys: else who has
// got hold of old keys could spend the payer's credit, and leave with it.
func TestARegistrationCountsOnce(t *testing.T) {
	r := newRig(t, 1, 5, 100)
	payer := payerKey(1)
	to := creditOf(payer)
	r.want(Done, r.unbond(1, 50, to))
	r.want(Done, r.unbond(2, 50, to))
	for range r.g.Policy.UnbondEpochs + 1 {
		r.epoch()
	}
	join := r.join(9, 50, payer)
	r.want(Done, join)
	r.epoch()
	next := newSecrets(5, 1)
	r.want(Done, r.rotate(5, next))
	r.epoch()
	r.keys[5] = next
	if s, _ := r.state.Validator(5); s.Validator.Name == join.Validator.Name || s.Validator.Signing != next.signing.Public() {
		t.Fatal("it did not rotate")
	}
	if r.state.Credit(to.Owner) != 50 {
		t.Fatal("there is no credit to steal")
	}
	r.want(ReasonClash, join)
}

// Keys that a seed has fixed are taken, also if their owner rotates to others
// before they count: a record with one key twice would be the chain's last.
func TestFrozenKeysAreTaken(t *testing.T) {
	r := newRig(t, 2, 10, 0)
	r.epoch()
	plan := must(r.state.Book().ShardPlan(0))
	a := plan.New[0][slices.IndexFunc(plan.New[0], func(id chain.ValidatorID) bool { return slices.Contains(plan.Old[0], id) })]
	x, y := newSecrets(int(a), 1), newSecrets(int(a), 2)
	r.want(Done, r.rotate(a, x))
	r.want(Done, r.leave(a, Payee{}))
	r.block(append(r.alive(), r.body(r.members()[0], r.bases(0)...))...)
	seed, signOff := r.seed()
	r.want(Done, r.rotate(a, y))
	b := newSecrets(50, 0)
	b.cosi = x.cosi
	r.want(ReasonClash, r.joinWith(b, 50, 0, nil))
	r.block(r.body(r.members()[0], r.reveal(seed, signOff)))
	r.epoch()
	r.epoch()
}

// Who may still vote in two stalled shards does not come to a third.
func TestHeldInTwoShards(t *testing.T) {
	r := newRig(t, 4, 24, 0, func(p *chain.Policy) { p.AbsentEpochs, p.Churn, p.SwapPermille = 1, 1000, 500 })
	r.block(r.body(0, r.bases()...)) // nobody gives a sign of life
	r.finish()
	plan := r.state.Book().current().plan
	// In epoch 2 it moves from one shard to another, in epoch 3 it is left out.
	v := r.members()[slices.IndexFunc(r.members(), func(id chain.ValidatorID) bool { _, ok := plan.Joins(id); return ok })]
	in, _ := plan.Joins(v)
	from, to := plan.Leaves(v)[0].Shard, in.Shard
	r.block(append(r.alive(v), r.body(r.members()[0], r.bases(from)...))...)
	if rec := r.finish(); !slices.Equal(rec.Shed, []chain.ValidatorID{v}) || !slices.Contains(rec.Held, v) {
		t.Fatalf("left out: %v, held: %v", rec.Shed, rec.Held)
	}
	r.want(Done, r.resume(v))
	r.block(append(r.alive(), r.body(r.members()[0], r.bases(from, to)...))...)
	rec := r.finish()
	if !rec.Stalled.Has(from) || !rec.Stalled.Has(to) || !slices.Equal(rec.Joined, []chain.ValidatorID{v}) {
		t.Fatalf("stalled: %v, joined: %v", rec.Stalled.List(), rec.Joined)
	}
	if in, ok := r.state.Book().current().plan.Joins(v); ok {
		t.Errorf("validator %d, which may vote in shards %d and %d, comes to shard %d", v, from, to, in.Shard)
	}
}

// Nobody leaves if the fewer who stay would make a group whose dealings no body
// holds: the beacon would never choose again.
func TestWhoLeavesMayNotStopTheBeacon(t *testing.T) {
	const groupSize = 100
	r := newRig(t, 1, 2*groupSize, 0, func(p *chain.Policy) { p.GroupSize = groupSize })
	if choiceSize(2*groupSize-1, groupSize) <= maxChoice {
		t.Fatal("one group of all is no larger than a body")
	}
	r.want(Done, r.leave(3, Payee{}))
	x := &execution{book: r.state.book, cur: r.state.book.current(), l: r.state.final.clone(), height: 2}
	if f := x.freeze(); len(f.left) != 0 {
		t.Errorf("%v may leave, and the beacon of %d validators needs %d bytes, a body holds %d", f.left, len(f.members), choiceSize(len(f.members), groupSize), maxChoice)
	}
}

// One body does not have everybody check keys for seconds.
func TestRegistrationsInABodyAreBounded(t *testing.T) {
	r := newRig(t, 1, 4, 0)
	many := make([]Op, MaxRegistrations+1)
	for i := range many {
		many[i] = r.join(9, 0, nil)
	}
	r.body(0, many[1:]...)
	r.refused(ErrOp, many...)
}

// An order that came to nothing cannot be put up again, by anybody, when it would
// come to something.
func TestARefusedOrderIsSpent(t *testing.T) {
	r := newRig(t, 1, 5, 100)
	op := r.resume(2)
	r.want(ReasonAgain, op)
	r.want(ReasonSeq, op)
	much := r.unbond(3, 60, Payee{})
	r.want(ReasonStake, much) // 50 have to stay
	r.want(ReasonSeq, much)
	r.want(Done, r.unbond(3, 50, Payee{}))
	wrong := r.resume(2)
	wrong.Key = payerKey(1).Public()
	SignOrder(wrong, r.g.ID(), payerKey(1))
	r.want(ReasonKey, wrong) // another's takes no number
	r.want(Done, r.leave(2, Payee{}))
}

// Whoever comes and goes does not fill the registry: what is bounded is how many
// validators there are at a time.
func TestPlacesOfThoseWhoLeftAreNotMissed(t *testing.T) {
	r := newRig(t, 1, 4, 0)
	l := r.state.final
	for i := len(l.entries); i < chain.MaxValidators+10; i++ {
		name := fmt.Sprint("gone ", i)
		e := &entry{id: chain.ValidatorID(i), leave: true, gone: true, now: chain.Validator{Name: name, Address: name}}
		for n, key := range [][]byte{e.now.Identity[:], e.now.Signing[:], e.now.VRF[:], e.now.PVSS[:], e.now.Cosi[:]} {
			copy(key, fmt.Sprint(n, name))
		}
		l.entries = append(l.entries, e)
	}
	r.want(Done, r.join(9000, 0, nil))
	rec := r.epoch()
	id := chain.ValidatorID(chain.MaxValidators + 10)
	if !slices.Equal(rec.Joined, []chain.ValidatorID{id}) {
		t.Fatalf("joined: %v", rec.Joined)
	}
	r.epoch() // with it as a member of a shard, and in the beacon
	if c := must(r.state.Book().Committee(0, chain.Term{Epoch: 2})); len(c.Members) != 4 {
		t.Errorf("members %v", c.Members)
	}
	l = r.state.final
	for i := range l.entries {
		e := *l.entries[i]
		e.gone, e.leave = false, false
		l.entries[i] = &e
	}
	x := &execution{book: r.state.book, cur: r.state.book.current(), l: l.clone(), height: 99, report: &Report{}}
	if why := x.applyJoin(r.join(9001, 0, nil)); why != ReasonFull {
		t.Errorf("one more than there may be: %q", why)
	}
}
