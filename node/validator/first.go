package validator

import (
	"time"

	"ios/chain"
	"ios/pob/byzcoin"
)

// A shard shows that it has gone through an epoch's batches by a final block of
// its last committee. One that has no work makes such a block without any: else
// the next epoch would take it for dead. The same goes for one in which all have
// started again: who remembers its last block has not shown it.

// firstBlock is what is known of the first block of the term that acts.
type firstBlock struct {
	since    time.Time // when the term began here, or we did; zero once it has had a block since
	authored time.Time // when we last put up a body for it
}

// authorFirst puts up an empty body if the term is the epoch's last and has no
// block: first the leader, then the others one after the other.
func (c *Core) authorFirst() {
	f := &c.first
	if f.since.IsZero() || c.bft.Seat() < 0 || c.term == c.cfg.Term || c.progress == nil || !c.progress.Done() {
		return
	}
	if !c.ourTurn(f.since, f.authored) {
		return
	}
	f.authored = c.now
	d := &chain.Payload{}
	c.stepAgreement(byzcoin.Author{Payload: encode(d), Content: d, Tag: d})
	c.wake(c.now.Add(4 * c.cfg.Patience))
}
