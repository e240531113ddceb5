package load

import (
	"encoding/binary"
	"math/bits"
	"sync/atomic"

	"ios/chain"
)

// table finds the place of a transaction by its id. Any number of goroutines
// read it, and put into it what is signed late. Ids are hashes, so 8 of their
// bytes place them; the whole id is compared.
type table struct {
	ids   []chain.TxID // by place
	slots []uint32     // place + 1, or 0
	shift int
}

// newTable makes a table for the ids, with none in it.
func newTable(ids []chain.TxID) *table {
	size := 1 << bits.Len(uint(2*len(ids)+1)) // at most half full
	t := &table{ids: ids, slots: make([]uint32, size), shift: 64 - bits.TrailingZeros(uint(size))}
	return t
}

// put enters the id of a place, which must be set and does not change.
func (t *table) put(place int) {
	at := t.slot(&t.ids[place])
	for !atomic.CompareAndSwapUint32(&t.slots[at], 0, uint32(place)+1) {
		at = (at + 1) % len(t.slots)
	}
}

func (t *table) slot(id *chain.TxID) int {
	return int(binary.LittleEndian.Uint64(id[:8]) >> t.shift)
}

// find is the place of id, or -1.
func (t *table) find(id *chain.TxID) int {
	for at := t.slot(id); ; at = (at + 1) % len(t.slots) {
		switch i := atomic.LoadUint32(&t.slots[at]); {
		case i == 0:
			return -1
		case t.ids[i-1] == *id:
			return int(i - 1)
		}
	}
}
