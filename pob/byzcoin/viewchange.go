package byzcoin

import (
	"fmt"
	"slices"
	"time"

	"ios/chain"
)

// maxLeap is how far ahead of our view a wish may be. One member alone can make
// the others follow it (see gossip), but not use up the numbers of the views.
const maxLeap = 1 << 32

// change is the highest wish of a member for another view.
type change struct {
	msg *ViewChange // nil if it has none above the installed view
	at  time.Time
}

// onDeadline complains about a view that took too long.
func (m *Machine) onDeadline() {
	if m.deadline.IsZero() || m.now.Before(m.deadline) {
		return // work was done in the meantime
	}
	m.deadline = time.Time{}
	if m.joined > m.view {
		m.complain(fmt.Sprintf("validator %d did not install view %d in time", m.cfg.Members[m.leaderOf(m.joined)], m.joined))
	} else {
		m.complain(fmt.Sprintf("no block became final in time under validator %d", m.Leader()))
	}
}

// suspect complains about a view whose leader broke a rule.
func (m *Machine) suspect(reason string) {
	if m.canVote() {
		m.complain(reason)
	}
}

// complain tells the others that we would leave the highest view that we may vote
// in. We leave it when f+1 would, one of them honest: who left alone could not come
// back, and the others would miss its vote. A complaint stands until the view
// changes or a block becomes final.
func (m *Machine) complain(reason string) {
	if m.complaints[m.me] > m.joined {
		return // we said so
	}
	m.complaints[m.me] = m.joined + 1
	m.status.complaint, m.status.since = reason, m.now
	m.lastTry = m.now
	m.sendAll(&Complaint{m.joined, m.height})
	m.recount = true
}

func (m *Machine) onComplaint(from int, c *Complaint) {
	switch {
	case c.View < m.view:
		m.showView(&m.peers[from], m.cfg.Members[from])
	case c.View-m.view >= maxLeap:
		m.ask(from)
	case c.Height < m.height:
		m.showFinal(from, c.Height) // what it waits for is final
	case c.View >= m.complaints[from]:
		m.complaints[from] = c.View + 1
		m.recount = true
	}
}

// join stops voting in all views below and asks for a view.
func (m *Machine) join(view uint64, reason string) {
	m.joined = view
	m.status.joinedAt, m.status.cause = m.now, reason
	m.deadline = time.Time{}
	m.persist(RecordJoin, be.AppendUint64(nil, view))
	m.changes[m.me] = change{m.makeChange(view), m.now}
	m.lastTry = m.now
	m.sendAll(m.changes[m.me].msg)
	m.recount = true
}

// makeChange shows the last final block and the lock above it.
func (m *Machine) makeChange(view uint64) *ViewChange {
	v := &ViewChange{Change: SignedChange{Seat: uint16(m.me), View: view, Final: m.last}}
	if m.lock != nil {
		v.Change.Prepared = []Certified{m.lock.cert}
		v.Prepared = []Content{m.lock.content}
	}
	v.Change.Signature = m.cfg.Key.Sign(m.changeBytes(&v.Change))
	return v
}

func (m *Machine) retryView() {
	if m.me < 0 || m.now.Sub(m.lastTry) < 2*m.cfg.Policy.RetryInterval {
		return
	}
	m.lastTry = m.now
	if m.joined > m.view && m.changes[m.me].msg != nil {
		m.sendAll(m.changes[m.me].msg)
	}
	if m.complaints[m.me] > m.joined {
		m.sendAll(&Complaint{m.joined, m.height})
	}
}

// wish is the highest view that a member went or would go to.
func (m *Machine) wish(seat int) uint64 {
	view := m.complaints[seat]
	if v := m.changes[seat].msg; v != nil {
		view = max(view, v.Change.View)
	}
	return view
}

// wishes counts the members whose highest wish is the view.
func (m *Machine) wishes(view uint64) int {
	n := 0
	for i := range m.changes {
		if v := m.changes[i].msg; v != nil && v.Change.View == view {
			n++
		}
	}
	return n
}

// left counts the members that wish for the view or a higher one. A quorum of
// them has left all views below, so that waiting for the view is timed, also when
// some have given up on it already.
func (m *Machine) left(view uint64) int {
	n := 0
	for i := range m.changes {
		if v := m.changes[i].msg; v != nil && v.Change.View >= view {
			n++
		}
	}
	return n
}

func (m *Machine) onViewChange(from int, v *ViewChange) {
	c := &v.Change
	if int(c.Seat) != from {
		m.accuse(from, FaultViewChange, true, nil, "sent the view change of seat %d", c.Seat)
		return
	}
	if c.View <= m.view {
		m.showView(&m.peers[from], m.cfg.Members[from])
		return
	}
	if c.View-m.view > maxLeap {
		m.ask(from) // it can show a new view if others are there too
		return
	}
	if old := m.changes[from].msg; old != nil && old.Change.View >= c.View {
		return
	}
	if !m.verifyChange(from, c) {
		return
	}
	for i := range v.Prepared {
		if v.Prepared[i].Header.Hash() != c.Prepared[i].Block {
			m.accuse(from, FaultViewChange, true, nil, "sent a view change with another block than it shows as prepared")
			return
		}
	}
	m.changes[from] = change{v, m.now}
	m.recount = true
}

// verifyChange checks what a member signed to change the view.
func (m *Machine) verifyChange(from int, c *SignedChange) bool {
	final := m.cfg.Start.Height
	for i := range c.Final {
		final = c.Final[i].Height
		if final <= m.cfg.Start.Height || c.Final[i].Cert.Phase != chain.Commit {
			m.accuse(from, FaultViewChange, true, nil, "sent a view change of seat %d that shows no final block", c.Seat)
			return false
		}
	}
	for i := range c.Prepared {
		p := &c.Prepared[i]
		if p.Cert.Phase != chain.Prepare || p.Height != final+1 || p.Cert.View >= c.View {
			m.accuse(from, FaultViewChange, true, nil, "sent a view change of seat %d that shows no prepared block above height %d", c.Seat, final)
			return false
		}
	}
	if int(c.Seat) >= m.s || !verifySig(&m.cfg.Keys[c.Seat], m.changeBytes(c), &c.Signature) {
		m.accuse(from, FaultViewChange, true, nil, "sent a view change that seat %d did not sign", c.Seat)
		return false
	}
	for _, list := range [][]Certified{c.Final, c.Prepared} {
		for i := range list {
			if !m.verify(from, &list[i]) {
				return false
			}
		}
	}
	for i := range c.Final {
		m.onDecided(&c.Final[i])
	}
	return true
}

// tryJoin leaves the view with f+1 members, ourselves included, that left it or
// would: one of them is honest.
func (m *Machine) tryJoin() bool {
	if !m.recount || m.me < 0 || !m.status.synced {
		return false
	}
	var higher []uint64
	for seat := range m.s {
		if view := m.wish(seat); view > m.joined {
			higher = append(higher, view)
		}
	}
	if len(higher) <= m.f {
		return false
	}
	reason := m.status.complaint
	if m.complaints[m.me] <= m.joined {
		reason = fmt.Sprintf("%d members would leave the view", len(higher))
	}
	slices.Sort(higher)
	m.fails++ // also for who did not complain, so that all give the next view as long
	m.join(higher[len(higher)-1-m.f], reason)
	return true
}

const (
	// lonerTimeouts is how many timeouts of a view a member waits in another view
	// until the others follow it.
	lonerTimeouts = 4
	// calmTimeouts is how many there are at least between that and the view change
	// before.
	calmTimeouts = 32
)

// fetchLoner follows a member that left the view alone and may not vote in it any
// more, so that it is not lost to us. That is rare: it may have left on purpose.
func (m *Machine) fetchLoner() {
	timeout := m.cfg.Policy.ViewTimeout
	if m.me < 0 || !m.status.synced || m.joined > m.view || m.now.Sub(m.status.joinedAt) < calmTimeouts*timeout {
		return
	}
	for i := range m.changes {
		if v := m.changes[i].msg; v != nil && v.Change.View > m.joined && m.now.Sub(m.changes[i].at) > lonerTimeouts*timeout {
			m.join(v.Change.View, fmt.Sprintf("validator %d left the view long ago", m.cfg.Members[i]))
			return
		}
	}
}

// tryInstall installs the view that we lead, once a quorum wishes for it.
func (m *Machine) tryInstall() bool {
	if !m.recount {
		return false
	}
	m.recount = false
	view := m.joined
	if view <= m.view || m.leaderOf(view) != m.me || !m.status.synced || m.wishes(view) < m.q {
		return false
	}
	nv := &NewView{View: view}
	for i := range m.changes {
		if v := m.changes[i].msg; v != nil && v.Change.View == view && len(nv.Changes) < m.q {
			nv.Changes = append(nv.Changes, v.Change)
		}
	}
	m.install(nv)
	m.sendAll(nv)
	return true
}

// onNewView installs a view for which a quorum's wishes are shown, whoever
// shows them.
func (m *Machine) onNewView(from int, nv *NewView) {
	if nv.View <= m.view || nv.View < m.joined {
		return
	}
	if len(nv.Changes) != m.q {
		m.accuse(from, FaultViewChange, true, nil, "sent a new view with %d view changes, %d are wanted", len(nv.Changes), m.q)
		return
	}
	for i := range nv.Changes {
		c := &nv.Changes[i]
		if c.View != nv.View || i > 0 && c.Seat <= nv.Changes[i-1].Seat {
			m.accuse(from, FaultViewChange, true, nil, "sent a new view %d with a view change of seat %d to view %d in place %d", nv.View, c.Seat, c.View, i)
			return
		}
		if !m.verifyChange(from, c) {
			return
		}
	}
	if m.joined < nv.View {
		m.status.joinedAt, m.status.cause = m.now, "a quorum left the view"
	}
	m.install(nv)
}

// binding is what a new view message says: the highest final height it shows,
// and the prepared block that must be proposed above.
func (m *Machine) binding(nv *NewView) (base uint64, bound *Certified) {
	base = m.cfg.Start.Height
	for i := range nv.Changes {
		for _, c := range nv.Changes[i].Final {
			base = max(base, c.Height)
		}
	}
	for i := range nv.Changes {
		for j := range nv.Changes[i].Prepared {
			c := &nv.Changes[i].Prepared[j]
			if c.Height == base+1 && (bound == nil || c.Cert.View > bound.Cert.View) {
				bound = c
			}
		}
	}
	return base, bound
}

// install enters a view.
func (m *Machine) install(nv *NewView) {
	base, bound := m.binding(nv)
	var content []Content
	if bound != nil {
		if c := m.boundContent(bound.Block); c != nil {
			content = append(content, *c)
		}
	}
	m.persist(RecordView, appendContents(nv.AppendTo(nil), content))
	m.enter(nv, base, bound, content)
	for i := range m.authors {
		a := &m.authors[i]
		for n := a.final + 1; n <= a.acked; n++ {
			a.slots[n].insisted = time.Time{}
		}
	}
	clear(m.complaints) // who still waits for the view says so again
	m.deadline = time.Time{}
	m.replay, m.recount = true, true
	m.ackAgain(m.leader())
	m.deliver(ViewChanged{View: m.view, Leader: m.Leader(), Reason: m.status.cause})
}

// enter sets the view, at installation and at restoration.
func (m *Machine) enter(nv *NewView, base uint64, bound *Certified, content []Content) {
	m.newView, m.view, m.joined = nv, nv.View, max(m.joined, nv.View)
	m.base, m.bound, m.boundTo = base, nil, chain.Hash{}
	if bound != nil {
		m.bound, m.boundTo = new(Content), bound.Block
		if len(content) > 0 {
			m.bound = &content[0]
		}
	}
	for i := range m.changes {
		if v := m.changes[i].msg; v != nil && v.Change.View <= m.view {
			m.changes[i] = change{}
		}
	}
	m.round = nil
	m.dropAlts()
	m.layTree()
}

// dropAlts forgets the bodies that proposals of earlier views listed against what
// we acked, unless they are on disk: no more than the proposal of a view brings.
func (m *Machine) dropAlts() {
	for i := range m.authors {
		a := &m.authors[i]
		for n := a.final + 1; n <= a.final+uint64(m.cfg.Policy.Window); n++ {
			if sl := a.slots[n]; sl != nil && len(sl.alts) > 0 {
				sl.alts = slices.DeleteFunc(sl.alts, func(c *copyOf) bool {
					if !c.stored {
						delete(m.checks, c.body.Hash)
					}
					return !c.stored
				})
			}
		}
	}
}

// boundContent finds the block that a view is bound to.
func (m *Machine) boundContent(hash chain.Hash) *Content {
	for i := range m.changes {
		if v := m.changes[i].msg; v != nil && len(v.Prepared) > 0 && v.Change.Prepared[0].Block == hash {
			return &v.Prepared[0]
		}
	}
	return m.contentOf(hash)
}
