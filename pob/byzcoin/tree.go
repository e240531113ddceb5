package byzcoin

import (
	"math"

	"ios/chain"
	"ios/chain/cosi"
)

// tree is our place in the tree over which a large committee votes. The leader
// is the root; the k seats after it are inner nodes, the others leaves, dealt out
// to the inner nodes in turn. A leaf signs, an inner node sums up without
// checking, the root checks once. For the rest of the view the root goes past an
// inner node that is silent, or passes on something wrong, and speaks to its
// leaves itself.
type tree struct {
	on     bool
	k      int  // inner nodes
	inner  bool // we are one
	direct bool // the leader told us to send to it
	past   cosi.Mask
}

// layTree finds the places for the installed view.
func (m *Machine) layTree() {
	m.tree = tree{on: m.s > m.cfg.Policy.TreeAbove, past: cosi.NewMask(m.s)}
	if m.tree.on {
		m.tree.k = int(math.Ceil(math.Sqrt(float64(m.s - 1))))
		m.tree.inner = m.me >= 0 && m.isInner(m.me)
	}
}

// place is the seat's distance behind the leader's.
func (m *Machine) place(seat int) int { return (seat - m.leader() + m.s) % m.s }

func (m *Machine) isInner(seat int) bool { p := m.place(seat); return p >= 1 && p <= m.tree.k }

// above is the inner node over a leaf, or the leader.
func (m *Machine) above(seat int) int {
	p := m.place(seat)
	if !m.tree.on || p <= m.tree.k {
		return m.leader()
	}
	return (m.leader() + 1 + (p-m.tree.k-1)%m.tree.k) % m.s
}

// parent is where our shares go.
func (m *Machine) parent() int {
	if m.tree.direct {
		return m.leader()
	}
	return m.above(m.me)
}

// below are the leaves of an inner node.
func (m *Machine) below(inner int) []int {
	var leaves []int
	for p := m.place(inner) + m.tree.k; p < m.s; p += m.tree.k {
		leaves = append(leaves, (m.leader()+p)%m.s)
	}
	return leaves
}

// fan is to whom we send what comes from the leader.
func (m *Machine) fan() []int {
	var to []int
	switch {
	case m.leader() == m.me:
		for seat := range m.s {
			if seat != m.me && (!m.tree.on || m.isInner(seat) || m.tree.past.Has(m.above(seat))) {
				to = append(to, seat)
			}
		}
	case m.tree.inner:
		to = m.below(m.me)
	}
	return to
}

// mayGive reports whether a member may send us the shares of these seats: its
// own, and as an inner node to the leader those of its leaves.
func (m *Machine) mayGive(from int, mask cosi.Mask) bool {
	if mask.Seats() != m.s || mask.Count() == 0 {
		return false
	}
	allowed := cosi.NewMask(m.s)
	allowed.Set(from)
	if m.leader() != m.me {
		return m.above(from) == m.me && mask.Within(allowed)
	}
	if m.tree.on && m.isInner(from) {
		for _, leaf := range m.below(from) {
			allowed.Set(leaf)
		}
	}
	return mask.Within(allowed)
}

// passUp sends what an inner node has gathered: when it is complete, or the
// time is up.
func (m *Machine) passUp(phase chain.Phase, late bool) {
	r := m.round
	t := r.tally(phase)
	if m.tree.direct || t.gather.Count() == 0 {
		return
	}
	complete := true
	for _, seat := range append(m.below(m.me), m.me) {
		complete = complete && (t.gather.Mask().Has(seat) || t.passed.Has(seat))
	}
	if !complete && !late {
		m.timer(timerTree, m.now.Add(m.cfg.Policy.RetryInterval/2))
		return
	}
	sum, err := t.gather.Aggregate()
	if err != nil {
		return // the root comes to our leaves
	}
	for _, seat := range sum.Mask.Members() {
		t.passed.Set(seat)
	}
	t.gather = cosi.NewCollector(m.cfg.Committee, chain.VoteBytes(&r.prop.Header, r.hash, r.prop.View, phase))
	m.send(m.shareOf(phase, sum), m.leader())
}

// armTree gives the inner nodes their time, as the root.
func (m *Machine) armTree() {
	if m.tree.on {
		m.timer(timerTree, m.now.Add(m.cfg.Policy.RetryInterval))
	}
}

func (m *Machine) onTreeTimer() {
	r := m.round
	if r == nil || !m.tree.on || r.prop.View != m.view {
		return
	}
	if m.tree.inner {
		m.passUp(chain.Prepare, true)
		m.passUp(chain.Commit, true)
		return
	}
	t := r.tally(r.phase())
	if m.leader() != m.me || t.cert != nil {
		return
	}
	if due := t.began.Add(m.cfg.Policy.RetryInterval); m.now.Before(due) {
		m.timer(timerTree, due)
		return
	}
	have := t.gather.Mask()
	for p := 1; p <= m.tree.k; p++ {
		inner := (m.leader() + p) % m.s
		for _, seat := range append(m.below(inner), inner) {
			if !have.Has(seat) {
				m.bypass(inner)
				break
			}
		}
	}
}

// bypass makes the leader speak to an inner node's leaves itself.
func (m *Machine) bypass(inner int) {
	if !m.tree.on || m.tree.past.Has(inner) {
		return
	}
	m.tree.past.Set(inner)
	m.reach(append(m.below(inner), inner))
}

// reach tells seats to send their shares to us, with what they need for it.
func (m *Machine) reach(seats []int) {
	r := m.round
	m.send(&Bypass{m.view}, seats...)
	m.send(r.prop, seats...)
	if cert := r.tallies[0].cert; cert != nil {
		m.send(cert, seats...)
	}
}

// retryTree tells those again who may have missed it.
func (m *Machine) retryTree(absent []int) {
	if !m.tree.on {
		return
	}
	var past []int
	for _, seat := range absent {
		if m.tree.past.Has(seat) || m.tree.past.Has(m.above(seat)) {
			past = append(past, seat)
		}
	}
	m.send(&Bypass{m.view}, past...)
}

func (m *Machine) onBypass(from int, b *Bypass) {
	if !m.tree.on || b.View != m.view || from != m.leader() || m.me < 0 {
		return
	}
	m.tree.direct = true
	if m.round != nil && m.canVote() {
		for phase := chain.Prepare; phase <= chain.Commit; phase++ {
			if m.round.tally(phase).share != nil {
				m.sendShare(phase, from)
			}
		}
	}
}
