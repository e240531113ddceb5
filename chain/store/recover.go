package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sort"
	"strings"
)

// Recovery says what opening a log found.
type Recovery struct {
	Segments int
	First    uint64 // offset of the first record that is kept
	End      uint64 // offset behind the last record
	Records  uint64 // good records in the last segment
	Clean    bool   // the log was closed in order, or is new
	// TornBytes is what a crash left behind the last good record, in TornFile;
	// it was cut off. None of it had been acknowledged.
	TornBytes int64
	TornFile  string
}

func (r Recovery) String() string {
	s := fmt.Sprintf("log from %d to %d in %d segments", r.First, r.End, r.Segments)
	switch {
	case r.TornBytes > 0:
		return fmt.Sprintf("%s, not closed in order; %d bytes of an unfinished write were cut off %s", s, r.TornBytes, r.TornFile)
	case !r.Clean:
		return s + ", not closed in order; nothing was cut off"
	}
	return s
}

// recover opens the segments and finds the end.
func (l *Log) recover() error {
	fs := l.opt.FS
	if err := fs.MkdirAll(l.dir); err != nil {
		return err
	}
	firsts, err := l.segmentsOnDisk()
	if err != nil {
		return err
	}
	if len(firsts) == 0 {
		s, err := createSegment(fs, l.dir, 0, l.opt.SegmentSize)
		if err != nil {
			return err
		}
		l.segs = []*segment{s}
		l.info = Recovery{Segments: 1, Clean: true}
		l.w.fresh = true
		return nil
	}
	for _, first := range firsts {
		s, err := openSegment(fs, l.dir, first)
		if err != nil {
			return err
		}
		l.segs = append(l.segs, s)
	}
	for i, s := range l.segs[:len(l.segs)-1] {
		if err := s.reaches(l.segs[i+1].first); err != nil {
			return err
		}
	}
	return l.recoverTail()
}

// segmentsOnDisk lists the segments' first offsets, and removes temporary files.
func (l *Log) segmentsOnDisk() ([]uint64, error) {
	names, err := l.opt.FS.List(l.dir)
	if err != nil {
		return nil, err
	}
	var firsts []uint64
	for _, name := range names {
		if strings.HasSuffix(name, tempExt) {
			if err := l.opt.FS.Remove(filepath.Join(l.dir, name)); err != nil {
				return nil, err
			}
			continue
		}
		first, err := parseSegmentName(name)
		if err != nil {
			return nil, fmt.Errorf("%w; move it out of the log's directory", err)
		}
		firsts = append(firsts, first)
	}
	sort.Slice(firsts, func(i, j int) bool { return firsts[i] < firsts[j] })
	return firsts, nil
}

// reaches checks that s has the room for all records before next. What it holds
// behind that was never acknowledged: the next segment replaced it.
func (s *segment) reaches(next uint64) error {
	size, err := s.file.Size()
	if err != nil {
		return fmt.Errorf("reading segment %s: %w", s.name, err)
	}
	if next-s.first > uint64(max(size-segmentHead, 0)) {
		return &CorruptError{File: s.name, Offset: s.first + uint64(max(size-segmentHead, 0)),
			Reason: fmt.Sprintf("it ends before the next segment, which starts at %d", next)}
	}
	return nil
}

// recoverTail finds the end in the last segment, cuts off what a crash left
// behind it, and makes the rest durable: a process that was killed may have left
// records that never reached the disk, and they count from now on.
func (l *Log) recoverTail() error {
	s := l.segs[len(l.segs)-1]
	size, err := s.file.Size()
	if err != nil {
		return err
	}
	data, err := s.file.DataEnd() // nearly all of it is room that was never written to
	if err != nil {
		return fmt.Errorf("looking for the end of %s: %w", s.name, err)
	}
	w := walker{seg: s, off: s.first, limit: s.first + uint64(max(size-segmentHead, 0))}
	written := min(w.limit, s.first+uint64(max(data-segmentHead, 0))+frameSize) // a frame may end with zeros
	var records uint64
	var damage error
	clean := true
	for damage == nil {
		_, rec, err := w.next()
		var corrupt *CorruptError
		switch {
		case err == nil && rec.Kind == kindFrame:
			clean = true
		case err == nil:
			clean = false
			records++
		case errors.Is(err, errEnd) || errors.As(err, &corrupt):
			damage = err
		default:
			return err
		}
	}
	torn, err := l.examineTail(s, w.off, written, damage)
	if err != nil {
		return err
	}
	if torn > 0 {
		if err := s.file.Truncate(s.place(w.off)); err != nil {
			return fmt.Errorf("cutting off an unfinished write: %w", err)
		}
		l.info.TornBytes, l.info.TornFile = torn, s.name
	}
	if s.place(w.off) < l.opt.SegmentSize {
		_ = s.file.Preallocate(l.opt.SegmentSize)
	}
	if err := s.file.Sync(); err != nil {
		return fmt.Errorf("syncing %s: %w", s.name, err)
	}
	l.w.end, l.w.fresh = w.off, clean
	l.end.Store(w.off)
	l.info.Segments, l.info.First, l.info.End = len(l.segs), l.segs[0].first, w.off
	l.info.Records, l.info.Clean = records, clean && torn == 0
	return nil
}

// examineTail looks at the bytes from the first that is no good record. They are
// an unfinished write unless a good frame comes after: it was written when all
// before it was durable, so the damage came later. It returns how many bytes
// there are, without the zeros at the end.
func (l *Log) examineTail(s *segment, off, limit uint64, damage error) (torn int64, err error) {
	var salt [8]byte
	binary.LittleEndian.PutUint64(salt[:], s.salt)
	buf := make([]byte, walkChunk)
	for at := off; at < limit; {
		want := min(uint64(len(buf)), limit-at)
		n, err := s.file.ReadAt(buf[:want], s.place(at))
		if err != nil && err != io.EOF {
			return 0, fmt.Errorf("reading %s at offset %d: %w", s.name, at, err)
		}
		if b := buf[:n]; !bytes.Equal(b, zeros[:n]) {
			torn = int64(at-off) + int64(len(bytes.TrimRight(b, "\x00")))
			if l.hasFrame(s, b, at, off, salt[:]) {
				return 0, asCorrupt(damage, s, off)
			}
		}
		if n < frameSize || uint64(n) < want || at+uint64(n) >= limit {
			break
		}
		at += uint64(n) - frameSize // a salt may lie across the chunks
	}
	return torn, nil
}

// zeros are what is in a segment's room until it is written to.
var zeros [walkChunk]byte

// hasFrame says whether there is a good frame behind after among the bytes b at
// the offset at.
func (l *Log) hasFrame(s *segment, b []byte, at, after uint64, salt []byte) bool {
	for i := 0; ; i++ {
		k := bytes.Index(b[i:], salt)
		if k < 0 {
			return false
		}
		i += k
		if l.frameAt(s, at+uint64(i)-recordHead, after) {
			return true
		}
	}
}

// frameAt says whether there is a good frame at off, behind after.
func (l *Log) frameAt(s *segment, off, after uint64) bool {
	if off <= after || off < s.first {
		return false
	}
	w := walker{seg: s, off: off, limit: off + frameSize}
	_, rec, err := w.next()
	return err == nil && rec.Kind == kindFrame
}

func asCorrupt(damage error, s *segment, off uint64) error {
	var c *CorruptError
	if errors.As(damage, &c) {
		return c
	}
	return &CorruptError{File: s.name, Offset: off, Reason: "zeros in place of a record"}
}
