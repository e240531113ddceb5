package validator

import (
	"maps"
	"slices"

	"ios/chain"
)

// requeue puts the transactions of an own body that will not be ordered into the
// queue again, whatever its bounds. Who waited for the body waits for them.
func (p *pool) requeue(number uint64, txs []chain.Tx) {
	s := &submission{again: true}
	for i := range txs {
		t := &txs[i]
		if n, ok := p.ids[t.ID]; ok && (n != number || number == queued) {
			continue // submitted again meanwhile
		}
		s.ids = append(s.ids, t.ID)
		p.push(t)
	}
	if b := p.bodies[number]; b != nil {
		for _, w := range b.waiters { // a submission may wait for several parts of it
			i := slices.IndexFunc(s.heirs, func(h waiter) bool { return h.sub == w.sub })
			if i < 0 {
				s.heirs = append(s.heirs, w)
			} else {
				s.heirs[i].n += w.n
			}
		}
		delete(p.bodies, number)
	}
	if s.waiting = len(s.ids); s.waiting > 0 {
		p.waiters.push(waiter{s, s.waiting})
	}
}

// adopt puts a transaction of another member into the queue. It reports whether
// there was room.
func (p *pool) adopt(t *chain.Tx) bool {
	if _, ok := p.ids[t.ID]; ok {
		return true
	}
	if p.txs.len() >= p.limits.QueueTxs || p.bytes+len(t.Raw) > p.limits.QueueBytes {
		return false
	}
	p.push(t)
	p.waiters.push(waiter{&submission{again: true, ids: []chain.TxID{t.ID}, waiting: 1}, 1})
	return true
}

// forget drops the own bodies of a term that has ended. What they held, and a
// block did not take, is in the queue again.
func (p *pool) forget() {
	for _, number := range slices.Sorted(maps.Keys(p.bodies)) {
		for _, id := range p.bodies[number].ids {
			if p.ids[id] == number {
				delete(p.ids, id)
			}
		}
		delete(p.bodies, number)
	}
}

// sieve takes out of the queue what must not get into a body any more, and
// answers who waits for it with the reason that keep gives.
func (p *pool) sieve(keep func(*chain.Tx) error, answer func(*submission)) (out []chain.Tx) {
	txs, waiters := p.txs.all(), p.waiters.all()
	p.txs, p.waiters = queue[chain.Tx]{}, queue[waiter]{}
	for _, w := range waiters {
		left := waiter{sub: w.sub}
		for i := range w.n {
			t := &txs[i]
			err := keep(t)
			if err == nil {
				p.txs.push(*t)
				left.n++
				continue
			}
			out = append(out, *t)
			p.bytes -= len(t.Raw)
			delete(p.ids, t.ID)
			w.refuse(t.ID, err, answer)
			for _, s := range p.again[t.ID] {
				(&waiter{s, 1}).refuse(t.ID, err, answer)
			}
			delete(p.again, t.ID)
		}
		if txs = txs[w.n:]; left.n > 0 {
			p.waiters.push(left)
		}
	}
	return out
}

// refuse says that one transaction will not be held.
func (w *waiter) refuse(id chain.TxID, err error, answer func(*submission)) {
	s := w.sub
	for i := range s.heirs {
		for h := &s.heirs[i]; h.n > 0 && h.sub.asks(id) >= 0; {
			h.n--
			h.refuse(id, err, answer)
		}
	}
	switch i := s.asks(id); {
	case i < 0:
	case s.again:
		s.ids = slices.Delete(s.ids, i, i+1)
	default:
		s.refusals = append(s.refusals, Refusal{i, err})
	}
	w.done(1, answer)
}

// asks is the first place at which a submission has a transaction that it was not
// refused, or -1.
func (s *submission) asks(id chain.TxID) int {
	for i := range s.ids {
		if s.ids[i] == id && !slices.ContainsFunc(s.refusals, func(r Refusal) bool { return r.Index == i }) {
			return i
		}
	}
	return -1
}
