package store

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Batch is a list of records that are appended together, in order. After a
// crash either all of an acknowledged batch is there, or a prefix of one that
// was not acknowledged.
type Batch struct {
	// Records may be none: then Done is a mark in the order, run when all that
	// was appended before is durable. Nobody may change their data before Done.
	Records []Record
	// Done is called once, from the log's own goroutine, in the order of the
	// appends, when the records are durable; offsets are theirs and valid only
	// during the call. With an error the records are not in the log. Done must
	// be brief and must not call the log's Append or Close. It may be nil.
	Done func(offsets []uint64, err error)

	mark func(end uint64, err error) // see Mark
}

// Options configure a log. The zero value is usable.
type Options struct {
	SegmentSize int64         // bytes a segment aims at; 64 MiB if 0
	QueueBytes  int64         // Append blocks while more than this waits; 64 MiB if 0
	RetryEvery  time.Duration // how often a failed write is tried again; 1 s if 0
	// FailFast gives a failed write to Done, and to all batches after it until
	// Retry is called. Without it batches wait until they can be written.
	FailFast bool
	// OnState is called, from the log's goroutine, with the cause when the log
	// begins to fail and with nil when it writes again.
	OnState func(cause error)
	FS      FS // OS if nil
}

const (
	defaultSegment = 64 << 20
	defaultQueue   = 64 << 20
	maxGroupBytes  = 16 << 20 // of one write and sync
	maxQueued      = 1 << 14  // batches
)

func (o Options) withDefaults() Options {
	if o.SegmentSize <= 0 {
		o.SegmentSize = defaultSegment
	}
	if o.QueueBytes <= 0 {
		o.QueueBytes = defaultQueue
	}
	if o.RetryEvery <= 0 {
		o.RetryEvery = time.Second
	}
	if o.FS == nil {
		o.FS = OS
	}
	return o
}

// Log is the append-only log of a chain.
type Log struct {
	dir  string
	opt  Options
	info Recovery

	mu       sync.Mutex // of the queue
	room     sync.Cond  // the queue got shorter, or closing
	work     sync.Cond  // the queue got longer, or closing
	queue    []Batch
	inFlight int64 // bytes that are queued or being written
	closing  bool

	retry   chan struct{} // wakes the writer out of a failure
	closed  chan struct{} // closed with closing
	stopped chan struct{} // closed when the writer has ended
	end     atomic.Uint64 // end of what is durable
	failure atomic.Pointer[error]
	stats   counters

	segMu sync.RWMutex
	segs  []*segment // in order, the last is written to
	gone  bool       // the files are closed

	w writer
}

// Stats counts what a log did since it was opened.
type Stats struct {
	Batches, Records, Bytes, Syncs uint64
}

type counters struct{ batches, records, bytes, syncs atomic.Uint64 }

// OpenLog opens the log in dir, or makes one. It repairs what a crash cut short
// and says so in [Log.Recovered]; damage to durable records is an error.
func OpenLog(dir string, opt Options) (*Log, error) {
	l := &Log{
		dir: dir, opt: opt.withDefaults(),
		retry: make(chan struct{}, 1), closed: make(chan struct{}), stopped: make(chan struct{}),
	}
	l.room.L, l.work.L = &l.mu, &l.mu
	if err := l.recover(); err != nil {
		for _, s := range l.segs {
			s.file.Close()
		}
		return nil, fmt.Errorf("opening the log in %s: %w", dir, err)
	}
	go l.write()
	return l, nil
}

// Recovered says what opening the log found.
func (l *Log) Recovered() Recovery { return l.info }

// End is the offset behind the last durable record.
func (l *Log) End() uint64 { return l.end.Load() }

// First is the offset from which on records are kept.
func (l *Log) First() uint64 {
	l.segMu.RLock()
	defer l.segMu.RUnlock()
	return l.segs[0].first
}

// Err is why the log cannot write at the moment, nil when it can.
func (l *Log) Err() error {
	if p := l.failure.Load(); p != nil {
		return *p
	}
	return nil
}

// Stats is what the log did since it was opened.
func (l *Log) Stats() Stats {
	return Stats{l.stats.batches.Load(), l.stats.records.Load(), l.stats.bytes.Load(), l.stats.syncs.Load()}
}

// Append puts a batch at the end of the queue. It blocks while the queue is
// full, and returns an error when the log was closed or the batch can never be
// written; then Done is not called.
func (l *Log) Append(b Batch) error {
	var size int64
	for i := range b.Records {
		if err := checkRecord(b.Records[i]); err != nil {
			return err
		}
		size += recordHead + int64(len(b.Records[i].Data))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for !l.closing && (len(l.queue) >= maxQueued || l.inFlight > 0 && l.inFlight+size > l.opt.QueueBytes) {
		l.room.Wait()
	}
	if l.closing {
		return ErrClosed
	}
	l.queue = append(l.queue, b)
	l.inFlight += size
	l.work.Signal()
	return nil
}

// Mark is an Append without records whose done is told the offset behind the
// last record that was appended before: where a reader goes on that knows all of
// them. [Log.End] may be beyond it, as batches share a write.
func (l *Log) Mark(done func(end uint64, err error)) error { return l.Append(Batch{mark: done}) }

// Write appends records and waits until they are durable.
func (l *Log) Write(records ...Record) (offsets []uint64, err error) {
	done := make(chan error, 1)
	err = l.Append(Batch{Records: records, Done: func(offs []uint64, err error) {
		offsets = append(offsets, offs...)
		done <- err
	}})
	if err != nil {
		return nil, err
	}
	return offsets, <-done
}

// Retry makes a failed log try again now.
func (l *Log) Retry() {
	select {
	case l.retry <- struct{}{}:
	default: // one is waiting already
	}
}

// Close writes what is queued and closes the log. Batches that cannot be
// written get their error. Append calls that are blocked return ErrClosed.
func (l *Log) Close() error {
	l.mu.Lock()
	if !l.closing {
		l.closing = true
		close(l.closed)
		l.work.Broadcast()
		l.room.Broadcast()
	}
	l.mu.Unlock()
	<-l.stopped
	l.segMu.Lock()
	defer l.segMu.Unlock()
	if l.gone {
		return nil
	}
	l.gone = true
	err := l.Err()
	for _, s := range l.segs {
		if cerr := s.file.Close(); err == nil {
			err = cerr
		}
	}
	return err
}
