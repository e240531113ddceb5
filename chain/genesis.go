package chain

import (
	"math/bits"
	"strings"
	"unicode"

	"ios/chain/cosi"
)

// MaxValidators bounds the validators that are registered at a time. MaxPlaces bounds
// all that ever were: the place of one that has left is not used again.
const (
	MaxValidators = 4096
	MaxPlaces     = 1<<16 - 1
)

// Genesis is what all validators and clients of a chain start from. Its hash is
// the chain id.
type Genesis struct {
	Name        string
	TestNetwork bool // addresses begin with iost1, and a faucet may exist
	Shards      int  // a power of two, at most MaxShards
	Seed        Hash // assigns validators to shards in the first epoch
	Policy      Policy
	Validators  []Validator
	Allocations []Output
}

// Prefix is the human-readable part of the network's addresses.
func (g *Genesis) Prefix() string {
	if g.TestNetwork {
		return PrefixTest
	}
	return PrefixMain
}

// ID is the chain id: the hash of the canonical encoding.
func (g *Genesis) ID() Hash { return tagged(tagGenesis, g.appendTo(nil)) }

// Params are the rules' parameters on this chain.
func (g *Genesis) Params() *Params {
	p := NewParams(g.ID(), g.Prefix(), g.Shards, g.Policy.MinFee)
	p.MinStake = g.Policy.MinStake
	return p
}

// Supply is the value that exists, in base units: what is allocated to owners,
// and what the validators have at stake. Check has seen that it fits.
func (g *Genesis) Supply() uint64 {
	sum := g.Staked()
	for i := range g.Allocations {
		sum += g.Allocations[i].Amount
	}
	return sum
}

// Staked is the part of the supply that validators begin with at stake.
func (g *Genesis) Staked() (sum uint64) {
	for i := range g.Validators {
		sum += g.Validators[i].Stake
	}
	return sum
}

// AllocationTx is the id under which the allocations are outputs.
func AllocationTx(chainID Hash) TxID { return tagged(tagGenesis, []byte("allocation"), chainID[:]) }

func (g *Genesis) appendTo(dst []byte) []byte {
	text := func(s string) { dst = AppendBlob(dst, []byte(s)) }
	number := func(n uint64) { dst = be.AppendUint64(dst, n) }
	text(g.Name)
	if g.TestNetwork {
		number(1)
	} else {
		number(0)
	}
	number(uint64(g.Shards))
	dst = append(dst, g.Seed[:]...)
	dst = g.Policy.appendTo(dst)
	number(uint64(len(g.Validators)))
	for i := range g.Validators {
		dst = g.Validators[i].AppendTo(dst)
	}
	number(uint64(len(g.Allocations)))
	for i := range g.Allocations {
		dst = append(dst, g.Allocations[i].Owner[:]...)
		number(g.Allocations[i].Amount)
		dst = AppendBlob(dst, g.Allocations[i].Data)
	}
	return dst
}

// Check checks every rule of a genesis that concerns it alone, proofs of
// possession included. What it leaves to package transepoch/identity, whose
// CheckGenesis calls it, are the PVSS keys and how safe the sizes are. The error
// names the field and what would do.
func (g *Genesis) Check(scheme cosi.Scheme) error {
	fail := func(format string, args ...any) error { return Rule(ErrGenesis, format, args...) }
	switch {
	case g.Name == "" || len(g.Name) > 64 || strings.ContainsFunc(g.Name, func(c rune) bool { return !unicode.IsPrint(c) }):
		return fail("name %.80q: 1 to 64 bytes that can be printed are wanted", g.Name)
	case g.Shards < 1 || g.Shards > MaxShards || bits.OnesCount(uint(g.Shards)) != 1:
		return fail("shards: a power of two from 1 to %d is wanted, not %d", MaxShards, g.Shards)
	case len(g.Validators) < g.Shards || len(g.Validators) > MaxValidators:
		return fail("validators: %d of them for %d shards; from %d to %d are wanted", len(g.Validators), g.Shards, g.Shards, MaxValidators)
	case !g.TestNetwork && len(g.Validators) < 4*g.Shards:
		return fail("validators: %d of them for %d shards tolerate no fault; at least %d are wanted outside test networks", len(g.Validators), g.Shards, 4*g.Shards)
	case len(g.Allocations) == 0:
		return fail("allocations: a chain without value; name at least one")
	}
	if err := g.Policy.check(); err != nil {
		return err
	}
	var sum, carry uint64
	for i := range g.Validators {
		v := &g.Validators[i]
		if err := v.Check(scheme); err != nil {
			return fail("validator %d (%s): %v", i, v.Name, err)
		}
		if v.Stake < g.Policy.MinStake {
			return fail("validator %d (%s): a stake of %d, at least policy.min_stake of %d is wanted", i, v.Name, v.Stake, g.Policy.MinStake)
		}
		if sum, carry = bits.Add64(sum, v.Stake, 0); carry != 0 {
			return fail("validator %d (%s): the stakes add up to more than 64 bits hold", i, v.Name)
		}
	}
	if err := g.checkUnique(); err != nil {
		return err
	}
	for i := range g.Allocations {
		a := &g.Allocations[i]
		if sum, carry = bits.Add64(sum, a.Amount, 0); carry != 0 || a.Amount == 0 || len(a.Data) > 0 {
			return fail("allocation %d: amounts are at least 1, carry no data, and add up with the stakes to at most 64 bits", i)
		}
	}
	return nil
}

// checkUnique refuses a name, address or key that two validators share.
func (g *Genesis) checkUnique() error {
	seen := make(map[Claim]int)
	for i := range g.Validators {
		for _, c := range g.Validators[i].Claims() {
			if j, ok := seen[c]; ok {
				return Rule(ErrGenesis, "validators %d and %d have the same %s", j, i, c.What)
			}
			seen[c] = i
		}
	}
	return nil
}
