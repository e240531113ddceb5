package byzcoin

import (
	"time"

	"ios/chain"
	"ios/chain/cosi"
)

// author is what we hold of one member's bodies.
type author struct {
	final uint64 // the last final number
	acked uint64 // the last number that we acked, at least final
	// slots are the numbers from final+1 to final+window.
	slots map[uint64]*slot
	// evidence proves that it signed two bodies under one number.
	evidence *Evidence
}

// slot is one number of an author.
type slot struct {
	main *copyOf   // the body that we ack, or the only one we heard of
	alts []*copyOf // others, which a proposal lists
	acks []ackSet  // by hash; a member is in one of them at most
	held *chain.BodyRef

	since    time.Time // when we acked main
	insisted time.Time // when we first told the leader of the view
	told     time.Time // when we last did
	spread   time.Time // when we last sent it to those who lack it
	sends    uint      // how often, for an own body
}

// copyOf is a body in memory.
type copyOf struct {
	body    *chain.Body
	checked bool
	bad     bool      // the check failed
	asked   time.Time // when we had it checked
	stored  bool      // its record was returned
}

// ackSet are the members that acked one body.
type ackSet struct {
	hash  chain.Hash
	mask  cosi.Mask
	count int
}

// slotOf is the slot of a number within the window, made when it is missing.
func (m *Machine) slotOf(seat int, number uint64) *slot {
	a := &m.authors[seat]
	if number <= a.final || number-a.final > uint64(m.cfg.Policy.Window) {
		return nil
	}
	sl := a.slots[number]
	if sl == nil {
		sl = new(slot)
		a.slots[number] = sl
	}
	return sl
}

// find is the copy of the body in the slot, nil if there is none.
func (sl *slot) find(h chain.Hash) *copyOf {
	if sl.main != nil && sl.main.body.Hash == h {
		return sl.main
	}
	for _, c := range sl.alts {
		if c.body.Hash == h {
			return c
		}
	}
	return nil
}

// find is the copy of a body that is not final, nil if there is none.
func (m *Machine) find(ref *chain.BodyRef) *copyOf {
	seat, ok := m.seats[ref.Author]
	if !ok {
		return nil
	}
	if sl := m.authors[seat].slots[ref.Number]; sl != nil {
		return sl.find(ref.Hash)
	}
	return nil
}

func (m *Machine) onBody(from int, b *chain.Body) {
	seat, ok := m.seats[b.Author]
	if !ok || b.Chain != m.cfg.ChainID || b.Shard != m.cfg.Shard || b.Term() != m.term() {
		return // of another term's committee
	}
	if len(b.Raw) > m.cfg.Policy.MaxBodyBytes {
		m.accuse(from, FaultMessage, true, nil, "sent a body of %d bytes, at most %d are allowed", len(b.Raw), m.cfg.Policy.MaxBodyBytes)
		return
	}
	sl := m.slotOf(seat, b.Number)
	if sl == nil {
		return // final, or too far ahead for us: its author sends it again
	}
	if c := sl.find(b.Hash); c != nil {
		m.knownBody(from, seat, sl, c)
		return
	}
	ref := b.Ref()
	wanted := m.pull.wants(&ref)
	if sl.main != nil && !wanted && m.authors[seat].evidence != nil {
		return // one more of a proven cheat
	}
	if err := b.CheckSignature(&m.cfg.Keys[seat]); err != nil {
		m.accuse(from, FaultMessage, true, nil, "sent a body that its author did not sign: %v", err)
		return
	}
	if from == seat {
		m.addAck(seat, &ref) // its author stored it before sending it
	}
	c := &copyOf{body: b, asked: m.now}
	switch {
	case sl.main == nil:
		sl.main = c
	case wanted:
		m.twoBodies(seat, sl.main.body, b)
		sl.alts = append(sl.alts, c)
	default:
		m.twoBodies(seat, sl.main.body, b)
		return
	}
	m.checks[b.Hash] = c
	m.emit(Check{Body: b, From: m.cfg.Members[from]})
}

// knownBody answers a body that is sent again: the sender seems to lack our ack.
func (m *Machine) knownBody(from, seat int, sl *slot, c *copyOf) {
	if from == seat {
		ref := c.body.Ref()
		m.addAck(seat, &ref)
	}
	if c == sl.main && c.body.Number <= m.authors[seat].acked {
		m.ackOut = append(m.ackOut, c.body.Ref())
	}
}

func (m *Machine) onChecked(e *Checked) {
	c := m.checks[e.Hash]
	if c == nil {
		return // final in the meantime
	}
	delete(m.checks, e.Hash)
	seat := m.seats[c.body.Author]
	m.checking = max(m.now.Sub(c.asked), m.checking*7/8)
	if e.Err != nil {
		c.bad = true
		ev := &Evidence{Fault: FaultBody, First: (&Body{c.body}).AppendTo(nil)}
		m.accuse(seat, FaultBody, true, ev, "signed body %d, which breaks a rule: %v", c.body.Number, e.Err)
		return
	}
	c.checked, c.body.Content = true, e.Content
	m.ackRun(seat)
}

// ackRun acks what is next in the author's order, as far as it is checked.
func (m *Machine) ackRun(seat int) {
	a := &m.authors[seat]
	for m.me >= 0 {
		sl := a.slots[a.acked+1]
		if sl == nil || sl.main == nil || !sl.main.checked {
			return
		}
		ref := sl.main.body.Ref()
		if sl.main.stored {
			m.persist(RecordAck, chain.AppendRefs(nil, []chain.BodyRef{ref}))
		} else {
			m.persist(RecordBody, sl.main.body.Raw)
			sl.main.stored = true
		}
		a.acked++
		m.acked++
		sl.since = m.now
		m.ackOut = append(m.ackOut, ref)
	}
}

// store makes a copy durable without acking it.
func (m *Machine) store(c *copyOf) {
	if !c.stored {
		c.stored = true
		m.persist(RecordPulled, c.body.Raw)
	}
}

// storeLast sees to it that of all bodies under a number the final one is the
// last in the log, where the runner looks for it.
func (m *Machine) storeLast(final []*chain.Body) {
	for _, b := range final {
		sl := m.authors[m.seats[b.Author]].slots[b.Number]
		if sl != nil && sl.main != nil && sl.main.stored && sl.main.body.Hash != b.Hash {
			m.persist(RecordPulled, b.Raw)
		}
	}
}

// forget drops the bodies of an author up to a number that is now final.
func (m *Machine) forget(seat int, number uint64) {
	a := &m.authors[seat]
	for a.final < number {
		a.final++
		if sl := a.slots[a.final]; sl != nil {
			delete(a.slots, a.final)
			if a.final <= a.acked {
				m.acked--
			}
			if sl.main != nil {
				delete(m.checks, sl.main.body.Hash)
			}
			for _, c := range sl.alts {
				delete(m.checks, c.body.Hash)
			}
		}
	}
	a.acked = max(a.acked, a.final)
}
