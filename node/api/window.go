package api

import (
	"sync"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"ios/chain"
	"ios/node/api/ledgerpb"
)

// windows are those of the shards.
type windows struct {
	mu      sync.Mutex
	byShard map[chain.ShardID]*window
}

// of is the window of a shard, which the backend knows.
func (w *windows) of(shard chain.ShardID, l *Limits) *window {
	w.mu.Lock()
	defer w.mu.Unlock()
	x := w.byShard[shard]
	if x == nil {
		if w.byShard == nil {
			w.byShard = make(map[chain.ShardID]*window)
		}
		x = newWindow(l.WindowBlocks, l.WindowBytes)
		w.byShard[shard] = x
	}
	return x
}

func (w *windows) drop(shard chain.ShardID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if x := w.byShard[shard]; x != nil {
		delete(w.byShard, shard)
		close(x.gone)
	}
}

// window is the recent blocks' events of a shard, without gaps, for all
// subscribers.
type window struct {
	maxBlocks, maxBytes int

	mu     sync.Mutex
	frames []*frame // of consecutive heights
	bytes  int
	tip    uint64        // last height published, 0 before the first
	start  uint64        // first height published since the last gap
	more   chan struct{} // closed at the next publication

	gone chan struct{} // closed when the shard is left
}

func newWindow(maxBlocks, maxBytes int) *window {
	return &window{maxBlocks: maxBlocks, maxBytes: maxBytes, more: make(chan struct{}), gone: make(chan struct{})}
}

// publish adds a block. One that does not follow the last starts the window
// anew; one that is there already is left out.
func (w *window) publish(ev *BlockEvent) {
	f := &frame{block: ev}
	w.mu.Lock()
	defer w.mu.Unlock()
	if ev.Height <= w.tip {
		return
	}
	if ev.Height != w.tip+1 {
		w.frames, w.bytes, w.start = nil, 0, ev.Height
	}
	w.frames = append(w.frames, f)
	w.bytes += f.size()
	for len(w.frames) > w.maxBlocks || w.bytes > w.maxBytes && len(w.frames) > 1 {
		w.bytes -= w.frames[0].size()
		w.frames[0] = nil
		w.frames = w.frames[1:]
	}
	w.tip = ev.Height
	close(w.more)
	w.more = make(chan struct{})
}

// view is what the window has for a height.
type view struct {
	frame *frame // nil unless the height is inside
	above bool   // it is not final yet
	tip   uint64
	start uint64          // first height since the last gap
	more  <-chan struct{} // closed when the next block is published
}

func (w *window) at(height uint64) view {
	w.mu.Lock()
	defer w.mu.Unlock()
	v := view{tip: w.tip, start: w.start, more: w.more}
	switch {
	case len(w.frames) == 0 || height+uint64(len(w.frames)) <= w.tip: // below
	case height > w.tip:
		v.above = true
	default:
		v.frame = w.frames[len(w.frames)-1-int(w.tip-height)]
	}
	return v
}

// frame is an event in the forms that subscribers ask for. Each is encoded
// once, by the first who asks.
type frame struct {
	block *BlockEvent
	forms [4]struct {
		once sync.Once
		raw  []byte
		err  error
	}
}

// frameOverhead is what an event takes beside its lists.
const frameOverhead = 512

// size is what the frame takes when it is encoded in one form.
func (f *frame) size() int {
	return 2*(len(f.block.Outcomes)+len(f.block.Skipped)) + frameOverhead
}

func (f *frame) encoded(summary, json bool) ([]byte, error) {
	i := 0
	if summary {
		i = 1
	}
	if json {
		i += 2
	}
	form := &f.forms[i]
	form.once.Do(func() {
		m := &ledgerpb.EventsResponse{Event: &ledgerpb.EventsResponse_Block{Block: blockEventToWire(f.block, summary)}}
		if json {
			form.raw, form.err = protojson.Marshal(m)
		} else {
			form.raw, form.err = proto.Marshal(m)
		}
	})
	return form.raw, form.err
}
