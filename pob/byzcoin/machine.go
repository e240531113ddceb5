package byzcoin

import (
	"time"

	"ios/chain"
	"ios/internal/sm"
)

// Machine is one member of the committee, or a follower of the chain.
type Machine struct {
	cfg    Config
	s, q   int
	f      int
	me     int // our seat, -1 for a follower
	seats  map[chain.ValidatorID]int
	peers  []peer
	guide  int    // whom to follow next
	guests guests // who has no seat; they may ask for blocks, and follow us

	now    time.Time
	out    []sm.Effect
	timers [timerKinds]time.Time // when each is due, zero if it is not set

	// The chain up to the last final block.
	height uint64
	hash   chain.Hash
	last   []Certified // the last final block, none at the start point

	// Bodies that are not final.
	authors []author
	checks  map[chain.Hash]*copyOf // that await Checked
	ackOut  []chain.BodyRef        // that leave at the end of the step
	acked   int                    // bodies that we acked and that are not final
	pull    pull
	// checking is how long checks of bodies take, of late.
	checking time.Duration

	// Views.
	view       uint64 // installed
	joined     uint64 // that we wished for, at least view
	newView    *NewView
	base       uint64   // the highest final height that newView shows
	bound      *Content // what must be proposed above base, if anything
	boundTo    chain.Hash
	changes    []change // the highest wish of each seat
	complaints []uint64 // the view above the one that each seat would leave, ours too
	recount    bool     // of changes and complaints
	fails      uint     // views in a row without progress
	deadline   time.Time
	lastTry    time.Time // of resending our view change

	// The block above the last final one.
	round    *round
	voted    *Proposal // what we last prepared, or proposed
	lock     *lock
	open     chain.Hash    // whose execution is open in the application
	proposed time.Time     // when we last proposed
	took     time.Duration // from there to its being final
	next     *Certified    // a commit certificate for the next height
	best     *Certified    // the highest commit certificate above the final height
	bestAt   time.Time     // when we learned of best
	verified facts
	doubted  uint64 // up to here certificates from logs are checked one by one

	later  [][]sm.Message // of each seat, for heights and views to come
	replay bool

	sync   fetcher
	status status
	tree   tree

	// ended is the block after which another committee acts. From then on we
	// sign, ack, store and propose nothing.
	ended *chain.Block
	late  bool // we learned it from a peer's log
}

// peer is what we know of a member, and how much it may ask of us.
type peer struct {
	heard    time.Time
	height   uint64 // the highest that it claims
	answered bool   // the current query
	answer   uint64 // the height it answered with
	asked    time.Time
	told     time.Time // when we sent our new view
	shown    time.Time // when we sent our last certificate
	wrongAt  time.Time // when it last sent a certificate that does not verify
	avoid    time.Time // until when we fetch nothing from it
	budget   budget    // bytes of bodies
	serves   budget    // answers to Fetch
	asks     budget    // Fetches to it
	queries  budget    // answers to Query and Where
	pointed  time.Time // when we told it that we are in a later term
	sought   time.Time // when we asked it how far it is
	follows  time.Time // until when it wants our certificates
	accused  []accusation
}

// Kinds of records, for Persist. The runner may tell bodies and final blocks
// apart by them, to index and to serve them: of the bodies with one author and
// number the last before the final block is the final one.
const (
	RecordBody   uint8 = 1 // a raw body that we acked, or authored
	RecordPulled uint8 = 2 // a raw body that we hold without having acked it
	RecordAck    uint8 = 3 // we acked a pulled body: its reference
	RecordVote   uint8 = 4 // a proposal that we prepare
	RecordLock   uint8 = 5 // a prepare certificate with its block
	RecordJoin   uint8 = 6 // we wish to go to a view
	RecordView   uint8 = 7 // a view was installed
	RecordFinal  uint8 = 8 // a final block, as chain.Block encodes it
)

// New makes the machine of a member that has no records. Its first event must be
// [Start].
func New(cfg Config) (*Machine, error) { return Restore(cfg, nil, nil) }

func newMachine(cfg Config) *Machine {
	s := len(cfg.Members)
	m := &Machine{
		cfg: cfg, s: s, f: cfg.Committee.Faults(), q: cfg.Committee.Quorum(), me: cfg.Seat,
		seats:   make(map[chain.ValidatorID]int, s),
		peers:   make([]peer, s),
		authors: make([]author, s),
		checks:  make(map[chain.Hash]*copyOf),
		changes: make([]change, s), complaints: make([]uint64, s),
		later:  make([][]sm.Message, s),
		height: cfg.Start.Height, hash: cfg.Start.Hash, base: cfg.Start.Height,
	}
	if m.height == 0 && m.hash.IsZero() {
		m.hash = cfg.ChainID
	}
	for i, id := range cfg.Members {
		m.seats[id] = i
		m.authors[i].slots = make(map[uint64]*slot)
	}
	m.layTree()
	return m
}

// Point is where the chain stands: what the next committee starts from.
func (m *Machine) Point() Point { return Point{Height: m.height, Hash: m.hash} }

func (m *Machine) term() chain.Term { return m.cfg.term() }

// Revert takes back the open execution, if there is one, so that the application
// stands at the last final block. It is repeated when its block becomes final.
func (m *Machine) Revert() { m.revert() }

// View is the installed view.
func (m *Machine) View() uint64 { return m.view }

// Leader is the leader of the installed view.
func (m *Machine) Leader() chain.ValidatorID { return m.cfg.Members[m.leader()] }

func (m *Machine) leader() int { return m.leaderOf(m.view) }

func (m *Machine) leaderOf(view uint64) int {
	return int((view%uint64(m.s) + uint64(m.cfg.Lead)) % uint64(m.s))
}

// Step consumes one event. See package sm.
func (m *Machine) Step(now time.Time, ev sm.Event) []sm.Effect {
	if now.After(m.now) {
		m.now = now
	}
	m.out = nil
	if list, ok := ev.(Events); ok {
		for _, e := range list {
			m.consume(e)
		}
	} else {
		m.consume(ev)
	}
	for m.settle(); m.flushAcks(); {
		m.settle()
	}
	if m.ended == nil {
		m.pumpFetch()
		m.armTimers()
		m.tellStatus()
	}
	return m.out
}

func (m *Machine) consume(ev sm.Event) {
	if m.ended != nil {
		m.consumeEnded(ev)
		return
	}
	switch e := ev.(type) {
	case *learn:
		e.err = m.learn(e.block)
	case sm.Receive:
		m.receive(e.From, e.Msg)
	case sm.Fire:
		m.fire(e.Key)
	case Checked:
		m.onChecked(&e)
	case Author:
		m.onAuthor(&e)
	case Start:
		m.onStart()
	}
}

// consumeEnded is what is left to do when another committee acts.
func (m *Machine) consumeEnded(ev sm.Event) {
	switch e := ev.(type) {
	case Author:
		m.onAuthor(&e)
	case sm.Receive:
		if f, ok := e.Msg.(*Fetch); ok {
			m.onFetch(e.From, m.account(e.From), f)
		}
	}
}

// settle does what has become possible, until nothing more is.
func (m *Machine) settle() {
	for {
		switch {
		case m.status.halted || m.ended != nil:
			return
		case m.tryFinalize():
		case m.tryJoin():
		case m.tryInstall():
		case m.tryReplay():
		case m.tryPropose():
		case m.tryPrepare():
		case m.tryCertify(chain.Prepare):
		case m.tryCommit():
		case m.tryCertify(chain.Commit):
		default:
			return
		}
	}
}

// canVote reports whether we may sign anything in the installed view.
func (m *Machine) canVote() bool {
	return m.me >= 0 && m.status.synced && m.joined == m.view && !m.status.halted && m.ended == nil
}

func (m *Machine) receive(from sm.NodeID, msg sm.Message) {
	seat, ok := m.seats[from]
	if !ok {
		m.receiveStranger(from, msg)
		return
	}
	if seat == m.me {
		return
	}
	m.peers[seat].heard = m.now
	switch msg := msg.(type) {
	case *Body:
		m.onBody(seat, msg.Body)
	case *Acks:
		m.onAcks(seat, msg.Refs)
	case *Insist:
		m.onInsist(seat, msg.Refs)
	case *Pull:
		m.onPull(seat, msg.Refs)
	case *Proposal:
		m.onProposal(seat, msg)
	case *Share:
		m.onShare(seat, msg)
	case *Certified:
		m.onCertified(seat, msg)
	case *Bypass:
		m.onBypass(seat, msg)
	case *Complaint:
		m.onComplaint(seat, msg)
	case *ViewChange:
		m.onViewChange(seat, msg)
	case *NewView:
		m.onNewView(seat, msg)
	case *Query:
		m.onQuery(from, &m.peers[seat], msg)
	case *Answer:
		m.onAnswer(seat, msg)
	case *Fetch:
		m.onFetch(from, &m.peers[seat], msg)
	case *SyncReply:
		m.onSyncReply(seat, msg)
	case *Evidence:
		m.onEvidence(seat, msg)
	}
}

// receiveStranger serves whoever has no seat, within a budget.
func (m *Machine) receiveStranger(from sm.NodeID, msg sm.Message) {
	switch msg := msg.(type) {
	case *Query:
		m.onQuery(from, m.account(from), msg)
	case *Fetch:
		m.onFetch(from, m.account(from), msg)
	case *Follow:
		m.onFollow(from)
	}
}

// account is what a validator may ask of us, whether it has a seat or not.
func (m *Machine) account(id sm.NodeID) *peer {
	if seat, ok := m.seats[id]; ok {
		return &m.peers[seat]
	}
	return m.guests.of(id, m.now, 8*m.cfg.Policy.StatusInterval)
}

func (m *Machine) emit(e sm.Effect) { m.out = append(m.out, e) }

func (m *Machine) deliver(v any) { m.emit(sm.Deliver{Value: v}) }

func (m *Machine) persist(kind uint8, data []byte) { m.emit(sm.Persist{Kind: kind, Data: data}) }

// send sends to seats, leaving out our own.
func (m *Machine) send(msg sm.Message, to ...int) {
	ids := make([]sm.NodeID, 0, len(to))
	for _, seat := range to {
		if seat != m.me {
			ids = append(ids, m.cfg.Members[seat])
		}
	}
	if len(ids) > 0 {
		m.emit(sm.Send{To: ids, Msg: msg})
	}
}

func (m *Machine) sendAll(msg sm.Message) {
	ids := make([]sm.NodeID, 0, m.s)
	for seat, id := range m.cfg.Members {
		if seat != m.me {
			ids = append(ids, id)
		}
	}
	if len(ids) > 0 {
		m.emit(sm.Send{To: ids, Msg: msg})
	}
}
