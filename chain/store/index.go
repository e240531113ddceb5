package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
)

// BodyKey names a body: its author's number in a term, which is a batch of an
// epoch.
type BodyKey struct {
	Epoch  uint64
	Batch  uint32
	Author uint32
	Number uint64
}

func (k BodyKey) encode() (b [24]byte) {
	binary.BigEndian.PutUint64(b[0:], k.Epoch)
	binary.BigEndian.PutUint32(b[8:], k.Batch)
	binary.BigEndian.PutUint32(b[12:], k.Author)
	binary.BigEndian.PutUint64(b[16:], k.Number)
	return b
}

// IndexOptions configure an index. The zero value is usable.
type IndexOptions struct {
	// FlushAt is how many entries are gathered before they are written, in the
	// background; 8192 if 0. Eight times as many may wait before a Put does.
	FlushAt int
}

// Index finds blocks and bodies in the log. What is put in is found at once and
// written later; after a crash the owner puts in again what the log has from
// [Index.Mark] on. Putting the same twice is the same as once.
type Index struct {
	path    string
	flushAt int
	disk    *indexFile
	rebuilt error

	mu       sync.Mutex
	change   sync.Cond // anything below changed
	fresh    *overlay  // takes what is put in
	writing  *overlay  // is being written
	urgent   bool      // write fresh whatever its size
	err      error     // of the last write, nil when it went well
	gap      bool      // something was refused, so the mark stays
	closing  bool
	floors   floors
	mark     atomic.Uint64
	finished chan struct{}
}

// overlay is what is not on disk yet.
type overlay struct {
	headers map[uint64]headerAt
	bodies  map[BodyKey]uint64
	mark    uint64
	floors  floors
}

type headerAt struct {
	off    uint64
	header []byte
}

// floors are the first epoch and the first height that are kept.
type floors struct{ epoch, height uint64 }

func newOverlay(mark uint64, f floors) *overlay {
	return &overlay{map[uint64]headerAt{}, map[BodyKey]uint64{}, mark, f}
}

func (o *overlay) size() int { return len(o.headers) + len(o.bodies) }

// OpenIndex opens the index in a file, or makes one. An index that is damaged is
// deleted and begun anew, as all of it can be had from the log: [Index.Rebuilt]
// then says why, and the mark is 0.
func OpenIndex(path string, opt IndexOptions) (*Index, error) {
	if opt.FlushAt <= 0 {
		opt.FlushAt = 8192
	}
	disk, rebuilt, err := openIndexFile(path)
	if err != nil {
		return nil, err
	}
	mark, err := disk.mark()
	if err != nil {
		disk.close()
		return nil, err
	}
	x := &Index{path: path, flushAt: opt.FlushAt, disk: disk, rebuilt: rebuilt,
		fresh: newOverlay(mark, floors{}), finished: make(chan struct{})}
	x.change.L = &x.mu
	x.mark.Store(mark)
	go x.write()
	return x, nil
}

// Rebuilt says why the index was begun anew, nil when it was not.
func (x *Index) Rebuilt() error { return x.rebuilt }

// Mark is the log offset up to which all is in the index and durable.
func (x *Index) Mark() uint64 { return x.mark.Load() }

// Err is why the index cannot be written at the moment, nil when it can.
func (x *Index) Err() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.err
}

// PutHeader notes the header of a height and where in the log its block is. The
// header's bytes must not be changed after the call.
func (x *Index) PutHeader(height, off uint64, header []byte) error {
	return x.put(func(o *overlay) { o.headers[height] = headerAt{off, header} })
}

// PutBody notes where in the log a body is.
func (x *Index) PutBody(key BodyKey, off uint64) error {
	return x.put(func(o *overlay) { o.bodies[key] = off })
}

// put waits while too much is unwritten. When that is because writing fails it
// refuses instead, and from then on the mark stays: the next start will find
// what was refused in the log.
func (x *Index) put(enter func(o *overlay)) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	for !x.closing && x.fresh.size() >= 8*x.flushAt {
		if x.err != nil {
			x.gap = true
			x.change.Broadcast() // try to write once more
			return fmt.Errorf("the index is full and cannot be written: %w", x.err)
		}
		x.change.Wait()
	}
	if x.closing {
		return ErrClosed
	}
	enter(x.fresh)
	if n := x.fresh.size(); n >= x.flushAt && n%x.flushAt == 0 {
		x.change.Broadcast()
	}
	return nil
}

// Advance says that all from the log before an offset has been put in.
func (x *Index) Advance(off uint64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.gap && off > x.fresh.mark {
		x.fresh.mark = off
	}
}

// DropBefore deletes the bodies of epochs, and the headers of heights, below the
// given ones. They are gone for readers at once and from disk with a later write.
func (x *Index) DropBefore(epoch, height uint64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.floors.epoch = max(x.floors.epoch, epoch)
	x.floors.height = max(x.floors.height, height)
	x.fresh.floors = x.floors
	maps.DeleteFunc(x.fresh.headers, func(h uint64, _ headerAt) bool { return h < x.floors.height })
	maps.DeleteFunc(x.fresh.bodies, func(k BodyKey, _ uint64) bool { return k.Epoch < x.floors.epoch })
}

// Header gives the header of a height and the log offset of its block.
func (x *Index) Header(height uint64) (off uint64, header []byte, err error) {
	x.mu.Lock()
	if height < x.floors.height {
		x.mu.Unlock()
		return 0, nil, fmt.Errorf("the header of height %d: %w", height, ErrDropped)
	}
	for _, o := range []*overlay{x.fresh, x.writing} {
		if o != nil {
			if h, ok := o.headers[height]; ok {
				x.mu.Unlock()
				return h.off, h.header, nil
			}
		}
	}
	x.mu.Unlock()
	off, header, err = x.disk.header(height)
	if err != nil {
		return 0, nil, fmt.Errorf("the header of height %d: %w", height, err)
	}
	return off, header, nil
}

// Body gives the log offset of a body.
func (x *Index) Body(key BodyKey) (off uint64, err error) {
	x.mu.Lock()
	if key.Epoch < x.floors.epoch {
		x.mu.Unlock()
		return 0, fmt.Errorf("body %d of author %d in epoch %d, batch %d: %w", key.Number, key.Author, key.Epoch, key.Batch, ErrDropped)
	}
	for _, o := range []*overlay{x.fresh, x.writing} {
		if o != nil {
			if off, ok := o.bodies[key]; ok {
				x.mu.Unlock()
				return off, nil
			}
		}
	}
	x.mu.Unlock()
	if off, err = x.disk.body(key); err != nil {
		return 0, fmt.Errorf("body %d of author %d in epoch %d, batch %d: %w", key.Number, key.Author, key.Epoch, key.Batch, err)
	}
	return off, nil
}

// Flush writes what was put in and returns when it is durable.
func (x *Index) Flush() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	// What is being written may have been begun before the last Put: the write
	// after it is the one to wait for.
	for x.writing != nil {
		x.change.Wait()
	}
	if x.closing {
		return ErrClosed
	}
	x.urgent = true
	x.change.Broadcast()
	for x.urgent || x.writing != nil {
		x.change.Wait()
	}
	return x.err
}

// Close writes what was put in and closes the file.
func (x *Index) Close() error {
	x.mu.Lock()
	if x.closing {
		x.mu.Unlock()
		<-x.finished
		return nil
	}
	x.closing = true
	x.change.Broadcast()
	x.mu.Unlock()
	<-x.finished
	return errors.Join(x.Err(), x.disk.close())
}

// write is the index's goroutine.
func (x *Index) write() {
	defer close(x.finished)
	x.mu.Lock()
	defer x.mu.Unlock()
	for {
		for !x.closing && !x.urgent && x.fresh.size() < x.flushAt {
			x.change.Wait()
		}
		last := x.closing
		x.writing, x.fresh = x.fresh, newOverlay(x.fresh.mark, x.floors)
		o := x.writing
		x.mu.Unlock()
		err := x.disk.write(o)
		x.mu.Lock()
		x.settle(o, err)
		if last {
			x.urgent = false
			return
		}
		if err != nil && !x.closing {
			x.change.Wait() // for a Put, Flush or Close: there is no clock here
		}
	}
}

// settle ends a write: its entries are on disk, or back in the overlay.
func (x *Index) settle(o *overlay, err error) {
	x.writing, x.err, x.urgent = nil, err, false
	if err == nil {
		x.mark.Store(o.mark)
	} else {
		newer := x.fresh
		x.fresh = o
		maps.Copy(o.headers, newer.headers)
		maps.Copy(o.bodies, newer.bodies)
		o.mark, o.floors = newer.mark, newer.floors
	}
	x.change.Broadcast()
}
