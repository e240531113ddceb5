package byzcoin

import (
	"ios/chain"
	"ios/internal/sm"
)

// Start is the first event after construction or restoration.
type Start struct{}

// Author asks for a payload to be put up as our next body. The machine numbers,
// signs, stores and sends it, and answers with [Authored].
type Author struct {
	Payload []byte
	Content any // what Check would have made of it; the caller vouches for it
	Tag     any // comes back in Authored
}

// Check asks the runner to check a body's payload off the machine: its
// encoding, static rules and signatures, nothing that depends on the state. All
// members must come to the same result. The answer is [Checked]. The author's
// signature on the body has been verified.
type Check struct {
	Body *chain.Body
	From sm.NodeID // who sent it
}

// Checked answers a Check. Content is kept in the body.
type Checked struct {
	Hash    chain.Hash
	Content any
	Err     error
}

// Events are consumed in one step: their acks leave in one message and their
// records can share a sync. They must not contain Events.
type Events []sm.Event

// Serve asks the runner to read final blocks with their bodies from its log
// and to send them to a peer as a [SyncReply], which [NewSyncReply] builds from
// the records, off the machine. It answers with fewer blocks if they are more
// than MaxBytes (but with one at least), or if the log holds fewer of them, and
// not at all if it has not even the first.
type Serve struct {
	To       sm.NodeID
	From     uint64 // height of the first block
	Count    int
	MaxBytes int
	// Headers asks for the headers alone, as [Headers], and for all of them or
	// nothing.
	Headers bool
}

// ReadBody asks the runner to read a final body from its log and to send it to a
// peer as a [Body], if the log has it. Numbers count from 1 in each term.
type ReadBody struct {
	To   sm.NodeID
	Term chain.Term
	Ref  chain.BodyRef
}

// Authored is delivered for each Author: the body's number, or why it was
// refused: chain.ErrFull when the window is used up, chain.ErrNotReady before
// the first synchronization, chain.ErrTooLarge.
type Authored struct {
	Number uint64
	Hash   chain.Hash
	Tag    any
	Err    error
}

// Held is delivered when a quorum has acked our body: it will be ordered, and
// clients may be told so. It is delivered again after a restart.
type Held struct {
	Number uint64
	Hash   chain.Hash
}

// Final is delivered when a block became final. A crash may come between the
// block's record and the Deliver: after a restart the runner finds it in the log.
type Final struct {
	Block  *chain.Block
	Bodies []*chain.Body
	Synced bool // we learned it from a peer's log, not by voting
}

// ViewChanged is delivered when a view was installed.
type ViewChanged struct {
	View   uint64
	Leader chain.ValidatorID
	Reason string
}

// Fault is what somebody did wrong.
type Fault string

// The faults. The text is the stable name that logs and metrics show.
const (
	FaultBody         Fault = "invalid_body"        // signed a body that breaks a static rule
	FaultTwoBodies    Fault = "two_bodies"          // signed two bodies under one number
	FaultTwoProposals Fault = "two_proposals"       // signed two blocks for one height and view
	FaultProposal     Fault = "invalid_proposal"    // signed a proposal that breaks a rule
	FaultOutcome      Fault = "wrong_outcome"       // signed a proposal with a root that is not ours
	FaultLeftOut      Fault = "left_out"            // left out a body that was insisted on; after an outage this may be the network's fault
	FaultShare        Fault = "wrong_share"         // sent a share that does not verify
	FaultCertificate  Fault = "wrong_certificate"   // sent a certificate that does not verify
	FaultViewChange   Fault = "invalid_view_change" // sent a view change or new view that does not verify
	FaultSync         Fault = "wrong_sync"          // sent blocks that do not verify
	FaultMessage      Fault = "invalid_message"     // sent what no correct member sends
	FaultFlood        Fault = "flood"               // sent more than a correct member would
)

// Misbehaviour is delivered when somebody broke a rule.
type Misbehaviour struct {
	Who   sm.NodeID
	What  Fault
	Cause string // a sentence with the values
	// Evidence proves it to anybody, if it can be proven: an encoded [Evidence].
	Evidence []byte
	// Drop says that whoever sent this is not worth a connection.
	Drop bool
}

// Phase is what a member is doing.
type Phase uint8

// The phases.
const (
	Syncing   Phase = iota // it does not know or have the newest blocks
	Voting                 // it takes part
	Waiting                // it takes part, but there is no progress
	Halted                 // its state is not the certified one; it must be restored
	Following              // it has the newest blocks, and no seat
)

// String names the phase.
func (p Phase) String() string {
	switch p {
	case Syncing:
		return "syncing"
	case Voting:
		return "voting"
	case Waiting:
		return "waiting"
	case Following:
		return "following"
	}
	return "halted"
}

// Status is delivered when something of it changes other than the height and
// the view, which Final and ViewChanged tell.
type Status struct {
	Phase  Phase
	Reason string // a sentence
	Term   chain.Term
	Height uint64
	View   uint64
	Leader chain.ValidatorID
	// WaitsFor are members that are not heard of, as far as that is known.
	WaitsFor []chain.ValidatorID
}
