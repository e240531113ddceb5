package node

import (
	"io"
	"iter"

	"ios/chain"
	"ios/chain/store"
	"ios/internal/sm"
	"ios/pob/byzcoin"
)

// machine is the protocols of one chain as one machine, see package sm.
type machine interface {
	sm.Machine
	// Point is where the chain stands.
	Point() byzcoin.Point
}

// owner is what a chain is about: the ledger of a shard, say. It makes the
// machine that a runner runs, and acts on what only it understands. All of it is
// called in the loop, except where it says something else.
type owner interface {
	// load reads the ledger of a snapshot; with nil it makes that of the genesis.
	// It is called before restore.
	load(snapshot io.Reader) error
	// restore makes the machine of the ledger, of what the machine saved with it,
	// and of the records since then.
	restore(saved []byte, records iter.Seq[sm.Persist]) (machine, error)
	// begin is the machine's first event.
	begin() sm.Event
	// news are what the machine has to know of epochs: it is told after begin, and
	// again with each epoch. It runs on any goroutine.
	news() []sm.Event
	// image is the machine and its ledger as of the last final block. If frozen
	// it may be written while the machine goes on, and otherwise before its next
	// step.
	image(frozen bool) (image, error)

	// decode reads a message that a validator sent to this chain. It runs on any
	// goroutine.
	decode(payload []byte) (sm.Message, error)
	// agreement makes a message between the members of a term one of the machine's. It runs on
	// any goroutine.
	agreement(term chain.Term, msg sm.Message) sm.Message
	// checked makes one event of what the checker found out.
	checked(list []sm.Event) sm.Event

	// effect carries out what the runner does not know of.
	effect(e sm.Effect)
	// delivered consumes what the machine delivers. What it returns is done once
	// the records of the step are durable; it may be nil.
	delivered(value any) func()
	// recorded tells of a record that lists what a final block did at which
	// height, and reads the ids in it; of another record the height is 0. It runs
	// on any goroutine.
	recorded(r store.Record) (height uint64, ids func() ([]chain.TxID, error))
}

// image is what a snapshot holds.
type image struct {
	height uint64
	saved  []byte // by the machine
	ledger func(io.Writer) error
}
