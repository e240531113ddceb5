package utxo

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"testing"
)

func snapshot(t testing.TB, coins uint64, seed [16]byte) []byte {
	s := New(seed)
	for n := range coins {
		s.Add(point(n), Coin{owner(n), n + 1})
	}
	var b bytes.Buffer
	if err := s.AppendSnapshot(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A snapshot depends on the coins alone: not on the secret, nor on the order and
// the detours by which they came.
func TestSnapshotIsCanonical(t *testing.T) {
	a := snapshot(t, 5000, seed)
	s := New([16]byte{9})
	for n := uint64(8000); n > 0; n-- {
		s.Add(point(n-1), Coin{owner(n - 1), n})
	}
	for n := uint64(5000); n < 8000; n++ {
		s.Remove(point(n), owner(n))
	}
	var b bytes.Buffer
	if err := s.AppendSnapshot(&b); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a, b.Bytes()) {
		t.Error("two equal sets have different snapshots")
	}
}

func TestLoadRefuses(t *testing.T) {
	good := snapshot(t, 50, seed)
	entry := func(b []byte, i int) []byte { return b[16+i*EntrySize:][:EntrySize] }
	for name, change := range map[string]func(b []byte) []byte{
		"another version":   func(b []byte) []byte { b[7]++; return b },
		"a coin less":       func(b []byte) []byte { return b[:len(b)-EntrySize] },
		"half a coin":       func(b []byte) []byte { return b[:len(b)-10] },
		"a hostile count":   func(b []byte) []byte { b[8] = 0xff; return b },
		"a coin twice":      func(b []byte) []byte { copy(entry(b, 7), entry(b, 6)); return b },
		"an amount of zero": func(b []byte) []byte { clear(entry(b, 3)[68:]); return b },
		"amounts that wrap": func(b []byte) []byte { binary.BigEndian.PutUint64(entry(b, 3)[68:], 1<<64-1); return b },
		"two coins exchanged": func(b []byte) []byte {
			c := slices.Clone(entry(b, 4))
			copy(entry(b, 4), entry(b, 5))
			copy(entry(b, 5), c)
			return b
		},
	} {
		if _, err := Load(bytes.NewReader(change(slices.Clone(good))), seed); err == nil {
			t.Errorf("%s: loaded", name)
		}
	}
	if _, err := Load(bytes.NewReader(good), seed); err != nil {
		t.Error(err)
	}
}

type brokenWriter struct{ left int }

var errBroken = errors.New("broken")

func (w *brokenWriter) Write(p []byte) (int, error) {
	if w.left -= len(p); w.left < 0 {
		return 0, errBroken
	}
	return len(p), nil
}

func TestAppendSnapshotReportsAWriterThatFails(t *testing.T) {
	s := New(seed)
	for n := range uint64(5000) {
		s.Add(point(n), Coin{owner(n), n + 1})
	}
	for _, room := range []int{0, 300_000} {
		if err := s.AppendSnapshot(&brokenWriter{room}); !errors.Is(err, errBroken) {
			t.Errorf("room for %d bytes: %v", room, err)
		}
	}
}

// FuzzLoad: what loads is written back as the same bytes.
func FuzzLoad(f *testing.F) {
	f.Add(snapshot(f, 0, seed))
	f.Add(snapshot(f, 3, seed))
	f.Add(snapshot(f, 40, seed))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		s, err := Load(r, seed)
		if err != nil {
			return
		}
		var again bytes.Buffer
		if err := s.AppendSnapshot(&again); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(again.Bytes(), b[:len(b)-r.Len()]) {
			t.Fatal("loaded and written again, a snapshot differs")
		}
		if _, _, err := s.Recount(); err != nil {
			t.Fatal(err)
		}
	})
}
