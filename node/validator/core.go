package validator

import (
	"fmt"
	"iter"
	"slices"
	"time"

	"ios/atomix"
	"ios/chain"
	"ios/chain/sig"
	"ios/internal/sm"
	"ios/pob/byzcoin"
	"ios/transepoch"
)

// Config is what a Core is made from.
type Config struct {
	Params *chain.Params
	Self   chain.ValidatorID
	// Committees are the members of every shard in the order of their seats.
	Committees [][]chain.ValidatorID
	// Agreement configures the own shard's chain of blocks; App is set here.
	Agreement byzcoin.ChainConfig
	// Term is the term that the genesis begins with.
	Term chain.Term
	// Plan is how an epoch's committees change, at least of the epochs of blocks
	// that are restored or fetched; nil for one that is not known. Without it the
	// shard stays in the first epoch.
	Plan func(epoch uint64) *transepoch.Plan
	// Signing is a validator's key for messages.
	Signing func(chain.ValidatorID) (sig.PublicKey, bool)
	// BatchDeadline is how long a batch waits for those that it brings in.
	BatchDeadline time.Duration
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

	finals   []finalized // blocks not yet delivered
	gatherAt time.Time   // when the queue is put into a body
	retryAt  time.Time   // when a body that was refused is tried again
	timer    time.Time   // what timerAuthor is set to

	// The succession of committees.
	succession succession
	epochs     []EpochKnown // ascending
	progress   *transepoch.Progress
	proposal   *proposal
	status     byzcoin.Status
	term       chain.Term // with seat: what the parts were told
	seat       int
	stale      bool // the relay does not know of the committees
	released   bool // MayGo, as it was told
	led        int  // the seat that leads the first view of the term, as the last step left it
	first      firstBlock
	ready      *transepoch.Ready // ours, that we are ready
	readyBy    sig.PublicKey     // the key that signed it
	readyAt    time.Time         // when to send it again
	heard      map[chain.ValidatorID]time.Time

	// Bodies whose checks are under way, or done and held back.
	checks  map[chain.Hash]byzcoin.Check
	unready []byzcoin.Check
	turns   []*heldTurn
	vetted  map[chain.ValidatorID]bool

	// What the terms before have left.
	owed  []owedTx
	debts []*debt
	// What we hand over without a seat, and get from who has none.
	handAt  time.Time
	handTo  int
	handed  map[chain.Hash]time.Time
	doubted map[chain.TxID]time.Time
	seen    map[chain.TxID]struct{} // in blocks that were restored, until the start
	todo    []sm.Event              // for the agreement, when this step's effects are out

	now time.Time
	out []sm.Effect
}

// ledger is the Application of the agreement. Reports are kept, since the next
// execution may begin before a final block is delivered.
type ledger struct{ *Core }

func (l ledger) Execute(h *chain.Header, bodies []*chain.Body) chain.Hash {
	l.succession.execute(h, bodies, l.plan)
	root := l.state.Execute(h, bodies)
	if l.succession.err != nil {
		return chain.Hash{} // that of no block
	}
	return root
}

func (l ledger) Revert() {
	l.succession.open = nil
	l.state.Revert()
}

func (l ledger) Finalize(b *chain.Block) {
	l.state.Finalize(b)
	r := l.state.Report()
	l.finals = append(l.finals, finalized{r, l.succession.finalize(b)})
	if l.seen != nil && len(l.seen) < maxSeen {
		for i := range r.Outcomes {
			l.seen[r.Outcomes[i].ID] = struct{}{}
		}
		for i := range r.Skipped {
			l.seen[r.Skipped[i].ID] = struct{}{}
		}
	}
}

func (l ledger) Next() chain.Term { return l.succession.next() }

// finalized is what a final block came to.
type finalized struct {
	report *atomix.Report
	turned *turned // nil unless it was the last of its term
}

// maxSeen bounds the transactions that are remembered while blocks are restored.
const maxSeen = 1 << 20

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

// Released is delivered when [Core.MayGo] begins to hold.
type Released struct{}

// Events are consumed in one step.
type Events []sm.Event

// New makes a core; records are what its Persist effects put into the log since
// the snapshot, or nil. Its first event must be [Start].
func New(cfg Config, records iter.Seq[sm.Persist]) (*Core, error) {
	if cfg.Signing == nil {
		cfg.Signing = func(chain.ValidatorID) (key sig.PublicKey, known bool) { return key, false }
	}
	c := &Core{
		cfg: cfg, state: cfg.State, pool: newPool(cfg.Limits), checks: make(map[chain.Hash]byzcoin.Check),
		heard: make(map[chain.ValidatorID]time.Time),
		seen:  make(map[chain.TxID]struct{}), handed: make(map[chain.Hash]time.Time),
		doubted: make(map[chain.TxID]time.Time),
	}
	cfg.Agreement.App = ledger{c}
	c.succession.state = transepoch.State{Chain: cfg.Params.ChainID, Shard: c.state.Shard(), Epoch: cfg.Term.Epoch, Batch: cfg.Term.Batch}
	var err error
	saved := cfg.Saved
	if saved != nil {
		if c.succession, saved, err = readSuccession(saved); err != nil {
			return nil, fmt.Errorf("reading how far the shard was in its epoch: %w", err)
		}
	}
	if c.bft, err = byzcoin.RestoreChain(cfg.Agreement, saved, c.restored(records)); err != nil {
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
				c.finals = slices.DeleteFunc(c.finals, func(f finalized) bool { return f.report.Height <= told })
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
	return c.state, append(c.succession.appendTo(nil), c.bft.ExportState()...)
}

// Term is the term of the next block.
func (c *Core) Term() chain.Term { return c.bft.Term() }

// Seat is our seat in the committee that acts, -1 if we have none.
func (c *Core) Seat() int { return c.bft.Seat() }

// Members are the committee that acts, by seat. They must not be changed.
func (c *Core) Members() []chain.ValidatorID { return c.bft.Members() }

// Leader is the leader of the installed view.
func (c *Core) Leader() chain.ValidatorID { return c.bft.Leader() }

// View is the installed view.
func (c *Core) View() uint64 { return c.bft.View() }

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
	c.inOffice()
	c.vet()
	c.repay()
	c.handOver()
	c.author()
	c.tellReady()
	c.authorTurn()
	c.authorFirst()
	c.inOffice()
	before := c.released
	if c.released = c.MayGo(); c.released && !before {
		c.out = append(c.out, sm.Deliver{Value: Released{}})
	}
	return c.out
}

// inOffice lets the agreement consume what was put off, and tells the parts when
// another committee acts.
func (c *Core) inOffice() {
	for len(c.todo) > 0 {
		ev := c.todo[0]
		c.todo = c.todo[1:]
		c.stepAgreement(ev)
	}
	if term, seat := c.bft.Term(), c.bft.Seat(); term != c.term || seat != c.seat {
		anew := term != c.term
		if anew {
			c.first = firstBlock{since: c.now}
		}
		c.term, c.seat, c.stale = term, seat, false
		c.sift()
		c.settle()
		c.committees(anew)
	}
	if c.stale {
		c.stale = false
		c.committees(false)
	}
	c.led = c.lead()
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
	case EpochKnown:
		c.epochKnown(ev)
	case byzcoin.Checked:
		if ev, ok := c.checked(ev); ok {
			c.stepAgreement(ev)
		}
	case byzcoin.CommitteesChanged:
		c.stepAgreement(ev)
		c.ask()
		c.stale = true
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
			if ev, ok := c.checked(ev); ok {
				agreement = append(agreement, ev)
			}
		default:
			c.event(ev)
		}
	}
	if len(agreement) > 0 {
		c.stepAgreement(agreement)
	}
}

func (c *Core) start() {
	for _, f := range c.finals { // final, but a crash came before their outcomes were stored
		c.persistOutcomes(f.report)
	}
	c.finals = nil
	c.term, c.seat = c.bft.Term(), c.bft.Seat()
	c.first = firstBlock{since: c.now}
	c.led = c.lead()
	c.committees(false)
	c.stepRelay(atomix.Restored{Open: c.state.OpenRecords()})
	c.follow()
	c.stepAgreement(byzcoin.Start{})
	c.seen = nil
}

func (c *Core) receive(ev sm.Receive) {
	e, ok := ev.Msg.(*Envelope)
	if !ok {
		return
	}
	inner := sm.Receive{From: ev.From, Msg: e.Msg}
	switch e.Protocol {
	case protoRelay:
		c.stepRelay(inner)
	case protoTransition:
		if r, ok := e.Msg.(*transepoch.Ready); ok {
			c.onReady(ev.From, r)
		}
	case protoHandover:
		if b, ok := e.Msg.(*Handover); ok {
			c.onHandover(ev.From, b)
		}
	default:
		c.stepAgreement(inner)
	}
}

func (c *Core) submit(ev Submit) {
	s := &submission{tag: ev.Tag}
	if c.bft.Seat() < 0 {
		for i := range ev.Txs {
			s.refusals = append(s.refusals, Refusal{i, errNoSeat(c.cfg.Self, c.bft.Term())})
		}
		c.answer(s)
		return
	}
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
