package validator

import (
	"slices"
	"time"

	"ios/atomix"
	"ios/internal/sm"
	"ios/pob/byzcoin"
	"ios/transepoch"
)

// Timers of the parts share one space of keys: the upper bits of the kind tell
// whose they are.
const (
	timersAgreement uint8 = 0x00
	timersRelay     uint8 = 0x40
	timersCore      uint8 = 0x80
	timersProgress  uint8 = 0xc0
	timersMask      uint8 = 0xc0
)

var timerAuthor = sm.TimerKey{Kind: timersCore}

// authorRetry is when a refused body is tried again.
const authorRetry = 100 * time.Millisecond

func (c *Core) fire(key sm.TimerKey) {
	inner := sm.Fire{Key: sm.TimerKey{Kind: key.Kind &^ timersMask, N: key.N}}
	switch key.Kind & timersMask {
	case timersAgreement:
		c.stepAgreement(inner)
	case timersRelay:
		c.stepRelay(inner)
	case timersProgress:
		c.stepProgress(inner)
	default:
		c.timer = time.Time{} // Step goes on to what is due
	}
}

func (c *Core) stepAgreement(ev sm.Event) {
	for _, e := range c.bft.Step(c.now, ev) {
		if d, ok := e.(sm.Deliver); ok {
			c.agreed(d)
			continue
		}
		c.pass(e, protoAgreement, timersAgreement)
	}
}

func (c *Core) stepRelay(ev sm.Event) {
	for _, e := range c.relay.Step(c.now, ev) {
		if d, ok := e.(sm.Deliver); ok {
			if s, ok := d.Value.(atomix.SubmitBundle); ok {
				c.pool.addBundle(s.Bundle) // if there is no room, the relay offers it again
				continue
			}
		}
		c.pass(e, protoRelay, timersRelay)
	}
}

// pass hands an effect of a part on.
func (c *Core) pass(e sm.Effect, protocol byte, timers uint8) {
	switch e := e.(type) {
	case sm.Send:
		shard := c.state.Shard()
		if l, ok := e.Msg.(*atomix.Letter); ok {
			shard = l.To
		}
		e.Msg = &Envelope{protocol, e.Msg, shard}
		c.out = append(c.out, e)
	case sm.SetTimer:
		e.Key.Kind |= timers
		c.out = append(c.out, e)
	case sm.CancelTimer:
		e.Key.Kind |= timers
		c.out = append(c.out, e)
	case byzcoin.Check:
		c.onCheck(e)
		c.out = append(c.out, e)
	default:
		c.out = append(c.out, e)
	}
}

// agreed consumes what the agreement delivers.
func (c *Core) agreed(d sm.Deliver) {
	switch v := d.Value.(type) {
	case byzcoin.Authored:
		c.authored(v)
	case byzcoin.Held:
		c.pool.held(v.Number, c.answer)
	case byzcoin.Final:
		c.final(v)
	case byzcoin.Succeeded:
		c.succeeded(v)
	case byzcoin.Dropped:
		c.dropped(v)
		c.out = append(c.out, d)
	case byzcoin.Status:
		c.status = v
		c.out = append(c.out, d)
	default:
		c.out = append(c.out, d)
	}
}

func (c *Core) final(v byzcoin.Final) {
	r, t := c.finals[0].report, c.finals[0].turned
	c.finals = c.finals[1:]
	for _, ref := range v.Block.Refs {
		if ref.Author == c.cfg.Self {
			c.pool.final(ref.Number, c.answer)
		}
	}
	c.persistOutcomes(r)
	c.out = append(c.out, sm.Deliver{Value: Decided{v.Block, v.Bodies, r, v.Synced}})
	c.stepRelay(atomix.Decided{Block: v.Block, Report: r, Lead: c.led})
	c.paid(r)
	c.retryAt = time.Time{}
	if v.Block.Header.Term() == c.bft.Term() {
		c.first = firstBlock{}
	}
	if t != nil {
		c.turned(t)
	} else {
		c.stepProgress(transepoch.Tick{})
	}
}

// lead is the seat that leads the first view of the term.
func (c *Core) lead() int {
	members := c.bft.Members()
	n := len(members)
	return (slices.Index(members, c.bft.Leader()) - int(c.bft.View()%uint64(n)) + n) % n
}

// author puts the queue into a body when it is time: at once if none of ours is
// under way or a body is full, and otherwise when the queue has waited enough.
func (c *Core) author() {
	if c.now.Before(c.retryAt) {
		c.wake(c.retryAt)
		return
	}
	for !c.pool.empty() && len(c.pool.bodies) < c.cfg.Limits.Bodies {
		ready := len(c.pool.bodies) == 0 || c.pool.full() || c.pool.bundles.len() > 0
		if !ready && c.now.Before(c.gatherAt) {
			c.wake(c.gatherAt)
			return
		}
		d := c.pool.draft()
		queued := c.pool.txs.len() + c.pool.bundles.len()
		c.stepAgreement(byzcoin.Author{Payload: encode(d), Content: d, Tag: d})
		if c.pool.txs.len()+c.pool.bundles.len() == queued { // refused
			c.retryAt = c.now.Add(authorRetry)
			c.wake(c.retryAt)
			return
		}
		// The more bodies wait for a block, the less another one helps: larger
		// ones cost everybody less.
		if len(d.Txs) > 0 {
			c.gatherAt = c.now.Add(c.cfg.Gather * time.Duration(len(c.pool.bodies)))
		}
	}
}

func (c *Core) wake(at time.Time) {
	if c.timer.IsZero() || at.Before(c.timer) {
		c.timer = at
		c.out = append(c.out, sm.SetTimer{Key: timerAuthor, At: at})
	}
}
