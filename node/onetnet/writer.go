package onetnet

import "time"

// write is a peer's writer: it alone connects to the peer and sends its queue.
func (n *Net) write(p *peer) {
	defer close(p.done)
	var group []item
	timer := time.NewTimer(0)
	defer timer.Stop()
	for p.ctx.Err() == nil {
		wait := n.step(p, &group)
		if wait <= 0 {
			continue
		}
		timer.Reset(wait)
		select {
		case <-p.ctx.Done():
		case <-p.wake:
		case <-timer.C:
		}
	}
}

// step does the one thing that is due and returns how long the next can wait,
// nothing new provided.
func (n *Net) step(p *peer, group *[]item) time.Duration {
	now := time.Now()
	p.mu.Lock()
	if p.bannedLocked(now) != nil {
		defer p.mu.Unlock()
		return p.bannedUntil.Sub(now)
	}
	if len(p.conns) == 0 {
		due := p.nextDial
		p.mu.Unlock()
		if now.Before(due) {
			return due.Sub(now)
		}
		n.connect(p)
		return 0
	}
	conns := p.conns
	items := p.queue.take(*group)
	p.mu.Unlock()

	next := n.keepAlive(conns, now)
	if len(items) == 0 {
		return next
	}
	err := conns[0].deliver(items)
	p.settle(items, err)
	clear(items)
	*group = items[:0]
	return 0
}

// settle accounts for items that the writer took and wrote, or failed to write.
func (p *peer) settle(items []item, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case err == nil:
		p.sent += uint64(len(items))
		for _, it := range items {
			p.sentBytes += uint64(it.size)
		}
	case p.bannedLocked(time.Now()) != nil:
		p.dropped += uint64(len(items))
	default:
		p.dropped += uint64(p.queue.putBack(items))
	}
}

// connect has onet's router connect to the peer.
func (n *Net) connect(p *peer) {
	_, err := n.router.Send(p.identity, &hello{})
	now := time.Now()
	p.mu.Lock()
	failed := err != nil && p.ctx.Err() == nil
	if failed {
		p.planDial(now, err)
	}
	first := p.failures <= 1
	p.mu.Unlock()
	switch {
	case failed && first:
		p.log.WithError(err).Warn("cannot connect to a validator; trying on")
	case err == nil:
		p.connLog.info(p.log, "connected", nil)
	}
}

// keepAlive sends the heartbeats that are due and returns when the next one is.
// A failed one closes its connection, which the next step sees.
func (n *Net) keepAlive(conns []*conn, now time.Time) time.Duration {
	next := n.cfg.Heartbeat
	for _, c := range conns {
		due := n.cfg.Heartbeat - now.Sub(time.Unix(0, c.lastSent.Load()))
		if due <= 0 {
			if err := c.heartbeat(); err != nil {
				return 0
			}
			continue
		}
		next = min(next, due)
	}
	return next
}

// deliver hands the messages of one frame to the handler, which may have the
// connection closed amid them.
func (n *Net) deliver(d *Delivery) {
	p := d.from.peer
	for _, m := range d.messages {
		if d.from.closed.Load() {
			return
		}
		p.mu.Lock()
		p.received++
		p.mu.Unlock()
		n.cfg.Handler(p.id, m)
	}
}
