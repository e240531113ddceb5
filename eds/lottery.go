package eds

import (
	"fmt"
	"slices"
	"time"

	"ios/chain"
	"ios/chain/cosi"
	"ios/chain/vrf"
	"ios/internal/sm"
)

// Ranks is how many tickets of a view lead in turn.
const Ranks = 3

// Member takes part in the lottery.
type Member struct {
	ID  chain.ValidatorID
	Key vrf.PublicKey
}

// LotteryConfig is what a Lottery is made from.
type LotteryConfig struct {
	ChainID  chain.Hash
	Epoch    uint64
	Previous chain.Hash // output of the beacon in the epoch before
	Members  []Member   // in ascending order of their IDs
	Self     chain.ValidatorID
	Secret   vrf.Secret // of Self
	// Delta is the assumed bound on the network's delay.
	Delta time.Duration
	// RoundTime is how long a leader has in the first view. It doubles with every
	// view, up to 32 times.
	RoundTime time.Duration
}

func (c *LotteryConfig) check() (self int, err error) {
	if len(c.Members) < 1 || len(c.Members) > chain.MaxValidators {
		return 0, fmt.Errorf("lottery: %d members; from 1 to %d are wanted", len(c.Members), chain.MaxValidators)
	}
	for i := range c.Members {
		if c.Members[i].ID == Nobody || i > 0 && c.Members[i-1].ID >= c.Members[i].ID {
			return 0, fmt.Errorf("lottery: member %d is in place %d; ascending order is wanted", c.Members[i].ID, i)
		}
	}
	self, ok := slices.BinarySearchFunc(c.Members, c.Self, func(m Member, id chain.ValidatorID) int { return int(m.ID) - int(id) })
	if !ok {
		return 0, fmt.Errorf("lottery: validator %d is not a member in epoch %d", c.Self, c.Epoch)
	}
	if c.Secret.Public() != c.Members[self].Key {
		return 0, fmt.Errorf("lottery: the VRF key of validator %d is not the registered one; start it with the key file it was registered with", c.Self)
	}
	for _, t := range []struct {
		name string
		d    time.Duration
	}{{"delta", c.Delta}, {"round time", c.RoundTime}} {
		if t.d < time.Millisecond || t.d > time.Hour {
			return 0, fmt.Errorf("lottery: %s from 1ms to 1h is wanted, not %v", t.name, t.d)
		}
	}
	return self, nil
}

// Begin is the event that starts the lottery of an epoch.
type Begin struct{}

// Progress is the event that the leader's work in the current round visibly
// goes on. The round's time doubles, once.
type Progress struct{}

// Stop is the event that ends the lottery.
type Stop struct{}

// ViewBegan is delivered when a view begins: the beacon deals again.
type ViewBegan struct{ View uint64 }

// Round is delivered when a round begins, and when the leader that the member
// backs in it becomes known.
type Round struct {
	Round  uint64
	View   uint64
	Rank   int
	Leader chain.ValidatorID
	Known  bool
}

// Lottery is one member's machine for one epoch. Package sm has its contract.
type Lottery struct {
	cfg     LotteryConfig
	me      int
	f, q    int
	others  []sm.NodeID
	running bool
	stopped bool

	now time.Time
	out []sm.Effect

	view   uint64
	viewAt time.Time // when it began here
	ticket *Ticket   // mine in the view
	input  []byte    // of all tickets in the view
	peers  []peer    // by place among the members

	round    uint64
	workAt   time.Time // from when the leader is waited for
	deadline time.Time // zero when the round was given up
	extended bool
	leader   int // its place, -1 while not known
	past     [pastRounds]backed
	given    *Timeout // my latest

	excluded []bool
	count    int  // of the excluded
	judged   bool // the leaders of the view before

	repeatAt    time.Time
	repeatEvery time.Duration
}

// peer is what is known of a member.
type peer struct {
	lot      *lot    // in the current view
	bad      bool    // it sent a wrong ticket of its own in the view
	badBest  bool    // it passed on a wrong ticket in the view
	pending  *Ticket // for a view that has not begun here
	gave     uint64  // the highest round it gave up on, plus 1
	timeout  *Timeout
	named    [Ranks]int // place of whom it backed in rounds of the view that it gave up on
	before   [Ranks]int // the same of the view before
	answered time.Time
}

// NewLottery makes the machine. It is the same for a first start and for any
// other: it keeps nothing on disk.
func NewLottery(cfg LotteryConfig) (*Lottery, error) {
	me, err := cfg.check()
	if err != nil {
		return nil, err
	}
	n := len(cfg.Members)
	m := &Lottery{cfg: cfg, me: me, f: cosi.Faults(n), q: cosi.Quorum(n), peers: make([]peer, n), excluded: make([]bool, n), leader: -1, judged: true}
	for i := range cfg.Members {
		if i != me {
			m.others = append(m.others, cfg.Members[i].ID)
		}
	}
	return m, nil
}

// Step consumes an event.
func (m *Lottery) Step(now time.Time, ev sm.Event) []sm.Effect {
	m.now = now
	if m.stopped {
		return nil
	}
	switch ev := ev.(type) {
	case Begin:
		m.begin()
	case Progress:
		m.extend()
	case Stop:
		m.stop()
	case sm.Receive:
		m.receive(ev)
	case sm.Fire:
		if m.running {
			m.fire(ev.Key.Kind)
		}
	}
	out := m.out
	m.out = nil
	return out
}

func (m *Lottery) begin() {
	if m.running {
		return
	}
	m.running = true
	m.enterView(0)
	m.enterRound(0)
	m.pace()
}

func (m *Lottery) stop() {
	m.stopped = true
	for kind := range timerKinds {
		m.emit(sm.CancelTimer{Key: sm.TimerKey{Kind: kind}})
	}
}

// place is where a member stands in the list, -1 for a stranger.
func (m *Lottery) place(id chain.ValidatorID) int {
	i, ok := slices.BinarySearchFunc(m.cfg.Members, id, func(m Member, id chain.ValidatorID) int { return int(m.ID) - int(id) })
	if !ok {
		return -1
	}
	return i
}

func (m *Lottery) receive(r sm.Receive) {
	from := m.place(r.From)
	if from < 0 || from == m.me {
		return
	}
	switch msg := r.Msg.(type) {
	case *Ticket:
		if msg.Epoch == m.cfg.Epoch && msg.View < maxRound/Ranks {
			m.onTicket(from, msg)
		}
	case *Timeout:
		if msg.Epoch == m.cfg.Epoch && msg.Round < maxRound {
			m.onTimeout(from, msg)
		}
	}
}

func (m *Lottery) emit(e sm.Effect) { m.out = append(m.out, e) }

func (m *Lottery) sendAll(msg sm.Message) {
	if len(m.others) > 0 {
		m.emit(sm.Send{To: m.others, Msg: msg})
	}
}

// answer tells a member that seems to be behind, at most once in a Delta, where
// this one is.
func (m *Lottery) answer(to int) {
	p := &m.peers[to]
	if !m.running || !p.answered.IsZero() && m.now.Sub(p.answered) < m.cfg.Delta {
		return
	}
	p.answered = m.now
	m.show([]sm.NodeID{m.cfg.Members[to].ID})
}

// show sends what others need to follow.
func (m *Lottery) show(to []sm.NodeID) {
	if len(to) == 0 {
		return
	}
	if m.given != nil {
		m.emit(sm.Send{To: to, Msg: m.given})
	}
	if slices.Contains(m.best(), m.me) { // whoever needs another ticket hears it from its owner
		m.emit(sm.Send{To: to, Msg: m.ticket})
	}
}

// Standing is what a member knows of another in the current view.
type Standing struct {
	ID       chain.ValidatorID
	Ticket   bool   // its ticket is known
	Wrong    bool   // it sent a ticket that is none
	GaveUp   uint64 // the highest round it gave up on, plus 1
	Excluded bool   // it failed as a leader
}

// Standings tell an operator, by member, who takes part and who does not.
func (m *Lottery) Standings() []Standing {
	list := make([]Standing, len(m.peers))
	for i := range m.peers {
		p := &m.peers[i]
		list[i] = Standing{m.cfg.Members[i].ID, p.lot != nil, p.bad, p.gave, m.excluded[i]}
	}
	return list
}
