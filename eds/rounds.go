package eds

import (
	"slices"
	"time"

	"ios/chain"
	"ios/internal/sm"
)

const (
	// pastRounds is for how many rounds back the leader is remembered.
	pastRounds = 64
	// maxRound keeps a hostile number away from overflow. Honest members never
	// come near.
	maxRound = 1 << 48
	// maxDoublings bounds the time of a round.
	maxDoublings = 5
)

// Kinds of timers. There is one of each.
const (
	timerChoice uint8 = iota
	timerDeadline
	timerRepeat
	timerKinds
)

// Whom a member backed in a round, if not a place among the members.
const (
	unknown = -1 - iota // it said that it backed nobody
	unheard             // it said nothing
)

var nothingHeard = [Ranks]int{unheard, unheard, unheard}

// backed is whom the member backs in a round.
type backed struct {
	round  uint64
	leader chain.ValidatorID
	known  bool
}

// Backed is the leader whom this member backs, or has backed, in a round of
// this epoch. Only the last 64 rounds are remembered.
func (m *Lottery) Backed(round uint64) (chain.ValidatorID, bool) {
	if b := m.past[round%pastRounds]; b.known && b.round == round {
		return b.leader, true
	}
	return Nobody, false
}

// wait is the time from the beginning of a view to the choice of a leader: one
// Delta for the others to begin it too, and one for their tickets.
func (m *Lottery) wait() time.Duration { return 2 * m.cfg.Delta }

// roundTime is how long a leader has.
func (m *Lottery) roundTime() time.Duration { return m.cfg.RoundTime << min(m.view, maxDoublings) }

func (m *Lottery) setTimer(kind uint8, at time.Time) {
	m.emit(sm.SetTimer{Key: sm.TimerKey{Kind: kind}, At: at})
}

// enterView begins a view with a lottery of its own.
func (m *Lottery) enterView(view uint64) {
	if !m.judged {
		m.judge()
	}
	m.judged = m.ticket == nil // nothing is before the first view
	next := m.ticket != nil && view == m.view+1
	m.view, m.viewAt = view, m.now
	m.input = TicketInput(m.cfg.ChainID, m.cfg.Previous, m.cfg.Epoch, view)
	for i := range m.peers {
		p := &m.peers[i]
		p.lot, p.bad, p.badBest = nil, false, false
		p.before = nothingHeard
		if next {
			p.before = p.named
		}
		p.named = nothingHeard
	}
	m.ticket = &Ticket{Epoch: m.cfg.Epoch, View: view}
	// Without a key, wiped by the owner, this member only follows.
	if proof, err := m.cfg.Secret.Prove(m.input); err == nil {
		m.ticket.Proof = proof
		m.learn(m.me, &proof)
		m.sendAll(&Ticket{Epoch: m.cfg.Epoch, View: view, New: true, Proof: proof})
	}
	m.adopt()
	m.emit(sm.Deliver{Value: ViewBegan{view}})
	m.setTimer(timerChoice, m.now.Add(m.wait()))
}

// enterRound begins a round of the current view.
func (m *Lottery) enterRound(round uint64) {
	m.round, m.leader, m.extended = round, -1, false
	m.workAt = m.now
	if choice := m.viewAt.Add(m.wait()); choice.After(m.now) {
		m.workAt = choice
	}
	m.deadline = m.workAt.Add(m.roundTime())
	m.setTimer(timerDeadline, m.deadline)
	m.repeatEvery = 2 * m.cfg.Delta
	m.setRepeat()
	if !m.choose() {
		m.deliverRound()
	}
}

func (m *Lottery) setRepeat() {
	m.repeatAt = m.now.Add(m.repeatEvery)
	m.setTimer(timerRepeat, m.repeatAt)
}

func (m *Lottery) rank() int { return int(m.round % Ranks) }

// choose settles whom to back in the round, once the tickets have had the time
// to come. Better ones that come later count from the next round on.
func (m *Lottery) choose() bool {
	if m.leader >= 0 || m.now.Before(m.viewAt.Add(m.wait())) {
		return false
	}
	if !m.judged {
		m.judge()
	}
	best := m.best()
	// Fewer than three members lead more than once.
	rank := m.rank() % min(Ranks, len(m.peers)-m.count)
	if rank >= len(best) {
		return false
	}
	m.leader = best[rank]
	m.past[m.round%pastRounds] = backed{m.round, m.cfg.Members[m.leader].ID, true}
	m.deliverRound()
	return true
}

func (m *Lottery) deliverRound() {
	r := Round{Round: m.round, View: m.view, Rank: m.rank(), Leader: Nobody}
	if m.leader >= 0 {
		r.Leader, r.Known = m.cfg.Members[m.leader].ID, true
	}
	m.emit(sm.Deliver{Value: r})
}

// extend doubles the time of a round that moves.
func (m *Lottery) extend() {
	if !m.running || m.extended || m.deadline.IsZero() {
		return
	}
	m.extended = true
	m.deadline = m.workAt.Add(2 * m.roundTime())
	m.setTimer(timerDeadline, m.deadline)
}

func (m *Lottery) fire(kind uint8) {
	switch kind {
	case timerChoice:
		m.choose()
	case timerDeadline:
		if !m.deadline.IsZero() && !m.now.Before(m.deadline) {
			m.giveUp(m.round)
			m.pace()
		}
	case timerRepeat:
		if !m.now.Before(m.repeatAt) {
			m.show(m.others)
			m.repeatEvery = min(2*m.repeatEvery, 16*m.cfg.Delta)
			m.setRepeat()
		}
	}
}

// giveUp says to all that a round, this one or a later one that others gave up
// on, and those before it are over for this member.
func (m *Lottery) giveUp(round uint64) {
	t := &Timeout{Epoch: m.cfg.Epoch, Round: round, Backed: Nobody}
	if round/Ranks == m.view {
		for _, i := range m.best() {
			t.Best = append(t.Best, Shown{m.cfg.Members[i].ID, m.peers[i].lot.proof})
		}
	}
	if round == m.round && m.leader >= 0 {
		t.Backed = m.cfg.Members[m.leader].ID
	}
	m.deadline = time.Time{}
	m.given = t
	m.peers[m.me].gave = round + 1
	m.note(m.me, t)
	m.sendAll(t)
}

// note takes from a timeout what concerns the current view or the one before.
func (m *Lottery) note(from int, t *Timeout) {
	p := &m.peers[from]
	who := m.place(t.Backed)
	if who < 0 {
		who = unknown
	}
	rank := t.Round % Ranks
	switch view := t.Round / Ranks; {
	case view == m.view:
		if p.named[rank] == unheard {
			p.named[rank] = who
		}
		m.learnBest(from, t)
	case view+1 == m.view && p.before[rank] == unheard:
		p.before[rank] = who
	}
}

// onTimeout takes a member's timeout. Only the highest of each counts.
func (m *Lottery) onTimeout(from int, t *Timeout) {
	p := &m.peers[from]
	if m.running {
		m.note(from, t)
		m.choose()
	}
	if t.Round+1 > p.gave {
		p.gave, p.timeout = t.Round+1, t
		m.pace()
	} else if t.Round+1 < p.gave {
		return // overtaken by a later one
	}
	if t.Round+1 < m.round {
		m.answer(from)
	}
}

// pace follows the others: f+1 members that gave up on a round have an honest
// one among them, which makes this one give it up too; q of them begin the next.
func (m *Lottery) pace() {
	if !m.running {
		return
	}
	if join := m.highest(m.f+1, m.peers[m.me].gave); join > 0 {
		m.giveUp(join - 1)
	}
	next := m.highest(m.q, m.round)
	if next == 0 {
		return
	}
	if next/Ranks != m.view {
		m.enterView(next / Ranks)
	}
	m.enterRound(next)
}

// highest is the highest number that so many members' gave reach, 0 if it is
// not above the floor.
func (m *Lottery) highest(members int, floor uint64) uint64 {
	var above []uint64
	for i := range m.peers {
		if m.peers[i].gave > floor {
			above = append(above, m.peers[i].gave)
		}
	}
	if len(above) < members {
		return 0
	}
	slices.Sort(above)
	return above[len(above)-members]
}
