package byzcoin

import (
	"slices"
	"time"

	"ios/internal/sm"
)

// fetcher is what was asked of others' logs, and what came.
type fetcher struct {
	out  []fetch
	got  []fetched // by height
	turn int       // whom to ask next
}

type fetch struct {
	peer  sm.NodeID
	from  uint64
	count int
	at    time.Time
}

type fetched struct {
	SyncBlock
	peer sm.NodeID
}

const (
	maxFetches = 3
	// applyBytes is about what one step takes on, so that others get their turn.
	applyBytes = 1 << 20
	// blockCost is what a block costs besides its bodies, in bytes: the check of
	// a certificate.
	blockCost = 1 << 14
	// serveLimit and askLimit are how many ranges a peer may ask of us, and we of
	// it, in a RetryInterval. Intervals of the two overlap.
	serveLimit = 8
	askLimit   = 4
)

// covered reports whether a height has come or is asked for, and where what
// covers it ends, or else where the next begins.
func (f *fetcher) covered(height uint64) (next uint64, covered bool) {
	next = ^uint64(0)
	for i := range f.got {
		h := f.got[i].Block.Header.Height
		if h == height {
			return h + 1, true
		}
		if h > height {
			next = min(next, h)
		}
	}
	for _, o := range f.out {
		if end := o.from + uint64(o.count); o.from <= height && height < end {
			return end, true
		}
		if o.from > height {
			next = min(next, o.from)
		}
	}
	return next, false
}

// pump asks for the heights from start to end, a range from each of several
// peers that server chooses.
func (f *fetcher) pump(now time.Time, start, end uint64, blocks int, server func(height uint64) (sm.NodeID, bool), ask func(fetch)) {
	for start <= end && len(f.out) < maxFetches {
		next, covered := f.covered(start)
		if covered {
			start = next
			continue
		}
		peer, ok := server(start)
		if !ok {
			return
		}
		o := fetch{peer, start, int(min(next, end+1, start+uint64(blocks)) - start), now}
		f.out = append(f.out, o)
		ask(o)
		start += uint64(o.count)
	}
}

func (f *fetcher) busy(peer sm.NodeID) bool {
	return slices.ContainsFunc(f.out, func(o fetch) bool { return o.peer == peer })
}

// overdue takes out what was not answered in time: a full range of blocks may
// take 8 retry intervals, one block 2.
func (f *fetcher) overdue(now time.Time, p *Policy) (late []sm.NodeID) {
	f.out = slices.DeleteFunc(f.out, func(o fetch) bool {
		if now.Sub(o.at) < 2*p.RetryInterval+6*p.RetryInterval*time.Duration(o.count)/time.Duration(p.FetchBlocks) {
			return false
		}
		late = append(late, o.peer)
		return true
	})
	return late
}

// take finds the request that a reply answers; what took too long, or is
// repeated, answers none.
func (f *fetcher) take(peer sm.NodeID, s *SyncReply) (fetch, bool) {
	i := slices.IndexFunc(f.out, func(o fetch) bool {
		return o.peer == peer && (len(s.Blocks) == 0 || s.Blocks[0].Block.Header.Height == o.from)
	})
	if i < 0 {
		return fetch{}, false
	}
	o := f.out[i]
	f.out = slices.Delete(f.out, i, i+1)
	return o, true
}

// add keeps the blocks of a reply above a height. It returns the height of the
// first one that is in another's place, and that other.
func (f *fetcher) add(o fetch, s *SyncReply, above uint64) (wrong, wanted uint64) {
	for i := range s.Blocks[:min(len(s.Blocks), o.count)] {
		h := s.Blocks[i].Block.Header.Height
		if h != o.from+uint64(i) {
			wrong, wanted = h, o.from+uint64(i)
			break
		}
		if h > above {
			f.got = append(f.got, fetched{s.Blocks[i], o.peer})
		}
	}
	slices.SortStableFunc(f.got, func(a, b fetched) int {
		return int(int64(a.Block.Header.Height - b.Block.Header.Height))
	})
	return wrong, wanted
}

// next takes the block above a height out, if it has come.
func (f *fetcher) next(height uint64) (b fetched, ok bool) {
	for len(f.got) > 0 && f.got[0].Block.Header.Height <= height {
		f.got = f.got[1:]
	}
	if len(f.got) == 0 || f.got[0].Block.Header.Height != height+1 {
		return fetched{}, false
	}
	b, f.got = f.got[0], f.got[1:]
	return b, true
}

// drop forgets what came from a peer.
func (f *fetcher) drop(peer sm.NodeID) {
	f.got = slices.DeleteFunc(f.got, func(o fetched) bool { return o.peer == peer })
}

// cost is about what applying the block takes, in bytes.
func (b *SyncBlock) cost() int {
	n := blockCost
	for _, body := range b.Bodies {
		n += len(body.Raw)
	}
	return n
}
