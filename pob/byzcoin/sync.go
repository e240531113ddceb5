package byzcoin

import (
	"slices"
	"time"

	"ios/chain"
	"ios/internal/sm"
)

// fetcher gets final blocks from others.
type fetcher struct {
	since time.Time // when we learned of the highest certificate
	out   []fetch
	got   []fetched // by height
	turn  int
}

type fetch struct {
	seat  int
	from  uint64
	count int
	at    time.Time
}

type fetched struct {
	SyncBlock
	seat int
}

const (
	maxFetches = 3
	// applyBytes is about what one step takes on, so that others get their turn.
	applyBytes = 1 << 20
)

// pumpFetch asks for what lies below the highest commit certificate, a range
// from each of several members, unless it is about to become final by itself.
func (m *Machine) pumpFetch() {
	if m.best == nil || m.status.halted {
		m.sync.out, m.sync.got = nil, nil
		return
	}
	ripe := m.now.Sub(m.sync.since) >= m.cfg.Policy.RetryInterval/2
	if !ripe && m.best.Height <= m.height+2 && len(m.sync.got) == 0 {
		return
	}
	start, end := m.height+1, min(m.best.Height, m.height+uint64(maxFetches*m.cfg.Policy.FetchBlocks))
	for start <= end && len(m.sync.out) < maxFetches {
		next, covered := m.covered(start)
		if covered {
			start = next
			continue
		}
		seat := m.server(start)
		if seat < 0 {
			return
		}
		count := int(min(next, end+1, start+uint64(m.cfg.Policy.FetchBlocks)) - start)
		m.sync.out = append(m.sync.out, fetch{seat, start, count, m.now})
		m.send(&Fetch{From: start, Count: uint32(count), MaxBytes: uint32(m.cfg.Policy.FetchBytes)}, seat)
		start += uint64(count)
	}
}

// covered reports whether a height has come or is asked for, and where what
// covers it ends, or else where the next begins.
func (m *Machine) covered(height uint64) (next uint64, covered bool) {
	next = ^uint64(0)
	for i := range m.sync.got {
		h := m.sync.got[i].Block.Header.Height
		if h == height {
			return h + 1, true
		}
		if h > height {
			next = min(next, h)
		}
	}
	for _, f := range m.sync.out {
		if end := f.from + uint64(f.count); f.from <= height && height < end {
			return end, true
		}
		if f.from > height {
			next = min(next, f.from)
		}
	}
	return next, false
}

// server is the next member to ask for a height: one that claims to have it if
// there is one, never one that is busy for us or failed us lately.
func (m *Machine) server(height uint64) int {
	any := -1
	for i := range m.s {
		seat := (m.sync.turn + i) % m.s
		p := &m.peers[seat]
		busy := slices.ContainsFunc(m.sync.out, func(f fetch) bool { return f.seat == seat })
		if seat == m.me || busy || m.now.Before(p.avoid) {
			continue
		}
		if p.height >= height {
			m.sync.turn = seat + 1
			return seat
		}
		if any < 0 {
			any = seat
		}
	}
	if any >= 0 {
		m.sync.turn = any + 1
	}
	return any
}

func (m *Machine) retryFetch() {
	m.sync.out = slices.DeleteFunc(m.sync.out, func(f fetch) bool {
		late := m.now.Sub(f.at) >= 8*m.cfg.Policy.RetryInterval
		if late {
			m.avoid(f.seat)
		}
		return late
	})
}

// avoid passes over a member for a while, but never all of them for long.
func (m *Machine) avoid(seat int) {
	m.peers[seat].avoid = m.now.Add(8 * m.cfg.Policy.RetryInterval)
}

func (m *Machine) onFetch(from sm.NodeID, p *peer, f *Fetch) {
	if f.Count == 0 || f.From <= m.cfg.Start.Height || !m.spend(&p.serves, 1, 4) {
		return
	}
	if f.From > m.height {
		m.emit(sm.Send{To: []sm.NodeID{from}, Msg: &SyncReply{}})
		return
	}
	count := min(uint64(f.Count), uint64(m.cfg.Policy.FetchBlocks), m.height-f.From+1)
	m.emit(Serve{To: from, From: f.From, Count: int(count), MaxBytes: min(int(f.MaxBytes), m.cfg.Policy.FetchBytes)})
}

func (m *Machine) onSyncReply(seat int, s *SyncReply) {
	i := slices.IndexFunc(m.sync.out, func(f fetch) bool {
		return f.seat == seat && (len(s.Blocks) == 0 || s.Blocks[0].Block.Header.Height == f.from)
	})
	if i < 0 {
		return // it took too long, or is repeated
	}
	f := m.sync.out[i]
	m.sync.out = slices.Delete(m.sync.out, i, i+1)
	if len(s.Blocks) == 0 {
		m.avoid(seat)
		return
	}
	for i := range s.Blocks[:min(len(s.Blocks), f.count)] {
		h := s.Blocks[i].Block.Header.Height
		if h != f.from+uint64(i) {
			m.accuse(seat, FaultSync, true, nil, "sent block %d in the place of block %d", h, f.from+uint64(i))
			m.avoid(seat)
			break
		}
		if h > m.height {
			m.sync.got = append(m.sync.got, fetched{s.Blocks[i], seat})
		}
	}
	slices.SortStableFunc(m.sync.got, func(a, b fetched) int {
		return int(int64(a.Block.Header.Height - b.Block.Header.Height))
	})
	m.applySynced()
}

// applySynced takes some of what has come, in order.
func (m *Machine) applySynced() {
	bytes := 0
	for len(m.sync.got) > 0 && !m.status.halted {
		b := m.sync.got[0]
		switch h := b.Block.Header.Height; {
		case h <= m.height:
			m.sync.got = m.sync.got[1:]
			continue
		case h > m.height+1:
			return
		}
		if bytes >= applyBytes {
			m.timer(timerApply, m.now)
			return
		}
		m.sync.got = m.sync.got[1:]
		if err := m.applyBlock(b); err != nil {
			m.accuse(b.seat, FaultSync, true, nil, "sent a block that is not the next: %v", err)
			m.avoid(b.seat)
			m.sync.got = slices.DeleteFunc(m.sync.got, func(o fetched) bool { return o.seat == b.seat })
		}
		for _, body := range b.Bodies {
			bytes += len(body.Raw)
		}
		bytes += 1 << 14 // the certificate costs a pairing check
	}
}

func (m *Machine) applyBlock(b fetched) error {
	h := &b.Block.Header
	hash := h.Hash()
	switch {
	case h.Chain != m.cfg.ChainID || h.Shard != m.cfg.Shard || h.Term() != m.term():
		return chain.Rule(chain.ErrWrongChain, "it is of shard %d, epoch %d, batch %d", h.Shard, h.Epoch, h.Batch)
	case h.Parent != m.hash:
		return chain.Rule(chain.ErrProof, "it stands on block %s, ours is %s", h.Parent.Short(), m.hash.Short())
	case len(b.Block.Refs) == 0 || !m.ordered(b.Block.Refs):
		return chain.Rule(chain.ErrNumber, "its bodies are not in the order of their authors")
	}
	c := Certified{h.Height, hash, b.Block.Cert}
	if !m.verify(b.seat, &c) {
		return chain.Rule(chain.ErrProof, "its certificate does not verify")
	}
	mine := make([]*copyOf, len(b.Bodies)) // their content is decoded
	for i, body := range b.Bodies {
		if mine[i] = m.find(&b.Block.Refs[i]); mine[i] != nil {
			continue
		}
		// The certificate vouches for the body, but not for the bytes of its
		// signature, which others will check when they get it from us.
		if err := body.CheckSignature(&m.cfg.Keys[m.seats[body.Author]]); err != nil {
			return err
		}
	}
	for i, body := range b.Bodies {
		if c := mine[i]; c != nil {
			m.store(c)
			b.Bodies[i] = c.body
		} else {
			m.persist(RecordPulled, body.Raw)
		}
	}
	m.finalize(b.Block, hash, b.Bodies, true)
	return nil
}
