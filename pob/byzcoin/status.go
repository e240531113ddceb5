package byzcoin

import (
	"fmt"
	"slices"
	"time"

	"ios/chain"
	"ios/internal/sm"
)

// status is how we stand with the others.
type status struct {
	nonce     uint64
	synced    bool
	halted    bool
	why       string    // we halted
	joinedAt  time.Time // when we last asked for a view
	cause     string    // why
	since     time.Time // when we last complained
	complaint string    // about what
	progress  time.Time // when a block last became final, or we started
	turn      int       // whom to ask next
	told      Status
	ever      bool
}

func (m *Machine) onStart() {
	m.status.nonce = uint64(m.now.UnixNano())
	m.status.progress = m.now
	m.follow()
	if m.status.synced {
		return // we take over from a committee with which we were in step
	}
	if m.me >= 0 && m.joined > m.view {
		m.changes[m.me] = change{m.makeChange(m.joined), m.now}
		m.status.joinedAt, m.status.cause = m.now, "it was on the way there before the restart"
	}
	if v := m.voted; v != nil && v.View == m.view && v.Header.Height == m.height+1 {
		m.round = m.newRound(v)
		m.round.sent = time.Time{}
	}
	if m.me >= 0 {
		for seat := range m.authors {
			a := &m.authors[seat]
			for n := a.final + 1; n <= a.acked; n++ {
				ref := a.slots[n].main.body.Ref()
				a.slots[n].since = m.now
				m.addAck(m.me, &ref)
			}
		}
	}
	m.sendAll(&Query{m.status.nonce, m.view, m.height})
	for seat := range m.s {
		m.ackAgain(seat)
	}
	m.checkSynced()
}

// ask asks one member for its state.
func (m *Machine) ask(seat int) {
	if p := &m.peers[seat]; m.now.Sub(p.asked) >= m.cfg.Policy.RetryInterval/2 {
		p.asked = m.now
		m.send(&Query{m.status.nonce, m.view, m.height}, seat)
	}
}

// maxGossip is how many members are asked at a time in a large committee.
const maxGossip = 16

// idleFactor is how much slower the state is exchanged when nothing is open.
const idleFactor = 5

// armStatus keeps the gossip going, faster when it matters.
func (m *Machine) armStatus() {
	interval := m.cfg.Policy.StatusInterval
	if !m.status.synced {
		interval /= 2
	} else if !m.unsettled() && m.me >= 0 {
		interval *= idleFactor
	}
	m.timer(timerStatus, m.now.Add(interval))
}

func (m *Machine) gossip() {
	for n := min(m.s, maxGossip); n > 0; n-- {
		seat := m.status.turn % m.s
		m.status.turn = seat + 1
		if seat != m.me && !(m.peers[seat].answered && !m.status.synced) {
			m.ask(seat)
		}
	}
	m.follow()
	m.fetchLoner()
}

func (m *Machine) onQuery(from sm.NodeID, p *peer, q *Query) {
	if !m.spend(&p.queries, 1, 8) {
		return
	}
	a := &Answer{Nonce: q.Nonce, View: m.view, Height: m.height}
	if m.height > q.Height {
		a.Final = m.last
	}
	m.emit(sm.Send{To: []sm.NodeID{from}, Msg: a})
	if q.View < m.view {
		m.showView(p, from)
	}
	if seat, ok := m.seats[from]; ok {
		m.peers[seat].height = max(m.peers[seat].height, q.Height)
		m.ackAgain(seat)
		if q.Height > m.height || q.View > m.view {
			m.ask(seat)
		}
	}
}

// showView helps a peer into our view.
func (m *Machine) showView(p *peer, to sm.NodeID) {
	if m.newView != nil && m.now.Sub(p.told) >= m.cfg.Policy.RetryInterval {
		p.told = m.now
		m.emit(sm.Send{To: []sm.NodeID{to}, Msg: m.newView})
	}
}

// showFinal helps a member that still works on a final height, unless it is
// only a moment behind.
func (m *Machine) showFinal(seat int, height uint64) {
	p := &m.peers[seat]
	wait := m.cfg.Policy.RetryInterval / 2
	if len(m.last) > 0 && m.now.Sub(m.status.progress) >= wait && m.now.Sub(p.shown) >= wait {
		p.shown = m.now
		m.send(&m.last[0], seat)
	}
}

func (m *Machine) onAnswer(seat int, a *Answer) {
	if a.Nonce != m.status.nonce {
		return
	}
	p := &m.peers[seat]
	if a.Height > m.height {
		if len(a.Final) == 0 || a.Final[0].Height != a.Height || a.Final[0].Cert.Phase != chain.Commit {
			m.accuse(seat, FaultMessage, true, nil, "claims height %d and shows no certificate for it", a.Height)
			return
		}
		if !m.verify(seat, &a.Final[0]) {
			return
		}
		m.onDecided(&a.Final[0])
	}
	p.height = max(p.height, a.Height)
	p.answered, p.answer = true, a.Height
	m.checkSynced()
}

// checkSynced ends the synchronization when a quorum, ourselves included, has
// answered without a certificate above our height.
func (m *Machine) checkSynced() {
	if m.status.synced || m.status.halted {
		return
	}
	n := 0
	for seat := range m.peers {
		if p := &m.peers[seat]; seat == m.me || p.answered && p.answer <= m.height {
			n++
		}
	}
	if n >= m.q {
		m.status.synced = true
		m.recount, m.replay = true, true
	}
}

func (m *Machine) halt(why string) {
	m.status.halted, m.status.why = true, why
}

// tellStatus delivers the status when its phase or reason has changed.
func (m *Machine) tellStatus() {
	s := Status{Phase: Voting, Reason: "in step with the committee"}
	far := uint64(2)
	if m.me < 0 {
		s.Phase, s.Reason = Following, "in step with the committee, in which we have no seat"
		if m.status.told.Phase == Following {
			far = 16 // it is always a little behind
		}
	}
	silent := m.silent()
	switch {
	case m.status.halted:
		s.Phase, s.Reason = Halted, m.status.why
	case !m.status.synced:
		s.Phase, s.Reason = Syncing, fmt.Sprintf("waiting until %d of %d members have answered and none is ahead", m.q, m.s)
		s.WaitsFor = m.unanswered()
	case m.best != nil && m.best.Height > m.height+far && (len(m.sync.out) > 0 || m.me < 0):
		s.Phase, s.Reason = Syncing, "fetching final blocks"
	case m.joined > m.view && m.now.Sub(m.status.progress) > m.cfg.Policy.ViewTimeout && m.left(m.joined) < m.q:
		s.Phase, s.Reason = Waiting, fmt.Sprintf("fewer than %d of %d members take part in the change to another view", m.q, m.s)
		s.WaitsFor = silent
	case m.joined > m.view:
		s.Phase, s.Reason = Waiting, "changing the view: "+m.status.cause
	case len(silent) > m.s-m.q:
		s.Phase, s.Reason = Waiting, fmt.Sprintf("fewer than %d of %d members are heard of", m.q, m.s)
		s.WaitsFor = silent
	}
	if m.status.ever && s.Phase == m.status.told.Phase && s.Reason == m.status.told.Reason && slices.Equal(s.WaitsFor, m.status.told.WaitsFor) {
		return
	}
	s.Term, s.Height, s.View, s.Leader = m.term(), m.height, m.view, m.Leader()
	m.status.told, m.status.ever = s, true
	m.deliver(s)
}

// unanswered are the members that have not answered since we started.
func (m *Machine) unanswered() (ids []chain.ValidatorID) {
	for seat := range m.peers {
		if seat != m.me && !m.peers[seat].answered {
			ids = append(ids, m.cfg.Members[seat])
		}
	}
	return ids
}

// silent are the members that we have not heard of for as long as it takes to ask
// everybody. A follower hears of few.
func (m *Machine) silent() (ids []chain.ValidatorID) {
	if m.me < 0 {
		return nil
	}
	round := time.Duration(2+m.s/maxGossip) * m.cfg.Policy.StatusInterval
	var asking time.Time // at this rate since then
	switch {
	case m.joined > m.view:
		asking = m.status.joinedAt
	case m.complaints[m.me] > m.joined:
		asking = m.status.since
	default:
		asking, round = m.status.progress, idleFactor*round
	}
	if m.now.Sub(asking) <= round {
		return nil
	}
	for seat := range m.peers {
		if seat != m.me && m.now.Sub(m.peers[seat].heard) > round {
			ids = append(ids, m.cfg.Members[seat])
		}
	}
	return ids
}
