package identity

import (
	"bytes"
	"cmp"
	"math/bits"
	"slices"

	"ios/chain"
)

// due is a payout to a shard that the shard is not known to have taken.
type due struct {
	Payout
	tx chain.TxID
}

func newDue(p *chain.Params, o Payout) due { return due{o, o.Tx(p).ID} }

// answer is what the identity chain recorded for a transaction that pays in.
type answer struct {
	tx      chain.TxID
	shard   chain.ShardID // that asked
	expiry  uint64
	outcome chain.Outcome // Committed or Rejected
	told    uint64        // the last epoch in which the shard was told, or stalled
}

// Bounds of what is kept of transactions that pay in.
const (
	// Each shard has its part of them: a no costs nobody anything, and a stranger can
	// have as many as it likes from a shard that is late or stalled.
	maxAnswers = 1 << 14
	// keepAnswers is for how many epochs, of those that the shard could enter, an
	// answer is kept after its expiry and after the shard was told or stalled: the
	// shard asks for it in each of them. What has none until then was never
	// answered; see forgets.
	keepAnswers = 16
)

// forgets reports whether an answer may be forgotten that was last of use in an
// epoch, when a shard could last enter the epoch plan. That only grows: while it
// is false for an expiry, a transaction without an answer never had one.
func forgets(plan, last uint64) bool { return plan > last && plan-last > keepAnswers }

func (l *ledger) findAnswer(tx chain.TxID) (int, bool) {
	return slices.BinarySearchFunc(l.answers, tx, func(a answer, id chain.TxID) int { return bytes.Compare(a.tx[:], id[:]) })
}

// answersTo is how many answers are kept of what a shard has shown.
func (l *ledger) answersTo(shard chain.ShardID) (n int) {
	for i := range l.answers {
		if l.answers[i].shard == shard {
			n++
		}
	}
	return n
}

func (l *ledger) findDue(tx chain.TxID) (int, bool) {
	return slices.BinarySearchFunc(l.due, tx, func(d due, id chain.TxID) int { return bytes.Compare(d.tx[:], id[:]) })
}

func (l *ledger) addDue(d due) {
	i, _ := l.findDue(d.tx)
	l.due = slices.Insert(l.due, i, d)
}

// applyCarried takes in what a shard shows: credit that it pays in, and that it
// took a payout.
func (x *execution) applyCarried(op *Carried) Reason {
	b, err := x.book.params.DecodeBundle(op.Raw)
	if err != nil {
		return ReasonWrong // no quorum acks such a body
	}
	why := ReasonAgain
	for _, e := range entries(b) {
		switch got := x.hearEntry(b.Header.Shard, &e); {
		case got == Done:
			why = Done
		case why == ReasonAgain:
			why = got
		}
	}
	return why
}

// shown is an outcome with its transaction, nil if that is not in the bundle.
type shown struct {
	chain.Entry
	tx *chain.Tx
}

func entries(b *chain.Bundle) (list []shown) {
	at := 0
	for _, e := range b.Segment.Entries {
		s := shown{Entry: e}
		if at < len(b.Txs) && b.Txs[at].ID == e.ID {
			s.tx = &b.Txs[at]
			at++
		}
		list = append(list, s)
	}
	return list
}

func (x *execution) hearEntry(from chain.ShardID, e *shown) Reason {
	if i, ok := x.l.findDue(e.ID); ok {
		if !e.Outcome.Yes() || x.l.due[i].To.Owner.Shard(x.book.params.Shards) != from {
			return ReasonWrong
		}
		x.l.between -= x.l.due[i].Amount
		x.l.due = slices.Delete(x.l.due, i, i+1)
		return Done
	}
	if e.tx == nil || e.Outcome != chain.Accepted {
		return ReasonAgain
	}
	out, in := e.tx.Staked(), x.book.params.InputShards(e.tx)
	if out == nil || !in.Has(from) {
		return ReasonWrong
	}
	return x.receive(from, e.tx, out)
}

// receive answers a transaction that pays in: once, and to who asks in a later
// epoch the same again. The shard is the only one besides, so its yes is all that
// is needed.
func (x *execution) receive(from chain.ShardID, t *chain.Tx, out *chain.Output) Reason {
	now := x.cur.rec.Number
	i, known := x.l.findAnswer(t.ID)
	switch {
	case known && x.l.answers[i].told == now:
		return ReasonAgain
	case known:
		x.l.answers[i].told = now
		x.tell(from, t.ID, x.l.answers[i].outcome)
		return Done
	case forgets(x.cur.rec.Shards[from].Plan, t.Expiry):
		return ReasonEpoch
	case x.l.answersTo(from) >= maxAnswers/x.book.genesis.Shards:
		return ReasonFull
	}
	a := answer{t.ID, from, t.Expiry, chain.Rejected, now}
	if t.Expiry >= now && x.takes(out) { // or the shard gets it back
		a.outcome = chain.Committed
		x.l.addCredit(out.Owner, out.Amount)
		x.l.between += out.Amount
	}
	x.l.answers = slices.Insert(x.l.answers, i, a)
	x.tell(from, t.ID, a.outcome)
	return Done
}

// takes reports whether there is room for credit. There is none for more than
// there can be: no honest shard shows that.
func (x *execution) takes(out *chain.Output) bool {
	f := x.l.funds()
	held, _ := f.Sum()
	sum, carry := bits.Add64(held, out.Amount, 0)
	_, has := x.l.findCredit(out.Owner)
	return (has || x.l.roomForCredit()) && carry == 0 && sum <= x.book.genesis.Supply()
}

// tellDue tells the shards of all payouts that they are not known to have taken:
// what they were told in an earlier epoch does not convince them much longer.
func (x *execution) tellDue() {
	for i := range x.l.due {
		d := &x.l.due[i]
		x.tell(d.To.Owner.Shard(x.book.params.Shards), d.tx, chain.Accepted)
		x.report.Due = append(x.report.Due, d.Payout.Tx(x.book.params))
	}
}

// forgetAnswers drops those that nobody asks for any more. A stalled shard asks
// when it goes on.
func (x *execution) forgetAnswers(rec *Epoch) {
	for i := range x.l.answers {
		if a := &x.l.answers[i]; rec.Stalled.Has(a.shard) {
			a.told = x.cur.rec.Number
		}
	}
	x.l.answers = slices.DeleteFunc(x.l.answers, func(a answer) bool {
		return forgets(rec.Shards[a.shard].Plan, max(a.expiry, a.told))
	})
}

// Wants reports whether a bundle of a shard would change something: a member that
// has one puts it up then.
func (s *State) Wants(b *chain.Bundle) bool {
	now, plan := s.book.Current().Number, s.book.Current().Shards[b.Header.Shard].Plan
	for _, e := range entries(b) {
		if _, ok := s.final.findDue(e.ID); ok && e.Outcome.Yes() {
			return true
		}
		if e.tx == nil || e.Outcome != chain.Accepted || e.tx.Staked() == nil {
			continue
		}
		if i, known := s.final.findAnswer(e.ID); known && s.final.answers[i].told != now || !known && !forgets(plan, e.tx.Expiry) {
			return true
		}
	}
	return false
}

// Due are the payouts to shards that are not known to have taken them, by number.
func (s *State) Due() (list []Payout) {
	for i := range s.final.due {
		list = append(list, s.final.due[i].Payout)
	}
	slices.SortFunc(list, func(a, b Payout) int { return cmp.Compare(a.Number, b.Number) })
	return list
}

func (c *Checker) checkCarried(op *Carried) error {
	p := c.book.params
	b, err := p.DecodeBundle(op.Raw)
	if err != nil {
		return err
	}
	if err := b.Check(p, chain.IdentityShard); err != nil {
		return err
	}
	return c.checkCertificate(&b.Header, &b.Cert)
}
