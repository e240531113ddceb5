package store

import (
	"math"
	"math/bits"
	"sort"
)

// guesses is how often a search goes by the expected place of a prefix before it
// halves. Ids are hashes, so the first guess is mostly right or next to it; but
// who makes ids can crowd them.
const guesses = 4

// find appends the heights of a prefix, ascending.
func (r *run) find(prefix uint64, list []uint64) ([]uint64, error) {
	buf := make([]byte, runPage)
	// The first page whose last entry is not below the prefix is from lo to hi.
	lo, hi := uint64(0), r.pages()
	below, above := uint64(0), uint64(math.MaxUint64) // prefixes around lo … hi
	inBuf, entries := hi, []byte(nil)
	for n := 0; lo < hi; n++ {
		page := lo + (hi-lo)/2
		if n < guesses {
			page = lo + guess(prefix-below, above-below, hi-lo)
		}
		var err error
		if entries, err = r.read(page, buf); err != nil {
			return nil, err
		}
		inBuf = page
		first, last := entryAt(entries, 0).prefix, entryAt(entries, len(entries)/runEntry-1).prefix
		switch {
		case last < prefix:
			lo, below = page+1, last
		case first < prefix:
			lo, hi = page, page
		default:
			hi, above = page, first
		}
	}
	for page := lo; page < r.pages(); page++ {
		var err error
		if page != inBuf {
			if entries, err = r.read(page, buf); err != nil {
				return nil, err
			}
		}
		n := len(entries) / runEntry
		i := sort.Search(n, func(i int) bool { return entryAt(entries, i).prefix >= prefix })
		for ; i < n; i++ {
			e := entryAt(entries, i)
			if e.prefix != prefix {
				return list, nil
			}
			list = append(list, r.from+uint64(e.height))
		}
	}
	return list, nil
}

// guess is the expected place of x among n places that hold values up to span.
func guess(x, span, n uint64) uint64 {
	if x >= span {
		return n - 1
	}
	hi, lo := bits.Mul64(x, n)
	q, _ := bits.Div64(hi, lo, span) // below n, as x < span
	return q
}
