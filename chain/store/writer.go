package store

import (
	"fmt"
	"time"
)

// writer is the state of the log's goroutine.
type writer struct {
	end   uint64 // of the durable records
	fresh bool   // nothing but a frame was written since the last frame
	// suspect means that the tail segment's file may hold anything behind end:
	// a sync failed, and the pages that it was to write may be marked clean
	// without being on disk. Such a file is never written again; what was not
	// acknowledged goes to a new segment from end on.
	suspect bool
	// abandoned means that a batch was given up as the log was closed: all that
	// came after it are given up too, or the log would have a hole.
	abandoned bool

	group   []Batch
	start   uint64 // of the group
	bytes   int64  // of the group, as counted in inFlight
	offsets []uint64
	heads   []byte
	iov     [][]byte
}

// smallRecord is the size up to which copying a record is cheaper than handing
// it to the kernel as a buffer of its own.
const smallRecord = 2048

// write is the log's goroutine.
func (l *Log) write() {
	defer close(l.stopped)
	for l.take() {
		l.finish(l.store())
	}
	l.seal()
}

// take moves the head of the queue to the group. It waits while the queue is
// empty and returns false when it is empty for good.
func (l *Log) take() bool {
	w := &l.w
	clear(w.group)
	w.group = w.group[:0]
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inFlight -= w.bytes
	w.bytes = 0
	l.room.Broadcast()
	for len(l.queue) == 0 {
		if l.closing {
			return false
		}
		l.work.Wait()
	}
	n := 0
	for ; n < len(l.queue); n++ {
		size := int64(0)
		for _, r := range l.queue[n].Records {
			size += recordHead + int64(len(r.Data))
		}
		if n > 0 && w.bytes+size > maxGroupBytes {
			break
		}
		w.bytes += size
	}
	w.group = append(w.group, l.queue[:n]...)
	rest := copy(l.queue, l.queue[n:])
	clear(l.queue[rest:])
	l.queue = l.queue[:rest]
	return true
}

// store makes the group durable. It returns an error only when the group has to
// be given up.
func (l *Log) store() error {
	w := &l.w
	// Marks that wait for nothing are released before the sync, not after.
	marks := 0
	for marks < len(w.group) && len(w.group[marks].Records) == 0 && l.Err() == nil {
		l.finishOne(&w.group[marks], nil, w.end, nil)
		marks++
	}
	w.group = w.group[:copy(w.group, w.group[marks:])]
	if len(w.group) == 0 {
		return nil
	}
	if err := l.Err(); err != nil && (w.abandoned || !hasRecords(w.group) || l.opt.FailFast && !l.retryAsked()) {
		return err
	}
	for {
		err := l.writeGroup()
		if err == nil {
			l.setState(nil)
			return nil
		}
		err = fmt.Errorf("%w at offset %d in %s: %w", ErrFailed, w.end, l.dir, err)
		l.setState(err)
		if l.opt.FailFast {
			return err
		}
		if !l.waitForRetry() {
			w.abandoned = true
			return err
		}
	}
}

func hasRecords(group []Batch) bool {
	for i := range group {
		if len(group[i].Records) > 0 {
			return true
		}
	}
	return false
}

func (l *Log) retryAsked() bool {
	select {
	case <-l.retry:
		return true
	default:
		return false
	}
}

// waitForRetry waits until it is time to try again, and returns false when the
// log is being closed instead.
func (l *Log) waitForRetry() bool {
	timer := time.NewTimer(l.opt.RetryEvery)
	defer timer.Stop()
	select {
	case <-l.closed:
		return false
	case <-l.retry:
	case <-timer.C:
	}
	return true
}

func (l *Log) setState(err error) {
	was := l.Err()
	if err == nil && was == nil {
		return
	}
	if err == nil {
		l.failure.Store(nil)
	} else {
		if was == nil {
			l.retryAsked() // one from before was not meant for this failure
		}
		l.failure.Store(&err)
	}
	if l.opt.OnState != nil && (err == nil) != (was == nil) {
		l.opt.OnState(err)
	}
}

// writeGroup writes the group behind the end and syncs it: one write, one sync.
func (l *Log) writeGroup() error {
	w := &l.w
	size := int64(frameSize)
	records := 0
	for i := range w.group {
		records += len(w.group[i].Records)
		for _, r := range w.group[i].Records {
			size += recordHead + int64(len(r.Data))
		}
	}
	tail := l.tail()
	if w.suspect || (w.end > tail.first && tail.place(w.end)+size > l.opt.SegmentSize) {
		var err error
		if tail, err = l.roll(); err != nil {
			return err
		}
	}
	l.layOut(tail)
	if err := l.commit(tail, size); err != nil {
		return err
	}
	w.fresh = false
	l.stats.records.Add(uint64(records))
	return nil
}

// commit writes w.iov at the end and makes it durable, or leaves the log as it
// was before.
func (l *Log) commit(tail *segment, size int64) error {
	w := &l.w
	at := tail.place(w.end)
	if _, err := tail.file.WriteVec(w.iov, at); err != nil {
		if terr := tail.file.Truncate(at); terr != nil {
			w.suspect = true
		}
		return err
	}
	if err := tail.file.Sync(); err != nil {
		w.suspect = true
		return err
	}
	w.end += uint64(size)
	l.end.Store(w.end)
	l.stats.bytes.Add(uint64(size))
	l.stats.syncs.Add(1)
	return nil
}

// layOut fills w.iov with the group's bytes and w.offsets with its records'
// offsets. Large data stays where it is.
func (l *Log) layOut(tail *segment) {
	w := &l.w
	small := frameSize
	for i := range w.group {
		for _, r := range w.group[i].Records {
			small += recordHead
			if len(r.Data) <= smallRecord {
				small += len(r.Data)
			}
		}
	}
	if cap(w.heads) < small {
		w.heads = make([]byte, 0, small+small/2)
	}
	clear(w.iov)
	w.iov, w.offsets, w.start = w.iov[:0], w.offsets[:0], w.end
	buf := appendFrame(w.heads[:0], tail.salt, w.end)
	from, off := 0, w.end+frameSize
	for i := range w.group {
		for _, r := range w.group[i].Records {
			w.offsets = append(w.offsets, off)
			buf = appendHead(buf, tail.salt, off, r.Kind, r.Data)
			off += recordHead + uint64(len(r.Data))
			if len(r.Data) <= smallRecord {
				buf = append(buf, r.Data...)
				continue
			}
			w.iov = append(w.iov, buf[from:len(buf):len(buf)], r.Data)
			from = len(buf)
		}
	}
	w.iov = append(w.iov, buf[from:])
}

// roll makes a new segment that starts at the end.
func (l *Log) roll() (*segment, error) {
	w, old := &l.w, l.tail()
	// Once its file has a name the new segment rules from the end on, also if
	// this call fails after that; so nothing may be added to the old one.
	w.suspect = true
	_ = old.file.Truncate(old.place(w.end)) // readers stop there anyway
	s, err := createSegment(l.opt.FS, l.dir, w.end, l.opt.SegmentSize)
	if err != nil {
		return nil, err
	}
	w.suspect = false
	l.segMu.Lock()
	defer l.segMu.Unlock()
	if old.first == w.end { // replaced: it held no record
		old.file.Close()
		l.segs = l.segs[:len(l.segs)-1]
	}
	// Readers hold the old slice: never write into it.
	l.segs = append(l.segs[:len(l.segs):len(l.segs)], s)
	return s, nil
}

func (l *Log) tail() *segment {
	l.segMu.RLock()
	defer l.segMu.RUnlock()
	return l.segs[len(l.segs)-1]
}

// finish tells the group's batches how it went.
func (l *Log) finish(err error) {
	offs, end := l.w.offsets, l.w.start
	for i := range l.w.group {
		b := &l.w.group[i]
		if err != nil {
			l.finishOne(b, nil, 0, err)
			continue
		}
		n := len(b.Records)
		if n > 0 {
			end = offs[n-1] + recordHead + uint64(len(b.Records[n-1].Data))
		}
		l.finishOne(b, offs[:n:n], end, nil)
		offs = offs[n:]
	}
}

// finishOne tells one batch; end is where the records before and in it end.
func (l *Log) finishOne(b *Batch, offsets []uint64, end uint64, err error) {
	l.stats.batches.Add(1)
	switch {
	case b.mark != nil:
		b.mark(end, err)
	case b.Done != nil:
		b.Done(offsets, err)
	}
}

// seal ends an orderly run with a frame: behind it, no damage to the last group
// can be taken for a write that a crash cut short.
func (l *Log) seal() {
	w := &l.w
	if w.fresh || w.suspect || l.Err() != nil {
		return
	}
	tail := l.tail()
	w.iov = append(w.iov[:0], appendFrame(nil, tail.salt, w.end))
	// The records are durable with or without it.
	_ = l.commit(tail, frameSize)
}
