package validator

import (
	"errors"
	"slices"

	"ios/chain"
	"ios/internal/sm"
	"ios/pob/byzcoin"
)

// Who has lost its seat cannot put up what its last term has left. Others that hold
// it do; but batches may follow each other so fast that all of them go. So it
// hands the bodies to one member after the other, until it sees their
// transactions in final blocks.

// Handover carries a body of a term that has ended without it.
type Handover struct{ Body *chain.Body }

// AppendTo appends the canonical encoding.
func (h *Handover) AppendTo(dst []byte) []byte { return append(dst, h.Body.Raw...) }

// maxHanded bounds the bodies of others that are being checked for this.
const maxHanded = 8

// maxDoubted bounds the transactions whose inputs are waited for.
const maxDoubted = 4096

// handOver sends the bodies that we owe something of.
func (c *Core) handOver() {
	if len(c.owed) == 0 || c.bft.Seat() >= 0 {
		return
	}
	if c.now.Before(c.handAt) {
		c.wake(c.handAt)
		return
	}
	c.handAt = c.now.Add(c.cfg.Patience / 2)
	c.wake(c.handAt)
	members := c.bft.Members()
	c.handTo++
	to := members[c.handTo%len(members)]
	c.owed = slices.DeleteFunc(c.owed, func(o owedTx) bool {
		decided := errors.Is(c.state.Final().Validate(&o.tx, c.bft.Term().Epoch), chain.ErrDecided)
		if decided {
			c.safe(o.tx.ID)
		}
		return decided
	})
	c.settle()
	sent := make(map[chain.Hash]bool)
	for i := range c.owed {
		b := c.bodyOf(c.owed[i].tx.ID)
		if b == nil || sent[b.Hash] || len(sent) == maxHanded {
			continue
		}
		sent[b.Hash] = true
		c.pass(sm.Send{To: []sm.NodeID{to}, Msg: &Handover{b}}, protoHandover, timersCore)
	}
}

// bodyOf is the body that a transaction was held in.
func (c *Core) bodyOf(id chain.TxID) *chain.Body {
	for _, d := range c.debts {
		if b := d.left[id]; b != nil {
			return b
		}
	}
	return nil
}

// onHandover takes a body from a member of an earlier term. It is checked like
// any body; anyone may submit what it holds.
func (c *Core) onHandover(from sm.NodeID, h *Handover) {
	b := h.Body
	if c.bft.Seat() < 0 || b.Chain != c.cfg.Params.ChainID || b.Shard != c.state.Shard() || b.Term().Compare(c.bft.Term()) >= 0 {
		return
	}
	if _, known := c.handed[b.Hash]; known || len(c.handed) >= maxHanded {
		return
	}
	c.handed[b.Hash] = c.now
	c.out = append(c.out, byzcoin.Check{Body: b, From: from})
}

// handedOver puts up what was handed over. It reports whether the check was of
// that.
func (c *Core) handedOver(ev byzcoin.Checked) bool {
	if _, ok := c.handed[ev.Hash]; !ok {
		return false
	}
	delete(c.handed, ev.Hash)
	pl, ok := ev.Content.(*chain.Payload)
	if ev.Err != nil || !ok {
		return true
	}
	for i := range pl.Txs {
		if t := &pl.Txs[i]; c.bft.Seat() >= 0 && c.takesOver(t) {
			c.pool.adopt(t)
		}
	}
	return true
}

// takesOver reports whether a transaction that was handed over is put up now. An
// input that is not there may be on its way, in a body that is unfinished, too.
// If it does not come, a block is to show that it did not.
func (c *Core) takesOver(t *chain.Tx) bool {
	err := c.state.Final().Validate(t, c.bft.Term().Epoch)
	if err == nil || !errors.Is(err, chain.ErrUnknown) && !errors.Is(err, chain.ErrLocked) {
		return err == nil
	}
	first, known := c.doubted[t.ID]
	if !known {
		if len(c.doubted) >= maxDoubted {
			clear(c.doubted)
		}
		c.doubted[t.ID] = c.now
		return false
	}
	return c.now.Sub(first) > 4*c.cfg.Patience
}

// handedIn forgets checks that were never answered.
func (c *Core) handedIn() {
	for h, at := range c.handed {
		if c.now.Sub(at) > 8*c.cfg.Patience {
			delete(c.handed, h)
		}
	}
}

// MayGo reports whether a validator without a seat has no duty left in the shard:
// nothing that was held in terms before is unfinished, and those that act now need no
// block from it. The last of its term may have been with it alone.
func (c *Core) MayGo() bool { return c.Seat() < 0 && c.unsettled() == 0 && c.bft.HandedOver() }

// unsettled is how many transactions, held in terms before, we still care for.
func (c *Core) unsettled() (txs int) {
	for _, d := range c.debts {
		txs += len(d.left)
	}
	return txs
}
