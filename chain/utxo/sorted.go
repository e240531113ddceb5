package utxo

import (
	"cmp"
	"encoding/binary"
	"iter"
	"math/bits"
	"slices"

	"ios/chain"
)

// Entry is a coin with its outpoint.
type Entry struct {
	chain.OutPoint
	Coin
}

func sortEntries(list []Entry) {
	slices.SortFunc(list, func(a, b Entry) int { return a.OutPoint.Compare(b.OutPoint) })
}

// sortAtOnce bounds the coins that Sorted holds references to, 16 bytes each.
const sortAtOnce = 1 << 20

// Sorted walks the set in canonical order, ascending by outpoint. The set must
// not change meanwhile. A large set is walked in slices of the ids' first bits,
// so that a few tens of megabytes are enough for any size.
func (s *Set) Sorted() iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		var list []sortRef
		width := bits.Len(uint(s.Len() / (sortAtOnce / 2)))
		for slice := range uint64(1) << width {
			list = s.sortSlice(list[:0], slice, width)
			for _, r := range list {
				e := s.parts[r.part].at(r.ref)
				if !yield(Entry{e.outpoint(), e.coin()}) {
					return
				}
			}
		}
	}
}

// sortRef refers to an entry, with the first bytes of what it is sorted by.
type sortRef struct {
	prefix uint64
	ref    uint32
	part   uint32
}

// sortSlice appends the references to the entries whose ids begin with the
// given bits, in order.
func (s *Set) sortSlice(list []sortRef, slice uint64, width int) []sortRef {
	for i := range s.parts {
		s.parts[i].each(func(ref uint32, e *entry) bool {
			prefix := binary.BigEndian.Uint64(e.tx[:])
			if prefix>>(64-width) == slice { // a shift by 64 gives 0
				list = append(list, sortRef{prefix, ref, uint32(i)})
			}
			return true
		})
	}
	slices.SortFunc(list, func(a, b sortRef) int {
		if c := cmp.Compare(a.prefix, b.prefix); c != 0 {
			return c
		}
		return s.parts[a.part].at(a.ref).outpoint().Compare(s.parts[b.part].at(b.ref).outpoint())
	})
	return list
}
