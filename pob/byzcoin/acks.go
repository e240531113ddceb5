package byzcoin

import (
	"slices"
	"time"

	"ios/chain"
	"ios/chain/cosi"
)

// flushAcks sends what was acked in this step: all to the leader, and to each
// author its own. It reports whether there was anything.
func (m *Machine) flushAcks() bool {
	refs := m.ackOut
	m.ackOut = nil
	if len(refs) == 0 || m.me < 0 || m.ended != nil {
		return false
	}
	own := make([][]chain.BodyRef, m.s)
	for i := range refs {
		m.addAck(m.me, &refs[i])
		seat := m.seats[refs[i].Author]
		own[seat] = append(own[seat], refs[i])
	}
	leader := m.leader()
	m.sendAcks(refs, leader)
	for seat := range own {
		if seat != leader {
			m.sendAcks(own[seat], seat)
		}
	}
	return true
}

func (m *Machine) sendAcks(refs []chain.BodyRef, to int) {
	for part := range slices.Chunk(refs, maxAckRefs) {
		m.send(&Acks{part}, to)
	}
}

// ackAgain sends all our acks of what is not final, for a new leader or one that
// restarted, and for an author that did. Only those it has a use for.
func (m *Machine) ackAgain(to int) {
	if m.me < 0 || m.acked == 0 || to == m.me {
		return
	}
	var refs []chain.BodyRef
	for seat := range m.authors {
		if to != m.leader() && to != seat {
			continue
		}
		a := &m.authors[seat]
		for n := a.final + 1; n <= a.acked && len(refs) < maxAckRefs; n++ {
			refs = append(refs, a.slots[n].main.body.Ref())
		}
	}
	if len(refs) > 0 {
		m.send(&Acks{refs}, to)
	}
}

func (m *Machine) onAcks(from int, refs []chain.BodyRef) {
	for i := range refs {
		m.addAck(from, &refs[i])
	}
}

// addAck counts a member's ack. The first for a number stands.
func (m *Machine) addAck(from int, ref *chain.BodyRef) {
	seat, ok := m.seats[ref.Author]
	if !ok || from < 0 {
		return
	}
	sl := m.slotOf(seat, ref.Number)
	if sl == nil {
		return
	}
	var set *ackSet
	for i := range sl.acks {
		if sl.acks[i].mask.Has(from) {
			return
		}
		if sl.acks[i].hash == ref.Hash {
			set = &sl.acks[i]
		}
	}
	if set == nil {
		sl.acks = append(sl.acks, ackSet{hash: ref.Hash, mask: cosi.NewMask(m.s)})
		set = &sl.acks[len(sl.acks)-1]
	}
	set.mask.Set(from)
	set.count++
	if set.count == m.q && sl.held == nil {
		held := *ref
		sl.held = &held
		if seat == m.me && sl.main != nil && sl.main.body.Hash == ref.Hash {
			m.deliver(Held{Number: ref.Number, Hash: ref.Hash})
		}
	}
}

// lacking are the seats that did not ack the body.
func (m *Machine) lacking(sl *slot, h chain.Hash) []int {
	for i := range sl.acks {
		if sl.acks[i].hash == h {
			return sl.acks[i].mask.Absent()
		}
	}
	return cosi.NewMask(m.s).Absent()
}

// insist tells the leader of bodies that we acked long ago. As the leader, it
// spreads those that are not held.
func (m *Machine) insist() {
	if m.acked == 0 || !m.canVote() {
		return
	}
	var refs []chain.BodyRef
	for seat := range m.authors {
		a := &m.authors[seat]
		if a.evidence != nil {
			continue
		}
		for n := a.final + 1; n <= a.acked && len(refs) < maxAckRefs; n++ {
			sl := a.slots[n]
			if m.now.Sub(sl.since) < m.cfg.Policy.Delta {
				break
			}
			if m.leader() == m.me {
				m.spread(sl, sl.main)
				continue
			}
			if sl.insisted.IsZero() {
				sl.insisted, sl.told = m.now, time.Time{}
			}
			if m.now.Sub(sl.told) >= m.cfg.Policy.Delta { // again, or it may have got lost
				sl.told = m.now
				refs = append(refs, sl.main.body.Ref())
			}
		}
	}
	if len(refs) > 0 {
		m.send(&Insist{refs}, m.leader())
	}
}

// spread sends a body that is not held to those who seem to lack it.
func (m *Machine) spread(sl *slot, c *copyOf) {
	if sl.held != nil || m.now.Sub(sl.spread) < m.cfg.Policy.Delta/2 {
		return
	}
	sl.spread = m.now
	m.send(&Body{c.body}, m.lacking(sl, c.body.Hash)...)
}

// onInsist sees to it that what a member insists on becomes held. A proven cheat
// is answered with the proof, which ends the insistence.
func (m *Machine) onInsist(from int, refs []chain.BodyRef) {
	if m.leader() != m.me {
		return
	}
	var missing []chain.BodyRef
	answered := false
	for i := range refs {
		seat, ok := m.seats[refs[i].Author]
		if !ok {
			continue
		}
		if ev := m.authors[seat].evidence; ev != nil {
			if !answered {
				answered = true
				m.send(ev, from)
			}
			continue
		}
		m.addAck(from, &refs[i])
		sl := m.slotOf(seat, refs[i].Number)
		if sl == nil {
			continue
		}
		if c := sl.find(refs[i].Hash); c != nil {
			m.spread(sl, c)
		} else if len(missing) < maxPullRefs {
			missing = append(missing, refs[i])
		}
	}
	if len(missing) > 0 {
		// What comes may contradict what we have: then it is the proof.
		m.send(&Pull{missing}, from)
	}
}
