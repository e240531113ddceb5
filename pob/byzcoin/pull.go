package byzcoin

import (
	"slices"
	"time"

	"ios/chain"
)

// pull is what we ask others for.
type pull struct {
	refs  []chain.BodyRef
	at    time.Time
	tries int
}

func (p *pull) wants(ref *chain.BodyRef) bool { return slices.Contains(p.refs, *ref) }

// want asks for bodies: the leader first, then their authors and everybody in
// turn, since whoever prepared the block has them.
func (m *Machine) want(refs []chain.BodyRef) {
	if len(refs) > maxPullRefs {
		refs = refs[:maxPullRefs]
	}
	if len(refs) == 0 {
		m.pull = pull{}
		return
	}
	if m.pull.tries > 0 && slices.Equal(refs, m.pull.refs) && m.now.Sub(m.pull.at) < m.cfg.Policy.RetryInterval {
		return
	}
	if m.pull.tries > 0 && len(refs) < len(m.pull.refs) && m.pull.wants(&refs[0]) && m.now.Sub(m.pull.at) < m.cfg.Policy.RetryInterval {
		m.pull.refs = refs // some have come, the others are on their way
		return
	}
	m.pull.refs, m.pull.at = refs, m.now
	m.pull.tries++
	m.send(&Pull{refs}, m.source(m.pull.tries-1))
}

// source is whom to ask at the given try.
func (m *Machine) source(try int) int {
	leader := m.leader()
	switch {
	case try == 0 && leader != m.me:
		return leader
	case try == 1:
		if seat := m.seats[m.pull.refs[0].Author]; seat != m.me {
			return seat
		}
	}
	seat := (leader + try) % m.s
	if seat == m.me {
		seat = (seat + 1) % m.s
	}
	return seat
}

func (m *Machine) retryPull() {
	if len(m.pull.refs) > 0 && m.now.Sub(m.pull.at) >= m.cfg.Policy.RetryInterval {
		refs := slices.DeleteFunc(slices.Clone(m.pull.refs), func(r chain.BodyRef) bool {
			seat, ok := m.seats[r.Author]
			return !ok || r.Number <= m.authors[seat].final || m.find(&r) != nil
		})
		m.want(refs)
	}
}

// onPull serves bodies, up to a bound of bytes per peer and time.
func (m *Machine) onPull(from int, refs []chain.BodyRef) {
	p := &m.peers[from]
	limit := 2 * m.cfg.Policy.MaxBlockBytes
	for i := range refs {
		seat, ok := m.seats[refs[i].Author]
		if !ok {
			continue
		}
		if refs[i].Number <= m.authors[seat].final {
			if m.spend(&p.budget, m.cfg.Policy.MaxBodyBytes, limit) {
				m.emit(ReadBody{To: m.cfg.Members[from], Term: m.term(), Ref: refs[i]})
			}
			continue
		}
		if c := m.find(&refs[i]); c != nil && !c.bad && m.spend(&p.budget, len(c.body.Raw), limit) {
			m.send(&Body{c.body}, from)
		}
	}
}
