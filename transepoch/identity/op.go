package identity

import (
	"ios/chain"
	"ios/chain/cosi"
	"ios/chain/sig"
	"ios/drp"
)

// Op is one entry of an identity body: a [Join], [Rotate], [Leave], [Resume],
// [Unbond], [Alive], [Base], [Carried], [Seed], [Output] or [Silent].
type Op interface {
	Kind() Kind
	appendTo(dst []byte) []byte
}

// Kind tells ops apart. It is the first byte of their encoding.
type Kind uint8

// The kinds.
const (
	KindJoin Kind = 1 + iota
	KindRotate
	KindLeave
	KindResume
	KindUnbond
	KindAlive
	KindBase
	KindSeed
	KindOutput
	KindSilent
	KindCarried
	kindEnd
)

// String is the name of the kind.
func (k Kind) String() string {
	names := [...]string{"", "join", "rotate", "leave", "resume", "unbond", "alive", "base", "seed", "output", "silent", "carried"}
	if int(k) < len(names) && k > 0 {
		return names[k]
	}
	return "unknown"
}

// Join registers a validator. Its stake comes from the credit of Payer. Anyone
// may put it up; what it says is signed by the validator's own keys.
type Join struct {
	Validator chain.Validator
	Payer     sig.PublicKey // zero if there is no stake
	Proofs    KeyProofs
	Payment   [64]byte // signature of the payer; zero if there is no stake
}

// KeyProofs are signatures of a registration by those of its keys that sign.
// Those of the others, and of votes, are in the validator. See
// [Join.SignedBytes] and [Rotate.SignedBytes].
type KeyProofs struct {
	Signing  [64]byte
	Identity [64]byte // Ed25519
	Cosi     cosi.Signature
}

// Order is the part of an op by which a registered validator speaks: its place,
// the signing key that it is registered with, and by how many orders it has
// spoken before, plus one, so that none counts twice.
type Order struct {
	ID        chain.ValidatorID
	Key       sig.PublicKey
	Seq       uint64
	Signature [64]byte // of what SignedBytes of the op gives
}

// Rotate gives a validator new keys, name and addresses. They count like those of
// one who joins; until then the old ones do. A later Rotate replaces it. The
// stake is zero in it, since it does not change.
type Rotate struct {
	Order
	Validator chain.Validator
	Proofs    KeyProofs
}

// Leave takes a validator out of the frozen set. Its stake is paid out to the
// owner.
type Leave struct {
	Order
	To Payee
}

// Payee is who gets stake back: an address in its shard, or, as Credit, its key's
// credit in the registry.
type Payee struct {
	Owner  chain.Address
	Credit bool
}

// Resume brings a validator back that was left out for its absence.
type Resume struct{ Order }

// Unbond takes back a part of the stake. The minimum stays.
type Unbond struct {
	Order
	Amount uint64
	To     Payee
}

// Alive is the sign of life of a body's author in the current epoch.
type Alive struct{ Epoch uint64 }

// Base shows a final block of a shard, and by it the term that the shard is in.
type Base struct {
	Header chain.Header
	Cert   chain.Certificate
}

// Carried shows what a shard has decided for the registry: credit that it pays in,
// payouts that it took.
type Carried struct {
	Raw []byte // a chain.Bundle
}

// Seed fixes the choice of the beacon for an epoch, the one after the current.
type Seed struct {
	Epoch  uint64
	Choice []byte // of package drp

	checked *drp.Choice // what a Checker made of it, if one did
}

// Output ends the current epoch: it opens the choice that the seed fixed. The
// transcript is that of package drp without the choice, which the seed has.
type Output struct {
	Epoch  uint64
	Random chain.Hash
	Rest   []byte
}

// Silent states that its author lacks the shares of some servers of a group,
// after their time has passed. When a quorum lacks so many that the group cannot
// open its secrets, the epoch is void.
type Silent struct {
	Epoch uint64
	Group uint16
	IDs   []chain.ValidatorID // ascending
}

// Kind implements Op.
func (*Join) Kind() Kind   { return KindJoin }
func (*Rotate) Kind() Kind { return KindRotate }
func (*Leave) Kind() Kind  { return KindLeave }
func (*Resume) Kind() Kind { return KindResume }
func (*Unbond) Kind() Kind { return KindUnbond }
func (*Alive) Kind() Kind  { return KindAlive }
func (*Base) Kind() Kind   { return KindBase }
func (*Seed) Kind() Kind   { return KindSeed }
func (*Output) Kind() Kind { return KindOutput }
func (*Silent) Kind() Kind { return KindSilent }

// Kind implements Op.
func (*Carried) Kind() Kind { return KindCarried }
