package store

import (
	"math"
	"math/bits"
	"slices"
)

// idTable holds the ids of recent heights: open addressing with linear probing,
// without pointers. One id may be there with several heights.
type idTable struct {
	seed  [2]uint64
	slots []idSlot
	n     int
	from  uint64 // first height
	to    uint64 // last height; from-1 while there is none
}

// idSlot is a prefix in halves (64 bits would pad it to 16 bytes) and the height
// above the table's first, plus one; 0 is an empty slot.
type idSlot struct{ top, low, height uint32 }

const (
	minIDSlots = 1 << 10
	// maxSpan is how many heights a table or a run can tell apart.
	maxSpan = math.MaxUint32 - 1
)

func newIDTable(seed [2]uint64, from uint64) *idTable {
	return &idTable{seed: seed, slots: make([]idSlot, minIDSlots), from: from, to: from - 1}
}

// reset empties the table for heights from the given one on.
func (t *idTable) reset(from uint64) {
	clear(t.slots)
	t.n, t.from, t.to = 0, from, from-1
}

// home mixes with a secret: who sends transactions can choose their ids' bits.
func (t *idTable) home(prefix uint64) int {
	hi, lo := bits.Mul64(prefix^t.seed[0], t.seed[1]|1)
	return int((hi ^ lo) >> 20 & uint64(len(t.slots)-1))
}

// reserve makes room for n more entries at three quarters of the slots.
func (t *idTable) reserve(n int) {
	size := len(t.slots)
	for t.n+n > size/4*3 {
		size *= 2
	}
	if size == len(t.slots) {
		return
	}
	old := t.slots
	t.slots = make([]idSlot, size)
	for _, s := range old {
		if s.height != 0 {
			t.enter(uint64(s.top)<<32|uint64(s.low), s.height)
		}
	}
}

// enter puts an entry in, unless it is there.
func (t *idTable) enter(prefix uint64, height uint32) bool {
	want := idSlot{uint32(prefix >> 32), uint32(prefix), height}
	mask := len(t.slots) - 1
	for i := t.home(prefix) & mask; ; i = (i + 1) & mask {
		switch t.slots[i] {
		case want:
			return false
		case idSlot{}:
			t.slots[i] = want
			return true
		}
	}
}

// add puts a prefix in at the table's last height; there must be room.
func (t *idTable) add(prefix uint64) {
	if t.enter(prefix, uint32(t.to-t.from)+1) {
		t.n++
	}
}

// find appends the heights of a prefix.
func (t *idTable) find(prefix uint64, list []uint64) []uint64 {
	mask := len(t.slots) - 1
	top, low := uint32(prefix>>32), uint32(prefix)
	for i := t.home(prefix) & mask; t.slots[i].height != 0; i = (i + 1) & mask {
		if s := t.slots[i]; s.top == top && s.low == low {
			list = append(list, t.from+uint64(s.height-1))
		}
	}
	return list
}

// idEntry is an id's prefix and its height above the first of a table or run.
type idEntry struct {
	prefix uint64
	height uint32
}

func compareIDs(a, b idEntry) int {
	switch {
	case a.prefix < b.prefix:
		return -1
	case a.prefix > b.prefix:
		return 1
	}
	return int(int64(a.height) - int64(b.height))
}

// sorted lists the entries in order.
func (t *idTable) sorted() []idEntry {
	list := make([]idEntry, 0, t.n)
	for _, s := range t.slots {
		if s.height != 0 {
			list = append(list, idEntry{uint64(s.top)<<32 | uint64(s.low), s.height - 1})
		}
	}
	slices.SortFunc(list, compareIDs)
	return list
}
