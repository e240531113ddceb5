package utxo

// slot is an entry of an index: the 32-bit hash of the outpoint above the
// entry's place in the slab plus one. 0 is an empty slot.
type slot uint64

func makeSlot(hash, ref uint32) slot { return slot(hash)<<32 | slot(ref+1) }

func (s slot) hash() uint32 { return uint32(s >> 32) }
func (s slot) ref() uint32  { return uint32(s) - 1 }

// table is an open-addressing hash table with linear probing. The slot at which
// a hash wants to be is its top bits, so growing and closing gaps need only the
// slots themselves and never look at the slab.
type table struct {
	slots []slot
	shift uint8 // 32 - log2(len(slots))
}

const (
	minTableBits = 6
	maxTableBits = 32
)

func makeTable(bits uint8) table {
	return table{slots: make([]slot, 1<<bits), shift: 32 - bits}
}

// limit is how many entries the table may hold: 13 of 16 slots.
func (t *table) limit() int { return len(t.slots) / 16 * 13 }

func (t *table) home(hash uint32) int { return int(hash >> t.shift) }

func (t *table) insert(s slot) {
	mask := len(t.slots) - 1
	i := t.home(s.hash())
	for t.slots[i] != 0 {
		i = (i + 1) & mask
	}
	t.slots[i] = s
}

// remove empties slot i and moves what comes after it up, so that every entry
// can still be reached from its home without crossing an empty slot.
func (t *table) remove(i int) {
	mask := len(t.slots) - 1
	for j := (i + 1) & mask; t.slots[j] != 0; j = (j + 1) & mask {
		// The entry at j may move to i unless its home lies in (i, j].
		if (j-t.home(t.slots[j].hash()))&mask >= (j-i)&mask {
			t.slots[i] = t.slots[j]
			i = j
		}
	}
	t.slots[i] = 0
}

// index is a table that grows in steps: while it does, what was not moved yet
// is in old, from slot moved on.
type index struct {
	table
	old   table
	moved int
	n     int
}

// stepSlots is how many old slots an operation moves. The old table has at most
// 13/16 of its slots in use and the new one is full after as many additions
// again, so one would be enough to be done in time.
const stepSlots = 16

// add inserts a slot, which must not be there. It reports whether there was room.
func (x *index) add(s slot) bool {
	if x.n >= x.limit() {
		if !x.grow() {
			return false
		}
	}
	x.step()
	x.insert(s)
	x.n++
	return true
}

// grow begins the move to a table of twice the size.
func (x *index) grow() bool {
	if len(x.slots) == 0 {
		x.table = makeTable(minTableBits)
		return true
	}
	for x.old.slots != nil {
		x.step()
	}
	bits := 32 - x.shift + 1
	if bits > maxTableBits {
		return false
	}
	x.old, x.moved = x.table, 0
	x.table = makeTable(bits)
	return true
}

// step moves some old slots. It stops only in front of an empty slot: the
// entries behind it do not need what was moved to be found.
func (x *index) step() {
	if x.old.slots == nil {
		return
	}
	for n := 0; x.moved < len(x.old.slots); n++ {
		s := x.old.slots[x.moved]
		if s == 0 && n >= stepSlots {
			return
		}
		if s != 0 {
			x.insert(s)
			x.old.slots[x.moved] = 0
		}
		x.moved++
	}
	x.old = table{}
}
