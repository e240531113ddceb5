package council

import (
	"errors"
	"time"

	"ios/chain"
	"ios/internal/sm"
	"ios/pob/byzcoin"
	"ios/transepoch/identity"
)

// maxSubmissions bounds what clients may have under way.
const maxSubmissions = 256

// authorRetry is when a refused body is tried again.
const authorRetry = 100 * time.Millisecond

// submission is what a client waits for.
type submission struct {
	ops []identity.Op
	tag any
}

// draft is a body of ours to be, or one that is not final.
type draft struct {
	payload *identity.Payload
	sub     *submission // nil for what validators put up by themselves
}

// outbox are our bodies until they are final.
type outbox struct {
	waiting []*draft
	flying  map[uint64]*draft // by number
	subs    int               // under way, checks included
	retryAt time.Time
}

// put has ops put up as one body.
func (c *Core) put(ops ...identity.Op) {
	c.outbox.waiting = append(c.outbox.waiting, &draft{payload: &identity.Payload{Ops: ops}})
}

func (c *Core) submit(ev Submit) {
	s := &submission{ev.Ops, ev.Tag}
	err := submittable(ev.Ops)
	switch {
	case err != nil:
	case c.outbox.subs >= maxSubmissions:
		err = chain.Rule(chain.ErrFull, "%d submissions are under way, no more are possible; try again", c.outbox.subs)
	case c.bft.Seat() < 0:
		err = c.noSeat()
	}
	if err != nil {
		c.deliver(Answer{Tag: s.tag, Err: err})
		return
	}
	c.outbox.subs++
	c.checkSubmission(s)
}

func (c *Core) noSeat() error {
	return chain.Rule(chain.ErrNotReady, "validator %d is no member of epoch %d and cannot put anything up; submit to one that is", c.cfg.Self, c.bft.Term().Epoch)
}

// submittable refuses what validators put up by themselves.
func submittable(ops []identity.Op) error {
	if len(ops) == 0 || len(ops) > identity.MaxOps {
		return chain.Rule(identity.ErrOp, "%d ops, between 1 and %d are possible", len(ops), identity.MaxOps)
	}
	for _, op := range ops {
		switch k := op.Kind(); k {
		case identity.KindJoin, identity.KindRotate, identity.KindLeave, identity.KindResume, identity.KindUnbond:
		default:
			return chain.Rule(identity.ErrOp, "%v is put up by validators themselves", k)
		}
	}
	return nil
}

// checkedSubmission goes on with ops that were checked.
func (c *Core) checkedSubmission(ev *Checked) {
	if ev.result.Err != nil {
		c.answer(ev.sub, Answer{Err: ev.result.Err})
		return
	}
	c.outbox.waiting = append(c.outbox.waiting, &draft{&identity.Payload{Ops: ev.sub.ops}, ev.sub})
}

func (c *Core) answer(s *submission, a Answer) {
	c.outbox.subs--
	a.Tag = s.tag
	c.deliver(a)
}

// author puts up what waits, in order. What is refused is tried again.
func (c *Core) author() {
	o := &c.outbox
	for len(o.waiting) > 0 && !c.now.Before(o.retryAt) {
		d := o.waiting[0]
		if c.bft.Seat() < 0 {
			o.waiting = o.waiting[1:]
			if d.sub != nil {
				c.answer(d.sub, Answer{Err: c.noSeat()})
			}
			continue
		}
		left := len(o.waiting)
		c.stepAgreement(byzcoin.Author{Payload: d.payload.AppendTo(nil), Content: d.payload, Tag: d})
		if len(o.waiting) == left {
			o.retryAt = c.now.Add(authorRetry)
		}
	}
	if len(o.waiting) > 0 {
		c.wake(o.retryAt)
	}
}

func (c *Core) authored(v byzcoin.Authored) {
	o := &c.outbox
	d, ok := v.Tag.(*draft)
	if !ok || len(o.waiting) == 0 || o.waiting[0] != d {
		return
	}
	switch {
	case v.Err == nil:
		o.flying[v.Number] = d
	case errors.Is(v.Err, chain.ErrFull) || errors.Is(v.Err, chain.ErrNotReady):
		return // try again
	case d.sub != nil:
		c.answer(d.sub, Answer{Err: v.Err})
	default:
		c.trouble("a body of ours cannot be put up: %v", v.Err)
	}
	o.waiting = o.waiting[1:]
}

// landed answers clients whose ops are in a final block.
func (c *Core) landed(v *byzcoin.Final, r *identity.Report) {
	results := r.Ops
	for _, b := range v.Bodies {
		p, ok := b.Content.(*identity.Payload)
		if !ok {
			var err error
			if p, err = identity.DecodePayload(b.Payload); err != nil {
				continue // as the state does
			}
		}
		n := min(len(p.Ops), len(results))
		if d := c.outbox.flying[b.Number]; d != nil && b.Author == c.cfg.Self {
			delete(c.outbox.flying, b.Number)
			if d.sub != nil {
				c.answer(d.sub, Answer{Height: v.Block.Header.Height, Results: results[:n]})
			}
		}
		results = results[n:]
	}
}

// turnOutbox puts clients' ops up again in the next term. What concerned the
// epoch that ended is dropped.
func (c *Core) turnOutbox() {
	o := &c.outbox
	var again []*draft
	for n := uint64(1); len(o.flying) > 0; n++ {
		if d := o.flying[n]; d != nil {
			delete(o.flying, n)
			again = append(again, d)
		}
	}
	again = append(again, o.waiting...)
	o.waiting = nil
	for _, d := range again {
		if d.sub != nil {
			o.waiting = append(o.waiting, d)
		}
	}
}

var _ sm.Effect = (*Check)(nil)
