package store

import (
	"errors"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// states is a channel of the states that a log reports.
func states(opt Options) (Options, chan error) {
	c := make(chan error, 16)
	opt.OnState = func(err error) { c <- err }
	return opt, c
}

// A full disk holds batches and marks back, says so, and when there is room all
// of them are written in order.
func TestLogWaitsForRoomOnAFullDisk(t *testing.T) {
	fs := newMemFS()
	opt, state := states(Options{FS: fs, SegmentSize: 2000, RetryEvery: time.Hour, QueueBytes: 5000})
	l, err := OpenLog("log", opt)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Write(numbered(0, 400)); err != nil {
		t.Fatal(err)
	}
	good := l.End()
	fs.set(func() { fs.room = 300 })
	var done atomic.Int32
	all := make(chan struct{})
	first := make(chan struct{})
	go func() { // more than the queue takes: Append must block, not fail
		for i := 1; i <= 30; i++ {
			if i == 2 {
				<-first
			}
			b := Batch{Records: []Record{numbered(i, 400)}, Done: func(_ []uint64, err error) {
				if n := done.Add(1); err != nil || int(n) != i {
					t.Errorf("batch %d is done as number %d: %v", i, n, err)
				}
			}}
			if i%6 == 0 {
				b.Records = nil
			}
			if err := l.Append(b); err != nil {
				t.Error(err)
			}
		}
		close(all)
	}()
	cause := <-state
	if !errors.Is(cause, syscall.ENOSPC) || !errors.Is(cause, ErrFailed) || l.Err() == nil {
		t.Fatalf("reported %v, the log says %v", cause, l.Err())
	}
	if done.Load() != 0 || l.End() != good {
		t.Fatalf("%d batches done on a full disk, the end moved by %d", done.Load(), l.End()-good)
	}
	fs.mu.Lock()
	size := len(fs.files[segmentName("log", 0)].now)
	fs.mu.Unlock()
	if size > int(good)+segmentHead {
		t.Fatalf("%d bytes of a write that failed stay in the file", size-int(good)-segmentHead)
	}
	close(first)
	fs.set(func() { fs.room = -1 })
	l.Retry()
	if err := <-state; err != nil {
		t.Fatal(err)
	}
	<-all
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if done.Load() != 30 {
		t.Fatalf("%d of 30 batches done", done.Load())
	}
	if l, err = OpenLog("log", opt); err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, recs := contents(t, l); len(recs) != 26 {
		t.Fatalf("%d records of 26", len(recs))
	}
}

// Nobody needs to call Retry: the log tries by itself.
func TestLogRetriesByItself(t *testing.T) {
	fs := newMemFS()
	opt, state := states(Options{FS: fs, SegmentSize: 2000, RetryEvery: time.Millisecond})
	l, err := OpenLog("log", opt)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	fs.set(func() { fs.room = 0 })
	written := make(chan error, 1)
	go func() {
		_, err := l.Write(numbered(1, 80))
		written <- err
	}()
	if err := <-state; err == nil {
		t.Fatal("no failure on a full disk")
	}
	fs.set(func() { fs.room = -1 })
	if err := <-written; err != nil {
		t.Fatal(err)
	}
}

// What a failed sync was to write is written again to a new segment: the old
// file's pages look clean and are not on disk.
func TestLogDistrustsAFileWhoseSyncFailed(t *testing.T) {
	fs := newMemFS()
	l, err := OpenLog("log", Options{FS: fs, SegmentSize: 4096, RetryEvery: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Write(numbered(0, 80)); err != nil {
		t.Fatal(err)
	}
	fs.set(func() { fs.syncFails = 2 })
	if _, err := l.Write(numbered(1, 80)); err != nil {
		t.Fatal(err)
	}
	if names, _ := fs.List("log"); len(names) != 2 {
		t.Fatalf("segments %v: the file whose sync failed was written again", names)
	}
	// The power goes: only what was really synced is left.
	after := newMemFS()
	fs.set(func() {
		for name, ino := range fs.names {
			after.files[name] = &memInode{now: ino.disk, disk: ino.disk}
		}
	})
	l.Close()
	if l, err = OpenLog("log", Options{FS: after, SegmentSize: 4096}); err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, recs := contents(t, l)
	if err := sameRecords(recs, []Record{numbered(0, 80), numbered(1, 80)}); err != nil {
		t.Fatal(err)
	}
}

// A log that fails fast gives the error to every batch until Retry, and what
// failed is not in the log.
func TestLogFailsFast(t *testing.T) {
	fs := newMemFS()
	l, err := OpenLog("log", Options{FS: fs, SegmentSize: 4096, FailFast: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Write(numbered(0, 80)); err != nil {
		t.Fatal(err)
	}
	fs.set(func() { fs.room = 40 })
	for i := range 3 {
		if _, err := l.Write(numbered(100+i, 80)); !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("write %d on a full disk: %v", i, err)
		}
		fs.set(func() { fs.room = -1 }) // room alone is not enough
	}
	if _, err := l.Write(); !errors.Is(err, ErrFailed) {
		t.Fatalf("a mark behind what failed: %v", err)
	}
	l.Retry()
	if _, err := l.Write(numbered(1, 80)); err != nil {
		t.Fatal(err)
	}
	_, recs := contents(t, l)
	if err := sameRecords(recs, []Record{numbered(0, 80), numbered(1, 80)}); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// Closing a log that cannot write gives every batch its error, and leaves no
// hole: after one that was given up nothing is written.
func TestLogClosesWhileItFails(t *testing.T) {
	fs := newMemFS()
	opt, state := states(Options{FS: fs, SegmentSize: 4096, RetryEvery: time.Hour})
	l, err := OpenLog("log", opt)
	if err != nil {
		t.Fatal(err)
	}
	fs.set(func() { fs.room = 500 })
	var failed atomic.Int32
	for i := range 10 {
		size := 800
		if i > 0 {
			size = 8 // would fit
		}
		b := Batch{Records: []Record{numbered(i, size)}, Done: func(_ []uint64, err error) {
			if err != nil {
				failed.Add(1)
			}
		}}
		if err := l.Append(b); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			<-state
		}
	}
	fs.set(func() { fs.room = 700 })
	if err := l.Close(); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("closing: %v", err)
	}
	if failed.Load() != 10 {
		t.Errorf("%d of 10 batches got an error", failed.Load())
	}
	fs.set(func() { fs.room = -1 })
	if l, err = OpenLog("log", opt); err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, recs := contents(t, l); len(recs) != 0 {
		t.Errorf("%d records of batches that got an error", len(recs))
	}
}

// A new segment rules from its first offset on as soon as its file has a name,
// also when making it durable failed: what comes later must not go to the old.
func TestLogNeverWritesBehindANewerSegment(t *testing.T) {
	fs := newMemFS()
	opt := Options{FS: fs, SegmentSize: 1000, FailFast: true}
	l, err := OpenLog("log", opt)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Write(numbered(0, 400)); err != nil {
		t.Fatal(err)
	}
	fs.set(func() { fs.dirFails = 1 })
	if _, err := l.Write(numbered(1, 800)); !errors.Is(err, syscall.EIO) {
		t.Fatalf("a directory that cannot be synced: %v", err)
	}
	l.Retry()
	if _, err := l.Write(numbered(2, 80)); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if l, err = OpenLog("log", opt); err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, recs := contents(t, l)
	if err := sameRecords(recs, []Record{numbered(0, 400), numbered(2, 80)}); err != nil {
		t.Fatal(err)
	}
}
