package identity

import (
	"bytes"
	"slices"

	"ios/chain"
)

// entry is a validator in the registry. Entries are shared between states: who
// changes one gets a copy first, see [ledger.edit].
type entry struct {
	id   chain.ValidatorID
	now  chain.Validator  // as it counts in the current epoch, or will
	next *chain.Validator // what it rotates to; nil for nothing
	seq  uint64           // orders that it gave
	join chain.Hash       // of the Join that registered it; zero for the genesis

	in    bool // of the frozen set
	wants bool // to be of it
	leave bool // asked to leave
	gone  bool // left, stake and all
	to    Payee
	asked uint64 // when it last asked to come or go, among all who did

	alive  bool   // gave a sign of life in this epoch
	missed uint32 // epochs in a row without one before this
}

// credit is what a key can pay stakes with.
type credit struct {
	owner  chain.Address
	amount uint64
}

// Bounds of the state.
const (
	maxUnbonds = 7       // payouts of one validator that are outstanding, but for its leave
	maxCredits = 1 << 15 // owners with credit
)

// ledger is the state after a block. It is copied for an execution.
type ledger struct {
	height  uint64
	entries []*entry // by id, of all that ever joined
	asked   uint64
	payouts []Payout // that are not due, by number
	paidNo  uint64   // number of the last payout
	due     []due    // that shards are not known to have taken, by transaction
	between uint64   // what shards paid in less what they took, modulo 2^64
	answers []answer // to what they pay in, by transaction
	credits []credit // by owner
	bases   []Point  // of each shard, the newest

	seed    *seed
	silence []silence // by server
	ending  *ending
}

func (l *ledger) clone() *ledger {
	c := *l
	c.entries, c.payouts, c.credits = slices.Clone(l.entries), slices.Clone(l.payouts), slices.Clone(l.credits)
	c.due, c.answers = slices.Clone(l.due), slices.Clone(l.answers)
	c.bases, c.silence = slices.Clone(l.bases), slices.Clone(l.silence)
	return &c
}

// edit gives an entry that may be changed.
func (l *ledger) edit(id chain.ValidatorID) *entry {
	e := *l.entries[id]
	l.entries[id] = &e
	return &e
}

// ask stamps an entry that asks to come or go.
func (l *ledger) ask(e *entry) {
	l.asked++
	e.asked = l.asked
}

// clash reports whether v shares something with a registered validator other than
// self: with what it is, asks to become, or will be by the seed. The last may be
// neither of the others, if it asked for something else since.
func (l *ledger) clash(v *chain.Validator, self chain.ValidatorID) bool {
	for _, e := range l.entries {
		if e.id != self && (overlap(&e.now, v) || e.next != nil && overlap(e.next, v)) {
			return true
		}
	}
	return l.seed != nil && slices.ContainsFunc(l.seed.frozen.rotated, func(t rotation) bool {
		return t.id != self && overlap(t.to, v)
	})
}

// joined reports whether a Join has registered somebody before. It may be shown
// again by anybody, and what it registers may be free again after a Rotate.
func (l *ledger) joined(join chain.Hash) bool {
	return slices.ContainsFunc(l.entries, func(e *entry) bool { return e.join == join })
}

// overlap reports whether a claim of one is a claim of the other, see
// [chain.Validator.Claims].
func overlap(a, b *chain.Validator) bool {
	if a.Name == b.Name || a.Address == b.Address || a.Cosi == b.Cosi || a.PVSS == b.PVSS {
		return true
	}
	for _, x := range [][32]byte{a.Identity, a.Signing, a.VRF} {
		if x == b.Identity || x == b.Signing || x == b.VRF {
			return true
		}
	}
	return false
}

func (l *ledger) findCredit(owner chain.Address) (int, bool) {
	return slices.BinarySearchFunc(l.credits, owner, func(c credit, o chain.Address) int { return bytes.Compare(c.owner[:], o[:]) })
}

// addCredit adds an amount, which cannot overflow: it is part of the supply.
func (l *ledger) addCredit(owner chain.Address, amount uint64) {
	i, ok := l.findCredit(owner)
	if !ok {
		l.credits = slices.Insert(l.credits, i, credit{owner: owner})
	}
	l.credits[i].amount += amount
}

// spendCredit reports whether the owner had the amount, which is gone then.
func (l *ledger) spendCredit(owner chain.Address, amount uint64) bool {
	i, ok := l.findCredit(owner)
	if !ok || l.credits[i].amount < amount {
		return false
	}
	if l.credits[i].amount -= amount; l.credits[i].amount == 0 {
		l.credits = slices.Delete(l.credits, i, i+1)
	}
	return true
}

// room reports whether one payout more can wait, and its payee be credited when it
// falls due.
func (l *ledger) room(to Payee) bool {
	waiting := len(l.payouts) + len(l.due)
	for _, e := range l.entries {
		if e.leave && !e.gone {
			waiting++
		}
	}
	return waiting < maxPayouts && (!to.Credit || l.roomForCredit())
}

// roomForCredit reports whether one owner more can be credited, with all that wait.
func (l *ledger) roomForCredit() bool {
	waiting := 0
	for i := range l.payouts {
		if l.payouts[i].To.Credit {
			waiting++
		}
	}
	for _, e := range l.entries {
		if e.leave && !e.gone && e.to.Credit {
			waiting++
		}
	}
	return len(l.credits)+waiting < maxCredits
}

// present is how many validators are registered and have not left for good.
func (l *ledger) present() (n int) {
	for _, e := range l.entries {
		if !e.gone {
			n++
		}
	}
	return n
}

// unbonding is how many payouts of a validator are outstanding.
func (l *ledger) unbonding(id chain.ValidatorID) (n int) {
	for i := range l.payouts {
		if l.payouts[i].ID == id {
			n++
		}
	}
	return n
}

// payLater has an amount paid out in an epoch.
func (l *ledger) payLater(id chain.ValidatorID, amount uint64, to Payee, due uint64) {
	l.paidNo++
	l.payouts = append(l.payouts, Payout{l.paidNo, id, amount, to, due})
}

// funds adds up where the stakes are.
func (l *ledger) funds() (f Funds) {
	for _, e := range l.entries {
		f.Staked += e.now.Stake
	}
	for i := range l.payouts {
		f.Unbonding += l.payouts[i].Amount
	}
	for i := range l.credits {
		f.Credit += l.credits[i].amount
	}
	for i := range l.due {
		f.Due += l.due[i].Amount
	}
	f.Between = l.between
	return f
}
