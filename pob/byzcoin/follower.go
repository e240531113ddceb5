package byzcoin

import (
	"time"

	"ios/internal/sm"
)

// Who has no seat follows the chain: it asks f+1 members, others every time, for
// the certificates of the blocks that become final, so that one honest member
// tells it at once, and fetches the blocks from whoever has them.

// maxGuests bounds the validators without a seat that have an account of their
// own. The others share one, and cannot follow.
const maxGuests = 64

// guests are the accounts of validators without a seat.
type guests struct {
	list []*guest
	rest peer
}

type guest struct {
	id   sm.NodeID
	used time.Time
	peer
}

// of finds the account of a validator. A new one takes the place of one that was
// not used for the given time, if there is no other.
func (g *guests) of(id sm.NodeID, now time.Time, idle time.Duration) *peer {
	free := -1
	for i, x := range g.list {
		if x.id == id {
			x.used = now
			return &x.peer
		}
		if free < 0 && now.Sub(x.used) > idle {
			free = i
		}
	}
	x := &guest{id: id, used: now}
	switch {
	case len(g.list) < maxGuests:
		g.list = append(g.list, x)
	case free >= 0:
		g.list[free] = x
	default:
		return &g.rest
	}
	return &x.peer
}

// follow asks members for their certificates, as a follower.
func (m *Machine) follow() {
	if m.me >= 0 {
		return
	}
	for range min(m.f+1, m.s) {
		m.send(&Follow{}, m.guide%m.s)
		m.guide = (m.guide + 1) % m.s
	}
}

func (m *Machine) onFollow(from sm.NodeID) {
	if p := m.account(from); p != &m.guests.rest {
		p.follows = m.now.Add(m.cfg.Policy.StatusInterval * 3 / 2)
	}
}

// tellFollowers sends the certificate of the last block.
func (m *Machine) tellFollowers() {
	if m.me < 0 || len(m.last) == 0 {
		return
	}
	var to []sm.NodeID
	for _, x := range m.guests.list {
		if _, seated := m.seats[x.id]; !seated && x.follows.After(m.now) {
			to = append(to, x.id)
		}
	}
	if len(to) > 0 {
		m.emit(sm.Send{To: to, Msg: &m.last[0]})
	}
}
