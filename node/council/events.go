package council

import (
	"time"

	"ios/chain"
	"ios/drp"
	"ios/internal/sm"
	"ios/transepoch/identity"
)

// Start is the first event of a Core.
type Start struct{}

// Events are consumed in one step.
type Events []sm.Event

// ShardAt tells the newest final block of a shard in which the validator is a
// member. It is told whenever the shard's term changes, and now and then.
type ShardAt struct {
	Header chain.Header
	Cert   chain.Certificate
}

// Submit is the event of registry ops that somebody wants recorded: any but
// those that validators put up by themselves. The answer is an Answer.
type Submit struct {
	Ops []identity.Op
	Tag any // comes back in the Answer
}

// Answer is delivered when the ops of a submission are final, or refused. Until
// then nothing is promised; who does not get an answer submits again.
type Answer struct {
	Tag     any
	Height  uint64            // of the block
	Results []identity.Result // of each op
	Err     error             // nothing was recorded
}

// Decided is delivered for every final block.
type Decided struct {
	Block  *chain.Block
	Bodies []*chain.Body
	Report *identity.Report
	Synced bool // learned from a peer's log
}

// NewEpoch is delivered when the record of an epoch is final, and again after a
// restart for those since the snapshot, and the last one before it. A Book takes
// it by Add.
type NewEpoch struct {
	Epoch    *identity.Epoch
	Record   []byte
	Proof    *chain.OutcomeProof // header, certificate and path
	Restored bool                // it is not news
}

// Misbehaviour is delivered when somebody broke a rule of the beacon. Those of
// the agreement are package byzcoin's.
type Misbehaviour struct {
	Who   chain.ValidatorID
	Cause string
	// Evidence proves it to anybody, if it can be proven: a drp.Equivocation.
	Evidence []byte
}

// Phase is what happens in the current epoch.
type Phase uint8

// The phases.
const (
	Endless    Phase = iota // the policy knows one epoch only
	Running                 // nothing, until the epoch has its age
	Dealing                 // the leader gathers dealings
	Signing                 // a choice waits to be final
	Collecting              // shares of the choice are collected
	Halted                  // the registry cannot go on: nothing is done any more
)

// String names the phase.
func (p Phase) String() string {
	switch p {
	case Endless:
		return "endless"
	case Running:
		return "running"
	case Dealing:
		return "dealing"
	case Signing:
		return "signing off"
	case Collecting:
		return "collecting"
	case Halted:
		return "halted"
	}
	return "unknown"
}

// Status is delivered when something of it changes.
type Status struct {
	Epoch  uint64 // the current
	Phase  Phase
	Due    time.Time // when the coming epoch is to be prepared; only while Running
	View   uint64    // of the lottery
	Round  uint64
	Leader chain.ValidatorID
	Known  bool // who leads
	// Reason says what goes on, in a sentence.
	Reason string
	// Awaited are those without whom it does not go on, as far as that is known.
	Awaited []chain.ValidatorID
	// Table is who dealt, or opened shares, if we are the one who asks.
	Table []drp.Row
}
