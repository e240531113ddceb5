package identity

import (
	"math/bits"
	"slices"

	"ios/chain"
	"ios/eds"
	"ios/transepoch"
)

// Course is how an epoch came about.
type Course uint8

// The courses.
const (
	First Course = iota // the genesis begins it
	Drawn               // the beacon has an output, and validators change their shards
	Void                // the beacon has none: members, keys and seats stay
	Kept                // there is an output, but too few validators to move: they stay too
)

// String is the name of the course.
func (c Course) String() string {
	switch c {
	case First:
		return "first"
	case Drawn:
		return "drawn"
	case Void:
		return "void"
	case Kept:
		return "kept"
	}
	return "unknown"
}

// Epoch is the record that begins an epoch. From it alone follows the committee
// of every chain in the epoch. It must not be changed.
type Epoch struct {
	Chain    chain.Hash
	Number   uint64     // from 1
	Previous chain.Hash // hash of the record before, the chain id for the first
	Course   Course
	Random   chain.Hash // rnd of the epoch

	Transcript chain.Hash // hash of the beacon's transcript; zero if there is none
	Seed       SeedRef    // zero for the first epoch

	Members  []Member // the frozen set, ascending
	Outgoing []Member // not members, but with a seat in a shard at first; ascending

	// What the transition's plan is made of, besides the above.
	Old          transepoch.Assignment
	Stalled      chain.Shards
	Held         []chain.ValidatorID
	SwapPermille int
	BatchSize    int
	Shards       []ShardState // of each shard

	Joined, Left, Shed []chain.ValidatorID // since the epoch before, ascending
	Silent             []chain.ValidatorID // who made the epoch void, ascending
	Payouts            []Payout            // that fall due in the epoch, by number
	Funds              Funds
}

// SeedRef names the seed block that an epoch came from.
type SeedRef struct {
	Height uint64
	Block  chain.Hash
	View   uint64
	Choice chain.Hash
}

// Member is a validator with the keys that it has in an epoch.
type Member struct {
	ID chain.ValidatorID
	chain.Validator
}

// ShardState is where a shard stands.
type ShardState struct {
	Plan uint64 // the last epoch whose plan the shard could enter
	Base Point
}

// Point is a final block of a shard, by certificate; height 0 is the genesis.
type Point struct {
	Term   chain.Term
	Height uint64
	Block  chain.Hash
}

// Payout is stake that comes back.
type Payout struct {
	Number uint64 // from 1
	ID     chain.ValidatorID
	Amount uint64
	To     Payee
	Due    uint64 // epoch
}

// Tx is the transaction by which the payout comes to the shard of its owner.
func (p *Payout) Tx(params *chain.Params) *chain.Tx {
	name := tagged(tagPayout, params.ChainID[:], p.appendTo(nil))
	return params.PayoutTx(name, p.To.Owner, p.Amount)
}

// Funds are what the registry has. Less Between they are the stakes of the
// genesis, always.
type Funds struct {
	Staked    uint64 // by registered validators
	Unbonding uint64 // payouts that are not due
	Credit    uint64 // of keys in the registry
	Due       uint64 // payouts to shards that are not known to have taken them
	Between   uint64 // what shards paid in less what they took, modulo 2^64
}

// Sum is all that the registry has.
func (f *Funds) Sum() (sum uint64, ok bool) {
	ok = true
	for _, n := range []uint64{f.Staked, f.Unbonding, f.Credit, f.Due} {
		var carry uint64
		sum, carry = bits.Add64(sum, n, 0)
		ok = ok && carry == 0
	}
	return sum, ok
}

// FirstEpoch is the record that a genesis begins with.
func FirstEpoch(g *chain.Genesis) *Epoch {
	id := g.ID()
	e := &Epoch{
		Chain: id, Number: 1, Previous: id, Random: tagged(tagFirst, id[:]),
		Old:          transepoch.Assignment(eds.Assign(g.Seed, len(g.Validators), g.Shards)),
		SwapPermille: g.Policy.SwapPermille, BatchSize: batchSize(&g.Policy, len(g.Validators), g.Shards),
		Funds: Funds{Staked: g.Staked()},
	}
	for i := range g.Validators {
		e.Members = append(e.Members, Member{chain.ValidatorID(i), g.Validators[i]})
	}
	for range g.Shards {
		e.Shards = append(e.Shards, ShardState{Plan: 1, Base: Point{Term: chain.Term{Epoch: 1}, Block: id}})
	}
	return e
}

// Hash names the record. It is among the outcomes of the block that ends the
// epoch before.
func (e *Epoch) Hash() chain.Hash { return tagged(tagEpoch, e.AppendTo(nil)) }

// Term is the term of the identity chain that the record begins.
func (e *Epoch) Term() chain.Term { return chain.Term{Epoch: e.Number} }

// Plan computes how the committees of the shards change in the epoch.
func (e *Epoch) Plan() (*transepoch.Plan, error) {
	if e.Course != Drawn {
		return transepoch.Unchanged(e.Chain, e.Number, e.Old, e.Stalled)
	}
	return transepoch.MakePlan(e.input())
}

func (e *Epoch) input() *transepoch.Input {
	return &transepoch.Input{
		ChainID: e.Chain, Epoch: e.Number, Random: e.Random, Old: e.Old, Members: ids(e.Members),
		Stalled: e.Stalled, Held: e.Held, SwapPermille: e.SwapPermille, BatchSize: e.BatchSize,
	}
}

func ids(members []Member) []chain.ValidatorID {
	list := make([]chain.ValidatorID, len(members))
	for i := range members {
		list[i] = members[i].ID
	}
	return list
}

// find is the place of a validator in an ascending list, or -1.
func find(members []Member, id chain.ValidatorID) int {
	i, ok := slices.BinarySearchFunc(members, id, func(m Member, id chain.ValidatorID) int { return int(m.ID) - int(id) })
	if !ok {
		return -1
	}
	return i
}

// Validator is a validator with a key in the epoch, a member or not.
func (e *Epoch) Validator(id chain.ValidatorID) (*Member, bool) {
	for _, list := range [][]Member{e.Members, e.Outgoing} {
		if i := find(list, id); i >= 0 {
			return &list[i], true
		}
	}
	return nil, false
}

// check refuses what no plan or committee can be made of.
func (e *Epoch) check() error {
	fail := func(format string, args ...any) error { return chain.Rule(ErrEpoch, format, args...) }
	switch {
	case e.Number == 0 || e.Course > Kept || (e.Course == First) != (e.Number == 1):
		return fail("epoch %d is %v", e.Number, e.Course)
	case len(e.Members) == 0:
		return fail("epoch %d has no members", e.Number)
	case len(e.Shards) != len(e.Old):
		return fail("epoch %d has the seats of %d shards and the state of %d", e.Number, len(e.Old), len(e.Shards))
	}
	for i := range e.Outgoing {
		if find(e.Members, e.Outgoing[i].ID) >= 0 {
			return fail("validator %d is a member of epoch %d and is not", e.Outgoing[i].ID, e.Number)
		}
	}
	for j, seats := range e.Old {
		stalled := e.Stalled.Has(chain.ShardID(j))
		if plan := e.Shards[j].Plan; stalled && plan >= e.Number || !stalled && plan != e.Number {
			return fail("shard %d has the plan of epoch %d in epoch %d", j, plan, e.Number)
		}
		for _, v := range seats {
			if _, ok := e.Validator(v); !ok && !stalled {
				return fail("validator %d has a seat in shard %d and no keys", v, j)
			}
		}
	}
	if _, ok := e.Funds.Sum(); !ok {
		return fail("the funds of epoch %d add up to more than 64 bits hold", e.Number)
	}
	return e.input().Check()
}
