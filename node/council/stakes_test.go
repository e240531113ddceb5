package council

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"ios/atomix"
	"ios/chain"
	"ios/chain/cosi"
	"ios/chain/sig"
	"ios/transepoch/identity"
)

// realm is a registry and the ledgers of shards, with their blocks made and
// certified at once, and every bundle that any of them ever made: members may show
// each of them to whomever and whenever they like.
type realm struct {
	*rapid.T
	genesis  *chain.Genesis
	params   *chain.Params
	keys     []*secrets
	registry *identity.State
	shards   []*realmShard
	bundles  []*chain.Bundle
	owners   []*sig.Key
	orders   []uint64 // of each validator
}

type realmShard struct {
	id     chain.ShardID
	ledger *atomix.State
	term   chain.Term
	height uint64
	base   *identity.Base // its last block
}

const realmCoins = 8 // of each owner

// keepsAnswers is for how many epochs the registry remembers its answers at least.
const keepsAnswers = 10

func newRealm(t *rapid.T) *realm {
	r := &realm{T: t}
	shards := 1 << rapid.IntRange(0, 1).Draw(t, "shards")
	g := &chain.Genesis{Name: "realm", TestNetwork: true, Shards: shards, Policy: chain.DefaultPolicy()}
	g.Policy.EpochLength, g.Policy.MinStake, g.Policy.UnbondEpochs, g.Policy.AbsentEpochs = 1, 10, 2, 1000
	for i := range 4 * shards {
		r.keys = append(r.keys, newSecrets(i))
		v := fastValidator(r.keys[i], i)
		v.Stake = 1000
		g.Validators = append(g.Validators, v)
	}
	for i := range 4 {
		k := must(sig.FromSeed(seedOfTest("owner", i)))
		r.owners = append(r.owners, k)
		for n := range realmCoins {
			g.Allocations = append(g.Allocations, chain.Output{Owner: ownerOf(k), Amount: uint64(5 + 10*n)})
		}
	}
	r.genesis, r.params, r.orders = g, g.Params(), make([]uint64, len(g.Validators))
	r.registry = must(identity.NewState(g, scheme))
	for j := range chain.ShardID(shards) {
		l := atomix.NewState(r.params, j, [16]byte{byte(j)})
		if err := l.Genesis(g.Allocations); err != nil {
			t.Fatal(err)
		}
		r.shards = append(r.shards, &realmShard{id: j, ledger: l, term: chain.Term{Epoch: 1}})
	}
	return r
}

// fastValidator has the keys that matter here, without the proofs.
func fastValidator(s *secrets, i int) chain.Validator {
	v := chain.Validator{Name: fmt.Sprint("v", i), Address: fmt.Sprint("h", i), Signing: s.signing.Public(), Cosi: must(scheme.Public(s.cosi))}
	v.Identity[0], v.VRF[0], v.PVSS[0] = byte(i+1), byte(i+1), byte(i+1)
	return v
}

func ownerOf(k *sig.Key) chain.Address {
	public := k.Public()
	return chain.AddressOf((*[32]byte)(&public))
}

func (r *realm) certify(h *chain.Header) chain.Certificate {
	k, err := r.registry.Book().Committee(h.Shard, h.Term())
	if err != nil {
		r.Fatal(err)
	}
	msg := chain.VoteBytes(h, h.Hash(), 0, chain.Commit)
	c := cosi.NewCollector(k.Cosi, msg)
	for seat, id := range k.Members {
		if err := c.AddShare(seat, must(scheme.Sign(r.keys[id].cosi, msg))); err != nil {
			r.Fatal(err)
		}
	}
	cert := chain.Certificate{Phase: chain.Commit}
	if cert.Certificate, _, err = c.Certificate(); err != nil {
		r.Fatal(err)
	}
	return cert
}

// meets reports whether honest members of a chain ack a body with the bundle.
func (r *realm) meets(b *chain.Bundle, dest chain.ShardID) bool {
	if b.Check(r.params, dest) != nil {
		return false
	}
	k, err := r.registry.Book().Committee(b.Header.Shard, b.Header.Term())
	return err == nil && b.Cert.Verify(k.Cosi, &b.Header, b.Header.Hash()) == nil
}

// order makes a block of the identity chain of what honest members ack.
func (r *realm) order(ops ...identity.Op) *identity.Report {
	h := chain.Header{Chain: r.params.ChainID, Shard: chain.IdentityShard, Epoch: r.registry.Next().Epoch, Height: r.registry.Height() + 1}
	h.Outcomes = r.registry.Execute(&h, []*chain.Body{{Content: &identity.Payload{Ops: ops}}})
	block := &chain.Block{Header: h, Cert: r.certify(&h)}
	r.registry.Finalize(block)
	rep := r.registry.Report()
	for i := range rep.Tree {
		if rep.Tree[i].Dest != chain.IdentityShard {
			r.bundles = append(r.bundles, rep.Bundle(block, i))
		}
	}
	return rep
}

// carry shows the registry a bundle.
func (r *realm) carry(b *chain.Bundle) {
	op := &identity.Carried{Raw: b.AppendTo(nil)}
	body := &chain.Body{Payload: (&identity.Payload{Ops: []identity.Op{op}}).AppendTo(nil)}
	if _, err := r.registry.Checker().Check(body); err == nil {
		r.order(op)
	}
}

// block makes a block of a shard.
func (r *realm) block(s *realmShard, txs []chain.Tx, bundles ...*chain.Bundle) {
	bundles = slices.DeleteFunc(bundles, func(b *chain.Bundle) bool { return !r.meets(b, s.id) })
	h := chain.Header{Chain: r.params.ChainID, Shard: s.id, Epoch: s.term.Epoch, Batch: s.term.Batch, Height: s.height + 1}
	h.Outcomes = s.ledger.Execute(&h, []*chain.Body{{Content: &chain.Payload{Txs: txs, Bundles: bundles}}})
	block := &chain.Block{Header: h, Cert: r.certify(&h)}
	s.ledger.Finalize(block)
	s.height, s.base = h.Height, &identity.Base{Header: h, Cert: block.Cert}
	rep := s.ledger.Report()
	for i := range rep.Tree {
		if rep.Tree[i].Dest == s.id {
			continue
		}
		b := rep.Tree.Bundle(block, i, nil)
		for _, e := range b.Segment.Entries {
			if t, open := s.ledger.OpenTx(e.ID); open {
				b.Txs = append(b.Txs, *t)
			}
		}
		r.bundles = append(r.bundles, b)
	}
}

// enter takes a shard to the end of the plan that it may follow.
func (r *realm) enter(s *realmShard) {
	p := must(r.registry.Book().ShardPlan(s.id))
	s.term = chain.Term{Epoch: p.Epoch, Batch: p.Last(s.id)}
	r.block(s, nil)
}

// end ends the epoch. Shards that are left out are stalled in the next.
func (r *realm) end(except ...chain.ShardID) {
	ops := []identity.Op{}
	for _, s := range r.shards {
		if s.base != nil && !slices.Contains(except, s.id) {
			ops = append(ops, s.base)
		}
	}
	next := r.registry.Next().Epoch + 1
	r.order(append(ops, &identity.Seed{Epoch: next, Choice: make([]byte, 8+4)})...)
	if rep := r.order(&identity.Output{Epoch: next, Random: chain.Hash{byte(next)}}); rep.Epoch == nil {
		r.Fatalf("the epoch does not end: %+v", rep.Ops)
	}
	for _, s := range r.shards { // a shard whose term does not convince any more has to go on
		if _, err := r.registry.Book().Committee(s.id, s.term); err != nil {
			r.enter(s)
		}
	}
}

// pay makes a transaction of a coin of an owner, into the registry or to another
// owner.
func (r *realm) pay(s *realmShard) []chain.Tx {
	k := rapid.SampledFrom(r.owners).Draw(r.T, "owner")
	coins, _ := s.ledger.Coins().Owned(ownerOf(k), nil, 100)
	if len(coins) == 0 {
		return nil
	}
	c := rapid.SampledFrom(coins).Draw(r.T, "coin")
	t := &chain.Tx{
		Expiry: s.term.Epoch + uint64(rapid.IntRange(0, 2).Draw(r.T, "expiry")),
		Inputs: []chain.Input{{OutPoint: c.OutPoint, Owner: c.Owner, Amount: c.Amount}},
	}
	to := ownerOf(rapid.SampledFrom(r.owners).Draw(r.T, "to"))
	n := 1 + rapid.Uint64Range(0, c.Amount-1).Draw(r.T, "amount")
	t.Outputs = []chain.Output{{Owner: to, Amount: n, Stake: rapid.IntRange(0, 3).Draw(r.T, "stake") > 0}}
	if n < c.Amount {
		t.Outputs = append(t.Outputs, chain.Output{Owner: c.Owner, Amount: c.Amount - n})
	}
	r.params.Seal(t)
	t.Witnesses = []chain.Witness{{PublicKey: k.Public(), Signature: k.Sign(chain.SignedBytes(t.ID))}}
	r.params.Seal(t)
	if r.params.CheckTx(t, s.term.Epoch) != nil {
		return nil // the fee
	}
	return []chain.Tx{*t}
}

// unbond takes back a part of a validator's stake.
func (r *realm) unbond() {
	id := rapid.IntRange(0, len(r.orders)-1).Draw(r.T, "validator")
	op := &identity.Unbond{
		Order: identity.Order{ID: chain.ValidatorID(id), Seq: r.orders[id] + 1}, Amount: rapid.Uint64Range(1, 300).Draw(r.T, "amount"),
		To: identity.Payee{Owner: ownerOf(rapid.SampledFrom(r.owners).Draw(r.T, "to")), Credit: rapid.IntRange(0, 4).Draw(r.T, "credit") == 0},
	}
	identity.SignOrder(op, r.params.ChainID, r.keys[id].signing)
	r.order(op)
	st, _ := r.registry.Validator(chain.ValidatorID(id))
	r.orders[id] = st.Orders
}

// forged is a bundle that was made once, changed by who shows it.
func (r *realm) forged(b *chain.Bundle) *chain.Bundle {
	c := &chain.Bundle{Header: b.Header, Cert: b.Cert, Place: b.Place, Segment: b.Segment, Txs: slices.Clone(b.Txs)}
	c.Segment.Entries = slices.Clone(b.Segment.Entries)
	switch rapid.IntRange(0, 5).Draw(r.T, "forgery") {
	case 0:
		c.Header.Shard = rapid.SampledFrom([]chain.ShardID{0, 1, chain.IdentityShard}).Draw(r.T, "as")
	case 1:
		c.Segment.Dest = rapid.SampledFrom([]chain.ShardID{0, 1, chain.IdentityShard}).Draw(r.T, "dest")
	case 2:
		c.Header.Epoch = r.registry.Next().Epoch
	case 3:
		c.Segment.Entries[0].Outcome = rapid.SampledFrom([]chain.Outcome{chain.Accepted, chain.Committed, chain.Rejected}).Draw(r.T, "outcome")
	case 4:
		if len(c.Txs) > 0 { // another amount under its own id, in place of what is proven
			t := c.Txs[0]
			t.Outputs = slices.Clone(t.Outputs)
			t.Outputs[0].Amount++
			r.params.Seal(&t)
			at := slices.IndexFunc(c.Segment.Entries, func(e chain.Entry) bool { return e.ID == c.Txs[0].ID })
			c.Txs[0], c.Segment.Entries[at].ID = t, t.ID
		}
	default:
		c.Txs = nil
	}
	return c
}

// deliver shows a bundle where it claims to be for.
func (r *realm) deliver(b *chain.Bundle) {
	if dest := b.Segment.Dest; dest == chain.IdentityShard {
		r.carry(b)
	} else if int(dest) < len(r.shards) {
		r.block(r.shards[dest], nil, b)
	}
}

// audit wants everything that there is to be what the genesis had.
func (r *realm) audit() (between uint64) {
	var value uint64
	for _, s := range r.shards {
		if err := s.ledger.Audit(); err != nil {
			r.Fatal(err)
		}
		sp := s.ledger.Supply()
		sum := sp.BetweenSum()
		value, between = value+sp.Value, between+sum.Lo
	}
	f := r.registry.Funds()
	sum, ok := f.Sum()
	if between += f.Between; !ok || value+sum-between != r.genesis.Supply() {
		r.Fatalf("the shards have %d and the registry %+v, %d is between them; the genesis had %d", value, f, int64(between), r.genesis.Supply())
	}
	if err := r.registry.Err(); err != nil {
		r.Fatal(err)
	}
	return between
}

// hearAll delivers all that convinces by its age.
func (r *realm) hearAll() {
	for at := 0; at < len(r.bundles); at++ {
		if b := r.bundles[at]; b.Header.Epoch+1 >= r.registry.Next().Epoch {
			r.deliver(b)
		}
	}
}

// Whatever members show to whom, how often, altered, late or never: stake that
// moves between shards and the registry is neither made nor lost, and in the end
// each shard has what was paid out to it.
func TestStakeIsNeitherMadeNorLost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := newRealm(t)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			s := rapid.SampledFrom(r.shards).Draw(t, "shard")
			switch step := rapid.IntRange(0, 9).Draw(t, "step"); {
			case step <= 1 && r.registry.Next().Epoch > keepsAnswers:
			case step == 0:
				r.end()
			case step == 1:
				r.end(s.id)
			case step == 2:
				r.enter(s)
			case step == 3:
				r.unbond()
			case step <= 5:
				r.block(s, r.pay(s))
			case len(r.bundles) == 0:
			case step == 6:
				r.deliver(r.forged(rapid.SampledFrom(r.bundles).Draw(t, "bundle")))
			case step == 7: // an old one
				r.deliver(rapid.SampledFrom(r.bundles).Draw(t, "bundle"))
			default: // a new one
				r.deliver(r.bundles[len(r.bundles)-1-rapid.IntRange(0, min(3, len(r.bundles)-1)).Draw(t, "bundle")])
			}
			r.audit()
		}
		// When everybody hears everything for some epochs, all is settled.
		for range r.genesis.Policy.UnbondEpochs + 4 {
			for _, s := range r.shards {
				r.enter(s)
			}
			r.hearAll()
			r.end()
			r.audit()
		}
		for _, s := range r.shards {
			r.enter(s)
		}
		r.hearAll()
		if between := r.audit(); between != 0 {
			t.Errorf("in the end %d is between the shards and the registry", int64(between))
		}
		if due := r.registry.Due(); len(due) > 0 || r.registry.Funds().Unbonding > 0 {
			t.Errorf("not taken: %v", due)
		}
	})
}
