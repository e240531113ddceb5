package validator

import (
	"fmt"
	"iter"
	"slices"
	"time"

	"ios/atomix"
	"ios/chain"
	"ios/internal/sm"
	"ios/pob/byzcoin"
)

// Config is what a Core is made from.
type Config struct {
	Params *chain.Params
	Self   chain.ValidatorID
	// Committees are the members of every shard in the order of their seats.
	Committees [][]chain.ValidatorID
	// Agreement configures the own shard's chain of blocks; App is set here.
	Agreement byzcoin.ChainConfig
	// Term is the term of the one committee that there is.
	Term chain.Term
	// State is the ledger at a snapshot, or at the genesis.
	State *atomix.State
	// Saved is what Export gave at that snapshot, nil at the genesis.
	Saved []byte
	// Patience is atomix.RelayConfig's.
	Patience time.Duration
	// Gather is how long transactions wait for company before they are put into
	// a body, when another body of ours is under way.
	Gather time.Duration
	Limits Limits
}

// Core is one validator of one shard.
type Core struct {
	cfg   Config
	bft   *byzcoin.Chain
	state *atomix.State
	relay *atomix.Relay
	pool  *pool

	reports  []*atomix.Report // of final blocks not yet delivered
	gatherAt time.Time        // when the queue is put into a body
	timer    bool             // timerAuthor is set

	now time.Time
	out []sm.Effect
}

// ledger is the Application of the agreement. Reports are kept, since the next
// execution may begin before a final block is delivered.
type ledger struct{ *Core }

func (l ledger) Execute(h *chain.Header, bodies []*chain.Body) chain.Hash {
	return l.state.Execute(h, bodies)
}

func (l ledger) Revert() { l.state.Revert() }

func (l ledger) Finalize(b *chain.Block) {
	l.state.Finalize(b)
	l.reports = append(l.reports, l.state.Report())
}

func (l ledger) Next() chain.Term { return l.cfg.Term }

// Start is the first event of a Core.
type Start struct{}

// Submit is the event of transactions whose static rules and signatures have
// been checked. The answer is an Answer.
type Submit struct {
	Txs []chain.Tx
	Tag any // comes back in the Answer
}

// Answer is delivered when each transaction of a submission is held or refused.
type Answer struct {
	Tag      any
	Refusals []Refusal
}

// Decided is delivered for every final block.
type Decided struct {
	Block  *chain.Block
	Bodies []*chain.Body // nil after a restart
	Report *atomix.Report
	Synced bool // learned from a peer's log
}

// Events are consumed in one step.
type Events []sm.Event

// New makes a core; records are what its Persist effects put into the log since
// the snapshot, or nil. Its first event must be [Start].
func New(cfg Config, records iter.Seq[sm.Persist]) (*Core, error) {
	c := &Core{cfg: cfg, state: cfg.State, pool: newPool(cfg.Limits)}
	cfg.Agreement.App = ledger{c}
	var err error
	if c.bft, err = byzcoin.RestoreChain(cfg.Agreement, cfg.Saved, c.restored(records)); err != nil {
		return nil, fmt.Errorf("restoring the agreement: %w", err)
	}
	c.relay, err = atomix.NewRelay(atomix.RelayConfig{
		Params: cfg.Params, Self: cfg.Self, Shard: c.state.Shard(),
		Committees: cfg.Committees, Patience: cfg.Patience, Status: c.state.Status,
	})
	if err != nil {
		return nil, fmt.Errorf("making the relay: %w", err)
	}
	return c, nil
}

// restored is the agreement's part of the records. Of the rest it learns which
// blocks' outcomes a crash kept from being stored.
func (c *Core) restored(records iter.Seq[sm.Persist]) iter.Seq[sm.Persist] {
	if records == nil {
		return nil
	}
	return func(yield func(sm.Persist) bool) {
		for r := range records {
			if r.Kind == RecordOutcomes {
				told := OutcomesHeight(r.Data)
				c.reports = slices.DeleteFunc(c.reports, func(r *atomix.Report) bool { return r.Height <= told })
			} else if !yield(r) {
				return
			}
		}
	}
}

// State is the ledger, for reading between two steps.
func (c *Core) State() *atomix.State { return c.state }

// Snapshot takes the ledger to the last final block, by taking back what is
// being executed above it, and encodes what a snapshot needs besides the ledger,
// see [byzcoin.Chain.ExportState]. Every record returned so far goes before it.
func (c *Core) Snapshot() (*atomix.State, []byte) {
	c.bft.Revert()
	return c.state, c.bft.ExportState()
}

// Point is where the chain stands.
func (c *Core) Point() byzcoin.Point { return c.bft.Point() }

// Pending reports whether the transaction was submitted here and is not final.
func (c *Core) Pending(id chain.TxID) bool { return c.pool.pending(id) }

// Queue is how much waits for a body, and its bound.
func (c *Core) Queue() (txs, bytes, capacity int) {
	return c.pool.txs.len(), c.pool.bytes, c.cfg.Limits.QueueTxs
}

// Step consumes one event. See package sm.
func (c *Core) Step(now time.Time, ev sm.Event) []sm.Effect {
	c.now, c.out = now, nil
	c.event(ev)
	c.author()
	return c.out
}

func (c *Core) event(ev sm.Event) {
	switch ev := ev.(type) {
	case Events:
		c.events(ev)
	case sm.Receive:
		c.receive(ev)
	case sm.Fire:
		c.fire(ev.Key)
	case Submit:
		c.submit(ev)
	case Start:
		c.start()
	case atomix.ProofChecked, atomix.Recalled, atomix.CarryIn:
		c.stepRelay(ev)
	default:
		c.stepAgreement(ev)
	}
}

// events lets the agreement consume its share in one step, so that its answers
// share a message.
func (c *Core) events(list Events) {
	var agreement byzcoin.Events
	for _, ev := range list {
		switch ev := ev.(type) {
		case byzcoin.Checked:
			agreement = append(agreement, ev)
		default:
			c.event(ev)
		}
	}
	if len(agreement) > 0 {
		c.stepAgreement(agreement)
	}
}

func (c *Core) start() {
	for _, r := range c.reports { // final, but a crash came before their outcomes were stored
		c.persistOutcomes(r)
	}
	c.reports = nil
	c.stepRelay(atomix.Restored{Open: c.state.OpenRecords()})
	c.stepAgreement(byzcoin.Start{})
}

func (c *Core) receive(ev sm.Receive) {
	e, ok := ev.Msg.(*Envelope)
	if !ok {
		return
	}
	inner := sm.Receive{From: ev.From, Msg: e.Msg}
	if e.Protocol == protoRelay {
		c.stepRelay(inner)
	} else {
		c.stepAgreement(inner)
	}
}

func (c *Core) submit(ev Submit) {
	s := &submission{tag: ev.Tag}
	if c.pool.empty() {
		c.gatherAt = c.now.Add(c.cfg.Gather)
	}
	epoch := c.bft.Term().Epoch
	if c.pool.submit(s, ev.Txs, func(t *chain.Tx) error { return c.state.Validate(t, epoch) }) {
		c.answer(s)
	}
}

func (c *Core) answer(s *submission) {
	c.out = append(c.out, sm.Deliver{Value: Answer{s.tag, s.refusals}})
}

// Queued is the encoding of a transaction that waits for a body, or nil.
func (c *Core) Queued(id chain.TxID) []byte {
	waiting := c.pool.txs.all()
	for i := range waiting {
		if waiting[i].ID == id {
			return waiting[i].Raw
		}
	}
	return nil
}
