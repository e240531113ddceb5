package byzcoin

import (
	"slices"
	"time"

	"ios/internal/sm"
)

// fetcher is what was asked of others' logs, and what came.
type fetcher struct {
	out  []fetch
	late []fetch       // given up; what still comes is taken
	got  []fetched     // by height
	turn int           // whom to ask next
	slow time.Duration // how long answers take, of late
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
	maxFetches = 6
	// maxBusy is how many ranges are asked of one peer at a time.
	maxBusy = 2
	// maxLate bounds the ranges that were given up and may still come.
	maxLate = 16
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
	n := 0
	for _, o := range f.out {
		if o.peer == peer {
			n++
		}
	}
	return n >= maxBusy
}

// patience is how long an answer may take: a full range of blocks 8 retry
// intervals, one block 2, and longer if answers do take longer.
func (f *fetcher) patience(count int, p *Policy) time.Duration {
	return 2*p.RetryInterval + 6*p.RetryInterval*time.Duration(count)/time.Duration(p.FetchBlocks) + 2*f.slow
}

// took takes note of how long an answer took: of the mean, so that one slow peer
// among several changes little.
func (f *fetcher) took(d time.Duration, p *Policy) {
	f.slow += (min(d, 64*p.RetryInterval) - f.slow) / 8
}

// overdue takes out what was not answered in time.
func (f *fetcher) overdue(now time.Time, p *Policy) (late []sm.NodeID) {
	f.out = slices.DeleteFunc(f.out, func(o fetch) bool {
		if now.Sub(o.at) < f.patience(o.count, p) {
			return false
		}
		late = append(late, o.peer)
		f.late = append(f.late, o)
		return true
	})
	f.late = f.late[max(0, len(f.late)-maxLate):]
	return late
}

// take finds the request that a reply answers. One that was given up is late.
func (f *fetcher) take(now time.Time, peer sm.NodeID, s *SyncReply, p *Policy) (o fetch, late, ok bool) {
	answered := func(o fetch) bool {
		return o.peer == peer && (len(s.Blocks) == 0 || s.Blocks[0].Block.Header.Height == o.from)
	}
	if i := slices.IndexFunc(f.out, answered); i >= 0 {
		o, ok = f.out[i], true
		f.out = slices.Delete(f.out, i, i+1)
	} else if i := slices.IndexFunc(f.late, answered); i >= 0 {
		o, late, ok = f.late[i], true, len(s.Blocks) > 0
		f.late = slices.Delete(f.late, i, i+1)
	}
	if ok {
		f.took(now.Sub(o.at), p)
	}
	return o, late, ok
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
		if h > above && !slices.ContainsFunc(f.got, func(x fetched) bool { return x.Block.Header.Height == h }) {
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
