package validator

import (
	"errors"
	"slices"
	"time"

	"ios/atomix"
	"ios/chain"
	"ios/internal/sm"
	"ios/pob/byzcoin"
)

// What a client was told is accepted is in a body that a quorum holds. If the
// term ends before a block lists the body, its transactions are put up again in
// the next one: by its author at once, and by the others who hold it in turn,
// unless they are in a final block by then. Nobody forgets them before they are
// final, in a body of its own, or expired.

// debt is the transactions of a term that are in none of these yet.
type debt struct {
	from chain.Term
	left map[chain.TxID]*chain.Body
}

// owedTx is a transaction of another member, or of ours when we have lost our
// seat.
type owedTx struct {
	tx chain.Tx
	at time.Time // when it is our turn
}

// Lapsed is delivered for transactions that were in a body, maybe held, and
// expired before a block took them. They have no effect and can be made anew.
type Lapsed struct{ IDs []chain.TxID }

// succeeded takes up what the last term has left.
func (c *Core) succeeded(v byzcoin.Succeeded) {
	d := &debt{v.From, make(map[chain.TxID]*chain.Body)}
	for _, b := range v.Unfinished {
		pl, ok := b.Content.(*chain.Payload)
		if !ok {
			var err error
			if pl, err = c.cfg.Params.DecodePayload(b.Payload); err != nil {
				continue // we have checked it before we acked it
			}
		}
		var txs []chain.Tx
		for i := range pl.Txs {
			if _, done := c.seen[pl.Txs[i].ID]; !done {
				txs = append(txs, pl.Txs[i])
				d.left[pl.Txs[i].ID] = b
			}
		}
		if b.Author == c.cfg.Self {
			c.pool.requeue(b.Number, txs)
			continue
		}
		at := c.now.Add(time.Duration(c.rankAfter(b.Author)) * c.cfg.Patience)
		for i := range txs {
			c.owed = append(c.owed, owedTx{txs[i], at})
		}
	}
	c.debts = append(c.debts, d)
	c.pool.forget()
	c.sift()
	c.settle()
}

// dropped forgets what the agreement does not keep any more.
func (c *Core) dropped(v byzcoin.Dropped) {
	for _, d := range c.debts {
		if v.All && d.from == v.From {
			clear(d.left)
		}
	}
	c.settle()
}

// rankAfter is how many members come before us in putting up what an author has
// left. Where that has no seat, a member takes its place.
func (c *Core) rankAfter(author chain.ValidatorID) int {
	members, seat := c.bft.Members(), c.bft.Seat()
	first := slices.Index(members, author)
	if first < 0 {
		first = int(author) % len(members)
	}
	return (max(seat, 0) - first + len(members)) % len(members)
}

// sift takes out of the queue what has expired, and everything if we have no
// seat: then it is for the others to put it up, and for us if we get one again.
func (c *Core) sift() {
	epoch, seat := c.bft.Term().Epoch, c.bft.Seat()
	if seat < 0 {
		c.pool.bundles = queue[*chain.Bundle]{} // the relay hands them on
	}
	out := c.pool.sieve(func(t *chain.Tx) error {
		switch {
		case t.Expiry < epoch:
			return chain.Rule(chain.ErrExpired, "transaction %s expired with epoch %d, this is epoch %d; make and sign it anew", t.ID.Short(), t.Expiry, epoch)
		case seat < 0:
			return errNoSeat(c.cfg.Self, c.bft.Term())
		}
		return nil
	}, c.answer)
	for i := range out {
		if t := &out[i]; t.Expiry >= epoch && c.owes(t.ID) {
			c.owed = append(c.owed, owedTx{*t, c.now})
		}
	}
	var lapsed []chain.TxID
	lapse := func(t *chain.Tx) bool {
		if t.Expiry >= epoch {
			return false
		}
		if c.owes(t.ID) {
			lapsed = append(lapsed, t.ID)
			c.safe(t.ID)
		}
		return true
	}
	for i := range out {
		lapse(&out[i])
	}
	c.owed = slices.DeleteFunc(c.owed, func(o owedTx) bool { return lapse(&o.tx) })
	if lapsed != nil {
		c.out = append(c.out, sm.Deliver{Value: Lapsed{lapsed}})
	}
}

func errNoSeat(self chain.ValidatorID, term chain.Term) error {
	return chain.Rule(chain.ErrNotReady, "validator %d has no seat in term %v of its shard; send it to another one", self, term)
}

// owes reports whether a transaction is one that must not be lost.
func (c *Core) owes(id chain.TxID) bool {
	for _, d := range c.debts {
		if _, ok := d.left[id]; ok {
			return true
		}
	}
	return false
}

// safe says that a transaction needs no care any more.
func (c *Core) safe(id chain.TxID) {
	for _, d := range c.debts {
		delete(d.left, id)
	}
}

// paid forgets what a final block has dealt with.
func (c *Core) paid(r *atomix.Report) {
	if len(c.debts) == 0 {
		return
	}
	for i := range r.Outcomes {
		c.safe(r.Outcomes[i].ID)
	}
	for i := range r.Skipped {
		c.safe(r.Skipped[i].ID)
	}
	c.settle()
}

// settle tells the agreement of the terms of which nothing is left to do.
func (c *Core) settle() {
	c.owed = slices.DeleteFunc(c.owed, func(o owedTx) bool { return !c.owes(o.tx.ID) })
	c.debts = slices.DeleteFunc(c.debts, func(d *debt) bool {
		if len(d.left) > 0 {
			return false
		}
		c.todo = append(c.todo, byzcoin.Settled{From: d.from})
		return true
	})
}

// repay puts up what is our turn, as far as the queue has room.
func (c *Core) repay() {
	if len(c.owed) == 0 || c.bft.Seat() < 0 {
		return
	}
	epoch := c.bft.Term().Epoch
	kept := c.owed[:0]
	for _, o := range c.owed {
		switch {
		case c.now.Before(o.at):
			c.wake(o.at)
			kept = append(kept, o)
		case errors.Is(c.state.Final().Validate(&o.tx, epoch), chain.ErrDecided):
			c.safe(o.tx.ID)
		case !c.pool.adopt(&o.tx):
			c.wake(c.now.Add(authorRetry))
			kept = append(kept, o)
		}
	}
	clear(c.owed[len(kept):])
	c.owed = kept
	c.settle()
}
