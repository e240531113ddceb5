package byzcoin

import (
	"time"

	"ios/chain"
	"ios/internal/sm"
)

// pumpFetch asks for what lies below the highest commit certificate, a range
// from each of several members, unless it is about to become final by itself.
func (m *Machine) pumpFetch() {
	if m.best == nil || m.status.halted {
		m.sync.out, m.sync.got = nil, nil
		return
	}
	if m.me >= 0 && !m.ripe() && m.best.Height <= m.height+2 && len(m.sync.got) == 0 {
		return
	}
	end := min(m.best.Height, m.height+uint64(maxFetches*m.cfg.Policy.FetchBlocks))
	m.sync.pump(m.now, m.height+1, end, m.cfg.Policy.FetchBlocks, m.server, func(f fetch) {
		m.emit(sm.Send{To: []sm.NodeID{f.peer}, Msg: m.fetchOf(f)})
	})
}

// ripe reports whether the highest decision is so old that everybody should have
// it.
func (m *Machine) ripe() bool { return m.now.Sub(m.bestAt) >= m.cfg.Policy.RetryInterval/2 }

func (m *Machine) fetchOf(f fetch) *Fetch {
	return &Fetch{From: f.from, Count: uint32(f.count), MaxBytes: uint32(m.cfg.Policy.FetchBytes)}
}

// server is the next member to ask for a height: one that claims to have it if
// there is one, never one that is busy for us or failed us lately. Right after
// it was decided only those who told us have it.
func (m *Machine) server(height uint64) (sm.NodeID, bool) {
	any := -1
	for i := range m.s {
		seat := (m.sync.turn + i) % m.s
		p := &m.peers[seat]
		if seat == m.me || m.now.Before(p.avoid) || m.sync.busy(m.cfg.Members[seat]) || !m.may(&p.asks, askLimit-1) {
			continue
		}
		if p.height >= height {
			return m.turnTo(seat), true
		}
		if any < 0 && m.ripe() {
			any = seat
		}
	}
	if any < 0 {
		return 0, false
	}
	return m.turnTo(any), true
}

func (m *Machine) turnTo(seat int) sm.NodeID {
	m.sync.turn = seat + 1
	m.spend(&m.peers[seat].asks, 1, askLimit-1)
	return m.cfg.Members[seat]
}

func (m *Machine) retryFetch() {
	for _, id := range m.sync.overdue(m.now, &m.cfg.Policy) {
		m.avoid(m.seats[id])
	}
}

// avoid passes over a member for a while, but never all of them for long.
func (m *Machine) avoid(seat int) {
	m.peers[seat].avoid = m.now.Add(8 * m.cfg.Policy.RetryInterval)
}

// onFetch serves final blocks of whatever term to whoever asks.
func (m *Machine) onFetch(from sm.NodeID, p *peer, f *Fetch) {
	if f.Count == 0 || f.From == 0 || !m.spend(&p.serves, 1, serveLimit-1) {
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
	f, late, ok := m.sync.take(m.now, m.cfg.Members[seat], s, &m.cfg.Policy)
	if !ok {
		return
	}
	if late { // it is slow, and no more than that
		m.peers[seat].avoid = time.Time{}
	}
	if len(s.Blocks) == 0 {
		if m.peers[seat].height >= f.from {
			m.avoid(seat)
		} else { // it never said that it has the block
			m.peers[seat].avoid = m.now.Add(m.cfg.Policy.RetryInterval / 2)
		}
		return
	}
	if wrong, wanted := m.sync.add(f, s, m.height); wanted != 0 {
		m.accuse(seat, FaultSync, true, nil, "sent block %d in the place of block %d", wrong, wanted)
		m.avoid(seat)
	}
	m.applySynced()
}

// applySynced takes some of what has come, in order.
func (m *Machine) applySynced() {
	for bytes := 0; !m.status.halted && m.ended == nil; {
		if bytes >= applyBytes {
			m.timer(timerApply, m.now)
			return
		}
		m.vouch(m.sync.got)
		b, ok := m.sync.next(m.height)
		if !ok {
			return
		}
		bytes += b.cost()
		seat := m.seats[b.peer]
		err := m.applyBlock(&b.SyncBlock, func(c *Certified) error {
			if !m.verify(seat, c) {
				return chain.Rule(chain.ErrProof, "its certificate does not verify")
			}
			return nil
		})
		if err != nil {
			m.accuse(seat, FaultSync, true, nil, "sent a block that is not the next: %v", err)
			m.avoid(seat)
			m.sync.drop(b.peer)
		}
	}
}

// learn is the next final block from a log that somebody has, and what is wrong
// with it.
type learn struct {
	block *SyncBlock
	err   error
}

func (m *Machine) learn(b *SyncBlock) error {
	if m.status.halted {
		return nil
	}
	return m.applyBlock(b, func(c *Certified) error {
		if m.verified.has(c) {
			return nil
		}
		return c.Cert.Verify(m.cfg.Committee, &b.Block.Header, c.Block)
	})
}

// applyBlock makes a block from a log final, if it is the next.
func (m *Machine) applyBlock(b *SyncBlock, verify func(*Certified) error) error {
	h := &b.Block.Header
	hash := h.Hash()
	switch {
	case h.Chain != m.cfg.ChainID || h.Shard != m.cfg.Shard || h.Term() != m.term():
		return chain.Rule(chain.ErrWrongChain, "it is of shard %d, term %v, and not of shard %d, term %v", h.Shard, h.Term(), m.cfg.Shard, m.term())
	case h.Height != m.height+1:
		return chain.Rule(chain.ErrProof, "it is block %d above block %d", h.Height, m.height)
	case h.Parent != m.hash:
		return chain.Rule(chain.ErrProof, "it stands on block %s, ours is %s", h.Parent.Short(), m.hash.Short())
	case len(b.Block.Refs) == 0 || !m.ordered(b.Block.Refs):
		return chain.Rule(chain.ErrNumber, "its bodies are not in the order of their authors")
	}
	if err := verify(&Certified{h.Height, hash, b.Block.Cert}); err != nil {
		return err
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
