package atomix

import (
	"time"

	"ios/chain"
	"ios/internal/sm"
)

// RelayConfig is what a relay is made from.
type RelayConfig struct {
	Params *chain.Params
	Self   chain.ValidatorID
	Shard  chain.ShardID
	// Committees are the members of every shard, those of the own one in the order
	// of their seats; see [CommitteesChanged].
	Committees [][]chain.ValidatorID
	// Patience is how long an answer may take before another member is asked.
	// DefaultPatience of the network's Δ suits.
	Patience time.Duration
	// Status tells what the own shard finally recorded: [State.Status].
	Status func(chain.TxID) (Status, bool)
}

// DefaultPatience leaves a block in each of two shards and the way there and
// back.
func DefaultPatience(delta, blockInterval time.Duration) time.Duration {
	return 4*delta + 2*blockInterval
}

// Decided is the event of a final block of the own shard, with what executing
// it came to. Blocks come in order.
type Decided struct {
	Block  *chain.Block
	Report *Report
	Lead   int // the seat that leads view 0
}

// Restored is the event after a restart: what is open as of the last final
// block, see [State.OpenRecords]. It comes before the first Decided.
type Restored struct{ Open []Opened }

// CheckProof asks to verify a bundle off the machine: [chain.Bundle.Check], the
// certificate ([CertifiedBy]) and the signatures ([BundleSignatures]). The
// answer is a ProofChecked.
type CheckProof struct {
	Bundle *chain.Bundle
	From   chain.ValidatorID
	Key    chain.Hash
}

// ProofChecked answers a CheckProof.
type ProofChecked struct {
	Key chain.Hash
	Err error // nil: all is good
}

// Recall asks for a segment of an old block, from the log: the bundle that shows
// the outcome of ID, which the block at Height recorded, to shard Dest. The answer
// is a Recalled; see [BundleOf].
type Recall struct {
	ID     chain.TxID
	Height uint64
	Dest   chain.ShardID
	To     chain.ValidatorID // for whom
	Push   bool              // put the open transactions into it
}

// Recalled answers a Recall.
type Recalled struct {
	Recall
	Bundle *chain.Bundle // nil: there is no such outcome, or the block is gone
}

// CarryIn is the event of a bundle that a client brought, checked by the shell as
// CheckProof says, or of one that the identity chain has for the shard.
type CarryIn struct {
	Bundle *chain.Bundle
	All    bool // all members have it, as they follow the identity chain: they take turns
}

// ForRegistry is delivered to bring a bundle to the identity chain, in which every
// validator takes part itself: no letter is sent there.
type ForRegistry struct{ Bundle *chain.Bundle }

// SubmitBundle is delivered to put a bundle into the next own body. It was
// checked.
type SubmitBundle struct{ Bundle *chain.Bundle }

// Misbehaviour is delivered when a peer sent what no honest validator sends.
type Misbehaviour struct {
	Who    chain.ValidatorID
	Reason error
}

// Letter is what travels between relays. A validator may be a member of two
// shards, so it says for which one its sender speaks. To is not encoded: whoever
// carries letters for several shards tells them apart.
type Letter struct {
	From, To chain.ShardID
	Msg      sm.Message
}

// BundleMsg carries a bundle to a validator of its destination.
type BundleMsg struct{ Bundle *chain.Bundle }

// QueryMsg asks a validator of another shard what the shard finally recorded for
// the asker's shard.
type QueryMsg struct{ IDs []chain.TxID }

// UnknownMsg answers a query: nothing is recorded of these.
type UnknownMsg struct{ IDs []chain.TxID }

var _ = []sm.Message{(*Letter)(nil), (*BundleMsg)(nil), (*QueryMsg)(nil), (*UnknownMsg)(nil)}
