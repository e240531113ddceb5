package byzcoin

import (
	"slices"
	"time"

	"ios/internal/sm"
)

// Who has no seat follows the chain: it asks f+1 members, others every time, for
// the certificates of the blocks that become final, so that one honest member
// tells it at once, and fetches the blocks from whoever has them.

// maxGuests bounds the strangers that have an account of their own: validators
// without a seat that our owner does not name. The others share one, and cannot
// follow. Those that it names, since they have a seat in a term to come, always have
// one, so that strangers cannot keep them from catching up.
const maxGuests = 64

// guests are the accounts of validators without a seat.
type guests struct {
	list  []*guest
	named []sm.NodeID
	rest  peer
}

type guest struct {
	id    sm.NodeID
	used  time.Time
	named bool
	peer
}

// name says who is no stranger. Strangers above the bound lose their accounts, those
// first that used them least lately.
func (g *guests) name(ids []sm.NodeID) {
	g.named = slices.Clone(ids)
	for _, x := range g.list {
		x.named = slices.Contains(ids, x.id)
	}
	strangers := g.strangers()
	if len(strangers) <= maxGuests {
		return
	}
	slices.SortStableFunc(strangers, func(a, b *guest) int { return b.used.Compare(a.used) })
	g.list = slices.DeleteFunc(g.list, func(x *guest) bool { return slices.Contains(strangers[maxGuests:], x) })
}

func (g *guests) strangers() (list []*guest) {
	for _, x := range g.list {
		if !x.named {
			list = append(list, x)
		}
	}
	return list
}

// of finds the account of a validator. That of a new stranger takes the place of
// one that was not used for the given time, if there is no other.
func (g *guests) of(id sm.NodeID, now time.Time, idle time.Duration) *peer {
	for _, x := range g.list {
		if x.id == id {
			x.used = now
			return &x.peer
		}
	}
	x := &guest{id: id, used: now, named: slices.Contains(g.named, id)}
	if !x.named {
		strangers := g.strangers()
		free := slices.IndexFunc(strangers, func(x *guest) bool { return now.Sub(x.used) > idle })
		switch {
		case len(strangers) < maxGuests:
		case free >= 0:
			*strangers[free] = *x
			return &strangers[free].peer
		default:
			return &g.rest
		}
	}
	g.list = append(g.list, x)
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
