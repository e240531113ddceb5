package validator

import (
	"maps"
	"slices"

	"ios/chain"
)

// requeue puts the transactions of an own body that will not be ordered into the
// queue again, whatever its bounds. Who waited for the body waits for them.
func (p *pool) requeue(number uint64, txs []chain.Tx) {
	b := p.bodies[number]
	if b == nil { // it is from before a restart
		for i := range txs {
			if _, again := p.ids[txs[i].ID]; !again {
				p.push(&txs[i])
				p.waiters.push(waiter{n: 1})
			}
		}
		return
	}
	delete(p.bodies, number)
	for i := range txs {
		p.push(&txs[i])
	}
	if b.waiters == nil && len(txs) > 0 {
		b.waiters = []waiter{{n: len(txs)}}
	}
	for _, w := range b.waiters {
		p.waiters.push(w)
	}
	for _, r := range b.again {
		p.again[r.id] = append(p.again[r.id], r.sub)
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
	p.waiters.push(waiter{n: 1})
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
			w.sub.refuse(t.ID, err, answer)
			for _, s := range p.again[t.ID] {
				s.refuse(t.ID, err, answer)
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
func (s *submission) refuse(id chain.TxID, err error, answer func(*submission)) {
	if s == nil {
		return
	}
	for i := range s.ids {
		if s.ids[i] == id && !slices.ContainsFunc(s.refusals, func(r Refusal) bool { return r.Index == i }) {
			s.refusals = append(s.refusals, Refusal{i, err})
			break
		}
	}
	s.done(1, answer)
}
