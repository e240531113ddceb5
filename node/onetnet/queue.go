package onetnet

// itemOverhead is what a queued message is charged beyond its bytes.
const itemOverhead = 64

// item is a message that waits to be sent: the concatenation of its parts.
type item struct {
	parts [][]byte
	size  int
}

func (it item) charge() int { return it.size + itemOverhead }

// queue holds unsent messages, oldest first, within two bounds.
type queue struct {
	items    []item
	head     int // items before it are gone
	bytes    int
	maxBytes int
	maxItems int
}

func (q *queue) len() int { return len(q.items) - q.head }

// push appends an item and returns how many of the oldest had to go for it.
func (q *queue) push(it item) (evicted int) {
	if q.head > 64 && q.head*2 > len(q.items) {
		n := copy(q.items, q.items[q.head:])
		clear(q.items[n:])
		q.items, q.head = q.items[:n], 0
	}
	q.items = append(q.items, it)
	q.bytes += it.charge()
	return q.trim()
}

// trim removes the oldest items until the bounds hold.
func (q *queue) trim() (evicted int) {
	for q.len() > q.maxItems || (q.bytes > q.maxBytes && q.len() > 1) {
		q.pop()
		evicted++
	}
	return evicted
}

func (q *queue) pop() item {
	it := q.items[q.head]
	q.items[q.head] = item{}
	q.head++
	q.bytes -= it.charge()
	if q.head == len(q.items) {
		q.items, q.head = q.items[:0], 0
	}
	return it
}

// take removes the items for one delivery into dst[:0]: as many of the oldest as
// fit one batch, or a single one that is too big for a frame.
func (q *queue) take(dst []item) []item {
	dst = dst[:0]
	room := maxBatchBody
	for q.len() > 0 && len(dst) < maxBatchCount {
		need := batchEntryHeader + q.items[q.head].size
		if need > room && len(dst) > 0 {
			break
		}
		room -= need
		dst = append(dst, q.pop())
	}
	return dst
}

// putBack returns items to the front and says how many did not fit any more.
func (q *queue) putBack(items []item) (evicted int) {
	rest := q.items[q.head:]
	joined := make([]item, 0, len(items)+len(rest))
	joined = append(append(joined, items...), rest...)
	for _, it := range items {
		q.bytes += it.charge()
	}
	q.items, q.head = joined, 0
	return q.trim()
}

// drain empties the queue and returns how many items it held.
func (q *queue) drain() int {
	n := q.len()
	q.items, q.head, q.bytes = nil, 0, 0
	return n
}
