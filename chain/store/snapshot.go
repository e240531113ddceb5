package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A snapshot's file is
//
//	"iossnap" 1 | height u64 | chunk … | end
//
// where a chunk is (length u32, at least 1 | crc32c u32 | data) and the end is
// (0 u32 | crc32c u32 | number of all data bytes u64), little-endian. Checksums
// are over height, place of the data in the stream, length and data. All chunks
// but the last are full, so equal streams give equal files.
const (
	snapshotMagic = "iossnap\x01"
	snapshotHead  = 16
	snapshotChunk = 1 << 20
	snapshotExt   = ".snap"
	snapshotsKept = 2
)

// Snapshots is a directory of states by height.
type Snapshots struct {
	dir string
	fs  FS
}

// OpenSnapshots opens the directory, or makes it, and removes what a crash left
// unfinished. A nil FS is the operating system's.
func OpenSnapshots(dir string, fs FS) (*Snapshots, error) {
	if fs == nil {
		fs = OS
	}
	s := &Snapshots{dir, fs}
	if err := fs.MkdirAll(dir); err != nil {
		return nil, fmt.Errorf("opening the snapshots: %w", err)
	}
	if err := removeTemps(fs, dir); err != nil {
		return nil, fmt.Errorf("opening the snapshots: %w", err)
	}
	return s, nil
}

func removeTemps(fs FS, dir string) error {
	names, err := fs.List(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if strings.HasSuffix(name, tempExt) {
			if err := fs.Remove(filepath.Join(dir, name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// Heights lists the heights of the snapshots on disk, ascending, good or not.
func (s *Snapshots) Heights() ([]uint64, error) {
	names, err := s.fs.List(s.dir)
	if err != nil {
		return nil, err
	}
	var list []uint64
	for _, name := range names {
		digits, ok := strings.CutSuffix(name, snapshotExt)
		if h, err := strconv.ParseUint(digits, 10, 64); ok && err == nil && len(digits) == 20 {
			list = append(list, h)
		}
	}
	slices.Sort(list)
	return list, nil
}

func (s *Snapshots) name(height uint64) string {
	return filepath.Join(s.dir, fmt.Sprintf("%020d%s", height, snapshotExt))
}

// Write stores what fill writes as the state at a height. It is there in whole
// or not at all, and durable on return. Snapshots older than the newest two are
// deleted.
func (s *Snapshots) Write(height uint64, fill func(io.Writer) error) error {
	temp := s.name(height) + tempExt
	err := s.writeTemp(temp, height, fill)
	if err == nil {
		err = s.fs.Rename(temp, s.name(height))
	}
	if err != nil {
		s.fs.Remove(temp)
		return fmt.Errorf("writing the snapshot of height %d: %w", height, err)
	}
	if err := s.fs.SyncDir(s.dir); err != nil {
		return fmt.Errorf("writing the snapshot of height %d: %w", height, err)
	}
	return s.prune()
}

func (s *Snapshots) writeTemp(temp string, height uint64, fill func(io.Writer) error) error {
	file, err := s.fs.Create(temp)
	if err != nil {
		return err
	}
	w := &snapshotWriter{out: &fileWriter{file: file}, height: height}
	if err = w.begin(); err == nil {
		if err = fill(w); err == nil {
			if err = w.end(); err == nil {
				err = file.Sync()
			}
		}
	}
	if cerr := file.Close(); err == nil {
		err = cerr
	}
	return err
}

func (s *Snapshots) prune() error {
	heights, err := s.Heights()
	if err != nil {
		return err
	}
	for _, h := range heights[:max(len(heights)-snapshotsKept, 0)] {
		if err := s.fs.Remove(s.name(h)); err != nil {
			return fmt.Errorf("deleting an old snapshot: %w", err)
		}
	}
	return nil
}

// Snapshot is a good snapshot as a stream.
type Snapshot struct {
	Height uint64
	// Skipped says which newer snapshots were passed over because they are
	// damaged, and why.
	Skipped []error
	r       *snapshotReader
	file    File
}

// Read reads the stream. All of it was checked before, and each piece is
// checked again as it is read.
func (s *Snapshot) Read(p []byte) (int, error) { return s.r.Read(p) }

// Close closes the file.
func (s *Snapshot) Close() error { return s.file.Close() }

// Latest opens the newest good snapshot: it reads each in whole before it is
// trusted, the newest first. Without any the error is ErrNotFound, together with
// what was wrong with those that are there.
func (s *Snapshots) Latest() (*Snapshot, error) {
	heights, err := s.Heights()
	if err != nil {
		return nil, fmt.Errorf("looking for a snapshot: %w", err)
	}
	var skipped []error
	for _, h := range slices.Backward(heights) {
		snap, err := s.open(h)
		if err == nil {
			snap.Skipped = skipped
			return snap, nil
		}
		skipped = append(skipped, err)
	}
	return nil, errors.Join(append([]error{fmt.Errorf("a snapshot in %s: %w", s.dir, ErrNotFound)}, skipped...)...)
}

func (s *Snapshots) open(height uint64) (*Snapshot, error) {
	name := s.name(height)
	file, err := s.fs.Open(name)
	if err != nil {
		return nil, err
	}
	stream := func() (*snapshotReader, error) {
		return newSnapshotReader(io.NewSectionReader(file, 0, math.MaxInt64), height)
	}
	r, err := stream()
	if err == nil {
		_, err = io.Copy(io.Discard, r)
	}
	if err == nil {
		r, err = stream()
	}
	if err == nil {
		return &Snapshot{Height: height, r: r, file: file}, nil
	}
	file.Close()
	return nil, fmt.Errorf("snapshot %s: %w", name, err)
}

func snapshotSum(height, at uint64, data []byte) uint32 {
	var h [20]byte
	binary.LittleEndian.PutUint64(h[0:], height)
	binary.LittleEndian.PutUint64(h[8:], at)
	binary.LittleEndian.PutUint32(h[16:], uint32(len(data)))
	return crc32.Update(crc32.Checksum(h[:], castagnoli), castagnoli, data)
}
