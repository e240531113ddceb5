package api

import (
	"context"

	"ios/chain"
	"ios/node/epochs"
)

// Backend is what the server asks. All methods are called from many goroutines
// at a time. They return promptly, except Submit, and give up when the context
// ends. A refusal is a [chain.RuleError] of a kind from package chain or of
// this one's; any other error is shown to the client as an internal fault.
type Backend interface {
	// Submit takes concatenated canonical transactions, at most MaxSubmitBytes
	// of them, and keeps raw. Each goes to a shard that it has an input in. It returns when each is accepted (a quorum holds
	// its body) or refused. It refuses the whole with ErrEncoding, ErrTooLarge
	// (above MaxSubmitTxs), ErrFull or ErrNotReady. A transaction that is
	// already pending or recorded here counts as accepted.
	Submit(ctx context.Context, raw []byte) (SubmitResult, error)
	// Carry takes the encoded bundle of another shard and keeps it. It goes to
	// the shard that the bundle is for. It returns once the proof was checked and the bundle is known or waits for a body.
	Carry(ctx context.Context, bundle []byte) error
	// Coins lists at most max coins of the owner, in the order of outpoints,
	// beginning behind the outpoint after, if it is not nil.
	Coins(ctx context.Context, owner chain.Address, after *chain.OutPoint, max int) (CoinsPage, error)
	// Shard is the one that is named, or with nil the one that the validator joined
	// last. ErrWrongShard: the validator does not take part in it.
	Shard(want *chain.ShardID) (Shard, error)
	// Epoch is the record that begins an epoch behind the first. ErrNotYet beyond
	// the current one.
	Epoch(ctx context.Context, number uint64) (*epochs.Record, error)
	// Status tells how a validator is that takes part in no shard.
	Status(ctx context.Context) (*Status, error)
	Registry
	// Ready gives the reasons why the validator cannot serve now; none means
	// that it is ready.
	Ready() []string
}

// Shard is what a validator knows of a shard that it takes part in. What holds
// for the methods of Backend holds for these.
type Shard interface {
	ID() chain.ShardID
	// Outcome tells what became of the transaction here; proof asks for the
	// encoded chain.OutcomeProof, too.
	Outcome(ctx context.Context, id chain.TxID, proof bool) (Outcome, error)
	// Bundle is the encoded chain.Bundle that shows the outcome to shard dest.
	// ErrNotFound: nothing is recorded here for that shard.
	Bundle(ctx context.Context, id chain.TxID, dest chain.ShardID) ([]byte, error)
	// Tx is the encoding of a transaction that is pending, open or recorded
	// here. ErrNotFound otherwise.
	Tx(ctx context.Context, id chain.TxID) ([]byte, error)
	// Block is the encoded chain.Block. ErrNotYet above the last final height,
	// ErrPruned below what is kept.
	Block(ctx context.Context, height uint64) ([]byte, error)
	// BlockEvent makes the event of an old block again, for a subscriber that
	// starts below the server's window. Errors as Block.
	BlockEvent(ctx context.Context, height uint64) (*BlockEvent, error)
	// Status tells how the validator is here. It works in every phase.
	Status(ctx context.Context) (*Status, error)
}

// Limits that are part of the contract.
const (
	MaxSubmitBytes = 1 << 20 // of concatenated transactions in one submission
	MaxSubmitTxs   = 4096
	MaxCoinsPage   = 1000
)

// Kinds of refusals that only the API has.
const (
	ErrNotFound chain.ErrorKind = "not_found"   // this validator does not have it
	ErrNotYet   chain.ErrorKind = "not_yet"     // it will exist later
	ErrPruned   chain.ErrorKind = "pruned"      // it existed and was deleted
	ErrBusy     chain.ErrorKind = "busy"        // too many requests of this kind at a time
	ErrSlow     chain.ErrorKind = "slow_reader" // the reader of a stream fell behind
	ErrRequest  chain.ErrorKind = "bad_request" // a request that breaks the contract
	ErrStopping chain.ErrorKind = "stopping"    // the validator is shutting down
)
