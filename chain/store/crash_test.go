package store

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"
)

// life runs a log on a disk until its power goes, and returns what was
// acknowledged and what was appended.
func life(t *testing.T, fs *memFS, r *rand.Rand, first int) (acked, tried []Record, dropped uint64) {
	fs.set(func() { fs.cutAt = fs.calls + 1 + r.IntN(60) })
	l, err := OpenLog("log", Options{FS: fs, SegmentSize: 1 + r.Int64N(6000), RetryEvery: time.Millisecond,
		OnState: func(error) { fs.set(func() { fs.room = -1 }) }})
	if errors.Is(err, errPower) {
		return nil, nil, 0
	} else if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	power := false
	for n := first; !power; {
		var b Batch
		for range r.IntN(5) {
			b.Records = append(b.Records, Record{Kind: byte(1 + n%200), Data: bytes.Repeat([]byte{byte(n), byte(n >> 8), 7}, r.IntN(1200))})
			n++
		}
		done, drops := make(chan struct{}), r.IntN(8) == 0
		b.Done = func(offs []uint64, err error) {
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				acked = append(acked, b.Records...)
				if len(offs) > 0 && drops {
					dropped = offs[0]
				}
			}
			close(done)
		}
		mu.Lock()
		tried = append(tried, b.Records...)
		drop := dropped
		switch r.IntN(12) {
		case 0:
			fs.set(func() { fs.syncFails = 1 })
		case 1:
			fs.set(func() { fs.room = r.Int64N(3000) })
		}
		mu.Unlock()
		if err := l.Append(b); err != nil {
			t.Fatal(err)
		}
		if err := l.DropBefore(drop); err != nil && !errors.Is(err, errPower) {
			t.Fatal(err)
		}
		if r.IntN(3) > 0 {
			select {
			case <-done:
			case <-fs.off:
			}
		}
		fs.set(func() { power = fs.down })
	}
	l.Close()
	return acked, tried, dropped
}

// A disk whose power goes at any moment, with sectors of unsynced writes lost at
// random, full or failing before that, keeps all that was acknowledged, in
// order and without a hole, over many lives.
func TestLogSurvivesPowerCuts(t *testing.T) {
	for seed := range uint64(150) {
		r := rand.New(rand.NewPCG(seed, 1))
		fs := newMemFS()
		var kept []Record // what must be there
		for n := range 5 {
			acked, tried, dropped := life(t, fs, r, len(kept))
			if err := sameRecords(acked, tried[:len(acked)]); err != nil {
				t.Fatalf("seed %d life %d: acknowledged out of order: %v", seed, n, err)
			}
			fs = fs.reboot(r)
			l, err := OpenLog("log", Options{FS: fs, SegmentSize: 4096})
			if err != nil {
				t.Fatalf("seed %d life %d: %v", seed, n, err)
			}
			all := slices.Concat(kept, tried)
			least := len(kept) + len(acked)
			_, recs := contents(t, l)
			kept = nil
			// Some of the oldest may have been dropped.
			for skip := 0; ; skip++ {
				if skip > 0 && dropped == 0 && l.First() == 0 || skip > least {
					t.Fatalf("seed %d life %d: %v: the %d records are no continuation of the %d acknowledged", seed, n, l.Recovered(), len(recs), least)
				}
				if len(recs) >= least-skip && len(recs) <= len(all)-skip && sameRecords(recs, all[skip:skip+len(recs)]) == nil {
					kept = recs
					break
				}
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// written makes a log with a few groups and returns its one segment's bytes and
// where the groups start in the file.
func written(t testing.TB, closed bool) (file []byte, recs []Record, groups []int) {
	fs := newMemFS()
	l, err := OpenLog("log", Options{FS: fs, SegmentSize: 4096})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		groups = append(groups, int(l.End())+segmentHead)
		batch := []Record{numbered(3*i, 40), {Kind: 9}, numbered(3*i+2, 8*i)}
		if _, err := l.Write(batch...); err != nil {
			t.Fatal(err)
		}
		recs = append(recs, batch...)
	}
	end := int(l.End()) + segmentHead
	if closed {
		l.Close()
		end += frameSize
	}
	name := segmentName("log", 0)
	fs.set(func() { file = slices.Clone(fs.files[name].now) })
	l.Close()
	if len(bytes.TrimRight(file, "\x00")) > end {
		t.Fatalf("something behind the end at %d", end)
	}
	return file, recs, append(groups, end)
}

// reopen opens a log whose one segment has the given bytes.
func reopen(file []byte) (*Log, error) {
	fs := newMemFS()
	ino := &memInode{now: slices.Clone(file), disk: slices.Clone(file)}
	fs.files[segmentName("log", 0)], fs.names[segmentName("log", 0)] = ino, ino
	return OpenLog("log", Options{FS: fs, SegmentSize: 4096})
}

// A write that a crash cut at any byte is cut off, whatever follows it, and said;
// what was written before is kept and the log goes on.
func TestLogCutsOffATornTail(t *testing.T) {
	file, recs, groups := written(t, false)
	last, end := groups[3], groups[4]
	for _, fill := range []string{"cut", "zeros", "rubbish"} {
		for at := last; at <= end; at++ {
			b := slices.Clone(file[:at])
			if fill != "cut" {
				b = append(b, make([]byte, 4096-at)...)
			}
			if fill == "rubbish" {
				for i := at; i < len(b); i++ {
					b[i] = byte(0xa5 + i*7)
				}
			}
			l, err := reopen(b)
			if err != nil {
				t.Fatalf("%s at %d: %v", fill, at, err)
			}
			_, got := contents(t, l)
			if len(got) < 9 {
				t.Fatalf("%s at %d: only %d records", fill, at, len(got))
			}
			if err := sameRecords(got, recs[:len(got)]); err != nil {
				t.Fatalf("%s at %d: %v", fill, at, err)
			}
			info := l.Recovered()
			whole := int(info.End) + segmentHead
			if torn := info.TornBytes > 0; torn != (whole != at || fill == "rubbish") {
				// A cut that leaves only zero bytes of a head leaves nothing.
				if torn || bytesUsed(b[whole:]) != 0 {
					t.Fatalf("%s at %d: %v", fill, at, info)
				}
			}
			if (at == end && fill != "rubbish") != (len(got) == len(recs) && info.TornBytes == 0) {
				t.Fatalf("%s at %d: %d records, %v", fill, at, len(got), info)
			}
			if _, err := l.Write(Record{Kind: 3, Data: []byte("on")}); err != nil {
				t.Fatal(err)
			}
			if _, again := contents(t, l); len(again) != len(got)+1 {
				t.Fatalf("%s at %d: %d records after one more, %d before", fill, at, len(again), len(got))
			}
			l.Close()
		}
	}
}

func bytesUsed(b []byte) int { return len(bytes.TrimRight(b, "\x00")) }

// Damage to any byte of what was acknowledged is told with file and offset. After
// a crash that holds for all but the last group, which cannot be told from an
// unfinished write; after an orderly end for all.
func TestLogTellsDamage(t *testing.T) {
	for _, closed := range []bool{false, true} {
		file, recs, groups := written(t, closed)
		for at := range groups[4] {
			for _, flip := range []byte{1 << (at % 8), 0xff} {
				b := slices.Clone(file)
				b[at] ^= flip
				l, err := reopen(b)

				certain := at < groups[3] || closed && at < groups[4]-frameSize
				var c *CorruptError
				switch {
				case err == nil && certain:
					_, got := contents(t, l)
					t.Fatalf("closed %v, byte %d changed: opened with %d of %d records", closed, at, len(got), len(recs))
				case err == nil:
					_, got := contents(t, l)
					if e := sameRecords(got, recs[:len(got)]); e != nil || len(got) < 9 {
						t.Fatalf("closed %v, byte %d changed: %d records, %v", closed, at, len(got), e)
					}
					l.Close()
				case !errors.As(err, &c):
					t.Fatalf("closed %v, byte %d changed: %v", closed, at, err)
				case at >= segmentHead && (c.Offset > uint64(at-segmentHead) || c.File != segmentName("log", 0)):
					t.Fatalf("closed %v, byte %d changed: told as %v", closed, at, c)
				}
			}
		}
	}
}

// A segment that others follow is checked when it is read, and a missing one or
// one that is too short when the log is opened.
func TestLogTellsDamageInOlderSegments(t *testing.T) {
	build := func() *memFS {
		fs := newMemFS()
		l, err := OpenLog("log", Options{FS: fs, SegmentSize: 500})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 12 {
			if _, err := l.Write(numbered(i, 200)); err != nil {
				t.Fatal(err)
			}
		}
		l.Close()
		return fs
	}
	fs := build()
	names, _ := fs.List("log")
	if len(names) < 4 {
		t.Fatalf("%d segments", len(names))
	}
	second := "log/" + names[1]
	fs.files[second].now[100] ^= 4
	l, err := OpenLog("log", Options{FS: fs, SegmentSize: 4096})
	if err != nil {
		t.Fatal(err)
	}
	var c *CorruptError
	if err := l.Scan(0, func(uint64, Record) error { return nil }); !errors.As(err, &c) || c.File != second {
		t.Errorf("scanning a damaged segment: %v", err)
	}
	l.Close()
	fs = build()
	fs.Remove(second)
	if _, err := OpenLog("log", Options{FS: fs}); !errors.As(err, &c) {
		t.Errorf("opening a log with a missing segment: %v", err)
	}
	fs = build()
	fs.files[second].now = fs.files[second].now[:60]
	if _, err := OpenLog("log", Options{FS: fs}); !errors.As(err, &c) || c.File != second {
		t.Errorf("opening a log with a short segment: %v", err)
	}
	fs = build()
	fs.files["log/notes.txt"] = &memInode{}
	if _, err := OpenLog("log", Options{FS: fs}); err == nil {
		t.Error("a stranger's file in the log's directory was passed over")
	}
}

func FuzzRecord(f *testing.F) {
	f.Add(uint64(5), uint64(9), []byte{})
	for _, r := range []Record{{Kind: 1}, {Kind: 200, Data: []byte("body")}} {
		f.Add(uint64(5), uint64(9), append(appendHead(nil, 5, 9, r.Kind, r.Data), r.Data...))
	}
	f.Add(uint64(5), uint64(9), appendFrame(nil, 5, 9))
	f.Fuzz(func(t *testing.T, salt, off uint64, b []byte) {
		if len(b) < recordHead {
			return
		}
		h, err := parseHead(b)
		if err != nil || uint64(len(b)) < recordHead+uint64(h.size) {
			return
		}
		data := b[recordHead:][:h.size]
		if h.check(salt, off, data) != nil {
			return
		}
		if again := append(appendHead(nil, salt, off, h.kind, data), data...); !bytes.Equal(again, b[:len(again)]) {
			t.Fatalf("%x read and written again is %x", b, again)
		}
	})
}

// FuzzSegment: a segment's file may hold anything; the log opens or refuses it,
// and what it opens it can read and go on from.
func FuzzSegment(f *testing.F) {
	file, _, groups := written(f, true)
	f.Add(file, 0, byte(0))
	f.Add(file, groups[2]+10, byte(3))
	f.Add(file[:groups[3]+5], 0, byte(0))
	f.Add([]byte{}, 0, byte(0))
	f.Fuzz(func(t *testing.T, b []byte, at int, flip byte) {
		if len(b) > 1<<16 {
			return
		}
		b = slices.Clone(b)
		if at >= 0 && at < len(b) {
			b[at] ^= flip
		}
		l, err := reopen(b)
		if err != nil {
			return
		}
		defer l.Close()
		_, before := contents(t, l)
		if _, err := l.Write(Record{Kind: 1, Data: []byte("on")}); err != nil {
			t.Fatal(err)
		}
		if _, after := contents(t, l); len(after) != len(before)+1 {
			t.Fatal(fmt.Sprintf("%d records, then %d", len(before), len(after)))
		}
	})
}
