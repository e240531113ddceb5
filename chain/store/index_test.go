package store

import (
	"bytes"
	"errors"
	"fmt"

	"os"
	"path/filepath"
	"sync"
	"testing"

	"go.etcd.io/bbolt"
	"pgregory.net/rapid"
)

func openIndex(t interface {
	Helper()
	Fatal(...any)
}, path string, flushAt int) *Index {
	t.Helper()
	x, err := OpenIndex(path, IndexOptions{FlushAt: flushAt})
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// indexTwin is the naive index.
type indexTwin struct {
	headers       map[uint64]headerAt
	bodies        map[BodyKey]uint64
	epoch, height uint64 // floors
}

func (m *indexTwin) check(t *rapid.T, x *Index, heights, epochs uint64) {
	for h := range heights {
		want, there := m.headers[h]
		off, header, err := x.Header(h)
		switch {
		case h < m.height:
			if !errors.Is(err, ErrDropped) && !errors.Is(err, ErrNotFound) {
				t.Fatalf("dropped header %d: %v", h, err)
			}
		case !there:
			if !errors.Is(err, ErrNotFound) {
				t.Fatalf("header %d, which is not there: %v", h, err)
			}
		case err != nil || off != want.off || !bytes.Equal(header, want.header):
			t.Fatalf("header %d: %d %x %v, want %d %x", h, off, header, err, want.off, want.header)
		}
	}
	for e := range epochs {
		for n := range uint64(6) {
			k := BodyKey{e, uint32(n % 3), uint32(n % 2), n}
			off, err := x.Body(k)
			want, there := m.bodies[k]
			switch {
			case e < m.epoch:
				if !errors.Is(err, ErrDropped) && !errors.Is(err, ErrNotFound) {
					t.Fatalf("dropped body %v: %v", k, err)
				}
			case !there && !errors.Is(err, ErrNotFound), there && (err != nil || off != want):
				t.Fatalf("body %v: %d %v, want %d %v", k, off, err, want, there)
			}
		}
	}
}

// Whatever is put in is found at once, through any number of background writes
// and restarts, and what is dropped is not; like maps.
func TestIndexBehavesLikeMaps(t *testing.T) {
	dir := t.TempDir()
	files := 0
	rapid.Check(t, func(t *rapid.T) {
		files++
		path := filepath.Join(dir, fmt.Sprint(files))
		flushAt := rapid.SampledFrom([]int{1, 7, 1000}).Draw(t, "flush at")
		x := openIndex(t, path, flushAt)
		defer func() { x.Close() }()
		m := &indexTwin{headers: map[uint64]headerAt{}, bodies: map[BodyKey]uint64{}}
		var mark uint64
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch rapid.IntRange(0, 9).Draw(t, "what") {
			default:
				h := rapid.Uint64Range(m.height, m.height+20).Draw(t, "height")
				v := headerAt{rapid.Uint64().Draw(t, "off"), rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "header")}
				if err := x.PutHeader(h, v.off, v.header); err != nil {
					t.Fatal(err)
				}
				m.headers[h] = v
			case 3, 4, 5:
				n := rapid.Uint64Range(0, 5).Draw(t, "number")
				k, off := BodyKey{rapid.Uint64Range(m.epoch, m.epoch+3).Draw(t, "epoch"), uint32(n % 3), uint32(n % 2), n}, rapid.Uint64().Draw(t, "off")
				if err := x.PutBody(k, off); err != nil {
					t.Fatal(err)
				}
				m.bodies[k] = off
			case 6:
				mark++
				x.Advance(mark)
			case 7:
				m.epoch, m.height = m.epoch+rapid.Uint64Range(0, 2).Draw(t, "epochs"), m.height+rapid.Uint64Range(0, 5).Draw(t, "heights")
				x.DropBefore(m.epoch, m.height)
			case 8:
				if err := x.Flush(); err != nil {
					t.Fatal(err)
				}
				if x.Mark() != mark {
					t.Fatalf("mark %d after a flush, want %d", x.Mark(), mark)
				}
			case 9:
				if err := x.Close(); err != nil {
					t.Fatal(err)
				}
				x = openIndex(t, path, flushAt)
				if x.Mark() != mark || x.Rebuilt() != nil {
					t.Fatalf("mark %d after a restart, want %d (%v)", x.Mark(), mark, x.Rebuilt())
				}
			}
			m.check(t, x, m.height+21, m.epoch+4)
		}
	})
}

// Copies of the file at any moment, which is what a crash leaves, open with a
// mark such that what the log has from there on completes them.
func TestIndexAfterACrashIsCompletedFromItsMark(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "index.db")
	x := openIndex(t, path, 50)
	defer x.Close()
	put := func(x *Index, n uint64) {
		if err := x.PutHeader(n, 1000+n, []byte(fmt.Sprint("header ", n))); err != nil {
			t.Fatal(err)
		}
		if err := x.PutBody(BodyKey{1, 3, 2, n}, 5000+n); err != nil {
			t.Fatal(err)
		}
		x.Advance(n + 1)
	}
	for n := range uint64(600) {
		put(x, n)
		if n%97 != 96 {
			continue
		}
		if n%2 == 0 {
			if err := x.Flush(); err != nil {
				t.Fatal(err)
			}
		}
		// A copy in the middle of a write could mix pages, a crash cannot: the
		// page that says where the tree is comes last.
		copied := filepath.Join(dir, fmt.Sprint("copy ", n))
		if err := x.disk.db.View(func(tx *bbolt.Tx) error { return tx.CopyFile(copied, 0o600) }); err != nil {
			t.Fatal(err)
		}
		y := openIndex(t, copied, 50)
		if y.Mark() > n+1 || n%2 == 0 && y.Mark() != n+1 {
			t.Fatalf("mark %d after %d", y.Mark(), n+1)
		}
		for k := y.Mark(); k <= n; k++ {
			put(y, k)
		}
		for k := range n + 1 {
			off, header, err := y.Header(k)
			if err != nil || off != 1000+k || string(header) != fmt.Sprint("header ", k) {
				t.Fatalf("header %d: %d %q %v", k, off, header, err)
			}
			if off, err := y.Body(BodyKey{1, 3, 2, k}); err != nil || off != 5000+k {
				t.Fatalf("body %d: %d %v", k, off, err)
			}
		}
		if err := y.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A file that is no index any more is begun anew, and that is said.
func TestIndexIsRebuiltWhenDamaged(t *testing.T) {
	dir := t.TempDir()
	good := filepath.Join(dir, "good")
	x := openIndex(t, good, 10)
	for n := range uint64(500) {
		if err := x.PutHeader(n, n, bytes.Repeat([]byte{1}, 100)); err != nil {
			t.Fatal(err)
		}
	}
	x.Advance(9)
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string][]byte{"rubbish": bytes.Repeat([]byte("rubbish "), 5000), "short": []byte("x")}
	for _, n := range []int{4096, 8192, 3 * 4096, len(file) / 2} {
		cases[fmt.Sprint("cut at ", n)] = file[:n]
	}
	zeros := bytes.Clone(file)
	clear(zeros[:2*4096])
	cases["no head"] = zeros
	for name, b := range cases {
		path := filepath.Join(dir, "bad")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		x, err := OpenIndex(path, IndexOptions{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if x.Rebuilt() == nil || x.Mark() != 0 {
			t.Errorf("%s: mark %d, rebuilt %v", name, x.Mark(), x.Rebuilt())
		}
		if err := x.PutHeader(5, 6, nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := x.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	x = openIndex(t, good, 10)
	defer x.Close()
	if x.Rebuilt() != nil || x.Mark() != 9 {
		t.Errorf("the good one: mark %d, rebuilt %v", x.Mark(), x.Rebuilt())
	}
}

// Readers and the background never disagree.
func TestIndexIsReadWhileItIsWritten(t *testing.T) {
	x := openIndex(t, filepath.Join(t.TempDir(), "index.db"), 20)
	defer x.Close()
	const n = 2000
	known := make(chan uint64, n)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for h := range known {
				if off, _, err := x.Header(h); err != nil || off != h*3 {
					t.Errorf("header %d: %d %v", h, off, err)
				}
			}
		})
	}
	for h := range uint64(n) {
		if err := x.PutHeader(h, h*3, nil); err != nil {
			t.Fatal(err)
		}
		known <- h
	}
	close(known)
	wg.Wait()
}

// An index that cannot be written refuses what it cannot hold, and its mark
// never passes what was refused.
func TestIndexThatCannotBeWrittenKeepsItsMark(t *testing.T) {
	x := openIndex(t, filepath.Join(t.TempDir(), "index.db"), 4)
	if err := x.PutHeader(0, 0, nil); err != nil {
		t.Fatal(err)
	}
	x.Advance(1)
	if err := x.Flush(); err != nil {
		t.Fatal(err)
	}
	x.disk.db.Close() // as good as a disk that is gone
	var refused error
	for h := uint64(1); h < 1000 && refused == nil; h++ {
		if refused = x.PutHeader(h, h, nil); refused == nil {
			x.Advance(h + 1)
			if _, _, err := x.Header(h); err != nil {
				t.Fatalf("header %d, which was taken: %v", h, err)
			}
		}
	}
	if refused == nil || x.Err() == nil {
		t.Fatalf("a thousand headers taken: %v", x.Err())
	}
	x.Advance(2000)
	if x.mu.Lock(); x.fresh.mark >= 1000 {
		t.Errorf("advanced to %d over what was refused", x.fresh.mark)
	}
	x.mu.Unlock()
	if x.Close() == nil || x.Mark() != 1 {
		t.Errorf("mark %d", x.Mark())
	}

}

// After a write that failed, its entries are there again below the newer ones,
// with the newer mark and floors.
func TestIndexTakesBackWhatWasNotWritten(t *testing.T) {
	x := &Index{fresh: newOverlay(7, floors{1, 2})}
	x.change.L = &x.mu
	old := newOverlay(5, floors{})
	old.headers[3], old.headers[4] = headerAt{off: 30}, headerAt{off: 40}
	x.writing, x.fresh.headers[4] = old, headerAt{off: 41}
	x.settle(old, errors.New("no room"))
	if x.writing != nil || x.err == nil || x.fresh.mark != 7 || x.fresh.floors != (floors{1, 2}) {
		t.Errorf("mark %d, floors %v, error %v", x.fresh.mark, x.fresh.floors, x.err)
	}
	if x.fresh.headers[3].off != 30 || x.fresh.headers[4].off != 41 {
		t.Errorf("headers %v", x.fresh.headers)
	}
}
