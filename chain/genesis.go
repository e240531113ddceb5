package chain

import (
	"fmt"
	"math/bits"
	"net"
	"net/url"
	"strings"
	"time"
	"unicode"

	"ios/chain/cosi"
	"ios/chain/sig"
)

// MaxValidators bounds the registry.
const MaxValidators = 4096

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

// Policy is what the network has agreed on.
type Policy struct {
	// BlockInterval is the longest time between blocks of a shard that has work
	// and a live leader. A leader is replaced within three of them.
	BlockInterval time.Duration
	// BlockGap is the shortest time between two proposals, in which work gathers.
	BlockGap time.Duration
	// Delta is the assumed bound on the network's delay. Safety never depends on it.
	Delta time.Duration
	// BodyQuota is how many bodies of one author a block may hold.
	BodyQuota int
	// MinFee is the least fee of a transaction in base units.
	MinFee uint64
}

// DefaultPolicy suits validators that are within tens of milliseconds of each
// other.
func DefaultPolicy() Policy {
	return Policy{
		BlockInterval: 500 * time.Millisecond, BlockGap: 50 * time.Millisecond,
		Delta: 500 * time.Millisecond, BodyQuota: 8,
	}
}

// Validator is a member of the registry. The keys have one use each.
type Validator struct {
	Name       string
	Address    string         // host:port that other validators reach it at
	API        string         // base URL for clients; may be empty
	Identity   [32]byte       // transport key (Ed25519 point)
	Signing    sig.PublicKey  // bodies and messages
	Cosi       cosi.PublicKey // votes
	Possession cosi.Signature // proof that its owner holds the Cosi key's secret
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
	return NewParams(g.ID(), g.Prefix(), g.Shards, g.Policy.MinFee)
}

// Supply is the value that exists, in base units; Check has seen that it fits.
func (g *Genesis) Supply() (sum uint64) {
	for i := range g.Allocations {
		sum += g.Allocations[i].Amount
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
	p := &g.Policy
	number(uint64(p.BlockInterval))
	number(uint64(p.BlockGap))
	number(uint64(p.Delta))
	number(uint64(p.BodyQuota))
	number(p.MinFee)
	number(uint64(len(g.Validators)))
	for i := range g.Validators {
		v := &g.Validators[i]
		text(v.Name)
		text(v.Address)
		text(v.API)
		dst = append(dst, v.Identity[:]...)
		dst = append(dst, v.Signing[:]...)
		dst = append(dst, v.Cosi[:]...)
		dst = append(dst, v.Possession[:]...)
	}
	number(uint64(len(g.Allocations)))
	for i := range g.Allocations {
		dst = append(dst, g.Allocations[i].Owner[:]...)
		number(g.Allocations[i].Amount)
		dst = AppendBlob(dst, g.Allocations[i].Data)
	}
	return dst
}

// Check checks every rule of a genesis, proofs of possession included. The
// error names the field and what would do.
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
	for i := range g.Validators {
		if err := g.Validators[i].check(scheme); err != nil {
			return fail("validator %d (%s): %v", i, g.Validators[i].Name, err)
		}
	}
	if err := g.checkUnique(); err != nil {
		return err
	}
	var sum, carry uint64
	for i := range g.Allocations {
		a := &g.Allocations[i]
		if sum, carry = bits.Add64(sum, a.Amount, 0); carry != 0 || a.Amount == 0 || len(a.Data) > 0 {
			return fail("allocation %d: amounts are at least 1, carry no data, and add up to at most 64 bits", i)
		}
	}
	return nil
}

func (p *Policy) check() error {
	switch {
	case p.BlockGap < time.Millisecond || p.BlockInterval < 2*p.BlockGap || p.BlockInterval > time.Hour:
		return Rule(ErrGenesis, "policy: block_gap of at least 1ms and block_interval of at least twice that and at most 1h are wanted, not %v and %v", p.BlockGap, p.BlockInterval)
	case p.Delta < time.Millisecond || p.Delta > time.Hour:
		return Rule(ErrGenesis, "policy: delta from 1ms to 1h is wanted, not %v", p.Delta)
	case p.BodyQuota < 1 || p.BodyQuota > 1024:
		return Rule(ErrGenesis, "policy: body_quota from 1 to 1024 is wanted, not %d", p.BodyQuota)
	}
	return nil
}

// CheckName checks the name of a validator, which is also a folder's and a word
// in logs and commands.
func CheckName(name string) error {
	good := len(name) <= 64
	for i, c := range []byte(name) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		good = good && (letter || i > 0 && (c == '-' || c == '_' || c == '.'))
	}
	if !good || name == "" {
		return fmt.Errorf("name %.80q: up to 64 letters of ASCII, digits, and behind the first also - _ . are wanted", name)
	}
	return nil
}

func (v *Validator) check(scheme cosi.Scheme) error {
	if err := CheckName(v.Name); err != nil {
		return err
	}
	if host, port, err := net.SplitHostPort(v.Address); err != nil || host == "" || port == "" || len(v.Address) > 256 {
		return fmt.Errorf("address %.300q: host:port is wanted, with a host that others can reach", v.Address)
	}
	identity := sig.PublicKey(v.Identity)
	if err := identity.Check(); err != nil {
		return fmt.Errorf("identity key: %w", err)
	}
	if err := v.Signing.Check(); err != nil {
		return fmt.Errorf("signing key: %w", err)
	}
	if v.API != "" {
		u, err := url.Parse(v.API)
		if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || len(v.API) > 256 {
			return fmt.Errorf("api %q: an http or https URL is wanted", v.API)
		}
	}
	if err := scheme.VerifyPossession(v.Cosi, v.Possession); err != nil {
		return fmt.Errorf("cosi key: %w", err)
	}
	return nil
}

// checkUnique refuses a name, address or key that two validators share.
func (g *Genesis) checkUnique() error {
	type field struct {
		what string
		of   func(*Validator) string
	}
	for _, f := range []field{
		{"name", func(v *Validator) string { return v.Name }},
		{"address", func(v *Validator) string { return v.Address }},
		{"identity key", func(v *Validator) string { return string(v.Identity[:]) }},
		{"signing key", func(v *Validator) string { return string(v.Signing[:]) }},
		{"cosi key", func(v *Validator) string { return string(v.Cosi[:]) }},
	} {
		seen := make(map[string]int, len(g.Validators))
		for i := range g.Validators {
			k := f.of(&g.Validators[i])
			if j, ok := seen[k]; ok {
				return Rule(ErrGenesis, "validators %d and %d have the same %s", j, i, f.what)
			}
			seen[k] = i
		}
	}
	return nil
}
