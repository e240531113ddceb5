package council

import (
	"time"

	"ios/drp"
	"ios/eds"
	"ios/internal/sm"
	"ios/pob/byzcoin"
)

// Timers of the parts share one space of keys: the upper bits of the kind tell
// whose they are.
const (
	timersAgreement uint8 = 0x00
	timersLottery   uint8 = 0x40
	timersBeacon    uint8 = 0x80
	timersCore      uint8 = 0xc0
	timersMask      uint8 = 0xc0
)

var timerCore = sm.TimerKey{Kind: timersCore}

func (c *Core) fire(key sm.TimerKey) {
	inner := sm.Fire{Key: sm.TimerKey{Kind: key.Kind &^ timersMask, N: key.N}}
	switch key.Kind & timersMask {
	case timersAgreement:
		c.stepAgreement(inner)
	case timersLottery:
		c.stepLottery(inner)
	case timersBeacon:
		c.stepServer(inner)
	default:
		c.timer = time.Time{} // Step goes on to drive
	}
}

func (c *Core) stepAgreement(ev sm.Event) {
	for _, e := range c.bft.Step(c.now, ev) {
		switch e := e.(type) {
		case sm.Deliver:
			c.agreed(e)
		case byzcoin.Check:
			c.checkBody(e.Body)
		default:
			c.pass(e, protoAgreement, timersAgreement)
		}
	}
}

func (c *Core) stepLottery(ev sm.Event) {
	if c.beacon == nil {
		return
	}
	for _, e := range c.beacon.lottery.Step(c.now, ev) {
		d, ok := e.(sm.Deliver)
		if !ok {
			c.pass(e, protoLottery, timersLottery)
			continue
		}
		c.stirred, c.gate.dirty = true, true
		switch v := d.Value.(type) {
		case eds.Round:
			c.beacon.round = v
		case eds.ViewBegan:
			c.beacon.deal = append(c.beacon.deal, v.View)
		}
	}
}

func (c *Core) stepServer(ev sm.Event) {
	if c.beacon == nil {
		return
	}
	for _, e := range c.beacon.server.Step(c.now, ev) {
		switch e := e.(type) {
		case sm.Deliver:
			c.served(e.Value)
		case sm.Persist:
			c.persistBeacon(e)
		default:
			c.pass(e, protoBeacon, timersBeacon)
		}
	}
}

// pass hands an effect of a part on.
func (c *Core) pass(e sm.Effect, protocol byte, timers uint8) {
	switch e := e.(type) {
	case sm.Send:
		e.Msg = &Envelope{protocol, e.Msg}
		c.emit(e)
	case sm.SetTimer:
		e.Key.Kind |= timers
		c.emit(e)
	case sm.CancelTimer:
		e.Key.Kind |= timers
		c.emit(e)
	default:
		c.emit(e)
	}
}

// agreed consumes what the agreement delivers. It does nothing that needs a step
// of a part: that is for drive.
func (c *Core) agreed(d sm.Deliver) {
	switch v := d.Value.(type) {
	case byzcoin.Authored:
		c.authored(v)
	case byzcoin.Held: // clients hear of what is final
	case byzcoin.Final:
		c.finalized(&v)
	case byzcoin.Succeeded:
		c.stirred = true
		c.turned = append(c.turned, v.From)
	default:
		c.emit(d)
	}
}

// served consumes what the beacon's machine delivers.
func (c *Core) served(value any) {
	b := c.beacon
	c.stirred = true
	switch v := value.(type) {
	case drp.Propose:
		b.proposal = &v
	case drp.Progress:
		b.progress = &v
	case drp.Result:
		b.result = &v
	case drp.Equivocation:
		c.equivocated(&v)
	case drp.Refused:
		c.trouble("%v", v.Err)
	}
}

// wake has drive called at a time at the latest.
func (c *Core) wake(at time.Time) {
	if !at.After(c.now) {
		at = c.now.Add(time.Millisecond)
	}
	if c.wakeAt.IsZero() || at.Before(c.wakeAt) {
		c.wakeAt = at
	}
}

func (c *Core) setTimer() {
	switch {
	case c.wakeAt.Equal(c.timer):
	case c.wakeAt.IsZero():
		c.emit(sm.CancelTimer{Key: timerCore})
	default:
		c.emit(sm.SetTimer{Key: timerCore, At: c.wakeAt})
	}
	c.timer = c.wakeAt
}
