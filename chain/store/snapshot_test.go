package store

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"
)

func state(height uint64, size int) []byte {
	b := make([]byte, size)
	r := rand.NewChaCha8([32]byte{byte(height)})
	r.Read(b)
	return b
}

func writeState(s *Snapshots, height uint64, size int) error {
	return s.Write(height, func(w io.Writer) error {
		for b := state(height, size); len(b) > 0; {
			n := min(len(b), 70_001)
			if _, err := w.Write(b[:n]); err != nil {
				return err
			}
			b = b[n:]
		}
		return nil
	})
}

func latest(s *Snapshots) (height uint64, content []byte, skipped []error, err error) {
	snap, err := s.Latest()
	if err != nil {
		return 0, nil, nil, err
	}
	defer snap.Close()
	content, err = io.ReadAll(snap)
	return snap.Height, content, snap.Skipped, err
}

func openSnapshots(t *testing.T, fs FS) *Snapshots {
	t.Helper()
	s, err := OpenSnapshots("snap", fs)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The newest two are kept, and the newest is read back whatever its size.
func TestSnapshotsKeepTheNewestTwo(t *testing.T) {
	s := openSnapshots(t, newMemFS())
	if _, err := s.Latest(); !errors.Is(err, ErrNotFound) {
		t.Fatalf("without any: %v", err)
	}
	for i, size := range []int{0, 1, snapshotChunk - 1, snapshotChunk, snapshotChunk + 1, 3 * snapshotChunk} {
		h := uint64(10 * (i + 1))
		if err := writeState(s, h, size); err != nil {
			t.Fatal(err)
		}
		height, b, skipped, err := latest(s)
		if err != nil || height != h || len(skipped) != 0 || !bytes.Equal(b, state(h, size)) {
			t.Fatalf("height %d with %d bytes, skipped %v, %v", height, len(b), skipped, err)
		}
	}
	if list, _ := s.Heights(); !slices.Equal(list, []uint64{50, 60}) {
		t.Errorf("kept %v", list)
	}
}

// A snapshot with any byte changed, or cut anywhere, is passed over for the one
// before it, and that is said.
func TestSnapshotsPassOverDamage(t *testing.T) {
	fs := newMemFS()
	s := openSnapshots(t, fs)
	for _, h := range []uint64{3, 4} {
		if err := writeState(s, h, 300); err != nil {
			t.Fatal(err)
		}
	}
	ino := fs.files[s.name(4)]
	good := slices.Clone(ino.now)
	try := func(what string, b []byte) {
		t.Helper()
		ino.now = b
		height, content, skipped, err := latest(s)
		if err != nil || height != 3 || len(skipped) != 1 || !bytes.Equal(content, state(3, 300)) {
			t.Fatalf("%s: height %d, skipped %v, %v", what, height, skipped, err)
		}
	}
	for at := range good {
		b := slices.Clone(good)
		b[at] ^= 0x10
		try(fmt.Sprintf("byte %d changed", at), b)
		try(fmt.Sprintf("cut at %d", at), good[:at:at])
	}
	try("a byte more", append(slices.Clone(good), 0))
	fs.files[s.name(3)].now[40]++
	if _, err := s.Latest(); !errors.Is(err, ErrNotFound) {
		t.Errorf("with none that is good: %v", err)
	}
}

// Whenever the power goes, the newest snapshot that was finished is there.
func TestSnapshotsSurvivePowerCuts(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 2))
		fs := newMemFS()
		s := openSnapshots(t, fs)
		fs.set(func() { fs.cutAt = 1 + r.IntN(40) })
		done := uint64(0)
		for h := uint64(1); writeState(s, h, r.IntN(3000)) == nil; h++ {
			done = h
		}
		s = openSnapshots(t, fs.reboot(r))
		height, _, _, err := latest(s)
		if done > 0 && (err != nil || height < done) {
			t.Fatalf("seed %d: height %d after %d was finished: %v", seed, height, done, err)
		}
		if names, _ := s.fs.List("snap"); slices.ContainsFunc(names, func(n string) bool { return n[len(n)-4:] == tempExt }) {
			t.Fatalf("seed %d: unfinished files stay: %v", seed, names)
		}
	}
}

// A snapshot for which there is no room, or whose content fails, leaves nothing.
func TestSnapshotsThatFailLeaveNothing(t *testing.T) {
	fs := newMemFS()
	s := openSnapshots(t, fs)
	if err := writeState(s, 1, 100); err != nil {
		t.Fatal(err)
	}
	fs.set(func() { fs.room = 1000 })
	if err := writeState(s, 2, 5000); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("without room: %v", err)
	}
	fs.set(func() { fs.room = -1 })
	if err := s.Write(3, func(io.Writer) error { return io.ErrNoProgress }); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("content that fails: %v", err)
	}
	fs.set(func() { fs.syncFails = 1 })
	if err := writeState(s, 4, 5000); !errors.Is(err, syscall.EIO) {
		t.Errorf("a sync that fails: %v", err)
	}
	if names, _ := fs.List("snap"); len(names) != 1 {
		t.Errorf("left %v", names)
	}
}

// FuzzSnapshot: a file that reads as a snapshot is what writing its content gives.
func FuzzSnapshot(f *testing.F) {
	for _, size := range []int{0, 5, 400} {
		fs := newMemFS()
		s, _ := OpenSnapshots("snap", fs)
		if err := writeState(s, 7, size); err != nil {
			f.Fatal(err)
		}
		f.Add(fs.files[s.name(7)].now)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := newSnapshotReader(bytes.NewReader(b), 7)
		if err != nil {
			return
		}
		content, err := io.ReadAll(r)
		if err != nil {
			return
		}
		var again bytes.Buffer
		w := snapshotWriter{out: &again, height: 7}
		if w.begin() != nil {
			t.Fatal()
		}
		if _, err := w.Write(content); err != nil || w.end() != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(again.Bytes(), b) {
			t.Fatalf("%d bytes read, %d written again", len(b), again.Len())
		}
	})
}
