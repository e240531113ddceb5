package store

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"
)

func openLog(t testing.TB, dir string, opt Options) *Log {
	t.Helper()
	l, err := OpenLog(dir, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// contents reads the whole log.
func contents(t testing.TB, l *Log) (offs []uint64, recs []Record) {
	t.Helper()
	if err := l.Scan(l.First(), func(off uint64, r Record) error {
		offs = append(offs, off)
		recs = append(recs, Record{r.Kind, bytes.Clone(r.Data)})
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return offs, recs
}

func sameRecords(a, b []Record) error {
	for i := range min(len(a), len(b)) {
		if a[i].Kind != b[i].Kind || !bytes.Equal(a[i].Data, b[i].Data) {
			return fmt.Errorf("record %d is kind %d with %d bytes instead of kind %d with %d", i, a[i].Kind, len(a[i].Data), b[i].Kind, len(b[i].Data))
		}
	}
	if len(a) != len(b) {
		return fmt.Errorf("%d records instead of %d", len(a), len(b))
	}
	return nil
}

func numbered(n, size int) Record {
	return Record{Kind: byte(1 + n%255), Data: bytes.Repeat([]byte(fmt.Sprintf("%08d", n)), size/8)}
}

// Marks hold no bytes, but they are bounded as well: whoever makes them while
// the log takes nothing has to wait.
func TestMarksWaitForRoomToo(t *testing.T) {
	l := openLog(t, t.TempDir(), Options{})
	hung, release, all := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	if err := l.Append(Batch{Done: func([]uint64, error) { close(hung); <-release }}); err != nil {
		t.Fatal(err)
	}
	<-hung
	go func() {
		var err error
		for range 4 * maxQueued {
			err = errors.Join(err, l.Append(Batch{}))
		}
		all <- err
	}()
	for full := false; !full; runtime.Gosched() {
		l.mu.Lock()
		full = len(l.queue) >= maxQueued
		l.mu.Unlock()
	}
	bounded := false
	select {
	case err := <-all:
		all <- err
	case <-time.After(50 * time.Millisecond):
		bounded = true
	}
	close(release)
	if err := <-all; err != nil || !bounded {
		t.Fatalf("the queue is bounded: %v; %v", bounded, err)
	}
}

// What was written is read back, by offset and in order, over many segments,
// before and after a restart; segments that are no longer needed go.
func TestLogKeepsRecordsOverSegmentsAndRestarts(t *testing.T) {
	dir, opt := t.TempDir(), Options{SegmentSize: 20_000}
	var want []Record
	var offs []uint64
	for round := range 3 {
		l := openLog(t, dir, opt)
		if info := l.Recovered(); !info.Clean || info.TornBytes != 0 {
			t.Fatalf("round %d: %v", round, info)
		}
		for i := range 40 {
			// Sizes around the limits of copying, of the first read and of a segment.
			recs := []Record{numbered(len(want), 8*i), numbered(len(want)+1, 2048+8*(i-20)), {Kind: 7}, numbered(3, 4080+i), numbered(i, 30_000*(i/39))}
			got, err := l.Write(recs...)
			if err != nil {
				t.Fatal(err)
			}
			offs, want = append(offs, got...), append(want, recs...)
		}
		seen, recs := contents(t, l)
		if err := sameRecords(recs, want); err != nil {
			t.Fatal(err)
		}
		for i, off := range offs {
			if seen[i] != off {
				t.Fatalf("record %d at %d, Done said %d", i, seen[i], off)
			}
			r, err := l.ReadAt(off)
			if err != nil || sameRecords([]Record{r}, want[i:i+1]) != nil {
				t.Fatalf("record %d at %d: %v", i, off, err)
			}
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	l := openLog(t, dir, opt)
	keep := len(want) / 2
	if err := l.DropBefore(offs[keep]); err != nil {
		t.Fatal(err)
	}
	if f := l.First(); f == 0 || f > offs[keep] {
		t.Fatalf("first is %d after dropping before %d", f, offs[keep])
	}
	if _, err := l.ReadAt(offs[0]); !errors.Is(err, ErrDropped) {
		t.Fatalf("reading a dropped record: %v", err)
	}
	if _, err := l.ReadAt(l.End()); !errors.Is(err, ErrNotFound) {
		t.Fatalf("reading behind the end: %v", err)
	}
	_, recs := contents(t, l)
	if err := sameRecords(recs, want[len(want)-len(recs):]); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = openLog(t, dir, opt)
	if _, again := contents(t, l); len(again) != len(recs) {
		t.Fatalf("%d records after a restart, %d before", len(again), len(recs))
	}
	if _, err := l.ReadAt(offs[0]); !errors.Is(err, ErrDropped) {
		t.Fatalf("reading a dropped record after a restart: %v", err)
	}
}

// Many goroutines append at once: acknowledgements come in the order of the
// log, each goroutine's own batches stay in order, and marks wait their turn.
func TestLogKeepsOrderAmongConcurrentAppends(t *testing.T) {
	l := openLog(t, t.TempDir(), Options{SegmentSize: 50_000, QueueBytes: 4096})
	const writers, batches = 8, 150
	var last uint64
	var acked [writers]int
	var wg sync.WaitGroup
	for g := range writers {
		wg.Go(func() {
			for i := range batches {
				b := Batch{Records: []Record{{Kind: byte(g + 1), Data: fmt.Appendf(nil, "%d %0*d", i, 100*g, 0)}}}
				if i%5 == 0 {
					b.Records = nil // a mark
				}
				b.Done = func(offs []uint64, err error) {
					if err != nil || len(offs) != len(b.Records) {
						t.Errorf("writer %d batch %d: %d offsets, %v", g, i, len(offs), err)
					}
					for _, off := range offs {
						if off < last {
							t.Errorf("offset %d acknowledged after %d", off, last)
						}
						if last = off; off >= l.End() {
							t.Errorf("offset %d acknowledged, but the log ends at %d", off, l.End())
						}
					}
					if acked[g] != i {
						t.Errorf("writer %d: batch %d acknowledged in place of %d", g, i, acked[g])
					}
					acked[g]++
				}
				if err := l.Append(b); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for g, n := range acked {
		if n != batches {
			t.Errorf("writer %d: %d of %d batches acknowledged", g, n, batches)
		}
	}
	if s := l.Stats(); s.Syncs > s.Records/2 {
		t.Errorf("%d syncs for %d records: batches are not grouped", s.Syncs, s.Records)
	}
	if err := l.Append(Batch{}); !errors.Is(err, ErrClosed) {
		t.Errorf("append to a closed log: %v", err)
	}
}

// A mark says where the records before it end, also when others that were
// appended after it share the write: a snapshot of before must not hide them.
func TestLogMarksSayWhatLiesBeforeThem(t *testing.T) {
	l := openLog(t, t.TempDir(), Options{})
	hold, held := make(chan struct{}), make(chan struct{})
	ends := make(chan uint64, 3)
	mark := func() {
		if err := l.Mark(func(end uint64, err error) {
			if err != nil {
				t.Error(err)
			}
			ends <- end
		}); err != nil {
			t.Fatal(err)
		}
	}
	mark()
	if err := l.Append(Batch{Records: []Record{numbered(0, 80)}, Done: func([]uint64, error) { close(held); <-hold }}); err != nil {
		t.Fatal(err)
	}
	<-held // what comes now is gathered for one write
	for _, b := range []Batch{{Records: []Record{numbered(1, 80), numbered(2, 4000)}}, {}, {Records: []Record{numbered(3, 80)}}} {
		if err := l.Append(b); err != nil {
			t.Fatal(err)
		}
		if len(b.Records) == 0 {
			mark()
		}
	}
	mark()
	close(hold)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if s := l.Stats(); s.Syncs != 3 {
		t.Fatalf("%d syncs: the batches did not share a write, which makes the test worthless", s.Syncs)
	}
	l = openLog(t, l.dir, Options{})
	for _, want := range [][]Record{
		{numbered(0, 80), numbered(1, 80), numbered(2, 4000), numbered(3, 80)}, {numbered(3, 80)}, nil,
	} {
		var got []Record
		if err := l.Scan(<-ends, func(_ uint64, r Record) error {
			got = append(got, Record{r.Kind, bytes.Clone(r.Data)})
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if err := sameRecords(got, want); err != nil {
			t.Errorf("behind a mark: %v", err)
		}
	}
}

func TestLogRefusesWhatItCouldNotReadBack(t *testing.T) {
	l := openLog(t, t.TempDir(), Options{})
	for _, r := range []Record{{Kind: 0, Data: []byte("x")}, {Kind: 1, Data: make([]byte, MaxRecord+1)}} {
		if err := l.Append(Batch{Records: []Record{r}}); err == nil {
			t.Errorf("kind %d with %d bytes was taken", r.Kind, len(r.Data))
		}
	}
}

// growing is a file layer that reserves no room, so that each sync must make a
// new size durable.
type growing struct{ FS }

type growingFile struct{ File }

func (fs growing) Create(name string) (File, error) {
	f, err := fs.FS.Create(name)
	return growingFile{f}, err
}

func (growingFile) Preallocate(int64) error { return nil }

// Ten bodies of 256 KiB and a sync, with and without reserved room.
func BenchmarkLogAppendSync(b *testing.B) {
	for name, fs := range map[string]FS{"reserved": OS, "growing": growing{OS}} {
		b.Run("10x256KiB/"+name, func(b *testing.B) { appendAndSync(b, fs, 10, 256<<10) })
		b.Run("1x1KiB/"+name, func(b *testing.B) { appendAndSync(b, fs, 1, 1<<10) })
	}
}

func appendAndSync(b *testing.B, fs FS, n, size int) {
	l := openLog(b, b.TempDir(), Options{FS: fs})
	recs := make([]Record, n)
	for i := range recs {
		recs[i] = Record{Kind: 1, Data: bytes.Repeat([]byte{byte(i)}, size)}
	}
	b.SetBytes(int64(n * size))
	for b.Loop() {
		if _, err := l.Write(recs...); err != nil {
			b.Fatal(err)
		}
		if err := l.DropBefore(l.End()); err != nil {
			b.Fatal(err)
		}
	}
}
