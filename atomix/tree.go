package atomix

import "ios/chain"

// treeBuilder gathers the outcomes of a block into segments.
type treeBuilder struct {
	runs []run // by destination, the last is the identity chain
}

// run is the segments for one destination.
type run struct {
	segments []chain.Segment
	bytes    int // of the transactions in the last one
}

func (b *treeBuilder) reset(shards int) {
	if len(b.runs) != shards+1 {
		b.runs = make([]run, shards+1)
		return
	}
	clear(b.runs)
}

// add puts an outcome behind the others for dest; size is the length of its
// transaction.
func (b *treeBuilder) add(dest chain.ShardID, e chain.Entry, size int) {
	r := &b.runs[min(int(dest), len(b.runs)-1)]
	last := len(r.segments) - 1
	if last < 0 || len(r.segments[last].Entries) == chain.MaxSegmentEntries || r.bytes+size > chain.MaxSegmentBytes {
		s := chain.Segment{Dest: dest}
		if last >= 0 { // the one before is full: this one may be, too
			s.Entries = make([]chain.Entry, 0, chain.MaxSegmentEntries)
		}
		r.segments = append(r.segments, s)
		last, r.bytes = last+1, 0
	}
	r.bytes += size
	r.segments[last].Entries = append(r.segments[last].Entries, e)
}

// finish gives the tree, by ascending destination.
func (b *treeBuilder) finish() chain.OutcomeTree {
	var t chain.OutcomeTree
	for i := range b.runs {
		t = append(t, b.runs[i].segments...)
	}
	return t
}
