package byzcoin

import (
	"time"

	"ios/internal/sm"
)

// Kinds of timers. There is one of each.
const (
	timerRetry uint8 = iota
	timerView
	timerPropose
	timerStatus
	timerApply
	timerTree
	timerKinds
)

// timer sees to it that the timer fires at t or earlier.
func (m *Machine) timer(kind uint8, t time.Time) {
	if due := m.timers[kind]; !due.IsZero() && !due.After(t) {
		return
	}
	m.timers[kind] = t
	m.emit(sm.SetTimer{Key: sm.TimerKey{Kind: kind}, At: t})
}

func (m *Machine) fire(key sm.TimerKey) {
	if key.Kind >= timerKinds || m.timers[key.Kind].IsZero() || m.now.Before(m.timers[key.Kind]) {
		return
	}
	m.timers[key.Kind] = time.Time{}
	switch key.Kind {
	case timerRetry:
		m.retry()
	case timerView:
		m.onDeadline()
	case timerStatus:
		m.gossip()
	case timerApply:
		m.applySynced()
	case timerTree:
		m.onTreeTimer()
	}
}

// open work is sent again at every firing of the retry timer, if it is old
// enough.
func (m *Machine) retry() {
	m.retryView()
	m.retryRound()
	m.retryBodies()
	m.insist()
	m.retryPull()
	m.retryFetch()
}

// working reports whether something waits to become final: only then may a
// leader be found too slow.
func (m *Machine) working() bool {
	return m.owed() || m.round != nil || m.lock != nil || m.bound != nil && m.height == m.base
}

// owed reports whether we acked a body that is not final. What a proven cheat put
// up may never be held, so nobody waits for it.
func (m *Machine) owed() bool {
	if m.acked == 0 {
		return false
	}
	for i := range m.authors {
		if a := &m.authors[i]; a.acked > a.final && a.evidence == nil {
			return true
		}
	}
	return false
}

// unsettled reports whether anything may have to be sent again.
func (m *Machine) unsettled() bool {
	return m.working() || m.joined > m.view || m.best != nil || len(m.pull.refs) > 0 || len(m.sync.out) > 0 || !m.status.synced
}

func (m *Machine) armTimers() {
	if m.unsettled() {
		m.timer(timerRetry, m.now.Add(m.cfg.Policy.RetryInterval))
	}
	m.armStatus()
	counting := m.me >= 0 && m.status.synced && !m.status.halted
	if m.joined > m.view {
		counting = counting && m.left(m.joined) >= m.q
	} else {
		counting = counting && m.working()
	}
	if !counting {
		m.deadline = time.Time{}
		return
	}
	if m.deadline.IsZero() {
		m.deadline = m.now.Add(m.viewTimeout())
	}
	m.timer(timerView, m.deadline)
}

// viewTimeout doubles with every view that failed since the last final block.
func (m *Machine) viewTimeout() time.Duration {
	return m.cfg.Policy.ViewTimeout << min(m.fails, 4)
}

// patience is how long a leader has to list a body. It is stretched like the
// view's timeout, and under load: a leader can list only what it has checked, and
// its checks will not be faster than ours. It is our own checks that count, whose
// length a leader does not choose, and the view's timeout bounds what they add.
func (m *Machine) patience() time.Duration {
	return m.cfg.Policy.Delta<<min(m.fails, 4) + min(2*m.checking, m.cfg.Policy.ViewTimeout)
}

// budget bounds what a peer may have us do in a RetryInterval.
type budget struct {
	since time.Time
	used  int
}

func (m *Machine) spend(b *budget, amount, limit int) bool {
	if !m.may(b, limit) {
		return false
	}
	b.used += amount
	return true
}

// may reports whether something is left of the budget.
func (m *Machine) may(b *budget, limit int) bool {
	if m.now.Sub(b.since) >= m.cfg.Policy.RetryInterval {
		*b = budget{since: m.now}
	}
	return b.used <= limit
}
