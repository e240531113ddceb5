package load

import (
	"sync"
	"sync/atomic"
	"time"

	"ios/chain"
	"ios/node/api"
)

// The marks of a transaction.
const (
	markSource   = 1 << iota // the paying shard committed it
	markDest                 // the other shard committed it
	markAccepted             // a validator accepted it
	markRefused              // validators refused it for good
	markAborted              // a shard gave it up
	markSkipped              // a block could not apply it
	markDone                 // it is in flight no more
)

// tally is the sink of the measured load. It keeps what happened to each
// transaction in plain arrays, which its goroutines change atomically.
type tally struct {
	*prepared
	table *table
	start time.Time

	// By place; nanoseconds since start, 0 for never.
	due      []int64 // when it was submitted, or should have been
	decisive []int64 // when the first shard committed it
	final    []int64
	marks    []uint32

	flights []flight // by lane
	laneOf  map[chain.ShardID]int
}

// flight is what a lane has in flight, and how long it was there.
type flight struct {
	mu      sync.Mutex
	room    sync.Cond // signalled when inFlight falls or the window grows
	count   int
	window  int
	closed  bool
	waited  bool          // for room, since the controller looked
	latency time.Duration // sum over what became final since then
	finals  int
}

func newTally(p *prepared) *tally {
	n := len(p.ids)
	t := &tally{
		prepared: p, table: newTable(p.ids), start: time.Now(),
		due: make([]int64, n), decisive: make([]int64, n), final: make([]int64, n), marks: make([]uint32, n),
		flights: make([]flight, len(p.lanes)), laneOf: make(map[chain.ShardID]int),
	}
	for i, l := range p.lanes {
		t.flights[i].room.L = &t.flights[i].mu
		t.laneOf[l.shard] = i
		for j := l.base; j < l.base+l.count && !l.late; j++ {
			t.table.put(j)
		}
	}
	return t
}

// now is the time since start, never 0.
func (t *tally) now() int64 { return max(int64(time.Since(t.start)), 1) }

// lane is the lane of a place.
func (t *tally) lane(place int) int {
	for i := len(t.lanes) - 1; i > 0; i-- {
		if place >= t.lanes[i].base {
			return i
		}
	}
	return 0
}

// needs are the marks that make a transaction final.
func (t *tally) needs(place, lane int) uint32 {
	if t.dests[place] == t.lanes[lane].shard {
		return markSource
	}
	return markSource | markDest
}

// mark sets a mark and reports whether it was not set before.
func (t *tally) mark(place int, m uint32) bool {
	return atomic.OrUint32(&t.marks[place], m)&m == 0
}

// ended is what one block ended of a lane.
type ended struct {
	count   int
	finals  int
	latency time.Duration
}

func (t *tally) block(shard chain.ShardID, ev *api.BlockEvent) {
	now := t.now()
	sums := make([]ended, len(t.lanes))
	for i := range ev.Outcomes.Len() {
		id, o := ev.Outcomes.At(i)
		place := t.table.find(&id)
		if place < 0 {
			continue
		}
		switch lane := t.lane(place); chain.Outcome(o) {
		case chain.Committed:
			t.commit(place, lane, shard, now, &sums[lane])
		case chain.Aborted, chain.Rejected:
			t.mark(place, markAborted)
			t.leave(place, &sums[lane])
		}
	}
	for i := range ev.Skipped.Len() {
		id, reason := ev.Skipped.At(i)
		if place := t.table.find(&id); place >= 0 && unapplied(reason, 1) {
			t.mark(place, markSkipped)
			t.leave(place, &sums[t.lane(place)])
		}
	}
	for i := range sums {
		t.flights[i].end(&sums[i])
	}
}

func (t *tally) commit(place, lane int, shard chain.ShardID, now int64, sum *ended) {
	bit := uint32(markSource)
	if shard != t.lanes[lane].shard {
		bit = markDest
	}
	need := t.needs(place, lane)
	old := atomic.OrUint32(&t.marks[place], bit)
	if old&need == 0 {
		atomic.StoreInt64(&t.decisive[place], now)
	}
	if old&need == need || (old|bit)&need != need {
		return
	}
	atomic.StoreInt64(&t.final[place], now)
	sum.finals++
	sum.latency += time.Duration(now - atomic.LoadInt64(&t.due[place]))
	t.leave(place, sum)
}

// leave takes a transaction out of flight, once.
func (t *tally) leave(place int, sum *ended) {
	if t.mark(place, markDone) {
		sum.count++
	}
}

// refuse notes that validators refused a transaction for good.
func (t *tally) refuse(lane, place int) {
	var sum ended
	t.mark(place, markRefused)
	t.leave(place, &sum)
	t.flights[lane].end(&sum)
}

func (f *flight) end(e *ended) {
	if e.count == 0 && e.finals == 0 {
		return
	}
	f.mu.Lock()
	f.count -= e.count
	f.finals += e.finals
	f.latency += e.latency
	f.mu.Unlock()
	f.room.Broadcast()
}

// enter waits until n more may be in flight. It returns false when the load
// ends.
func (f *flight) enter(n int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for !f.closed && f.count+n > f.window {
		f.waited = true
		f.room.Wait()
	}
	if f.closed {
		return false
	}
	f.count += n
	return true
}

// set sets the window and returns what happened since the last call.
func (f *flight) set(window int) {
	f.mu.Lock()
	f.window = window
	f.mu.Unlock()
	f.room.Broadcast()
}

// look returns the mean latency since the last call, and whether there was no
// room at times.
func (f *flight) look() (latency time.Duration, usedUp bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.finals > 0 {
		latency = f.latency / time.Duration(f.finals)
	}
	usedUp = f.waited
	f.finals, f.latency, f.waited = 0, 0, false
	return latency, usedUp
}

func (f *flight) close() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.room.Broadcast()
}

// left is what is in flight over all lanes.
func (t *tally) left() (n int) {
	for i := range t.flights {
		f := &t.flights[i]
		f.mu.Lock()
		n += f.count
		f.mu.Unlock()
	}
	return n
}
