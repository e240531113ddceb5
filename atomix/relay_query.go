package atomix

import (
	"time"

	"ios/chain"
	"ios/internal/sm"
)

// Bounds of what one peer may make us do. A query costs a token, a bundle from
// memory one more, a bundle from the log recallTokens.
const (
	maxTokens    = 64
	tokensPerSec = 32
	recallTokens = 4
	maxRecalls   = 64
	maxAsked     = 8 * MaxQuery
	maxUnchecked = 12 // bundles of one peer
)

// peer is what the relay keeps of another validator.
type peer struct {
	tokens    float64
	refilled  time.Time
	asked     int // transactions that we asked it for and it has not called unknown
	unchecked int // its bundles that are being checked
	unready   int // of them, those that cannot be checked yet
	slowUntil time.Time
}

// spend takes tokens if the peer has them.
func (r *Relay) spend(p *peer, n float64) bool {
	if !p.refilled.IsZero() {
		p.tokens = min(maxTokens, p.tokens+r.now.Sub(p.refilled).Seconds()*tokensPerSec)
	}
	p.refilled = r.now
	if p.tokens < n {
		return false
	}
	p.tokens -= n
	return true
}

// batch is transactions that one block told of.
type batch struct {
	height uint64
	ids    map[chain.TxID]bool
	first  chain.TxID
}

type batches []batch

// add keeps the order of first appearance.
func (b *batches) add(height uint64, id chain.TxID) {
	for i := range *b {
		if (*b)[i].height == height {
			(*b)[i].ids[id] = true
			return
		}
	}
	*b = append(*b, batch{height, map[chain.TxID]bool{id: true}, id})
}

// query answers a validator of another shard with what our shard told that shard.
func (r *Relay) query(from chain.ValidatorID, shard chain.ShardID, ids []chain.TxID) {
	if shard == r.cfg.Shard || !r.spend(r.peer(from), 1) {
		return
	}
	var told batches
	var unknown []chain.TxID
	for _, id := range ids {
		if st, ok := r.cfg.Status(id); ok {
			told.add(st.Told, id)
		} else {
			unknown = append(unknown, id)
		}
	}
	for i := range told {
		r.show(from, shard, &told[i], false)
	}
	if unknown != nil {
		r.send(from, shard, &UnknownMsg{unknown})
	}
}

// unknown gives the proof and the transactions to a validator whose shard has
// not heard of them.
func (r *Relay) unknown(from chain.ValidatorID, shard chain.ShardID, ids []chain.TxID) {
	p := r.peer(from)
	if shard == r.cfg.Shard || len(ids) > p.asked {
		return // more than we asked
	}
	p.asked -= len(ids)
	var told batches
	for _, id := range ids {
		if it := r.items[id]; it != nil && it.lacks(shard) {
			told.add(it.told, id)
		}
	}
	for i := range told {
		r.show(from, shard, &told[i], true)
	}
}

// show sends what a block told the shard, with the transactions if push says so.
func (r *Relay) show(to chain.ValidatorID, shard chain.ShardID, b *batch, push bool) {
	if r.recent.has(b.height) {
		for _, found := range r.recent.showing(b.height, shard, b.ids) {
			if !r.spend(r.peer(to), 1) {
				return
			}
			if push {
				found = r.withTxs(found, b.ids)
			}
			r.send(to, shard, &BundleMsg{found})
		}
		return
	}
	if r.recalls < maxRecalls && r.spend(r.peer(to), recallTokens) {
		r.recalls++
		r.emit(Recall{ID: b.first, Height: b.height, Dest: shard, To: to, Push: push})
	}
}

// recalled passes on what the log had.
func (r *Relay) recalled(ev *Recalled) {
	r.recalls = max(r.recalls-1, 0)
	b := ev.Bundle
	if b == nil || b.Segment.Dest != ev.Dest {
		return
	}
	if ev.Push {
		b = r.withTxs(b, nil)
	}
	if ev.Dest == chain.IdentityShard {
		r.emit(sm.Deliver{Value: ForRegistry{b}})
		return
	}
	r.send(ev.To, ev.Dest, &BundleMsg{b})
}
