package identity

import (
	"slices"
	"strings"
	"testing"

	"ios/chain"
	"ios/chain/sig"
	"ios/eds/safety"
)

func payerKey(n byte) *sig.Key { return must(sig.FromSeed(append(make([]byte, 31), n))) }

func creditOf(k *sig.Key) Payee {
	public := k.Public()
	return Payee{Owner: addressOf(&public), Credit: true}
}

// Stake comes from the genesis, and goes on by way of credit: taken back by one
// validator, it lets another join.
func TestStakeFromLeaverToNewcomer(t *testing.T) {
	r := newRig(t, 1, 5, 100)
	payer := payerKey(1)
	to := creditOf(payer)
	due := r.state.Next().Epoch + 1 + uint64(r.g.Policy.UnbondEpochs)
	r.want(ReasonStake, r.unbond(1, 60, to)) // 50 have to stay
	r.want(ReasonStake, r.unbond(1, 0, to))
	r.want(ReasonStake, r.unbond(1, 1000, to))
	r.want(Done, r.unbond(1, 50, to))
	repeated := r.unbond(1, 10, to)
	repeated.Seq--
	SignOrder(repeated, r.g.ID(), r.keys[1].signing)
	r.want(ReasonSeq, repeated)
	r.want(ReasonCredit, r.join(9, 50, payer))
	for r.state.Next().Epoch < due {
		if r.state.Credit(to.Owner) != 0 {
			t.Fatalf("the stake is back in epoch %d, %d is due", r.state.Next().Epoch, due)
		}
		if rec := r.epoch(); len(rec.Payouts) > 0 != (rec.Number == due) {
			t.Fatalf("epoch %d pays %v", rec.Number, rec.Payouts)
		}
	}
	if got := r.state.Credit(to.Owner); got != 50 {
		t.Fatalf("a credit of %d", got)
	}
	r.want(ReasonStake, r.join(9, 49, payer))
	r.want(ReasonCredit, r.join(9, 51, payer))
	r.want(ReasonCredit, r.join(9, 50, payerKey(2)))
	r.want(Done, r.join(9, 50, payer))
	r.want(ReasonClash, r.join(9, 50, payer))
	if r.state.Credit(to.Owner) != 0 {
		t.Error("the credit is spent and still there")
	}
	if rec := r.epoch(); !slices.Equal(rec.Joined, []chain.ValidatorID{5}) || rec.Members[5].Stake != 50 {
		t.Errorf("joined: %v", rec.Joined)
	}
}

// Who leaves is out with the next epoch, and paid out a number of epochs later,
// once, as an outcome for the shard of its address.
func TestLeaveAndPayout(t *testing.T) {
	r := newRig(t, 2, 9, 100)
	owner := chain.Address{0x80} // of shard 1
	op := r.leave(3, Payee{Owner: owner})
	r.want(Done, op)
	r.want(ReasonSeq, op)
	r.want(ReasonAgain, r.leave(3, Payee{}))
	rec := r.epoch()
	if !slices.Equal(rec.Left, []chain.ValidatorID{3}) || find(rec.Members, 3) >= 0 {
		t.Fatalf("left: %v", rec.Left)
	}
	if find(rec.Outgoing, 3) < 0 {
		t.Error("its keys are not there for the batches that it still has a seat in")
	}
	r.want(ReasonGone, r.leave(3, Payee{}))
	due := rec.Number + uint64(r.g.Policy.UnbondEpochs)
	for r.state.Next().Epoch < due {
		if f := r.state.Funds(); f.Due != 0 || f.Unbonding != 100 {
			t.Fatalf("funds in epoch %d: %+v", r.state.Next().Epoch, f)
		}
		rec = r.epoch()
	}
	if len(rec.Payouts) != 1 || rec.Payouts[0].Amount != 100 || rec.Payouts[0].To.Owner != owner || r.state.Funds().Due != 100 {
		t.Fatalf("epoch %d pays %v", rec.Number, rec.Payouts)
	}
	proof, ok := r.state.Report().Proof(r.last, rec.Payouts[0].Tx(r.g.Params()).ID)
	if !ok || proof.Dest != owner.Shard(2) || proof.Dest != 1 {
		t.Fatal("no outcome for the shard of the owner shows the payout")
	}
	if rec = r.epoch(); len(rec.Payouts) != 0 || r.state.Funds().Due != 100 {
		t.Error("it is paid again")
	}
	s, _ := r.state.Validator(3)
	if !s.Gone || s.Validator.Stake != 0 {
		t.Errorf("it is %+v", s)
	}
	r.want(ReasonClash, r.join(3, 50, payerKey(1))) // its keys are never another validator's
}

// A registration is refused at sight when a proof or signature in it is wrong.
func TestRegistrationsAreProven(t *testing.T) {
	r := newRig(t, 1, 4, 0)
	own := newSecrets(9, 0)
	other := newSecrets(10, 0)
	resign := func(j *Join) { j.Proofs = own.proofs(r.scheme, j.SignedBytes(r.g.ID())) }
	for name, c := range map[string]struct {
		kind  error
		spoil func(*Join)
	}{
		"possession of the cosi key": {ErrOp, func(j *Join) { j.Validator.Possession[5] ^= 1; resign(j) }},
		"possession of the vrf key":  {ErrOp, func(j *Join) { j.Validator.VRFProof[5] ^= 1; resign(j) }},
		"possession of the pvss key": {ErrOp, func(j *Join) { j.Validator.PVSSProof[5] ^= 1; resign(j) }},
		"a pvss key of another": {ErrOp, func(j *Join) {
			v := other.validator(r.scheme, 10, 0)
			j.Validator.PVSS, j.Validator.PVSSProof = v.PVSS, v.PVSSProof
			resign(j)
		}},
		"a vrf key of another": {ErrOp, func(j *Join) {
			v := other.validator(r.scheme, 10, 0)
			j.Validator.VRF, j.Validator.VRFProof = v.VRF, v.VRFProof
			resign(j)
		}},
		"an identity key of another": {ErrOp, func(j *Join) { // the other proofs are of all keys
			j.Validator.Identity = other.identity.Public()
			resign(j)
		}},
		"one key for two uses":      {ErrOp, func(j *Join) { j.Validator.Identity = own.signing.Public(); resign(j) }},
		"the signing key's word":    {chain.ErrSignature, func(j *Join) { j.Proofs.Signing[3] ^= 1 }},
		"the identity key's word":   {chain.ErrSignature, func(j *Join) { j.Proofs.Identity[3] ^= 1 }},
		"the cosi key's word":       {ErrOp, func(j *Join) { j.Proofs.Cosi[40] ^= 1 }},
		"a word of another address": {chain.ErrSignature, func(j *Join) { j.Validator.Address = "elsewhere:1" }},
		"a name with a slash":       {ErrOp, func(j *Join) { j.Validator.Name = "../v0"; resign(j) }},
		"a stake that nobody pays":  {ErrOp, func(j *Join) { j.Validator.Stake = 5; resign(j) }},
		"a stake of another's": {chain.ErrSignature, func(j *Join) {
			j.Validator.Stake, j.Payer = 5, payerKey(1).Public()
			resign(j)
			j.Payment = payerKey(2).Sign(j.SignedBytes(r.g.ID()))
		}},
		"a payer of nothing": {ErrOp, func(j *Join) { j.Payer[0] = 1; resign(j) }},
	} {
		j := r.join(9, 0, nil)
		c.spoil(j)
		t.Run(name, func(t *testing.T) {
			r.TB = t
			r.refused(c.kind, j)
		})
	}
	r.TB = t
	foreign := r.join(9, 0, nil) // signed for another chain
	foreign.Proofs = own.proofs(r.scheme, foreign.SignedBytes(chain.Hash{1}))
	r.refused(chain.ErrSignature, foreign)
	clash := r.join(1, 0, nil) // all right by itself, but that is validator 1
	r.want(ReasonClash, clash)
	r.want(Done, r.join(9, 0, nil))
}

// A key counts from the seed after the one before which it was registered.
func TestLateKeysTakeNoPart(t *testing.T) {
	r := newRig(t, 1, 12, 0, func(p *chain.Policy) { p.Churn = 1000 })
	r.want(Done, r.join(20, 0, nil))
	r.block(r.body(0, r.bases()...))
	seed := r.choose()
	early, late := r.joinWith(newSecrets(21, 0), 21, 0, nil), r.joinWith(newSecrets(22, 0), 22, 0, nil)
	r.keys[12], r.keys[13], r.keys[14] = newSecrets(20, 0), newSecrets(21, 0), newSecrets(22, 0)
	// One comes in the seed's own block but before it, one behind it.
	rep := r.block(r.body(1, early), r.body(0, seed, late))
	if rep.Ops[2].Reason != Done {
		t.Fatal(rep.Ops)
	}
	signOff, _ := rep.SignOff(r.last)
	rec := r.block(r.body(0, r.reveal(seed, signOff))).Epoch
	if !slices.Equal(rec.Joined, []chain.ValidatorID{12, 13}) || find(rec.Members, 14) >= 0 {
		t.Fatalf("joined: %v", rec.Joined)
	}
	if rec = r.epoch(); !slices.Equal(rec.Joined, []chain.ValidatorID{14}) {
		t.Fatalf("joined later: %v", rec.Joined)
	}
}

func TestRotation(t *testing.T) {
	r := newRig(t, 1, 4, 100)
	old, fresh, later := r.keys[2], newSecrets(2, 1), newSecrets(2, 2)
	before := r.state.Next()
	first := r.rotate(2, fresh)
	r.want(Done, first)
	r.want(ReasonSeq, first)
	r.want(ReasonClash, r.joinWith(fresh, 9, 50, payerKey(1))) // keys that wait are taken, too
	delete(r.keys, 4)
	stranger := r.rotate(2, later)
	stranger.ID, stranger.Seq = 1, 1
	SignOrder(stranger, r.g.ID(), old.signing)
	stranger.Proofs = later.proofs(r.scheme, stranger.SignedBytes(r.g.ID()))
	r.want(ReasonKey, stranger)
	r.block(append(r.alive(), r.body(0, r.bases()...))...)
	seed, signOff := r.seed()
	// This one is too late for the coming epoch.
	r.want(Done, r.rotate(2, later))
	rec := r.block(r.body(0, r.reveal(seed, signOff))).Epoch
	if m := rec.Members[2]; m.Signing != fresh.signing.Public() || m.Stake != 100 || m.Name != "v2" {
		t.Fatalf("keys of epoch %d: %x", rec.Number, m.Signing)
	}
	c := must(r.client.Committee(chain.IdentityShard, before))
	if c.Signing[2] != old.signing.Public() {
		t.Error("the old term has new keys")
	}
	r.keys[2] = fresh
	leave := r.leave(2, Payee{})
	leave.Seq++
	SignOrder(leave, r.g.ID(), old.signing)
	r.want(ReasonKey, leave)
	rec = r.epoch()
	if rec.Members[2].Signing != later.signing.Public() {
		t.Error("the second rotation is lost")
	}
	r.keys[2] = later
	r.epoch()
}

// Of twenty validators at most two come and go in an epoch, of eighteen one: first
// those who want to leave, in the order of asking.
func TestChurn(t *testing.T) {
	r := newRig(t, 1, 20, 0)
	for i := range 3 {
		r.want(Done, r.join(30+i, 0, nil))
	}
	for _, id := range []chain.ValidatorID{7, 5, 3} {
		r.want(Done, r.leave(id, Payee{}))
	}
	var went, came []chain.ValidatorID
	for range 5 {
		rec := r.epoch()
		if n := len(rec.Joined) + len(rec.Left); n > 2 || rec.Number > 2 && n != 1 {
			t.Fatalf("%d come and go in epoch %d", n, rec.Number)
		}
		went, came = append(went, rec.Left...), append(came, rec.Joined...)
	}
	if !slices.Equal(went, []chain.ValidatorID{5, 7, 3}) || !slices.Equal(came, []chain.ValidatorID{20, 21, 22}) {
		t.Errorf("%v went, %v came", went, came)
	}
}

// A validator without a sign of life is left out after the policy's epochs, keeps
// its stake, and can come back.
func TestShedding(t *testing.T) {
	r := newRig(t, 1, 6, 100)
	quiet := chain.ValidatorID(4)
	pass := func() *Epoch {
		r.block(append(r.alive(quiet), r.body(0, r.bases()...))...)
		return r.finish()
	}
	r.ops(quiet, &Alive{1})
	if got := r.ops(quiet, &Alive{1})[0]; got != ReasonAgain {
		t.Errorf("alive twice: %q", got)
	}
	pass() // epoch 1 had a sign
	for range 2 {
		if rec := pass(); len(rec.Shed) > 0 {
			t.Fatalf("epoch %d sheds %v", rec.Number, rec.Shed)
		}
	}
	pass()
	r.ops(quiet, &Alive{5}) // just in time: epochs 2, 3 and 4 had none
	if rec := pass(); len(rec.Shed) > 0 {
		t.Fatalf("shed in spite of a sign in epoch %d", rec.Number-1)
	}
	var rec *Epoch
	for len(r.members()) == 6 {
		rec = pass()
	}
	if !slices.Equal(rec.Shed, []chain.ValidatorID{quiet}) || rec.Number != 10 {
		t.Fatalf("shed by epoch %d: %v", rec.Number, rec.Shed)
	}
	s, _ := r.state.Validator(quiet)
	if s.Member || s.Validator.Stake != 100 || r.state.Funds().Unbonding != 0 {
		t.Errorf("it is %+v", s)
	}
	r.want(Done, r.resume(quiet))
	r.want(ReasonAgain, r.resume(quiet))
	if rec = pass(); !slices.Equal(rec.Joined, []chain.ValidatorID{quiet}) {
		t.Fatalf("joined: %v", rec.Joined)
	}
}

// In a network that met its bound nobody leaves into a set that misses it: who
// asked waits until somebody joins, and who waits and is gone is left out for its
// absence. The registry says so.
func TestLeavingKeepsTheBound(t *testing.T) {
	r := newRig(t, 2, 14, 0, func(p *chain.Policy) { p.Churn, p.Byzantine, p.AbsentEpochs = 400, 200, 2 })
	for n, meets := range map[int]bool{14: true, 13: false, 12: false} {
		if _, err := safety.Assess(SafetyPlan(&r.g.Policy, n, 2)); (err == nil) != meets {
			t.Fatalf("%d validators: %v", n, err)
		}
	}
	if w := r.state.Warnings(); w != nil {
		t.Errorf("nothing is wrong, and it warns: %q", w)
	}
	to := Payee{Owner: chain.Address{1}}
	r.want(Done, r.leave(3, to))
	r.want(Done, r.leave(8, to))
	for range 2 {
		r.block(append(r.alive(8), r.body(0, r.bases()...))...)
		if rec := r.finish(); len(rec.Left)+len(rec.Shed) > 0 {
			t.Fatalf("epoch %d lets %v go, and %v", rec.Number, rec.Left, rec.Shed)
		}
	}
	if w := r.state.Warnings(); len(w) != 1 || !strings.Contains(w[0], "2 of the 14 members asked to leave and have to wait") {
		t.Errorf("it warns: %q", w)
	}
	r.want(Done, r.join(20, 0, nil))
	r.block(append(r.alive(8), r.body(0, r.bases()...))...)
	rec := r.finish() // validator 8 is away, the new one takes its place
	if len(rec.Left) > 0 || !slices.Equal(rec.Shed, []chain.ValidatorID{8}) || len(rec.Joined) != 1 {
		t.Fatalf("left %v, shed %v, joined %v", rec.Left, rec.Shed, rec.Joined)
	}
	if s, _ := r.state.Validator(8); !s.Gone {
		t.Error("who asked to leave and was absent is not gone")
	}
	r.want(Done, r.join(21, 0, nil))
	r.block(append(r.alive(5), r.body(0, r.bases()...))...)
	if rec := r.finish(); !slices.Equal(rec.Left, []chain.ValidatorID{3}) || len(rec.Joined) != 1 {
		t.Fatalf("left %v, joined %v", rec.Left, rec.Joined)
	}
	for len(r.members()) == 14 { // who is absent goes in any case
		r.block(append(r.alive(5), r.body(0, r.bases()...))...)
		r.finish()
	}
	if w := r.state.Warnings(); len(w) != 1 || !strings.Contains(w[0], "the 13 members miss the policy's bound") {
		t.Errorf("it warns: %q", w)
	}
}

// The last validators cannot leave: a shard has somebody.
func TestTheSetDoesNotVanish(t *testing.T) {
	r := newRig(t, 2, 3, 0, func(p *chain.Policy) { p.Churn = 1000 })
	for id := range chain.ValidatorID(3) {
		r.want(Done, r.leave(id, Payee{}))
	}
	r.epoch()
	if rec := r.epoch(); len(rec.Members) != 2 {
		t.Errorf("%d members are left", len(rec.Members))
	}
}
