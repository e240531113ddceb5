package identity

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"ios/chain"
	"ios/drp"
	"ios/drp/pvss"
)

// There is one seed in an epoch, and the output is of it.
func TestOneSeed(t *testing.T) {
	r := newRig(t, 1, 7, 0)
	output := &Output{Epoch: 2, Random: chain.Hash{1}}
	r.refused(chain.ErrNotReady, output)
	first := r.choose()
	r.refused(ErrOp, &Seed{Epoch: 1, Choice: first.Choice})
	r.refused(ErrOp, &Seed{Epoch: 3, Choice: first.Choice})
	spoilt := slices.Clone(first.Choice)
	spoilt[len(spoilt)-1] ^= 1
	r.refused(nil, &Seed{Epoch: 2, Choice: spoilt})
	second := r.choose() // other dealings: the run began anew
	rep := r.block(r.body(3, first), r.body(4, second))
	if rep.Ops[0].Reason != Done || rep.Ops[1].Reason != ReasonSeeded {
		t.Fatal(rep.Ops)
	}
	r.want(ReasonSeeded, second)
	s, _ := r.state.Seeded()
	if s.SeedRef.Choice != must(drp.DecodeChoice(first.Choice)).Hash() || s.Block != r.parentOf(rep) {
		t.Error("the state has another seed")
	}
	if s.Checked == nil || !bytes.Equal(s.Checked.Raw, s.Raw) {
		t.Error("the choice was checked, and the state does not know")
	}
	signOff, _ := rep.SignOff(r.last)
	if signOff != nil {
		t.Error("a sign-off for a block that is not the seed's")
	}
}

// parentOf is the hash of a report's block, if it is the one below the last.
func (r *rig) parentOf(rep *Report) chain.Hash {
	if rep.Height == r.last.Header.Height-1 {
		return r.last.Header.Parent
	}
	return r.last.Header.Hash()
}

// A sign-off is good for the choice, view, epoch and chain that it was given for.
func TestSignOff(t *testing.T) {
	r := newRig(t, 1, 7, 0)
	cfg := r.state.Book().Beacon()
	seed, raw := r.seed()
	c := must(drp.DecodeChoice(seed.Choice))
	if err := cfg.VerifySignOff(c.View, c.Hash(), raw); err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		b := slices.Clone(raw)
		b[i] ^= 1
		if cfg.VerifySignOff(c.View, c.Hash(), b) == nil {
			t.Fatalf("byte %d is changed and it is good", i)
		}
	}
	if cfg.VerifySignOff(c.View+1, c.Hash(), raw) == nil || cfg.VerifySignOff(c.View, chain.Hash{1}, raw) == nil {
		t.Error("it is good for another view or choice")
	}
	r.block(r.body(0, r.reveal(seed, raw)))
	if r.state.Book().Beacon().VerifySignOff(c.View, c.Hash(), raw) == nil {
		t.Error("it is good in the next epoch")
	}
}

// An output is refused at sight unless it is that of the seed's choice, with the
// seed's certificate.
func TestOutputsAreVerified(t *testing.T) {
	r := newRig(t, 1, 7, 0)
	other := newRig(t, 1, 7, 0, func(p *chain.Policy) { p.MinFee = 1 })
	seed, signOff := r.seed()
	good := r.reveal(seed, signOff)
	r.body(1, good) // which is remembered, and nothing that differs from it
	foreignSeed, foreignSignOff := other.seed()
	r.refused(nil, other.reveal(foreignSeed, foreignSignOff))
	r.refused(ErrOp, &Output{3, good.Random, good.Rest})
	r.refused(ErrOp, &Output{2, chain.Hash{1}, good.Rest})
	for i := 0; i < len(good.Rest); i += 7 {
		b := slices.Clone(good.Rest)
		b[i] ^= 1
		r.refused(nil, &Output{2, good.Random, b})
	}
	rep := r.block(r.body(2, good), r.body(3, good), r.body(4, &Alive{1}))
	if r.state.known.next != 1 {
		t.Errorf("one output was verified %d times", r.state.known.next)
	}
	if rep.Ops[0].Reason != Done || rep.Ops[1].Reason != ReasonEnded || rep.Ops[2].Reason != Done {
		t.Errorf("the same twice, and more behind it: %v", rep.Ops)
	}
	if rep.Epoch.Course != Drawn || rep.Epoch.Random != good.Random || rep.Epoch.Seed.Height != 1 || r.state.Next() != (chain.Term{Epoch: 2}) {
		t.Errorf("epoch %+v", rep.Epoch)
	}
}

// silent are statements of the first few members.
func (r *rig) silent(authors int, group uint16, who ...chain.ValidatorID) (bodies []*chain.Body) {
	r.Helper()
	for _, id := range r.members()[:authors] {
		bodies = append(bodies, r.body(id, &Silent{Epoch: r.state.Next().Epoch + 1, Group: group, IDs: who}))
	}
	return bodies
}

// Byzantine servers of a group give each member some of their shares, so that no
// two members lack the same and no server is silent to a quorum; or those of two
// groups rob one half of the members each. The epoch is void all the same.
func TestVoidThoughEachLacksOthers(t *testing.T) {
	const q = 14
	for name, lacks := range map[string]func(groups [][]chain.ValidatorID, i int) (group uint16, who []chain.ValidatorID){
		"one group": func(groups [][]chain.ValidatorID, i int) (uint16, []chain.ValidatorID) {
			of := groups[1]
			var who []chain.ValidatorID
			for k, id := range of {
				if k != i%10 && k != (i+1)%10 && k != (i+5)%10 { // it has three shares, four are wanted
					who = append(who, id)
				}
			}
			return 1, who
		},
		"two groups": func(groups [][]chain.ValidatorID, i int) (uint16, []chain.ValidatorID) {
			return uint16(i % 2), groups[i%2][:7]
		},
	} {
		r := newRig(t, 2, 20, 100, func(p *chain.Policy) { p.GroupSize = 10 })
		r.block(append(r.alive(), r.body(0, r.bases()...))...)
		seed, _ := r.seed()
		groups := drp.Groups(r.state.Book().Beacon(), must(drp.DecodeChoice(seed.Choice)).View)
		for i, id := range r.members()[:q] {
			group, who := lacks(groups, i)
			rep := r.block(r.body(id, &Silent{2, group, who}))
			if (rep.Epoch != nil) != (i == q-1) {
				t.Fatalf("%s: after %d of %d statements the epoch has ended: %v", name, i+1, q, rep.Epoch != nil)
			}
			if rep.Epoch != nil && (rep.Epoch.Course != Void || len(rep.Epoch.Silent) > 0) {
				t.Errorf("%s: %v, %v are named and were silent to too few", name, rep.Epoch.Course, rep.Epoch.Silent)
			}
		}
	}
}

// The epoch is void when a quorum lacks the shares of so many of a group that it
// cannot open its secrets. Everything stays, and the silent are named.
func TestVoid(t *testing.T) {
	r := newRig(t, 2, 20, 100, func(p *chain.Policy) { p.GroupSize = 10 })
	rotated := newSecrets(8, 1)
	r.want(Done, r.rotate(8, rotated))
	r.want(Done, r.leave(9, Payee{}))
	r.block(append(r.alive(), r.body(0, r.bases()...))...)
	r.want(ReasonUnseeded, &Silent{2, 0, []chain.ValidatorID{1}})
	seed, signOff := r.seed()
	groups := drp.Groups(r.state.Book().Beacon(), must(drp.DecodeChoice(seed.Choice)).View)
	group, spare := groups[1], 10-pvss.Threshold(10)
	const q = 14
	r.refused(ErrOp, &Silent{2, 1, nil})
	r.want(ReasonWrong, &Silent{2, 0, group[:1]})
	r.want(ReasonWrong, &Silent{2, 2, group[:1]})
	for _, bodies := range [][]*chain.Body{
		r.silent(20, 1, group[:spare]...),                  // all say so, but there are enough others
		r.silent(q-1, 1, group[:spare+1]...),               // one too few say so
		r.silent(q-1, 1, group[:spare+1]...),               // and saying it again is nothing
		r.silent(20, 0, groups[0][:spare]...),              // another group's silent do not add up with these
		{r.body(r.members()[q], &Silent{2, 1, group[:1]})}, // nor does one that is counted
	} {
		if rep := r.block(bodies...); rep.Epoch != nil {
			t.Fatalf("void after %v", rep.Ops)
		}
	}
	output := r.body(0, r.reveal(seed, signOff))
	before := r.state.Book().Current()
	rep := r.block(r.body(r.members()[q], &Silent{2, 1, group[:spare+1]}), output)
	rec := rep.Epoch
	if rec == nil || rep.Ops[1].Reason != ReasonEnded || rec.Course != Void || !rec.Transcript.IsZero() {
		t.Fatalf("%v: %+v", rep.Ops, rec)
	}
	silent := append(slices.Clone(group[:spare+1]), groups[0][:spare]...)
	slices.Sort(silent)
	if !slices.Equal(rec.Silent, silent) {
		t.Errorf("%v are named, %v is wanted", rec.Silent, silent)
	}
	plan := must(rec.Plan())
	if !slices.Equal(ids(rec.Members), ids(before.Members)) || !plan.New.Equal(before.Old) || rec.Members[8].Signing != r.keys[8].signing.Public() {
		t.Error("a void epoch changes members, keys or seats")
	}
	if rec.Random == before.Random {
		t.Error("it has the random value of the one before")
	}
	r.epoch()
	rec = r.state.Book().Current()
	if rec.Course != Drawn || !slices.Equal(rec.Left, []chain.ValidatorID{9}) || rec.Members[8].Signing != rotated.signing.Public() {
		t.Errorf("what waited through the void epoch is lost: %v left", rec.Left)
	}
}

// Whichever is final first counts.
func TestOutputBeforeVoid(t *testing.T) {
	r := newRig(t, 1, 4, 0)
	seed, signOff := r.seed()
	mute := r.silent(3, 0, 1, 2, 3)
	rep := r.block(append([]*chain.Body{mute[0], mute[1], r.body(0, r.reveal(seed, signOff))}, mute[2])...)
	if rep.Epoch == nil || rep.Epoch.Course != Drawn || rep.Ops[3].Reason != ReasonEnded {
		t.Fatal(rep.Ops)
	}
}

// A chain whose policy knows one epoch has no other.
func TestEndlessEpoch(t *testing.T) {
	r := newRig(t, 1, 4, 0, func(p *chain.Policy) { p.EpochLength = 0 })
	r.want(ReasonEndless, r.choose())
}

// A shard that does not show its last batch is stalled in the next epoch: it stays
// with its plan and committees, which still convince, until it shows it. The
// others go on.
func TestStalledShard(t *testing.T) {
	r := newRig(t, 2, 16, 0, func(p *chain.Policy) { p.SwapPermille = 500 })
	r.epoch() // 2
	plan := must(r.client.Plan(2))
	if plan.Last(0) < 2 {
		t.Fatalf("%d batches", plan.Last(0))
	}
	half := r.base(0, chain.Term{Epoch: 2, Batch: 1})
	r.want(Done, half)
	r.want(ReasonOld, half)
	for epoch := uint64(3); epoch <= 5; epoch++ {
		r.block(r.body(0, r.bases(0)...))
		rec := r.finish()
		if rec.Number != epoch || !slices.Equal(rec.Stalled.List(), []chain.ShardID{0}) || rec.Shards[0].Plan != 2 || rec.Shards[1].Plan != epoch {
			t.Fatalf("epoch %d: %v are stalled, %+v", rec.Number, rec.Stalled.List(), rec.Shards)
		}
		if rec.Shards[0].Base.Block != half.Header.Hash() || !slices.Equal(rec.Held, plan.Outgoing(0)) {
			t.Error("the record does not say where the shard is and who is held")
		}
		if !slices.Equal(rec.Old[0], plan.New[0]) {
			t.Error("its seats changed")
		}
		for batch := range plan.Last(0) + 1 {
			if _, err := r.client.Committee(0, chain.Term{Epoch: 2, Batch: batch}); err != nil {
				t.Errorf("batch %d of the stalled shard in epoch %d: %v", batch, epoch, err)
			}
		}
		if _, err := r.client.Committee(0, chain.Term{Epoch: epoch}); !errors.Is(err, chain.ErrProof) {
			t.Errorf("the stalled shard is in epoch %d: %v", epoch, err)
		}
		if _, err := r.client.Committee(1, chain.Term{Epoch: 2}); epoch > 3 && !errors.Is(err, chain.ErrExpired) {
			t.Errorf("the other shard's epoch 2 in epoch %d: %v", epoch, err)
		}
		// Who left is not gone from the stalled shard, and it shows the batches.
		if epoch == 4 {
			r.want(Done, r.leave(must(plan.Committee(0, 1))[0], Payee{}))
		}
	}
	late := r.base(0, chain.Term{Epoch: 2, Batch: plan.Last(0)})
	r.want(Done, late)
	old := r.base(0, chain.Term{Epoch: 2, Batch: 1}) // higher, but of an earlier batch
	r.want(ReasonOld, old)
	r.block(r.body(r.members()[0], r.bases(0)...))
	rec := r.finish()
	if len(rec.Stalled.List()) != 0 || rec.Shards[0].Plan != 6 || len(rec.Held) != 0 {
		t.Fatalf("epoch %d: %v are stalled", rec.Number, rec.Stalled.List())
	}
	// It may still be in epoch 2 until it enters epoch 6.
	for _, epoch := range []uint64{2, 6} {
		if _, err := r.client.Committee(0, chain.Term{Epoch: epoch}); err != nil {
			t.Errorf("term %d.0: %v", epoch, err)
		}
	}
	r.epoch()
	if _, err := r.client.Committee(0, chain.Term{Epoch: 2}); !errors.Is(err, chain.ErrExpired) {
		t.Errorf("epoch 2 long after: %v", err)
	}
}

// A base is refused at sight unless a committee that still convinces certified
// it.
func TestBasesAreCertified(t *testing.T) {
	r := newRig(t, 2, 8, 0)
	term := chain.Term{Epoch: 1}
	early := r.base(0, term)
	early.Header.Epoch = 2
	r.refused(chain.ErrProof, early)
	for name, spoil := range map[string]func(*Base){
		"another height":     func(b *Base) { b.Header.Height++ },
		"another shard":      func(b *Base) { b.Header.Shard = 1 },
		"no shard":           func(b *Base) { b.Header.Shard = 2 },
		"the identity chain": func(b *Base) { b.Header.Shard = chain.IdentityShard },
		"another chain":      func(b *Base) { b.Header.Chain[0] ^= 1 },
		"no such batch":      func(b *Base) { b.Header.Batch = 1 },
		"a prepared block": func(b *Base) {
			b.Cert = r.vote(must(r.state.Book().Committee(0, term)), &b.Header, chain.Prepare)
		},
	} {
		b := r.base(0, term)
		spoil(b)
		t.Run(name, func(t *testing.T) {
			r.TB = t
			r.refused(nil, b)
		})
	}
	r.TB = t
	r.want(Done, r.base(0, term))
}

// The block with the seed cannot have its end, too: there is no certificate yet.
func TestSeedAndEndInOneBlock(t *testing.T) {
	r := newRig(t, 1, 4, 0)
	ops := []Op{r.choose(), &Output{Epoch: 2, Random: chain.Hash{1}}, &Silent{2, 0, []chain.ValidatorID{1, 2, 3}}}
	rep := r.block(&chain.Body{Content: &Payload{ops}, Payload: (&Payload{ops}).AppendTo(nil)})
	if rep.Ops[0].Reason != Done || rep.Ops[1].Reason != ReasonUnseeded || rep.Ops[2].Reason != ReasonUnseeded || rep.Epoch != nil {
		t.Fatal(rep.Ops)
	}
}

// What a seed has fixed of the next members anybody finds in the record that comes
// of it, also if somebody took stake back in between.
func TestTheRecordShowsWhatTheSeedHasFixed(t *testing.T) {
	r := newRig(t, 1, 7, 100)
	r.block(append(r.alive(), r.body(0, r.bases()...))...)
	r.want(Done, r.rotate(2, newSecrets(2, 1)))
	seed, signOff := r.seed()
	r.want(Done, r.unbond(1, 10, Payee{}))
	rec := r.block(r.body(0, r.reveal(seed, signOff))).Epoch
	s := must(DecodeSignOff(signOff))
	if rec == nil || rec.Course != Drawn || rec.Members[1].Stake != 90 || HashFrozen(2, rec.Members) != s.Frozen {
		t.Errorf("the record is of another set than the seed: %+v", rec)
	}
	rec.Members[3].PVSS[0] ^= 1
	if HashFrozen(2, rec.Members) == s.Frozen {
		t.Error("another key is the same set")
	}
}

// A snapshot is refused when something in it cannot be.
func TestSnapshotsAreChecked(t *testing.T) {
	r := newRig(t, 1, 7, 100)
	r.want(Done, r.unbond(1, 10, Payee{}))
	r.epoch()
	r.seed()
	r.block(r.silent(2, 0, 1)...)
	raw := r.state.AppendTo(nil)
	accepted := 0
	for i := 0; i < len(raw); i += 5 {
		b := slices.Clone(raw)
		b[i] ^= 0x80
		s, err := DecodeState(r.g, r.scheme, b)
		if err != nil {
			continue
		}
		accepted++
		h := &chain.Header{Height: s.Height() + 1}
		s.Execute(h, []*chain.Body{{Content: &Payload{[]Op{&Output{Epoch: 3}}}}})
		s.Finalize(&chain.Block{Header: *h})
		if slices.Equal(s.AppendTo(nil), raw) {
			t.Fatalf("byte %d means nothing", i)
		}
	}
	// Most bytes are of keys and hashes, which may be anything.
	if accepted == 0 {
		t.Error("no byte can be another: the test proves nothing")
	}
	for _, n := range []int{0, 1, len(raw) / 2, len(raw) - 1} {
		if _, err := DecodeState(r.g, r.scheme, raw[:n]); !errors.Is(err, ErrSnapshot) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	other, _ := testGenesis(scheme, 1, 8, 100)
	if _, err := DecodeState(other, r.scheme, raw); !errors.Is(err, ErrSnapshot) {
		t.Errorf("for another genesis: %v", err)
	}
}
