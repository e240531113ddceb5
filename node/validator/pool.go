package validator

import (
	"slices"

	"ios/chain"
)

// Refusal says why one transaction of a submission was not taken.
type Refusal struct {
	Index int // in the submission
	Err   error
}

// submission is one call of a client. It is answered when all its transactions
// are refused or in bodies that a quorum holds.
type submission struct {
	tag      any
	ids      []chain.TxID
	waiting  int // transactions whose body is not held
	refusals []Refusal
}

// waiter is a submission's share of the queue, or of a body: its next n
// transactions. Nobody waits for those without a submission.
type waiter struct {
	sub *submission
	n   int
}

// repeated is a submission that waits for a transaction of another one.
type repeated struct {
	sub *submission
	id  chain.TxID
}

// ownBody is one of our bodies that is not final.
type ownBody struct {
	ids     []chain.TxID
	waiters []waiter // of ids, in order; none once it is held
	again   []repeated
	held    bool
}

// queued stands for a body number in pool.ids while the transaction waits for
// a body.
const queued = 0

// pool holds what clients and other shards gave us until it is final: first
// in a queue, then in one of our bodies.
type pool struct {
	limits Limits

	txs     queue[chain.Tx] // waiting for a body
	bytes   int             // of txs
	waiters queue[waiter]   // of txs, in order; their counts add up to its length
	bundles queue[*chain.Bundle]
	ids     map[chain.TxID]uint64        // all that is not final, to its body's number
	again   map[chain.TxID][]*submission // repeated while in the queue, in order
	bodies  map[uint64]*ownBody          // not final, by number
}

// Limits bound the pool.
type Limits struct {
	QueueTxs   int // transactions that wait for a body
	QueueBytes int // and their bytes
	BodyTxs    int // transactions a body aims at
	BodyBytes  int // of transactions and bundles in a body
	Bundles    int // bundles that wait for a body
	Bodies     int // own bodies under way
}

// DefaultLimits suit a shard of a few validators.
func DefaultLimits() Limits {
	return Limits{QueueTxs: 1 << 16, QueueBytes: 32 << 20, BodyTxs: 1024, BodyBytes: chain.MaxBodyBytes - 4096, Bundles: 1024, Bodies: 8}
}

func newPool(l Limits) *pool {
	return &pool{
		limits: l, ids: make(map[chain.TxID]uint64),
		again: make(map[chain.TxID][]*submission), bodies: make(map[uint64]*ownBody),
	}
}

// submit takes what is new of a submission into the queue. check is the
// dynamic check of a transaction. It reports whether the answer is ready.
func (p *pool) submit(s *submission, txs []chain.Tx, check func(*chain.Tx) error) bool {
	added := 0
	s.ids = make([]chain.TxID, len(txs))
	for i := range txs {
		s.ids[i] = txs[i].ID
	}
	for i := range txs {
		t := &txs[i]
		if number, ok := p.ids[t.ID]; ok {
			p.join(s, t.ID, number)
			continue
		}
		if p.txs.len() >= p.limits.QueueTxs || p.bytes+len(t.Raw) > p.limits.QueueBytes {
			s.refusals = append(s.refusals, Refusal{i, chain.Rule(chain.ErrFull, "%d transactions of %d bytes wait already; send it again in a second", p.txs.len(), p.bytes)})
			continue
		}
		if err := check(t); err != nil {
			s.refusals = append(s.refusals, Refusal{i, err})
			continue
		}
		p.push(t)
		added++
	}
	if added > 0 {
		p.waiters.push(waiter{s, added})
		s.waiting += added
	}
	return s.waiting == 0
}

func (p *pool) push(t *chain.Tx) {
	p.txs.push(*t)
	p.bytes += len(t.Raw)
	p.ids[t.ID] = queued
}

// join lets a submission wait for a transaction that is here already.
func (p *pool) join(s *submission, id chain.TxID, number uint64) {
	if number == queued {
		p.again[id] = append(p.again[id], s)
		s.waiting++
	} else if b := p.bodies[number]; !b.held {
		b.again = append(b.again, repeated{s, id})
		s.waiting++
	}
}

// addBundle queues a bundle unless it waits already. It reports whether there
// was room.
func (p *pool) addBundle(b *chain.Bundle) bool {
	if slices.Contains(p.bundles.all(), b) {
		return true
	}
	if p.bundles.len() >= p.limits.Bundles {
		return false
	}
	p.bundles.push(b)
	return true
}

// full reports whether the queue fills a body.
func (p *pool) full() bool {
	return p.txs.len() >= p.limits.BodyTxs || p.bytes >= p.limits.BodyBytes
}

// empty reports whether nothing waits for a body.
func (p *pool) empty() bool { return p.txs.len() == 0 && p.bundles.len() == 0 }

// draft is the head of the queue, as it fits a body. Bundles go first and by
// themselves: nothing of a body counts before all its signatures are checked, and
// theirs are checked already.
func (p *pool) draft() *chain.Payload {
	size, bundles, txs := 0, 0, 0
	for _, b := range p.bundles.all() {
		size += 4 + len(b.Encode())
		if bundles == chain.MaxBundlesPerBody || size > p.limits.BodyBytes && bundles > 0 {
			break
		}
		bundles++
	}
	if bundles > 0 {
		return &chain.Payload{Bundles: append([]*chain.Bundle(nil), p.bundles.all()[:bundles]...)}
	}
	for i := range p.txs.all() {
		size += len(p.txs.all()[i].Raw)
		if txs == p.limits.BodyTxs || size > p.limits.BodyBytes && txs > 0 {
			break
		}
		txs++
	}
	return &chain.Payload{Txs: append([]chain.Tx(nil), p.txs.all()[:txs]...)}
}

// take moves a draft from the queue into the body with the number.
func (p *pool) take(d *chain.Payload, number uint64) {
	b := &ownBody{ids: make([]chain.TxID, len(d.Txs))}
	for i := range d.Txs {
		id := d.Txs[i].ID
		p.bytes -= len(d.Txs[i].Raw)
		p.ids[id], b.ids[i] = number, id
		if len(p.again) > 0 {
			for _, s := range p.again[id] {
				b.again = append(b.again, repeated{s, id})
			}
			delete(p.again, id)
		}
	}
	for left := len(d.Txs); left > 0; {
		w := &p.waiters.all()[0]
		n := min(left, w.n)
		b.waiters = append(b.waiters, waiter{w.sub, n})
		left -= n
		if w.n -= n; w.n == 0 {
			p.waiters.drop(1)
		}
	}
	p.txs.drop(len(d.Txs))
	p.bundles.drop(len(d.Bundles))
	p.bodies[number] = b
}

// held answers who waited for the body and nothing else.
func (p *pool) held(number uint64, answer func(*submission)) {
	b := p.bodies[number]
	if b == nil || b.held {
		return
	}
	b.held = true
	for _, w := range b.waiters {
		w.sub.done(w.n, answer)
	}
	for _, r := range b.again {
		r.sub.done(1, answer)
	}
	b.waiters, b.again = nil, nil
}

// done says that a submission need not wait for so many of its transactions any
// more.
func (s *submission) done(n int, answer func(*submission)) {
	if s == nil {
		return
	}
	if s.waiting -= n; s.waiting == 0 {
		answer(s)
	}
}

// final forgets a body that is in a final block. Who still waits for its acks
// hears now.
func (p *pool) final(number uint64, answer func(*submission)) {
	p.held(number, answer)
	if b := p.bodies[number]; b != nil {
		for _, id := range b.ids {
			delete(p.ids, id)
		}
		delete(p.bodies, number)
	}
}

// pending reports whether the transaction is here and not final.
func (p *pool) pending(id chain.TxID) bool {
	_, ok := p.ids[id]
	return ok
}
