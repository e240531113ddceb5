package validator

import (
	"fmt"
	"time"

	"ios/chain"
	"ios/internal/sm"
	"ios/pob/byzcoin"
	"ios/transepoch"
)

// A validator that a batch is to bring in follows the shard's chain. When it is in
// step with it, it says so to the members, again and again, until a block has
// brought it in or recorded that it is there. One that came in without being
// ready does the same from its seat.

// refreshReady is by how many blocks a Ready may be behind.
const refreshReady = 1024

// Transition is how far the shard is in its epoch, and what we wait for in it.
type Transition struct {
	transepoch.State
	Last   uint32              // the epoch's last batch
	Absent []chain.ValidatorID // as far as we know
	Plan   bool                // the epoch's plan is known
	// Joining says that we are to come in with batch Join, or have come in and
	// were not ready; Reason is a sentence about what that waits for.
	Joining bool
	Join    uint32
	Reason  string
}

// Transition tells how far the shard is.
func (c *Core) Transition() Transition {
	t := Transition{State: c.succession.state, Plan: c.progress != nil}
	if c.progress == nil {
		t.Reason = fmt.Sprintf("the block of epoch %d is not known here yet", t.Epoch)
		return t
	}
	t.Last, t.Absent = c.progress.Plan().Last(t.Shard), c.progress.Absent()
	_, t.Join, _, t.Joining = c.wanted()
	switch {
	case !t.Joining:
	case !c.caughtUp():
		t.Reason = "catching up with the shard: " + c.status.Reason
	case c.ready == nil:
		t.Reason = fmt.Sprintf("waiting for a block above height %d", t.Entered)
	default:
		t.Reason = fmt.Sprintf("ready since height %d; the shard is at batch %d and takes us in with batch %d", c.ready.Height, t.Batch, t.Join)
	}
	return t
}

// wanted is what the shard waits to hear from us: that we are ready for a batch of
// an epoch, at a height of at least so much.
func (c *Core) wanted() (epoch uint64, batch uint32, least uint64, ok bool) {
	s := &c.succession.state
	for _, a := range s.Absent {
		if a.Validator == c.cfg.Self {
			return a.Epoch, a.Batch, max(a.Since, s.Entered), true
		}
	}
	if c.progress == nil || c.bft.Seat() >= 0 {
		return 0, 0, 0, false
	}
	for b, batch := range c.progress.Plan().Shards[s.Shard].Batches {
		for _, w := range batch {
			if w.In == c.cfg.Self && uint32(b+1) > s.Batch {
				return s.Epoch, uint32(b + 1), s.Entered, true
			}
		}
	}
	return 0, 0, 0, false
}

// caughtUp reports whether we are in step with the newest committee.
func (c *Core) caughtUp() bool {
	switch c.status.Phase {
	case byzcoin.Following, byzcoin.Voting, byzcoin.Waiting:
		return c.status.Term == c.bft.Term()
	}
	return false
}

// tellReady tells the members that we are ready, if they want to know.
func (c *Core) tellReady() {
	epoch, batch, least, ok := c.wanted()
	p := c.bft.Point()
	if !ok || p.Height < least || p.Height == 0 || !c.caughtUp() {
		if c.ready = nil; ok {
			c.wake(c.now.Add(c.repeatReady()))
		}
		return
	}
	key, _ := c.cfg.Signing(c.cfg.Self)
	r := c.ready
	if r == nil || key != c.readyBy || r.Epoch != epoch || r.Batch != batch || r.Height < least || p.Height > r.Height+refreshReady {
		r = &transepoch.Ready{
			Chain: c.cfg.Params.ChainID, Shard: c.state.Shard(), Epoch: epoch, Batch: batch,
			Validator: c.cfg.Self, Height: p.Height, StateRoot: p.Hash,
		}
		voice, ok := c.cfg.Agreement.Voice(key)
		if !ok { // the keys that count are not here
			c.ready = nil
			c.wake(c.now.Add(c.repeatReady()))
			return
		}
		r.Sign(voice.Key)
		c.ready, c.readyBy, c.readyAt = r, key, time.Time{}
	}
	if c.now.Before(c.readyAt) {
		c.wake(c.readyAt)
		return
	}
	c.readyAt = c.now.Add(c.repeatReady())
	c.wake(c.readyAt)
	to := make([]sm.NodeID, 0, len(c.bft.Members()))
	for _, v := range c.bft.Members() {
		if v != c.cfg.Self {
			to = append(to, v)
		}
	}
	if len(to) > 0 {
		c.pass(sm.Send{To: to, Msg: r}, protoTransition, timersProgress)
	}
	c.stepProgress(sm.Receive{From: c.cfg.Self, Msg: r})
}

// repeatReady is how long after a Ready the next one is sent.
func (c *Core) repeatReady() time.Duration { return c.cfg.Patience / 4 }

// onReady takes a Ready, of each validator a few in a second: each may cost the
// check of a signature.
func (c *Core) onReady(from sm.NodeID, r *transepoch.Ready) {
	if c.now.Sub(c.heard[from]) < c.repeatReady()/4 {
		return
	}
	c.heard[from] = c.now
	c.stepProgress(sm.Receive{From: from, Msg: r})
}
