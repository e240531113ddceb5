package byzcoin

import (
	"ios/chain"
	"ios/internal/sm"
)

// trail is the hashes of the blocks above ours that lead up to a known one. They
// are found from there downwards, by the parents in the headers, a range at a time.
// Where the known block is far above, one hash per range is kept on the first way
// down, and the headers are fetched once more when the blocks get there.
type trail struct {
	hashes []chain.Hash // of consecutive heights
	base   uint64       // the first is of the block above this one
	marks  []Point      // further up: known, or found on the way down; descending
	asked  fetch        // headers; none if the count is 0
	late   fetch        // headers that were given up and may still come
}

// maxHeaders bounds the headers of one answer.
const maxHeaders = 1024

// top is the height that the trail reaches.
func (t *trail) top() uint64 { return t.base + uint64(len(t.hashes)) }

// at is the hash of a block on the trail.
func (t *trail) at(height uint64) (h chain.Hash, ok bool) {
	if height <= t.base || height > t.top() {
		return h, false
	}
	return t.hashes[height-t.base-1], true
}

// forget drops what is at and below a height.
func (t *trail) forget(height uint64) {
	if height >= t.top() {
		t.hashes, t.base = nil, height
	} else if height > t.base {
		t.hashes, t.base = t.hashes[height-t.base:], height
	}
}

// mark is the lowest block above the trail that is known.
func (c *Chain) mark() (Point, bool) {
	t := &c.catchup.trail
	for n := len(t.marks); n > 0; n-- {
		if p := t.marks[n-1]; p.Height > t.top() {
			return p, true
		}
		t.marks = t.marks[:n-1]
	}
	_, above := c.cfg.Anchors.Around(c.cfg.Shard, t.top())
	return above, above.Height > t.top()
}

// extend asks for headers before the trail ends.
func (c *Chain) extend() {
	t := &c.catchup.trail
	t.forget(c.m.height)
	if t.asked.count > 0 || len(t.hashes) > c.cfg.Policy.FetchHeaders/2 {
		return
	}
	mark, ok := c.mark()
	if !ok {
		return
	}
	peer, ok := c.server(mark.Height)
	if !ok {
		return
	}
	count := min(mark.Height-t.top(), uint64(c.cfg.Policy.FetchHeaders))
	t.asked = fetch{peer, mark.Height - count + 1, int(count), c.now}
	c.send(peer, &FetchHeaders{t.asked.from, uint32(count)})
}

// lateHeaders gives up on headers that do not come.
func (c *Chain) lateHeaders() {
	if t := &c.catchup.trail; t.asked.count > 0 && c.now.Sub(t.asked.at) >= c.catchup.sync.patience(c.cfg.Policy.FetchBlocks, &c.cfg.Policy) {
		c.avoid(t.asked.peer)
		t.asked, t.late = fetch{}, t.asked
	}
}

// answered reports whether headers are what was asked for, by where they begin.
func (f *fetch) answered(from sm.NodeID, h *Headers) bool {
	return f.count > 0 && f.peer == from && (len(h.List) == 0 || h.List[0].Height == f.from)
}

// onHeaders takes headers that we asked for: they must lead down from the mark.
func (c *Chain) onHeaders(from sm.NodeID, h *Headers) {
	t := &c.catchup.trail
	t.forget(c.m.height) // blocks may have been made final since we asked
	var o fetch
	switch {
	case t.asked.answered(from, h):
		o, t.asked = t.asked, fetch{}
	case len(h.List) > 0 && t.late.answered(from, h):
		o, t.late = t.late, fetch{}
		c.forgive(from)
	default:
		return
	}
	c.catchup.sync.took(c.now.Sub(o.at), &c.cfg.Policy)
	mark, ok := c.mark()
	switch {
	case !c.past() || !ok || o.from <= t.top() || o.from+uint64(o.count)-1 != mark.Height:
		return // we are somewhere else by now
	case len(h.List) == 0:
		c.avoid(from)
		return
	case len(h.List) != o.count:
		c.blame(from, "sent %d headers where %d were asked for", len(h.List), o.count)
		return
	}
	hashes := make([]chain.Hash, o.count)
	for i, want := o.count-1, mark.Hash; i >= 0; i-- {
		if hashes[i] = h.List[i].Hash(); hashes[i] != want {
			c.blame(from, "sent header %s in the place of block %s, which is known", hashes[i].Short(), want.Short())
			return
		}
		want = h.List[i].Parent
	}
	bottom := h.List[0].Parent
	if o.from > t.top()+1 {
		t.marks = append(t.marks, Point{o.from - 1, bottom})
		return
	}
	below := c.m.hash
	if len(t.hashes) > 0 {
		below = t.hashes[len(t.hashes)-1]
	}
	if bottom != below {
		c.breakDown("block %d, which the record of an epoch leads down to, stands on block %s, ours is %s", o.from, bottom.Short(), below.Short())
		return
	}
	t.hashes = append(t.hashes, hashes...)
	c.learn()
}

// onFetchHeaders serves headers of final blocks to whoever asks.
func (c *Chain) onFetchHeaders(from sm.NodeID, f *FetchHeaders) {
	if f.Count == 0 || f.Count > maxHeaders || f.From == 0 || !c.m.spend(&c.m.account(from).serves, 1, serveLimit-1) {
		return
	}
	if f.From > c.m.height || c.m.height-f.From+1 < uint64(f.Count) {
		c.send(from, &Headers{})
		return
	}
	c.out = append(c.out, Serve{To: from, From: f.From, Count: int(f.Count), Headers: true})
}
