package atomix

import (
	"time"

	"ios/chain"
	"ios/chain/cosi"
)

// TransferConfig is what a client's machine is made from.
type TransferConfig struct {
	Params *chain.Params
	Tx     *chain.Tx // sealed and signed
	// Committees verify the shards' proofs, by shard.
	Committees []*cosi.Committee
	// Terms verifies proofs in their place, by the terms of their headers, where
	// committees change. Committees then only tells how many members can be
	// faulty.
	Terms chain.Committees
	// Members is how many validators of each shard can be asked; they are named
	// by their place.
	Members []int
	// Interval is how long to wait between two questions about a shard where
	// nothing moves; it grows up to MaxInterval. 0 is the default.
	Interval, MaxInterval time.Duration
	// Timeout is how long an answer may take before another member is asked.
	Timeout time.Duration
	// First is the first member to ask in every shard, modulo their number.
	First int
}

// Clients poll a shard where nothing moves at these intervals unless the
// configuration says otherwise.
const (
	DefaultInterval    = 100 * time.Millisecond
	DefaultMaxInterval = 5 * time.Second
	DefaultTimeout     = 3 * time.Second
)

// Peer is one validator that a client can ask.
type Peer struct {
	Shard  chain.ShardID
	Member int
}

// StartTransfer is the first event of a Transfer.
type StartTransfer struct{}

// Ask asks what became of the transaction in the peer's shard. The answer is an
// Asked.
type Ask struct{ Peer }

// Claim is what a validator says became of a transaction in its shard. An
// outcome counts only with its proof.
type Claim uint8

// The claims.
const (
	ClaimUnknown  Claim = iota // never heard of it
	ClaimPending               // known, and not final
	ClaimSkipped               // a block could not apply it, Reason says why
	ClaimRecorded              // an outcome is recorded: see Proof
)

// Asked answers an Ask.
type Asked struct {
	Peer
	Claim  Claim
	Reason string
	Proof  *chain.OutcomeProof // with ClaimRecorded
	Err    error               // the peer did not answer
}

// SubmitTx submits the transaction to the peer. The answer is a Submitted.
type SubmitTx struct {
	Peer
	Tx *chain.Tx
}

// Submitted answers a SubmitTx. Refused says that the validator would not take
// it, for the reason Err, whose kind counts; an Err alone says that it did not
// answer.
type Submitted struct {
	Peer
	Refused bool
	Err     error
}

// FetchBundle asks the peer for the proof that its shard's outcome gives to
// shard Dest. The answer is a Fetched.
type FetchBundle struct {
	Peer
	Dest chain.ShardID
}

// Fetched answers a FetchBundle.
type Fetched struct {
	Peer
	Dest   chain.ShardID
	Bundle *chain.Bundle
	Err    error
}

// Carry hands a proof to a peer of the shard that lacks it. The answer is a
// Carried.
type Carry struct {
	Peer
	Bundle *chain.Bundle
}

// Carried answers a Carry.
type Carried struct {
	Peer
	Err error
}

// Verdict is what became of a transfer.
type Verdict uint8

// The verdicts.
const (
	Open           Verdict = iota
	TransferCommit         // committed in all involved shards
	TransferAbort          // aborted: no value moved, and what was locked is back
	// TransferRefuse: no shard recorded anything, and more members of an input
	// shard than can be faulty would not take it. Whoever has it may submit it
	// again until its inputs are spent otherwise or it expires.
	TransferRefuse
)

// Progress is delivered whenever something new is known of a shard.
type Progress struct {
	Shard   chain.ShardID
	Claim   Claim
	Outcome chain.Outcome // proven; zero before
	Height  uint64        // of the proof
	Reason  string
}

// Decisive is delivered once when the end is certain although shards still have
// something open.
type Decisive struct {
	Verdict Verdict
	Reason  string
}

// Done is delivered once, at the end, after which nothing is asked any more.
type Done struct {
	Verdict Verdict
	Reason  string
}

// Liar is delivered when a peer's claim does not verify. It is not asked again
// while others can be.
type Liar struct {
	Peer
	Err error
}
