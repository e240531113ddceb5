package byzcoin

import (
	"fmt"
	"slices"
	"time"

	"ios/chain"
	"ios/internal/sm"
)

// catchup leads a chain that is terms behind to the newest one. In the newest
// term the machine does it, by the certificates of its members.
type catchup struct {
	sources []*source
	sync    fetcher
	trail   trail
	turn    int       // whom to ask next how far it is
	noticed time.Time // when somebody first claimed to be in a later term
}

// source is a validator that may have blocks that we lack.
type source struct {
	id      sm.NodeID
	named   bool // by the owner
	term    chain.Term
	height  uint64    // what it claims
	avoid   time.Time // until when we ask nothing of it
	strikes int       // failures since its last useful block
	asks    budget    // Fetches to it
}

const (
	// maxSources bounds the sources, whoever names them.
	maxSources = 256
	// maxAsked is how many of them are asked at a time how far they are.
	maxAsked = 4
	// maxStrikes bounds how long a source is avoided that fails again and again.
	maxStrikes = 6
)

// setSources takes new sources from the owner. Those that named themselves stay.
func (c *Chain) setSources(ids []chain.ValidatorID) {
	k := &c.catchup
	c.m.guests.name(ids)
	for _, s := range k.sources {
		s.named = slices.Contains(ids, s.id)
	}
	k.sources = slices.DeleteFunc(k.sources, func(s *source) bool { return !s.named && !c.claims(s) })
	for _, id := range ids {
		c.source(id, true)
	}
}

// source finds a source, made if it is missing. It is nil if there is no room, or
// for ourselves. One that the owner names takes the place of one that it does not.
func (c *Chain) source(id sm.NodeID, named bool) *source {
	k := &c.catchup
	idle, stranger := -1, -1
	for i, s := range k.sources {
		switch {
		case s.id == id:
			s.named = s.named || named
			return s
		case s.named:
		case c.claims(s) || c.now.Before(s.avoid):
			stranger = i
		default:
			idle = i
		}
	}
	if idle < 0 && named {
		idle = stranger
	}
	s := &source{id: id, named: named}
	switch {
	case id == c.cfg.Self:
		return nil
	case len(k.sources) < maxSources:
		k.sources = append(k.sources, s)
	case idle >= 0:
		k.sources[idle] = s
	default:
		return nil
	}
	return s
}

// claims reports whether a source says that it is in a later term.
func (c *Chain) claims(s *source) bool {
	return s.term.Compare(c.term) > 0 && s.height > c.m.height
}

// seek asks a peer how far it is.
func (c *Chain) seek(id sm.NodeID) {
	if p := c.m.account(id); c.now.Sub(p.sought) >= c.cfg.Policy.RetryInterval/2 {
		p.sought = c.now
		c.send(id, &Where{c.term, c.m.height})
	}
}

func (c *Chain) onWhere(from sm.NodeID, w *Where) {
	p := c.m.account(from)
	if !c.m.spend(&p.queries, 1, 8) {
		return
	}
	switch c.term.Compare(w.Term) {
	case 1:
		c.send(from, &Ahead{c.term, c.m.height})
	case -1:
		c.seek(from)
	}
}

func (c *Chain) onAhead(from sm.NodeID, a *Ahead) {
	if a.Term.Compare(c.term) <= 0 || a.Height <= c.m.height {
		return
	}
	s := c.source(from, false)
	if s == nil || c.now.Before(s.avoid) {
		return
	}
	s.term, s.height = a.Term, a.Height
	if c.catchup.noticed.IsZero() {
		c.catchup.noticed = c.now
	}
}

// behind is the highest height that somebody claims who says that it is in a
// later term.
func (c *Chain) behind() (height uint64, ok bool) {
	for _, s := range c.catchup.sources {
		if c.claims(s) && !c.now.Before(s.avoid) {
			height, ok = max(height, s.height), true
		}
	}
	return height, ok
}

// catchUp asks for blocks, if others seem to be in a later term for more than a
// moment.
func (c *Chain) catchUp() {
	k := &c.catchup
	height, ok := c.behind()
	past := c.past()
	switch {
	case !past:
		k.trail = trail{}
	case c.m.ended == nil && !c.m.status.halted:
		c.tellPast()
		if ok {
			c.extend()
			height = min(height, k.trail.top())
		}
	}
	if c.m.status.halted || !ok && len(k.sync.out)+len(k.sync.got) == 0 {
		k.sync.out, k.sync.got, k.noticed = nil, nil, time.Time{}
		c.arm(c.pace())
		return
	}
	if c.m.ended == nil && (past || c.now.Sub(k.noticed) >= c.cfg.Policy.RetryInterval/2) {
		start := c.m.height + 1
		end := min(height, c.m.height+uint64(maxFetches*c.cfg.Policy.FetchBlocks))
		k.sync.pump(c.now, start, end, c.cfg.Policy.FetchBlocks, c.server, func(f fetch) { c.send(f.peer, c.m.fetchOf(f)) })
	}
	c.arm(c.cfg.Policy.RetryInterval / 2)
}

// pace is how often to look around: rarely for who is in step with a committee.
func (c *Chain) pace() time.Duration {
	if c.m.ended == nil && c.m.me >= 0 && c.m.status.synced {
		return c.idle()
	}
	return c.cfg.Policy.StatusInterval
}

func (c *Chain) arm(d time.Duration) {
	if t := c.now.Add(d); c.timer.IsZero() || c.timer.After(t) {
		c.timer = t
		c.out = append(c.out, sm.SetTimer{Key: sm.TimerKey{Kind: timerChain}, At: t})
	}
}

// fire asks some sources how far they are, gives up on those that do not answer,
// and goes on with what has come.
func (c *Chain) fire() {
	if c.timer.IsZero() || c.now.Before(c.timer) {
		return
	}
	c.timer = time.Time{}
	k := &c.catchup
	for _, id := range k.sync.overdue(c.now, &c.cfg.Policy) {
		c.avoid(id)
	}
	c.lateHeaders()
	asked := 0
	for range k.sources {
		k.turn = (k.turn + 1) % len(k.sources)
		if s := k.sources[k.turn]; asked < maxAsked && !c.now.Before(s.avoid) {
			asked++
			c.seek(s.id)
		}
	}
	c.learn()
}

// server is the next source to ask for a height.
func (c *Chain) server(height uint64) (sm.NodeID, bool) {
	k := &c.catchup
	for i := range k.sources {
		turn := (k.sync.turn + i) % len(k.sources)
		s := k.sources[turn]
		if c.claims(s) && s.height >= height && !c.now.Before(s.avoid) && !k.sync.busy(s.id) && c.m.spend(&s.asks, 1, askLimit-1) {
			k.sync.turn = turn + 1
			return s.id, true
		}
	}
	return 0, false
}

// avoid passes over a source that failed, ever longer, and forgets its claim.
func (c *Chain) avoid(id sm.NodeID) {
	for _, s := range c.catchup.sources {
		if s.id == id {
			s.avoid = c.now.Add(8 * c.cfg.Policy.RetryInterval << min(s.strikes, maxStrikes))
			s.strikes++
			s.term, s.height = chain.Term{}, 0
		}
	}
}

// forgive takes it back that a source was passed over: it is slow, and no more
// than that.
func (c *Chain) forgive(id sm.NodeID) {
	for _, s := range c.catchup.sources {
		if s.id == id {
			s.avoid, s.strikes = time.Time{}, 0
			c.seek(id)
		}
	}
}

// blame names a source that sent what is wrong.
func (c *Chain) blame(id sm.NodeID, format string, args ...any) {
	c.avoid(id)
	c.catchup.sync.drop(id)
	c.deliver(Misbehaviour{Who: id, What: FaultSync, Cause: fmt.Sprintf("validator %d ", id) + fmt.Sprintf(format, args...), Drop: true})
}

// onSyncReply takes blocks that we asked for. It reports whether we did.
func (c *Chain) onSyncReply(from sm.NodeID, s *SyncReply) bool {
	k := &c.catchup
	f, late, ok := k.sync.take(c.now, from, s, &c.cfg.Policy)
	if !ok {
		return false
	}
	if late {
		c.forgive(from)
	}
	if len(s.Blocks) == 0 {
		c.avoid(from)
		return true
	}
	if wrong, wanted := k.sync.add(f, s, c.m.height); wanted != 0 {
		c.blame(from, "sent block %d in the place of block %d", wrong, wanted)
	}
	c.learn()
	return true
}

// learn lets the machines of the terms have what has come, in order. The
// certificate of a block is checked against the committee of the term that the
// blocks below lead to, so that nobody can lead us astray.
func (c *Chain) learn() {
	k := &c.catchup
	for bytes := 0; c.m.ended == nil && !c.m.status.halted; {
		if bytes >= applyBytes {
			c.arm(0)
			return
		}
		past := c.past()
		want, known := k.trail.at(c.m.height + 1)
		if past && !known {
			return
		}
		c.m.vouch(k.sync.got)
		b, ok := k.sync.next(c.m.height)
		if !ok {
			return
		}
		if hash := b.Block.Header.Hash(); past && hash != want {
			c.blame(b.peer, "sent block %s in the place of block %s, which is known", hash.Short(), want.Short())
			continue
		}
		bytes += b.cost()
		l := &learn{block: &b.SyncBlock}
		c.run(l)
		if l.err != nil {
			c.blame(b.peer, "sent a block that is not the next: %v", l.err)
			continue
		}
		for _, s := range k.sources {
			if s.id == b.peer {
				s.strikes = 0
			}
		}
	}
}
