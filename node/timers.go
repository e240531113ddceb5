package node

import (
	"container/heap"
	"time"

	"ios/internal/sm"
)

// timers are the machine's timers. One that is set again or cancelled leaves
// its old entry in the heap, where it is skipped when its time comes.
type timers struct {
	due  map[sm.TimerKey]time.Time
	heap timerHeap
}

type timerEntry struct {
	at  time.Time
	key sm.TimerKey
}

func newTimers() *timers { return &timers{due: make(map[sm.TimerKey]time.Time)} }

func (t *timers) set(key sm.TimerKey, at time.Time) {
	if old, ok := t.due[key]; ok && old.Equal(at) {
		return
	}
	t.due[key] = at
	heap.Push(&t.heap, timerEntry{at, key})
	if len(t.heap) > 1024 && len(t.heap) > 4*len(t.due) {
		t.sweep()
	}
}

func (t *timers) cancel(key sm.TimerKey) { delete(t.due, key) }

// sweep drops the entries that were set again or cancelled.
func (t *timers) sweep() {
	t.heap = t.heap[:0]
	for key, at := range t.due {
		t.heap = append(t.heap, timerEntry{at, key})
	}
	heap.Init(&t.heap)
}

// next is when the earliest timer is due.
func (t *timers) next() (time.Time, bool) {
	for len(t.heap) > 0 {
		e := t.heap[0]
		if at, ok := t.due[e.key]; ok && at.Equal(e.at) {
			return e.at, true
		}
		heap.Pop(&t.heap)
	}
	return time.Time{}, false
}

// pop takes the earliest timer out if it is due at now.
func (t *timers) pop(now time.Time) (sm.TimerKey, bool) {
	at, ok := t.next()
	if !ok || at.After(now) {
		return sm.TimerKey{}, false
	}
	key := t.heap[0].key
	heap.Pop(&t.heap)
	delete(t.due, key)
	return key, true
}

type timerHeap []timerEntry

func (h timerHeap) Len() int           { return len(h) }
func (h timerHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h timerHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *timerHeap) Push(e any)        { *h = append(*h, e.(timerEntry)) }
func (h *timerHeap) Pop() any {
	last := len(*h) - 1
	e := (*h)[last]
	*h = (*h)[:last]
	return e
}
