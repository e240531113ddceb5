package load

import (
	"encoding/binary"
	"math/bits"

	"ios/chain"
)

// table finds the place of a transaction by its id. It is filled before the
// clock starts and only read afterwards, by any number of goroutines. Ids are
// hashes, so 8 of their bytes place them; the whole id is compared.
type table struct {
	ids   []chain.TxID // by place
	slots []uint32     // place + 1, or 0
	shift int
}

// newTable makes the table of the ids.
func newTable(ids []chain.TxID) *table {
	size := 1 << bits.Len(uint(2*len(ids)+1)) // at most half full
	t := &table{ids: ids, slots: make([]uint32, size), shift: 64 - bits.TrailingZeros(uint(size))}
	for i := range ids {
		at := t.slot(&ids[i])
		for t.slots[at] != 0 {
			at = (at + 1) % len(t.slots)
		}
		t.slots[at] = uint32(i) + 1
	}
	return t
}

func (t *table) slot(id *chain.TxID) int {
	return int(binary.LittleEndian.Uint64(id[:8]) >> t.shift)
}

// find is the place of id, or -1.
func (t *table) find(id *chain.TxID) int {
	for at := t.slot(id); t.slots[at] != 0; at = (at + 1) % len(t.slots) {
		if i := t.slots[at] - 1; t.ids[i] == *id {
			return int(i)
		}
	}
	return -1
}
