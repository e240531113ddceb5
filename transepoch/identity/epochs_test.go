package identity

import (
	"errors"
	"slices"
	"testing"

	"ios/chain"
	"ios/chain/cosi"
	"ios/chain/sig"
	"ios/transepoch"
)

// A client that has the genesis walks from epoch to epoch with one certificate
// each; validators join, leave and rotate on the way.
func TestTwentyEpochs(t *testing.T) {
	r := newRig(t, 2, 8, 0)
	for n := range 20 {
		switch n % 4 {
		case 0:
			r.want(Done, r.join(20+n, 0, nil))
		case 2:
			r.want(Done, r.leave(r.members()[n%len(r.members())], Payee{}))
		}
		old := r.state.Book().Current()
		rec := r.epoch()
		if rec.Number != uint64(n+2) || rec.Course != Drawn || rec.Random == old.Random {
			t.Fatalf("epoch %d is %v, with %s after %s", rec.Number, rec.Course, rec.Random.Short(), old.Random.Short())
		}
		if s := rec.Stalled; len(s.List()) > 0 {
			t.Fatalf("shards %v are stalled", s.List())
		}
	}
	certificates := 0
	client := must(NewBook(r.g, counting{r.scheme, &certificates}))
	for i, rec := range r.records {
		for _, wrong := range []int{i + 1, i - 1} {
			if wrong >= 0 && wrong < len(r.records) && client.Add(r.records[wrong].raw, r.records[wrong].proof) == nil {
				t.Fatalf("record %d is taken in place of %d", wrong, i)
			}
		}
		before := certificates
		if err := client.Add(rec.raw, rec.proof); err != nil {
			t.Fatal(err)
		}
		if certificates-before != 1 {
			t.Fatalf("epoch %d costs %d checks of certificates", i+2, certificates-before)
		}
	}
	if client.Current().Hash() != r.state.Book().Current().Hash() {
		t.Error("the client came to another epoch")
	}
	if len(client.eras) != 2 {
		t.Errorf("it keeps %d records", len(client.eras))
	}
}

// counting counts checks.
type counting struct {
	cosi.Scheme
	n *int
}

func (c counting) NewCommittee(keys []cosi.PublicKey) (*cosi.Committee, error) {
	return cosi.NewCommitteeOf(keys, func(keys []cosi.PublicKey) (cosi.Keys, error) { return c.derive(nil, keys) })
}

func (c counting) derive(from cosi.Keys, keys []cosi.PublicKey) (cosi.Keys, error) {
	var err error
	if from == nil {
		// A committee does not give its keys away; deriving does.
		var whole *cosi.Committee
		if whole, err = c.Scheme.NewCommittee(keys); err != nil {
			return nil, err
		}
		return countingKeys{c, whole}, nil
	}
	return from.Derive(keys)
}

// countingKeys checks by a whole committee of the scheme beneath.
type countingKeys struct {
	counting
	whole *cosi.Committee
}

type message []byte

func (k countingKeys) Point(s cosi.Signature) (cosi.Point, error)    { return s, nil }
func (k countingKeys) Encode(p cosi.Point) cosi.Signature            { return p.(cosi.Signature) }
func (k countingKeys) Sum([]cosi.Point) (cosi.Point, error)          { return nil, errors.New("not here") }
func (k countingKeys) Message(msg []byte) (cosi.Message, error)      { return message(msg), nil }
func (k countingKeys) CheckAll([]cosi.Claim) bool                    { return false }
func (k countingKeys) Derive(ks []cosi.PublicKey) (cosi.Keys, error) { return k.derive(nil, ks) }
func (k countingKeys) Check(mask cosi.Mask, m cosi.Message, p cosi.Point) bool {
	*k.n++
	return k.whole.Verify(m.(message), cosi.Certificate{Mask: mask, Sig: p.(cosi.Signature)}) == nil
}

func TestForgedRecordsAreRefused(t *testing.T) {
	r := newRig(t, 1, 4, 100)
	r.epoch()
	r.epoch()
	first, second := r.records[0], r.records[1]
	fresh := func() *Book { return must(NewBook(r.g, r.scheme)) }
	for name, c := range map[string]func(e *Epoch, p *chain.OutcomeProof){
		"another random value": func(e *Epoch, _ *chain.OutcomeProof) { e.Random[0] ^= 1 },
		"another key":          func(e *Epoch, _ *chain.OutcomeProof) { e.Members[0].Signing = sig.PublicKey(e.Members[1].VRF) },
		"a number too high":    func(e *Epoch, _ *chain.OutcomeProof) { e.Number, e.Shards[0].Plan = 3, 3 },
		"another chain":        func(e *Epoch, _ *chain.OutcomeProof) { e.Chain[0] ^= 1 },
		"other seats":          func(e *Epoch, _ *chain.OutcomeProof) { e.Old[0][0], e.Old[0][1] = e.Old[0][1], e.Old[0][0] },
		"new money":            func(e *Epoch, _ *chain.OutcomeProof) { e.Funds.Staked++ },
		"a record before":      func(e *Epoch, _ *chain.OutcomeProof) { e.Previous[0] ^= 1 },
		"another view":         func(_ *Epoch, p *chain.OutcomeProof) { p.Cert.View++ },
		"a vote less": func(_ *Epoch, p *chain.OutcomeProof) {
			bits := slices.Clone(p.Cert.Mask.Bytes())
			bits[0] &= bits[0] - 1
			p.Cert.Mask = must(cosi.ParseMask(4, bits))
		},
		"a prepare certificate": func(_ *Epoch, p *chain.OutcomeProof) { p.Cert.Phase = chain.Prepare },
		"another block":         func(_ *Epoch, p *chain.OutcomeProof) { p.Header.Height++ },
		"another term":          func(_ *Epoch, p *chain.OutcomeProof) { p.Header.Batch++ },
		"rejected":              func(_ *Epoch, p *chain.OutcomeProof) { p.Entry.Outcome = chain.Rejected },
		"a shard's outcome":     func(_ *Epoch, p *chain.OutcomeProof) { p.Dest = 0 },
		"the later proof":       func(_ *Epoch, p *chain.OutcomeProof) { *p = *second.proof },
	} {
		rec, proof := must(DecodeEpoch(first.raw)), must(chain.DecodeOutcomeProof(first.proof.AppendTo(nil)))
		c(rec, proof)
		book := fresh()
		if err := book.Add(rec.AppendTo(nil), proof); err == nil {
			t.Errorf("%s: it is taken", name)
		}
		if book.Current().Number != 1 {
			t.Errorf("%s: refused, but the book moved", name)
		}
	}
	book := fresh()
	if book.Add(second.raw, second.proof) == nil {
		t.Error("an epoch was skipped")
	}
	if err := book.Add(first.raw, first.proof); err != nil {
		t.Fatal(err)
	}
	if book.Add(first.raw, first.proof) == nil {
		t.Error("an epoch came twice")
	}
	// The committee of an epoch cannot certify the one after the next, though it
	// still convinces of its own blocks.
	forged := must(DecodeEpoch(second.raw))
	forged.Random[0] ^= 1
	h := chain.Header{Chain: r.g.ID(), Shard: chain.IdentityShard, Epoch: 1, Height: 9}
	told := tree([]segmentEntry{{chain.IdentityShard, chain.Entry{ID: forged.Hash(), Outcome: chain.Committed}}})
	h.Outcomes = told.Root()
	committee := must(book.Committee(chain.IdentityShard, chain.Term{Epoch: 1}))
	proof := told.Proof(&chain.Block{Header: h, Cert: r.certify(committee, &h)}, 0, 0)
	if book.Add(forged.AppendTo(nil), proof) == nil {
		t.Error("old members began a new epoch")
	}
}

// What the committees of the shards are follows from the records, for two epochs.
func TestTermsOfTheBook(t *testing.T) {
	r := newRig(t, 2, 12, 0)
	book := r.client
	book.KeepHistory(1)
	ask := func(shard chain.ShardID, epoch uint64, batch uint32, kind error) {
		t.Helper()
		if _, err := book.Committee(shard, chain.Term{Epoch: epoch, Batch: batch}); !errors.Is(err, kind) && !(kind == nil && err == nil) {
			t.Errorf("shard %d, term %d.%d: %v, %v is wanted", shard, epoch, batch, err, kind)
		}
	}
	ask(0, 1, 0, nil)
	ask(0, 1, 1, chain.ErrProof)
	ask(0, 2, 0, chain.ErrNotReady)
	ask(2, 1, 0, chain.ErrProof)
	ask(0, 0, 0, chain.ErrProof)
	ask(chain.IdentityShard, 1, 0, nil)
	ask(chain.IdentityShard, 1, 1, chain.ErrProof)
	ask(chain.IdentityShard, 0, 0, chain.ErrProof)
	for range 3 {
		r.epoch()
	}
	for _, shard := range []chain.ShardID{0, 1, chain.IdentityShard} {
		ask(shard, 5, 0, chain.ErrNotReady)
		ask(shard, 4, 0, nil)
		ask(shard, 3, 0, nil)
		ask(shard, 2, 0, chain.ErrExpired)
		ask(shard, 1, 0, chain.ErrExpired)
		if _, err := book.Past(shard, chain.Term{Epoch: 2}); err != nil {
			t.Errorf("history of shard %d: %v", shard, err)
		}
		if _, err := book.Past(shard, chain.Term{Epoch: 1}); !errors.Is(err, chain.ErrExpired) {
			t.Errorf("history of shard %d that is not kept: %v", shard, err)
		}
	}
	plan := must(book.Plan(4))
	for shard := range chain.ShardID(2) {
		for batch := range plan.Last(shard) + 1 {
			c, err := book.Committee(shard, chain.Term{Epoch: 4, Batch: batch})
			if err != nil {
				t.Fatal(err)
			}
			if want := must(plan.Committee(shard, batch)); !slices.Equal(c.Members, want) {
				t.Errorf("shard %d batch %d: %v, %v is wanted", shard, batch, c.Members, want)
			}
			for i, id := range c.Members {
				if c.Signing[i] != r.keys[id].signing.Public() || c.Cosi.Key(i) != must(r.scheme.Public(r.keys[id].cosi)) {
					t.Errorf("seat %d has other keys than validator %d", i, id)
				}
			}
		}
		ask(shard, 4, plan.Last(shard)+1, chain.ErrProof)
	}
	if c := must(book.Committee(chain.IdentityShard, chain.Term{Epoch: 4})); !slices.Equal(c.Members, r.members()) {
		t.Error("the identity chain is not all members'")
	}
}

// The first epoch is the genesis'.
func TestFirstEpoch(t *testing.T) {
	g, _ := testGenesis(scheme, 4, 16, 10)
	e := FirstEpoch(g)
	back, err := DecodeEpoch(e.AppendTo(nil))
	if err != nil || back.Hash() != e.Hash() || e.Previous != g.ID() {
		t.Fatalf("%v", err)
	}
	plan := must(e.Plan())
	if !plan.New.Equal(plan.Old) || len(plan.Old) != 4 {
		t.Error("somebody moves in the first epoch")
	}
	var _ chain.Committees = (*Book)(nil)
	if plan.Last(0) != 0 || transepoch.None < chain.MaxPlaces {
		t.Error("there are batches")
	}
	g.Seed[0] ^= 1
	if FirstEpoch(g).Random == e.Random {
		t.Error("another genesis has the same random value")
	}
}

// Even a record that a quorum certifies has to continue the book.
func TestCertifiedNonsenseIsRefused(t *testing.T) {
	r := newRig(t, 2, 8, 100)
	r.epoch()
	r.block(r.body(0, r.bases(0)...)) // shard 0 is stalled in epoch 3
	r.finish()
	raw := r.records[1].raw
	for name, spoil := range map[string]func(*Epoch){
		"nothing":                func(*Epoch) {},
		"an outcome for a shard": func(*Epoch) {},
		"the epoch before":       func(e *Epoch) { e.Number, e.Shards[1].Plan = 2, 2; e.Shards[0].Plan = 1 },
		"a skipped epoch":        func(e *Epoch) { e.Number, e.Shards[1].Plan = 4, 4 },
		"another chain":          func(e *Epoch) { e.Chain[0] ^= 1 },
		"another past":           func(e *Epoch) { e.Previous[0] ^= 1 },
		"other seats":            func(e *Epoch) { e.Old[1][0], e.Old[1][1] = e.Old[1][1], e.Old[1][0] },
		"another plan":           func(e *Epoch) { e.Shards[0].Plan = 1 },
		"new money":              func(e *Epoch) { e.Funds.Credit++ },
		"a key that is one":      func(e *Epoch) { e.Members[0].Cosi = e.Members[1].Cosi },
		"a shard less":           func(e *Epoch) { e.Shards = e.Shards[:1] },
		"nobody":                 func(e *Epoch) { e.Members = nil },
		"a first epoch":          func(e *Epoch) { e.Course = First },
	} {
		rec := must(DecodeEpoch(raw))
		spoil(rec)
		book := must(NewBook(r.g, r.scheme))
		if err := book.Add(r.records[0].raw, r.records[0].proof); err != nil {
			t.Fatal(err)
		}
		dest := chain.IdentityShard
		if name == "an outcome for a shard" {
			dest = 0
		}
		told := tree([]segmentEntry{{dest, chain.Entry{ID: rec.Hash(), Outcome: chain.Committed}}})
		h := chain.Header{Chain: r.g.ID(), Shard: chain.IdentityShard, Epoch: 2, Height: 9, Outcomes: told.Root()}
		committee := must(book.Committee(chain.IdentityShard, chain.Term{Epoch: 2}))
		err := book.Add(rec.AppendTo(nil), told.Proof(&chain.Block{Header: h, Cert: r.certify(committee, &h)}, 0, 0))
		if (err == nil) != (name == "nothing") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
