package store

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"

	"pgregory.net/rapid"
)

// hash is a type of its own, as ids are.
type hash [32]byte

func idOf(n uint64) hash { return sha256.Sum256(binary.BigEndian.AppendUint64(nil, n)) }

// crowded makes ids whose prefixes are close together, as somebody who can
// choose them would, and sometimes equal.
func crowded(n uint64) hash {
	id := idOf(n)
	binary.BigEndian.PutUint64(id[:], 0x1234567800000000+n%700)
	return id
}

// idsTwin is the naive index of ids.
type idsTwin struct {
	at    map[uint64][]uint64 // prefix to heights
	floor uint64
}

func (m *idsTwin) add(height uint64, ids []hash) {
	for _, id := range ids {
		p := binary.BigEndian.Uint64(id[:8])
		if !slices.Contains(m.at[p], height) {
			m.at[p] = append(m.at[p], height)
		}
	}
}

func (m *idsTwin) check(t interface{ Fatalf(string, ...any) }, x *IDs, of func(uint64) hash, n uint64) {
	for i := uint64(0); i < n; i += 1 + n/300 {
		id := of(i)
		got, err := x.Find(id)
		want := slices.DeleteFunc(slices.Clone(m.at[binary.BigEndian.Uint64(id[:8])]), func(h uint64) bool { return h < m.floor })
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("id %d: heights %v, want %v; %v (runs %v)", i, got, want, err, x.RunFiles())
		}
	}
}

// Through runs, merges, drops and restarts, ids are found at the heights at which
// they were added; like a map.
func TestIDsBehaveLikeAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fs := newMemFS()
		opt := IDsOptions{FS: fs, TableSize: rapid.SampledFrom([]int{1, 30, 400}).Draw(t, "table")}
		x, err := OpenIDs("ids", opt)
		if err != nil {
			t.Fatal(err)
		}
		of := rapid.SampledFrom([]func(uint64) hash{idOf, crowded}).Draw(t, "ids")
		m := &idsTwin{at: map[uint64][]uint64{}}
		height, next := rapid.Uint64Range(0, 1e15).Draw(t, "height"), uint64(0)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch rapid.IntRange(0, 12).Draw(t, "what") {
			default:
				var ids []hash
				for range rapid.IntRange(0, 90).Draw(t, "block") {
					ids = append(ids, of(next))
					next++
				}
				if next > 5 && rapid.Bool().Draw(t, "again") {
					ids = append(ids, of(next-5), of(next-5))
				}
				if err := AddBlock(x, height, ids); err != nil {
					t.Fatal(err)
				}
				m.add(height, ids)
				height += rapid.Uint64Range(1, 3).Draw(t, "step")
			case 10:
				if err := x.Flush(); err != nil {
					t.Fatal(err)
				}
				if c, ok := x.Covered(); len(m.at) > 0 && (!ok || c >= height) {
					t.Fatalf("covered up to %d %v at height %d", c, ok, height)
				}
			case 11:
				m.floor = max(m.floor, height-rapid.Uint64Range(0, min(20, height)).Draw(t, "keep"))
				x.DropBefore(m.floor)
			case 12:
				if err := x.Close(); err != nil {
					t.Fatal(err)
				}
				if x, err = OpenIDs("ids", opt); err != nil || len(x.Problems()) > 0 {
					t.Fatal(err, x.Problems())
				}
				x.DropBefore(m.floor)
			}
		}
		m.check(t, x, of, next+3)
		if err := x.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := x.Find(of(0)); !errors.Is(err, ErrClosed) {
			t.Fatalf("finding in what is closed: %v", err)
		}
	})
}

// Many runs are merged in the background into few, and dropped ones go.
func TestIDsMergeRuns(t *testing.T) {
	fs := newMemFS()
	x, err := OpenIDs("ids", IDsOptions{FS: fs, TableSize: 10})
	if err != nil {
		t.Fatal(err)
	}
	m := &idsTwin{at: map[uint64][]uint64{}}
	for h := range uint64(1000) {
		ids := make([]hash, 10)
		for i := range ids {
			ids[i] = idOf(h*10 + uint64(i))
		}
		if err := AddBlock(x, h, ids); err != nil {
			t.Fatal(err)
		}
		m.add(h, ids)
	}
	if err := x.Close(); err != nil { // waits for the background
		t.Fatal(err)
	}
	if n := len(x.RunFiles()); n > 3*(fanIn-1)+fanIn {
		t.Errorf("%d runs of 1000 tables", n)
	}
	if names, _ := fs.List("ids"); len(names) != len(x.RunFiles()) {
		t.Errorf("%d files for %d runs", len(names), len(x.RunFiles()))
	}
	if x, err = OpenIDs("ids", IDsOptions{FS: fs, TableSize: 10}); err != nil {
		t.Fatal(err)
	}
	m.check(t, x, idOf, 10_050)
	m.floor = 990
	x.DropBefore(m.floor)
	if err := AddBlock(x, 1000, []hash{idOf(1)}); err != nil {
		t.Fatal(err)
	}
	m.add(1000, []hash{idOf(1)})
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	if x, err = OpenIDs("ids", IDsOptions{FS: fs, TableSize: 10}); err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	x.DropBefore(m.floor)
	m.check(t, x, idOf, 10_050)
	if first := x.RunFiles()[0]; first[21:] < "00000000000000000900" {
		t.Errorf("the oldest run is %s", first)
	}
}

// After a power cut at any moment the log's blocks above Covered complete the
// ids again.
func TestIDsSurvivePowerCuts(t *testing.T) {
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 3))
		fs := newMemFS()
		m := &idsTwin{at: map[uint64][]uint64{}}
		blocks := map[uint64][]hash{}
		height, next := uint64(0), uint64(0)
		for life := range 4 {
			fs.set(func() { fs.cutAt = fs.calls + 1 + r.IntN(150) })
			x, err := OpenIDs("ids", IDsOptions{FS: fs, TableSize: 20})
			if errors.Is(err, errPower) {
				fs = fs.reboot(r)
				continue
			} else if err != nil {
				t.Fatal(err)
			}
			from := uint64(0)
			if c, ok := x.Covered(); ok {
				from = c + 1
			}
			if from > height || len(x.Problems()) > 0 {
				t.Fatalf("seed %d life %d: covered up to %d at height %d: %v", seed, life, from, height, x.Problems())
			}
			for h := from; h < height; h++ {
				if err = AddBlock(x, h, blocks[h]); err != nil {
					break
				}
			}
			if err == nil {
				m.check(t, x, idOf, next)
			}
			for err == nil && r.IntN(200) > 0 {
				ids := make([]hash, r.IntN(15))
				for i := range ids {
					ids[i] = idOf(next + uint64(i))
				}
				if err = AddBlock(x, height, ids); err == nil {
					blocks[height] = ids
					m.add(height, ids)
					height, next = height+1, next+uint64(len(ids))
				}
			}
			x.Close()
			fs = fs.reboot(r)
		}
	}
}

// Without room, ids are held as far as memory is bounded, then refused without a
// hole; with room again everything goes on.
func TestIDsOnAFullDisk(t *testing.T) {
	fs := newMemFS()
	x, err := OpenIDs("ids", IDsOptions{FS: fs, TableSize: 10})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	m := &idsTwin{at: map[uint64][]uint64{}}
	fs.set(func() { fs.room = 100 })
	h := uint64(0)
	for ; h < 1000; h++ {
		if err = AddBlock(x, h, []hash{idOf(h)}); err != nil {
			break
		}
		m.add(h, []hash{idOf(h)})
	}
	if !errors.Is(err, syscall.ENOSPC) || x.Err() == nil {
		t.Fatalf("%d ids taken on a full disk: %v", h, err)
	}
	m.check(t, x, idOf, h+1)
	fs.set(func() { fs.room = -1 })
	if err := x.Flush(); err != nil {
		t.Fatal(err)
	}
	for end := h + 50; h < end; h++ {
		if err := AddBlock(x, h, []hash{idOf(h)}); err != nil {
			t.Fatal(err)
		}
		m.add(h, []hash{idOf(h)})
	}
	m.check(t, x, idOf, h)
}

// A damaged run is told when it is read, or deleted with what follows when the
// ids are opened; never is an id looked for in vain because of it.
func TestIDsTellDamage(t *testing.T) {
	build := func() (*memFS, string) {
		fs := newMemFS()
		x, err := OpenIDs("ids", IDsOptions{FS: fs, TableSize: 100})
		if err != nil {
			t.Fatal(err)
		}
		for h := range uint64(90) {
			if err := AddBlock(x, h, []hash{idOf(8 * h), idOf(8*h + 1), idOf(8*h + 2), idOf(8*h + 3), idOf(8*h + 4), idOf(8*h + 5), idOf(8*h + 6), idOf(8*h + 7)}); err != nil {
				t.Fatal(err)
			}
		}
		if err := x.Close(); err != nil {
			t.Fatal(err)
		}
		return fs, "ids/" + x.RunFiles()[0] + runExt
	}
	fs, name := build()
	size := len(fs.files[name].now)
	for at := 0; at < size; at += 1 + at%61 {
		fs, name := build()
		fs.files[name].now[at] ^= 0x40
		x, err := OpenIDs("ids", IDsOptions{FS: fs, TableSize: 100})
		if err != nil {
			t.Fatal(err)
		}
		if len(x.Problems()) > 0 {
			if _, ok := x.Covered(); ok || at >= runPage {
				t.Fatalf("byte %d changed: %v", at, x.Problems())
			}
			x.Close()
			continue
		}
		told := false
		for n := uint64(0); n < 90*8; n += 5 {
			list, err := x.Find(idOf(n))
			var c *CorruptError
			switch {
			case err == nil && !slices.Equal(list, []uint64{n / 8}):
				t.Fatalf("byte %d changed: id %d at %v", at, n, list)
			case errors.As(err, &c) && c.File == name:
				told = true
			case err != nil:
				t.Fatalf("byte %d changed: %v", at, err)
			}
		}
		if !told {
			t.Fatalf("byte %d changed: nothing told", at)
		}
		x.Close()
	}
	fs, name = build()
	fs.files[name].now = fs.files[name].now[:size-1]
	x, err := OpenIDs("ids", IDsOptions{FS: fs, TableSize: 100})
	if err != nil || len(x.Problems()) == 0 {
		t.Fatalf("a run that is too short: %v, %v", err, x.Problems())
	}
	x.Close()
}

func FuzzRunPage(f *testing.F) {
	h := runHead{100, 200, runEntries + 2}
	f.Add(h.encode(), uint64(1), h.encodePage(1, []idEntry{{5, 3}, {5, 4}}))
	full := make([]idEntry, runEntries)
	for i := range full {
		full[i] = idEntry{uint64(i), uint32(i % 100)}
	}
	f.Add(h.encode(), uint64(0), h.encodePage(0, full))
	f.Fuzz(func(t *testing.T, head []byte, page uint64, b []byte) {
		h, err := parseRunHead(head)
		if err != nil {
			return
		}
		entries, err := h.decodePage(page, b, nil)
		if err != nil {
			return
		}
		if string(h.encodePage(page, entries)) != string(b) {
			t.Fatal("a page read and written again differs")
		}
	})
}

func BenchmarkIDsAdd10k(b *testing.B) {
	x, err := OpenIDs(b.TempDir(), IDsOptions{})
	if err != nil {
		b.Fatal(err)
	}
	defer x.Close()
	ids := make([]hash, 10_000)
	src := rand.NewChaCha8([32]byte{5})
	h := uint64(0)
	for b.Loop() {
		b.StopTimer()
		for i := range ids {
			src.Read(ids[i][:])
		}
		b.StartTimer()
		if err := AddBlock(x, h, ids); err != nil {
			b.Fatal(err)
		}
		h++
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/10_000, "ns/id")
}

func BenchmarkIDsFind(b *testing.B) {
	x, err := OpenIDs(b.TempDir(), IDsOptions{})
	if err != nil {
		b.Fatal(err)
	}
	defer x.Close()
	for h := range uint64(300) {
		ids := make([]hash, 10_000)
		for i := range ids {
			ids[i] = idOf(h*10_000 + uint64(i))
		}
		if err := AddBlock(x, h, ids); err != nil {
			b.Fatal(err)
		}
	}
	if err := x.Flush(); err != nil {
		b.Fatal(err)
	}
	b.Run(fmt.Sprintf("runs=%d", len(x.RunFiles())), func(b *testing.B) {
		for n := uint64(0); b.Loop(); n++ {
			if list, err := x.Find(idOf(n * 7919 % 3_000_000)); err != nil || len(list) == 0 {
				b.Fatal(list, err)
			}
		}
	})
}
