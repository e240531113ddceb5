package eds

import (
	"bytes"

	"ios/chain"
	"ios/chain/vrf"
)

const tagLeader = "ios/eds-leader/v1"

// lot is a ticket that was verified.
type lot struct {
	output vrf.Output
	proof  vrf.Proof
}

// TicketInput is what a member's ticket is the VRF of. It names everything that
// a ticket must not be good for twice.
func TicketInput(chainID, previous chain.Hash, epoch, view uint64) []byte {
	input := append([]byte{byte(len(tagLeader))}, tagLeader...)
	input = append(input, chainID[:]...)
	input = append(input, previous[:]...)
	input = be.AppendUint64(input, epoch)
	return be.AppendUint64(input, view)
}

// onTicket takes a member's own ticket. One per sender and view is verified.
func (m *Lottery) onTicket(from int, t *Ticket) {
	p := &m.peers[from]
	switch {
	case !m.running || t.View > m.view:
		if p.pending == nil || p.pending.View < t.View {
			p.pending = t
		}
		return
	case t.View < m.view:
		m.answer(from)
		return
	}
	if p.lot == nil && !p.bad {
		p.bad = !m.learn(from, &t.Proof)
		m.choose()
	}
	// Only a new one is answered, or answers would be.
	if t.New && !m.now.Before(m.viewAt.Add(m.wait())) {
		m.answer(from)
	}
}

// learn verifies the ticket of a member for the current view.
func (m *Lottery) learn(owner int, proof *vrf.Proof) bool {
	out, ok := m.cfg.Members[owner].Key.Verify(m.input, proof)
	if ok {
		m.peers[owner].lot = &lot{out, *proof}
	}
	return ok
}

// learnBest takes the tickets that a timeout shows. After a wrong one nothing
// that the sender passes on is looked at until the view ends.
func (m *Lottery) learnBest(from int, t *Timeout) {
	p := &m.peers[from]
	for i := range t.Best {
		owner := m.place(t.Best[i].Owner)
		if p.badBest || owner >= 0 && m.peers[owner].lot != nil {
			continue
		}
		p.badBest = owner < 0 || !m.learn(owner, &t.Best[i].Proof)
	}
}

// best are the places of up to Ranks members with the lowest tickets of the
// view, but for those that are excluded.
func (m *Lottery) best() []int {
	best := make([]int, 0, Ranks+1)
	for i := range m.peers {
		if m.peers[i].lot == nil || m.excluded[i] {
			continue
		}
		at := len(best)
		for at > 0 && bytes.Compare(m.peers[i].lot.output[:], m.peers[best[at-1]].lot.output[:]) < 0 {
			at--
		}
		if at == Ranks {
			continue
		}
		best = append(best, 0)
		copy(best[at+1:], best[at:])
		best[at] = i
		best = best[:min(len(best), Ranks)]
	}
	return best
}

// adopt looks at what came for the view before it began.
func (m *Lottery) adopt() {
	for i := range m.peers {
		p := &m.peers[i]
		if p.pending != nil && p.pending.View <= m.view {
			if p.pending.View == m.view {
				p.bad = !m.learn(i, &p.pending.Proof)
			}
			p.pending = nil
		}
	}
	for i := range m.peers {
		if t := m.peers[i].timeout; t != nil {
			m.note(i, t)
		}
	}
}

// exclude passes a member over in later views. More than f cannot all be
// Byzantine, so then the network is to blame and all are forgiven.
func (m *Lottery) exclude(who int) {
	if m.f == 0 || m.excluded[who] {
		return
	}
	if m.count == m.f {
		m.forgive()
	}
	m.excluded[who] = true
	m.count++
}

// judge looks at the leaders of the view before, once the timeouts had the time
// to come. Who had the backing of a quorum, and was given up on by a quorum,
// failed. If there is no such leader in a round the members differ in whom they
// back, and so that it cannot be for whom they exclude, all are forgiven.
func (m *Lottery) judge() {
	m.judged = true
	for rank := range Ranks {
		votes := make(map[int]int)
		agreed := false
		for i := range m.peers {
			who := m.peers[i].before[rank]
			if who == unheard {
				continue
			}
			if votes[who]++; votes[who] == m.q {
				agreed = true
				if who != unknown {
					m.exclude(who)
				}
			}
		}
		if !agreed {
			m.forgive()
		}
	}
}

func (m *Lottery) forgive() {
	clear(m.excluded)
	m.count = 0
}
