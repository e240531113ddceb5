package identity

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"ios/chain"
	"ios/chain/cosi"
	"ios/chain/cosi/cositest"
	"ios/chain/sig"
	"ios/chain/vrf"
	"ios/drp"
	"ios/drp/pvss"
	"ios/internal/sm"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// secrets are all keys of a validator. Generation sets those apart that it
// rotates to.
type secrets struct {
	identity, signing *sig.Key // an Ed25519 key stands for the transport's
	cosi              cosi.Secret
	vrf               vrf.Secret
	pvss              pvss.SecretKey
}

func newSecrets(i, generation int) *secrets {
	seed := func(what string) []byte {
		h := sha256.Sum256(fmt.Appendf(nil, "%s %d %d", what, i, generation))
		return h[:]
	}
	return &secrets{
		identity: must(sig.FromSeed(seed("identity"))), signing: must(sig.FromSeed(seed("signing"))),
		cosi: cositest.Secret(1000*generation + i), vrf: must(vrf.SecretFromSeed(seed("vrf"))), pvss: must(pvss.SecretFromSeed(seed("pvss"))),
	}
}

// validator is the public side.
func (s *secrets) validator(scheme cosi.Scheme, i int, stake uint64) chain.Validator {
	v := chain.Validator{
		Name: fmt.Sprint("v", i), Address: fmt.Sprintf("host%d:7600", i), API: "", Stake: stake,
		Identity: s.identity.Public(), Signing: s.signing.Public(), Cosi: must(scheme.Public(s.cosi)),
		VRF: s.vrf.Public(), PVSS: must(s.pvss.Public()), Possession: must(scheme.Prove(s.cosi)),
	}
	v.VRFProof = must(s.vrf.ProvePossession(v.ProofContext()))
	v.PVSSProof = must(pvss.ProvePossession(s.pvss, v.ProofContext(), rand.NewChaCha8([32]byte{1})))
	return v
}

func (s *secrets) proofs(scheme cosi.Scheme, msg []byte) KeyProofs {
	return KeyProofs{Signing: s.signing.Sign(msg), Identity: s.identity.Sign(msg), Cosi: must(scheme.Sign(s.cosi, msg))}
}

// scheme is quick; one test uses BLS.
var scheme = cositest.New("identity")

func testGenesis(scheme cosi.Scheme, shards, validators int, stake uint64) (*chain.Genesis, map[chain.ValidatorID]*secrets) {
	g := &chain.Genesis{Name: "test", TestNetwork: true, Shards: shards, Seed: chain.Hash{9}, Policy: chain.DefaultPolicy(), Allocations: []chain.Output{{Amount: 5}}}
	g.Policy.EpochLength = time.Minute
	g.Policy.MinStake = stake / 2
	keys := map[chain.ValidatorID]*secrets{}
	for i := range validators {
		keys[chain.ValidatorID(i)] = newSecrets(i, 0)
		g.Validators = append(g.Validators, keys[chain.ValidatorID(i)].validator(scheme, i, stake))
	}
	return g, keys
}

// rig is an identity chain with the agreement's part played by the test, and the
// shards' blocks that it hears of.
type rig struct {
	testing.TB
	g       *chain.Genesis
	scheme  cosi.Scheme
	keys    map[chain.ValidatorID]*secrets
	state   *State
	parent  chain.Hash
	last    *chain.Block
	records []recorded
	client  *Book // that has seen all records
	heights []uint64
	servers []*drp.Machine
	ids     []chain.ValidatorID
}

// recorded is an epoch as a client gets it.
type recorded struct {
	raw   []byte
	proof *chain.OutcomeProof
}

func newRig(t testing.TB, shards, validators int, stake uint64, policy ...func(*chain.Policy)) *rig {
	t.Helper()
	g, keys := testGenesis(scheme, shards, validators, stake)
	for _, p := range policy {
		p(&g.Policy)
	}
	return startRig(t, g, keys, scheme)
}

func startRig(t testing.TB, g *chain.Genesis, keys map[chain.ValidatorID]*secrets, scheme cosi.Scheme) *rig {
	t.Helper()
	if err := CheckGenesis(g, scheme); err != nil {
		t.Fatal(err)
	}
	r := &rig{TB: t, g: g, scheme: scheme, keys: keys, state: must(NewState(g, scheme)), parent: g.ID(), heights: make([]uint64, g.Shards)}
	r.client = must(NewBook(g, scheme))
	return r
}

// members are the current ones.
func (r *rig) members() []chain.ValidatorID { return ids(r.state.Book().Validators()) }

// certify has a quorum of a committee sign a header. The keys are those that the
// rig has for the validators now.
func (r *rig) certify(c *chain.Committee, h *chain.Header) chain.Certificate {
	r.Helper()
	return r.vote(c, h, chain.Commit)
}

func (r *rig) vote(c *chain.Committee, h *chain.Header, phase chain.Phase) chain.Certificate {
	r.Helper()
	cert := chain.Certificate{View: 3, Phase: phase}
	k := cosi.NewCollector(c.Cosi, chain.VoteBytes(h, h.Hash(), 3, phase))
	for seat, id := range c.Members {
		if k.Count() < c.Cosi.Quorum() {
			if err := k.AddShare(seat, must(r.scheme.Sign(r.keys[id].cosi, chain.VoteBytes(h, h.Hash(), 3, phase)))); err != nil {
				r.Fatal(err)
			}
		}
	}
	var err error
	if cert.Certificate, _, err = k.Certificate(); err != nil {
		r.Fatal(err)
	}
	return cert
}

// body is a checked body of an author.
func (r *rig) body(author chain.ValidatorID, ops ...Op) *chain.Body {
	r.Helper()
	b := &chain.Body{Chain: r.g.ID(), Shard: chain.IdentityShard, Epoch: r.state.Next().Epoch, Author: author, Payload: (&Payload{ops}).AppendTo(nil)}
	content, err := r.state.Checker().Check(b)
	if err != nil {
		r.Fatalf("a body by %d: %v", author, err)
	}
	b.Content = content
	return b
}

// refused is a body that no member acks, for a reason of the kind, or any if it
// is nil.
func (r *rig) refused(kind error, ops ...Op) {
	r.Helper()
	author := r.members()[0]
	b := &chain.Body{Chain: r.g.ID(), Shard: chain.IdentityShard, Epoch: r.state.Next().Epoch, Author: author, Payload: (&Payload{ops}).AppendTo(nil)}
	if _, err := r.state.Checker().Check(b); err == nil || kind != nil && !errors.Is(err, kind) {
		r.Errorf("%v: %v, kind %v is wanted", ops[0].Kind(), err, kind)
	}
}

// block makes a final block of bodies. It makes sure that an execution can be
// taken back, that who decodes the bodies itself gets the same, and so does who
// begins with a snapshot.
func (r *rig) block(bodies ...*chain.Body) *Report {
	r.Helper()
	before := r.state.AppendTo(nil)
	h := chain.Header{Chain: r.g.ID(), Shard: chain.IdentityShard, Epoch: r.state.Next().Epoch, Height: r.state.Height() + 1, Parent: r.parent}
	h.Outcomes = r.state.Execute(&h, bodies)
	r.state.Revert()
	if !bytes.Equal(before, r.state.AppendTo(nil)) {
		r.Fatal("taking a block back leaves something behind")
	}
	restored, err := DecodeState(r.g, r.scheme, before)
	if err != nil {
		r.Fatal(err)
	}
	bare := make([]*chain.Body, len(bodies))
	for i, b := range bodies {
		c := *b
		c.Content = nil
		bare[i] = &c
	}
	if r.state.Execute(&h, bodies) != h.Outcomes || restored.Execute(&h, bare) != h.Outcomes {
		r.Fatal("the same bodies come to something else")
	}
	committee, err := r.state.Book().Committee(chain.IdentityShard, h.Term())
	if err != nil {
		r.Fatal(err)
	}
	block := &chain.Block{Header: h, Cert: r.certify(committee, &h)}
	r.state.Finalize(block)
	restored.Finalize(block)
	r.parent, r.last = h.Hash(), block
	after := r.state.AppendTo(nil)
	if !bytes.Equal(after, restored.AppendTo(nil)) {
		r.Fatal("who begins with a snapshot comes to another state")
	}
	if err := r.state.Err(); err != nil {
		r.Fatal(err)
	}
	if f := r.state.Funds(); f.Staked+f.Unbonding+f.Credit+f.Due-f.Between != r.g.Staked() {
		r.Fatalf("funds %+v are not the %d of the genesis", f, r.g.Staked())
	}
	rep := r.state.Report()
	if rep.Epoch != nil {
		r.record(rep)
	}
	return rep
}

// record gives a client the new epoch.
func (r *rig) record(rep *Report) {
	r.Helper()
	proof, ok := rep.Proof(r.last, rep.Epoch.Hash())
	if !ok {
		r.Fatal("no outcome shows the record")
	}
	raw := rep.Epoch.AppendTo(nil)
	r.records = append(r.records, recorded{raw, proof})
	if err := r.client.Add(raw, proof); err != nil {
		r.Fatal(err)
	}
	if r.client.Current().Hash() != r.state.Book().Current().Hash() {
		r.Fatal("client and chain are in different epochs")
	}
	if c := must(r.client.Committee(chain.IdentityShard, rep.Epoch.Term())); !slices.Equal(c.Members, ids(rep.Epoch.Members)) {
		r.Fatalf("the identity chain is made by %v, members are %v", c.Members, ids(rep.Epoch.Members))
	}
}

// ops makes a final block of one body and gives the reasons of its ops.
func (r *rig) ops(author chain.ValidatorID, ops ...Op) (why []Reason) {
	r.Helper()
	for _, res := range r.block(r.body(author, ops...)).Ops {
		why = append(why, res.Reason)
	}
	return why
}

// want makes a block of one op and compares its reason.
func (r *rig) want(why Reason, op Op) {
	r.Helper()
	if got := r.ops(r.members()[0], op)[0]; got != why {
		r.Fatalf("%v: %q, %q is wanted", op.Kind(), got, why)
	}
}

func (r *rig) join(i int, stake uint64, payer *sig.Key) *Join {
	return r.joinWith(newSecrets(i, 0), i, stake, payer)
}

func (r *rig) joinWith(s *secrets, i int, stake uint64, payer *sig.Key) *Join {
	j := &Join{Validator: s.validator(r.scheme, i, stake)}
	if payer != nil {
		j.Payer = payer.Public()
	}
	msg := j.SignedBytes(r.g.ID())
	j.Proofs = s.proofs(r.scheme, msg)
	if payer != nil {
		j.Payment = payer.Sign(msg)
	}
	r.keys[chain.ValidatorID(r.state.Registered())] = s
	return j
}

// next is the head of a validator's next order.
func (r *rig) next(id chain.ValidatorID) Order {
	s, _ := r.state.Validator(id)
	return Order{ID: id, Seq: s.Orders + 1}
}

func (r *rig) leave(id chain.ValidatorID, to Payee) *Leave {
	op := &Leave{Order: r.next(id), To: to}
	SignOrder(op, r.g.ID(), r.keys[id].signing)
	return op
}

func (r *rig) unbond(id chain.ValidatorID, amount uint64, to Payee) *Unbond {
	op := &Unbond{Order: r.next(id), Amount: amount, To: to}
	SignOrder(op, r.g.ID(), r.keys[id].signing)
	return op
}

func (r *rig) resume(id chain.ValidatorID) *Resume {
	op := &Resume{Order: r.next(id)}
	SignOrder(op, r.g.ID(), r.keys[id].signing)
	return op
}

func (r *rig) rotate(id chain.ValidatorID, to *secrets) *Rotate {
	op := &Rotate{Order: r.next(id), Validator: to.validator(r.scheme, int(id), 0)}
	op.Key = r.keys[id].signing.Public()
	op.Proofs = to.proofs(r.scheme, op.SignedBytes(r.g.ID()))
	SignOrder(op, r.g.ID(), r.keys[id].signing)
	return op
}

// bases are final blocks of shards in the last terms of their plans.
func (r *rig) bases(except ...chain.ShardID) (ops []Op) {
	r.Helper()
next:
	for j := range chain.ShardID(r.g.Shards) {
		for _, e := range except {
			if e == j {
				continue next
			}
		}
		plan := must(r.state.Book().ShardPlan(j))
		ops = append(ops, r.base(j, chain.Term{Epoch: plan.Epoch, Batch: plan.Last(j)}))
	}
	return ops
}

// base is a final block of a shard, higher than those before.
func (r *rig) base(shard chain.ShardID, term chain.Term) *Base {
	r.Helper()
	c, err := r.state.Book().Committee(shard, term)
	if err != nil {
		r.Fatal(err)
	}
	r.heights[shard]++
	b := &Base{Header: chain.Header{Chain: r.g.ID(), Shard: shard, Epoch: term.Epoch, Batch: term.Batch, Height: r.heights[shard]}}
	b.Cert = r.certify(c, &b.Header)
	return b
}

// alive has members give signs of life.
func (r *rig) alive(except ...chain.ValidatorID) (bodies []*chain.Body) {
	r.Helper()
next:
	for _, id := range r.members() {
		for _, e := range except {
			if e == id {
				continue next
			}
		}
		bodies = append(bodies, r.body(id, &Alive{r.state.Next().Epoch}))
	}
	return bodies
}

// choose runs the beacon up to a choice.
func (r *rig) choose() *Seed {
	r.Helper()
	cfg := r.state.Book().Beacon()
	r.servers, r.ids = nil, r.members()
	for _, id := range r.ids {
		s, err := drp.NewServer(cfg, drp.Keys{Self: id, Secret: r.keys[id].pvss, Signing: r.keys[id].signing, Random: rand.NewChaCha8([32]byte{byte(id), byte(id >> 8), byte(cfg.Epoch)})}, nil)
		if err != nil {
			r.Fatal(err)
		}
		r.servers = append(r.servers, s)
	}
	for i := range r.servers {
		r.pump(i, drp.Begin{})
	}
	for _, v := range r.pump(0, drp.Lead{}) {
		if p, ok := v.(drp.Propose); ok {
			return &Seed{Epoch: cfg.Epoch, Choice: p.Choice}
		}
	}
	r.Fatal("the beacon chose nothing")
	return nil
}

// reveal runs the beacon to its end.
func (r *rig) reveal(seed *Seed, signOff []byte) *Output {
	r.Helper()
	for i := range r.servers {
		r.pump(i, drp.Decided{Choice: seed.Choice, SignOff: signOff})
	}
	for _, v := range r.pump(0, drp.Collect{}) {
		if res, ok := v.(drp.Result); ok {
			return NewOutput(seed.Epoch, res.Random, seed.Choice, res.Transcript)
		}
	}
	r.Fatal("the beacon has no output")
	return nil
}

// pump gives one server an event and carries all messages that follow. It returns
// what was delivered.
func (r *rig) pump(to int, ev sm.Event) (delivered []any) {
	type item struct {
		to int
		ev sm.Event
	}
	now := time.Unix(1000, 0)
	for queue := []item{{to, ev}}; len(queue) > 0; queue = queue[1:] {
		at := queue[0].to
		for _, e := range r.servers[at].Step(now, queue[0].ev) {
			switch e := e.(type) {
			case sm.Deliver:
				delivered = append(delivered, e.Value)
			case sm.Send:
				for _, peer := range e.To {
					for i, id := range r.ids {
						if id == peer {
							queue = append(queue, item{i, sm.Receive{From: r.ids[at], Msg: e.Msg}})
						}
					}
				}
			}
		}
	}
	return delivered
}

// seed makes a final block with a seed and gives its sign-off.
func (r *rig) seed() (*Seed, []byte) {
	r.Helper()
	op := r.choose()
	rep := r.block(r.body(r.members()[0], op))
	if rep.Ops[0].Reason != Done {
		r.Fatalf("the seed: %q", rep.Ops[0].Reason)
	}
	signOff, ok := rep.SignOff(r.last)
	if _, seeded := r.state.Seeded(); !ok || !seeded {
		r.Fatal("there is no seed")
	}
	return op, signOff
}

// epoch goes on to the next epoch, with signs of life of all and all shards in
// their last batches.
func (r *rig) epoch() *Epoch {
	r.Helper()
	r.block(append(r.alive(), r.body(r.members()[0], r.bases()...))...)
	return r.finish()
}

// finish seeds and ends the epoch.
func (r *rig) finish() *Epoch {
	r.Helper()
	seed, signOff := r.seed()
	rep := r.block(r.body(r.members()[0], r.reveal(seed, signOff)))
	if rep.Epoch == nil {
		r.Fatalf("the epoch does not end: %q", rep.Ops[0].Reason)
	}
	return rep.Epoch
}
