package api

import (
	"time"

	"ios/chain"
)

// SubmitResult tells what a submission came to.
type SubmitResult struct {
	Accepted int
	Refused  []Refusal
}

// Refusal is one transaction of a submission that was not accepted.
type Refusal struct {
	Index int // its place in the submission
	Kind  chain.ErrorKind
	Text  string
}

// Err is the refusal as an error of its kind.
func (r *Refusal) Err() error { return &chain.RuleError{Kind: r.Kind, Text: r.Text} }

// Coin is an unspent output.
type Coin struct {
	chain.OutPoint
	Amount uint64 // base units
}

// CoinsPage is a part of an owner's coins.
type CoinsPage struct {
	Coins  []Coin
	Height uint64 // of the state that was read
	Done   bool   // there are no more
}

// State is what became of a transaction in one shard.
type State uint8

// The states. From StateAccepted on the shard has recorded it.
const (
	StateUnknown   State = iota // this validator never heard of it
	StatePending                // known here and not final
	StateSkipped                // a recent block listed it and could not apply it
	StateAccepted               // locked here, or ready to be credited here
	StateRejected               // refused for ever
	StateCommitted              // final
	StateAborted                // given up, its inputs here are back
	stateEnd
)

var stateNames = [stateEnd]string{"unknown", "pending", "skipped", "accepted", "rejected", "committed", "aborted"}

// String names the state.
func (s State) String() string {
	if s < stateEnd {
		return stateNames[s]
	}
	return "unknown"
}

// MarshalText implements encoding.TextMarshaler.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Recorded reports whether the shard has recorded an outcome.
func (s State) Recorded() bool { return s >= StateAccepted && s < stateEnd }

// Outcome is s as the chain records it; zero if nothing is recorded.
func (s State) Outcome() chain.Outcome {
	if s.Recorded() {
		return chain.Outcome(s-StateAccepted) + chain.Accepted
	}
	return 0
}

// StateOf is the state that an outcome amounts to.
func StateOf(o chain.Outcome) State {
	if o.Valid() {
		return State(o-chain.Accepted) + StateAccepted
	}
	return StateUnknown
}

// Outcome tells what became of a transaction in the validator's shard.
type Outcome struct {
	State    State
	Height   uint64    // of the block that recorded it
	Time     time.Time // when this validator saw that block final
	Reason   string    // why, when it was skipped, rejected or aborted
	Involved []chain.ShardID
	Proof    []byte // encoded chain.OutcomeProof
}

// BlockEvent is what a final block did. It must not be changed once it was
// given to a Server.
type BlockEvent struct {
	Height   uint64
	Hash     chain.Hash
	Time     time.Time // when this validator saw it final
	Epoch    uint64
	View     uint64
	Outcomes Packed // the byte is the chain.Outcome
	Skipped  Packed // the byte is the reason, as the shard's ledger numbers them

	// On the client's side the lengths of the lists, which a summary leaves out.
	Recorded, Unapplied int
}

// packedSize is an id and one byte.
const packedSize = 32 + 1

// Packed is a list of (id, byte) pairs.
type Packed []byte

// Append adds a pair.
func (p Packed) Append(id chain.TxID, b byte) Packed {
	return append(append(p, id[:]...), b)
}

// Len is the number of pairs.
func (p Packed) Len() int { return len(p) / packedSize }

// At is pair i.
func (p Packed) At(i int) (id chain.TxID, b byte) {
	e := p[i*packedSize : (i+1)*packedSize]
	return chain.TxID(e[:32]), e[32]
}

// Event is a block, or a sign of life between blocks.
type Event struct {
	Block *BlockEvent // nil for a heartbeat
	Tip   uint64      // height of the last final block as the event left
}
