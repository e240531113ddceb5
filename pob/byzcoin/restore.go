package byzcoin

import (
	"fmt"
	"iter"

	"ios/chain"
	"ios/internal/sm"
)

// Restore makes a machine from what an earlier one left: state is what
// ExportState gave at the snapshot that the application stands at (nil: at
// cfg.Start), records are all that followed, in order, and nil if there are none.
// The final blocks among them are executed. Its first event must be [Start].
//
// The machine aliases the data of the records, until their bodies are final.
func Restore(cfg Config, state []byte, records iter.Seq[sm.Persist]) (*Machine, error) {
	cfg.Policy = cfg.Policy.WithDefaults()
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("byzcoin: %w", err)
	}
	m := newMachine(cfg)
	if state != nil {
		if err := m.importState(state); err != nil {
			return nil, fmt.Errorf("byzcoin: reading the state of a snapshot: %w", err)
		}
	}
	if records == nil {
		return m, nil
	}
	n := 0
	for r := range records {
		n++
		if err := m.restore(r.Kind, r.Data); err != nil {
			return nil, fmt.Errorf("byzcoin: reading record %d, kind %d: %w", n, r.Kind, err)
		}
	}
	return m, nil
}

func (m *Machine) restore(kind uint8, data []byte) error {
	if m.ended != nil {
		return fmt.Errorf("term %v ended with block %d", m.term(), m.height)
	}
	r := chain.NewReader(data)
	switch kind {
	case RecordBody, RecordPulled:
		return m.restoreBody(kind, data)
	case RecordAck:
		refs := r.Refs()
		if err := r.Close(); err != nil {
			return err
		}
		return m.restoreAcks(refs)
	case RecordVote:
		msg, err := Decode(data)
		p, ok := msg.(*Proposal)
		if err != nil || !ok {
			return fmt.Errorf("no proposal: %w", err)
		}
		if p.Header.Height == m.height+1 {
			m.voted = p
		}
	case RecordLock:
		l := lock{cert: readCertified(r)}
		if c := readContents(r); len(c) == 1 {
			l.content = c[0]
		}
		if err := r.Close(); err != nil {
			return err
		}
		if l.cert.Height == m.height+1 {
			m.lock = &l
		}
	case RecordJoin:
		m.joined = max(m.joined, r.U64())
		return r.Close()
	case RecordView:
		return m.restoreView(r)
	case RecordFinal:
		return m.restoreFinal(data)
	default:
		return fmt.Errorf("unknown kind of record")
	}
	return nil
}

// restoreBody takes back a body that is not final yet, and its ack.
func (m *Machine) restoreBody(kind uint8, raw []byte) error {
	b, err := chain.DecodeBody(raw)
	if err != nil {
		return err
	}
	if err := m.ours(&b.Chain, b.Shard); err != nil {
		return err
	}
	if b.Term() != m.term() {
		return fmt.Errorf("a body of term %v in the records of term %v", b.Term(), m.term())
	}
	seat, ok := m.seats[b.Author]
	if !ok {
		return fmt.Errorf("a body of validator %d, who has no seat", b.Author)
	}
	sl := m.slotOf(seat, b.Number)
	if sl == nil {
		return nil // final
	}
	c := sl.find(b.Hash)
	if c == nil {
		c = &copyOf{body: b, checked: true, stored: true}
		if sl.main == nil {
			sl.main = c
		} else {
			sl.alts = append(sl.alts, c)
		}
	}
	if kind == RecordBody {
		return m.restoreAcks([]chain.BodyRef{b.Ref()})
	}
	return nil
}

// ours refuses records that were made under another genesis.
func (m *Machine) ours(id *chain.Hash, shard chain.ShardID) error {
	if *id != m.cfg.ChainID || shard != m.cfg.Shard {
		return chain.Rule(chain.ErrWrongChain, "it is of shard %d of chain %s, not of shard %d of chain %s; put back the genesis that the log was made under, or begin with an empty data directory",
			shard, id.Short(), m.cfg.Shard, m.cfg.ChainID.Short())
	}
	return nil
}

// restoreAcks takes back that we acked bodies that we have.
func (m *Machine) restoreAcks(refs []chain.BodyRef) error {
	for i := range refs {
		seat, ok := m.seats[refs[i].Author]
		if !ok {
			return fmt.Errorf("an ack for validator %d, who has no seat", refs[i].Author)
		}
		a := &m.authors[seat]
		if refs[i].Number <= a.final || refs[i].Number == a.acked && a.slots[a.acked].main.body.Hash == refs[i].Hash {
			continue
		}
		sl := a.slots[refs[i].Number]
		if refs[i].Number != a.acked+1 || sl == nil || sl.find(refs[i].Hash) == nil {
			return fmt.Errorf("body %d of validator %d was acked after body %d", refs[i].Number, refs[i].Author, a.acked)
		}
		if c := sl.find(refs[i].Hash); c != sl.main {
			for j := range sl.alts {
				if sl.alts[j] == c {
					sl.alts[j] = sl.main
				}
			}
			sl.main = c
		}
		a.acked++
		m.acked++
	}
	return nil
}

func (m *Machine) restoreView(r *chain.Reader) error {
	if kind := r.U8(); kind != kindNewView {
		r.Fail("no new view")
	}
	nv := readNewView(r)
	content := readContents(r)
	if err := r.Close(); err != nil {
		return err
	}
	base, bound := m.binding(nv)
	if bound == nil && len(content) > 0 || bound != nil && len(content) > 0 && content[0].Header.Hash() != bound.Block {
		return fmt.Errorf("view %d with a block that it is not bound to", nv.View)
	}
	m.enter(nv, base, bound, content)
	// What it shows as final may not be in the log: below it we vote for nothing.
	for i := range nv.Changes {
		for j := range nv.Changes[i].Final {
			m.onDecided(&nv.Changes[i].Final[j])
		}
	}
	return nil
}

// restoreFinal executes a final block again.
func (m *Machine) restoreFinal(data []byte) error {
	b, err := chain.DecodeBlock(data)
	if err != nil {
		return err
	}
	h := &b.Header
	if err := m.ours(&h.Chain, h.Shard); err != nil {
		return err
	}
	if h.Term() != m.term() {
		return fmt.Errorf("block %d of term %v in the records of term %v", h.Height, h.Term(), m.term())
	}
	if h.Height != m.height+1 || h.Parent != m.hash || !m.ordered(b.Refs) {
		return fmt.Errorf("block %d does not follow block %d", h.Height, m.height)
	}
	bodies := make([]*chain.Body, len(b.Refs))
	for i := range b.Refs {
		c := m.find(&b.Refs[i])
		if c == nil {
			return fmt.Errorf("body %d of validator %d in block %d is not in the log", b.Refs[i].Number, b.Refs[i].Author, h.Height)
		}
		bodies[i] = c.body
	}
	hash := h.Hash()
	if !m.execute(h, hash, bodies) {
		return fmt.Errorf("executing block %d gives another root than the one that was certified", h.Height)
	}
	m.cfg.App.Finalize(b)
	m.open = chain.Hash{}
	m.advance(b, hash)
	m.end(b)
	return nil
}

// ExportState encodes what must survive when the records before the last final
// block are dropped: bodies that are not final, votes, lock and view. It belongs
// to a snapshot of the application at the same height, and must be taken between
// two steps, with every record returned so far going before the snapshot.
func (m *Machine) ExportState() []byte {
	dst := be.AppendUint64(nil, m.height)
	dst = append(dst, m.hash[:]...)
	dst = appendCertifieds(dst, m.last)
	dst = be.AppendUint32(dst, uint32(m.s))
	for i := range m.authors {
		dst = be.AppendUint64(dst, m.authors[i].final)
	}
	for i := range m.authors {
		dst = m.authors[i].export(dst, m.cfg.Policy.Window)
	}
	add := func(kind uint8, data []byte) { dst = chain.AppendBlob(append(dst, kind), data) }
	if m.newView != nil {
		var content []Content
		if m.bound != nil && len(m.bound.Refs) > 0 {
			content = []Content{*m.bound}
		}
		add(RecordView, appendContents(m.newView.AppendTo(nil), content))
	}
	if m.voted != nil {
		add(RecordVote, m.voted.AppendTo(nil))
	}
	if m.lock != nil {
		add(RecordLock, appendContents(m.lock.cert.appendBody(nil), []Content{m.lock.content}))
	}
	add(RecordJoin, be.AppendUint64(nil, m.joined))
	return dst
}

// export appends an author's bodies as records.
func (a *author) export(dst []byte, window int) []byte {
	for n := a.final + 1; n <= a.final+uint64(window); n++ {
		sl := a.slots[n]
		if sl == nil || sl.main == nil {
			continue
		}
		if n <= a.acked {
			dst = chain.AppendBlob(append(dst, RecordBody), sl.main.body.Raw)
		} else if sl.main.stored {
			dst = chain.AppendBlob(append(dst, RecordPulled), sl.main.body.Raw)
		}
		for _, c := range sl.alts {
			if c.stored {
				dst = chain.AppendBlob(append(dst, RecordPulled), c.body.Raw)
			}
		}
	}
	return dst
}

func (m *Machine) importState(state []byte) error {
	r := chain.NewReader(state)
	m.height, m.hash = r.U64(), r.Hash()
	m.last = readCertifieds(r)
	if n := r.U32(); int(n) != m.s {
		r.Fail("%d members, the committee has %d", n, m.s)
	}
	for i := range m.authors {
		a := &m.authors[i]
		a.final = r.U64()
		a.acked = a.final
	}
	for r.Err() == nil && r.Left() > 0 {
		kind, data := r.U8(), r.Blob(r.Left())
		if r.Err() != nil {
			break
		}
		if kind == RecordFinal {
			return fmt.Errorf("a final block in the state")
		}
		if err := m.restore(kind, data); err != nil {
			return fmt.Errorf("kind %d: %w", kind, err)
		}
	}
	return r.Close()
}
