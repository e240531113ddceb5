package atomix

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"maps"
	"slices"
	"time"

	"ios/chain"
	"ios/internal/sm"
)

// Bounds of the bundles that wait for a block.
const (
	maxIncoming      = 512
	maxIncomingBytes = 64 << 20
	maxHandOvers     = 3

	// A bundle that cannot be checked yet is checked again so many times, and when
	// committees change. A quarter of the room is for them, so that the rest is left
	// to those that are good; of a peer, as many as one may be made of in the
	// moment in which it knows of an epoch and we do not.
	maxUnready      = 5
	maxUnreadyKept  = 128
	maxUnreadyPeer  = 8
	maxUnreadyBytes = 16 << 20
)

// inbox holds the bundles that came in and whose outcomes no final block has
// taken up yet.
type inbox struct {
	bundles map[chain.Hash]*incoming
	bytes   int
	unready struct{ bundles, bytes int } // of them
	// waiting are the entries in them that matter, by transaction.
	waiting map[chain.TxID][]waiting
}

// incoming is one bundle.
type incoming struct {
	key     chain.Hash
	bundle  *chain.Bundle
	from    chain.ValidatorID
	own     bool // it did not come from a peer
	checked bool
	unready bool // it could not be checked yet
	counted bool // among the unready
	gone    bool
	early   bool // our turn to submit it has not come
	left    int  // entries that matter
	rounds  int
	next    time.Time // when to look at it again
}

// waiting is one entry of a bundle.
type waiting struct {
	in    *incoming
	place int
}

func (b *inbox) init() {
	b.bundles = make(map[chain.Hash]*incoming)
	b.waiting = make(map[chain.TxID][]waiting)
}

// receiveBundle takes a bundle from a member of the shard that made it, or from a
// member of our own that could not get it into a block.
func (r *Relay) receiveBundle(from chain.ValidatorID, shard chain.ShardID, b *chain.Bundle) {
	if shard != b.Header.Shard && shard != r.cfg.Shard {
		r.blame(from, chain.Rule(chain.ErrWrongShard, "a proof of shard %d from a member of shard %d", b.Header.Shard, shard))
		return
	}
	if err := b.CheckOrigin(r.cfg.Params, r.cfg.Shard); err != nil {
		r.blame(from, err)
		return
	}
	if r.seat < 0 && shard == r.cfg.Shard {
		return // it was handed over already
	}
	r.contradict(from, b)
	news := r.news(b)
	if len(news) == 0 || r.peer(from).unchecked >= maxUnchecked || !r.room(b) {
		return
	}
	// Path, certificate and signatures are checked off the machine.
	if in := r.keep(b, news); in != nil {
		in.from = from
		r.peer(from).unchecked++
		r.check(in)
	}
}

// carryIn takes a bundle that the owner has checked.
func (r *Relay) carryIn(ev CarryIn) {
	b := ev.Bundle
	if r.seat < 0 || b.CheckOrigin(r.cfg.Params, r.cfg.Shard) != nil {
		return
	}
	if ev.All {
		r.answerRegistry(b)
	}
	news := r.news(b)
	if len(news) == 0 || !r.room(b) {
		return
	}
	in := r.keep(b, news)
	if in == nil {
		return
	}
	in.own = true
	rank, _ := r.turn(b.Header.Height, b.Header.Shard)
	if !ev.All || rank == 0 {
		r.submit(in)
		return
	}
	in.early = true
	r.lookAgain(in, time.Duration(rank)*r.cfg.Patience)
}

// news are the places of the entries that would change something and that no
// other bundle brings already.
func (r *Relay) news(b *chain.Bundle) (places []int) {
	at := 0
	for i := range b.Segment.Entries {
		e := &b.Segment.Entries[i]
		var t *chain.Tx
		if at < len(b.Txs) && b.Txs[at].ID == e.ID {
			t = &b.Txs[at]
			at++
		}
		if r.matters(&b.Header, e, t) && !r.inbox.brings(e.ID, b.Header.Shard) {
			places = append(places, i)
		}
	}
	return places
}

// matters reports whether an entry would change our shard's state, as far as it
// is final.
func (r *Relay) matters(h *chain.Header, e *chain.Entry, t *chain.Tx) bool {
	from := h.Shard
	if it := r.items[e.ID]; it != nil {
		return it.involved.Has(from) && (!it.yes.Has(from) || e.Outcome != chain.Accepted)
	}
	if e.Outcome != chain.Accepted || t == nil || len(t.Inputs) == 0 {
		return false
	}
	if st, known := r.cfg.Status(e.ID); known && (st.Again == 0 || !waits(h, st.Again)) {
		return false
	}
	involved := r.cfg.Params.Involved(t)
	return involved.Has(from) && involved.Has(r.cfg.Shard)
}

// brings reports whether a checked bundle of the shard with this transaction
// waits. One that is not checked must not stand in the way of a good one.
func (b *inbox) brings(id chain.TxID, shard chain.ShardID) bool {
	for _, w := range b.waiting[id] {
		if w.in.checked && w.in.bundle.Header.Shard == shard {
			return true
		}
	}
	return false
}

func (r *Relay) room(b *chain.Bundle) bool {
	return len(r.inbox.bundles) < maxIncoming && r.inbox.bytes+len(b.Encode()) <= maxIncomingBytes
}

func (r *Relay) keep(b *chain.Bundle, news []int) *incoming {
	in := &incoming{key: sha256.Sum256(b.Encode()), bundle: b, left: len(news)}
	if r.inbox.bundles[in.key] != nil {
		return nil
	}
	r.inbox.bundles[in.key] = in
	r.inbox.bytes += len(b.Raw)
	for _, place := range news {
		id := b.Segment.Entries[place].ID
		r.inbox.waiting[id] = append(r.inbox.waiting[id], waiting{in, place})
	}
	return in
}

// drop forgets a bundle. Its appointments stay on the agenda, so they must not
// keep it in memory.
func (r *Relay) drop(in *incoming) {
	if in.gone {
		return
	}
	in.gone = true
	r.ready(in)
	delete(r.inbox.bundles, in.key)
	r.inbox.bytes -= len(in.bundle.Raw)
	for i := range in.bundle.Segment.Entries {
		r.inbox.remove(in.bundle.Segment.Entries[i].ID, func(w waiting) bool { return w.in == in })
	}
	in.bundle = nil
}

// remove takes out the entries of id that match.
func (b *inbox) remove(id chain.TxID, match func(waiting) bool) {
	list, ok := b.waiting[id]
	if !ok {
		return
	}
	kept := list[:0]
	for _, w := range list {
		if !match(w) {
			kept = append(kept, w)
		}
	}
	if len(kept) == 0 {
		delete(b.waiting, id)
		return
	}
	b.waiting[id] = kept
}

func (r *Relay) proofChecked(key chain.Hash, err error) {
	in := r.inbox.bundles[key]
	if in == nil || in.checked || in.own {
		return
	}
	switch {
	case err == nil:
		r.peer(in.from).unchecked--
	case errors.Is(err, chain.ErrNotReady) || errors.Is(err, chain.ErrFull):
		// It could not be checked now, which is no fault: its committee may be of
		// an epoch that is on its way to us.
		if !r.keepUnready(in) {
			r.peer(in.from).unchecked--
			r.drop(in)
			return
		}
		in.unready = true
		r.lookAgain(in, r.cfg.Patience/16<<in.rounds)
		return
	default:
		r.peer(in.from).unchecked--
		r.drop(in)
		r.blame(in.from, err)
		return
	}
	in.rounds = 0
	r.ready(in)
	if from := in.bundle.Header.Shard; r.members.has(in.from, from) {
		r.heard[from] = in.from
	}
	r.submit(in)
}

// keepUnready counts a bundle among the unready, if there is room.
func (r *Relay) keepUnready(in *incoming) bool {
	u, p := &r.inbox.unready, r.peer(in.from)
	switch {
	case in.counted:
		return true
	case u.bundles >= maxUnreadyKept || p.unready >= maxUnreadyPeer || u.bytes+len(in.bundle.Raw) > maxUnreadyBytes:
		return false
	}
	in.counted = true
	u.bundles, u.bytes, p.unready = u.bundles+1, u.bytes+len(in.bundle.Raw), p.unready+1
	return true
}

// ready takes a bundle out of that count.
func (r *Relay) ready(in *incoming) {
	if u := &r.inbox.unready; in.counted {
		in.counted = false
		u.bundles, u.bytes = u.bundles-1, u.bytes-len(in.bundle.Raw)
		r.peer(in.from).unready--
	}
}

func (r *Relay) submit(in *incoming) {
	if len(r.news(in.bundle)) == 0 { // another one was faster
		in.checked = true
		r.drop(in)
		return
	}
	in.checked = true
	r.offer(in)
}

// offer gets a checked bundle into a body of ours, or without a seat to a member
// that has one: whoever sent it need not know yet who that is. Nor need we, so it
// is kept for a while, in which a change of members has it offered again.
func (r *Relay) offer(in *incoming) {
	if r.seat < 0 {
		_, draw := r.turn(in.bundle.Header.Height, in.bundle.Header.Shard)
		r.send(r.choose(r.settled(), draw), r.cfg.Shard, &BundleMsg{in.bundle})
		r.lookAgain(in, r.cfg.Patience/2)
		return
	}
	r.emit(sm.Deliver{Value: SubmitBundle{in.bundle}})
	r.lookAgain(in, 4*r.cfg.Patience)
}

// offerAgain is for a new term of our shard.
func (r *Relay) offerAgain() {
	for _, in := range r.inbox.sorted() {
		if in.checked {
			r.offer(in)
		}
	}
}

// checkAgain has what could not be checked yet checked again: who made it may be
// known by now.
func (r *Relay) checkAgain() {
	if r.inbox.unready.bundles == 0 {
		return
	}
	for _, in := range r.inbox.sorted() {
		if in.unready {
			r.check(in)
		}
	}
}

// check asks for a bundle's check.
func (r *Relay) check(in *incoming) {
	in.unready = false
	r.emit(CheckProof{Bundle: in.bundle, From: in.from, Key: in.key})
	r.lookAgain(in, 8*r.cfg.Patience)
}

// sorted are the bundles in an order that does not depend on chance.
func (b *inbox) sorted() []*incoming {
	return slices.SortedFunc(maps.Values(b.bundles), func(x, y *incoming) int { return bytes.Compare(x.key[:], y.key[:]) })
}

func (r *Relay) lookAgain(in *incoming, wait time.Duration) {
	in.next = r.now.Add(wait)
	r.schedule(in.next, nil, in)
}

// overdue finds a way for a bundle that no block has taken up: another member,
// then a body of our own again.
func (r *Relay) overdue(in *incoming) {
	if in.gone || r.now.Before(in.next) {
		return
	}
	if in.early {
		in.early = false
		r.submit(in)
		return
	}
	if in.unready && in.rounds < maxUnready {
		in.rounds++
		r.check(in)
		return
	}
	if !in.checked { // the answer to CheckProof got lost, or it is always the same
		r.peer(in.from).unchecked--
		r.drop(in)
		return
	}
	in.rounds++
	members := r.own()
	switch {
	case in.rounds > maxHandOvers || r.seat < 0:
		r.drop(in)
		return
	case in.rounds%2 == 1 && len(members) > 1:
		r.send(members[(r.seat+(in.rounds+1)/2+len(members))%len(members)], r.cfg.Shard, &BundleMsg{in.bundle})
	default:
		r.emit(sm.Deliver{Value: SubmitBundle{in.bundle}})
	}
	r.lookAgain(in, r.cfg.Patience<<(2+in.rounds))
}

// settleInbox forgets the entries that a final block took up or made pointless.
func (r *Relay) settleInbox(rep *Report) {
	if len(r.inbox.waiting) == 0 {
		return
	}
	for i := range rep.Opened {
		r.settleEntry(rep.Opened[i].Tx.ID)
	}
	for i := range rep.Heard {
		r.settleEntry(rep.Heard[i].ID)
	}
	for i := range rep.Closed {
		r.settleEntry(rep.Closed[i].ID)
	}
	for _, id := range rep.Retold {
		r.settleEntry(id)
	}
}

func (r *Relay) settleEntry(id chain.TxID) {
	_, open := r.items[id]
	var done []*incoming
	r.inbox.remove(id, func(w waiting) bool {
		// An open transaction was shown: only what it still lacks matters.
		e := &w.in.bundle.Segment.Entries[w.place]
		if open && r.matters(&w.in.bundle.Header, e, nil) {
			return false
		}
		if w.in.left--; w.in.left == 0 && w.in.checked {
			done = append(done, w.in)
		}
		return true
	})
	for _, in := range done {
		r.drop(in)
	}
}
