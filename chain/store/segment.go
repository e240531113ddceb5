package store

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"path/filepath"
	"strconv"
	"strings"
)

// A segment's file starts with
//
//	"ioslog" | version u16 | offset of the first record u64 | salt u64 | crc32c u32 | 0 u32
//
// The file gets its name only when this head is durable, so a segment with a bad
// head is damaged, not cut short.
const (
	segmentMagic = "ioslog\x00\x01"
	segmentHead  = 32
	segmentExt   = ".seg"
	tempExt      = ".tmp"
)

// segment is one file of the log. All fields stay as they are once it is open.
type segment struct {
	first uint64 // offset of the first record
	salt  uint64
	name  string // path
	file  File
}

func segmentName(dir string, first uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%020d%s", first, segmentExt))
}

// parseSegmentName reads the offset in a file's name.
func parseSegmentName(base string) (uint64, error) {
	digits, ok := strings.CutSuffix(base, segmentExt)
	if !ok || len(digits) != 20 {
		return 0, fmt.Errorf("%q is not the name of a segment", base)
	}
	return strconv.ParseUint(digits, 10, 64)
}

// place is where in the file the record with an offset is.
func (s *segment) place(off uint64) int64 { return int64(off-s.first) + segmentHead }

func appendSegmentHead(dst []byte, first, salt uint64) []byte {
	at := len(dst)
	dst = append(dst, segmentMagic...)
	dst = binary.LittleEndian.AppendUint64(dst, first)
	dst = binary.LittleEndian.AppendUint64(dst, salt)
	dst = binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[at:], castagnoli))
	return append(dst, 0, 0, 0, 0)
}

func parseSegmentHead(b []byte) (first, salt uint64, err error) {
	if len(b) != segmentHead || string(b[:len(segmentMagic)]) != segmentMagic {
		return 0, 0, errors.New("not a segment of this version")
	}
	first, salt = binary.LittleEndian.Uint64(b[8:]), binary.LittleEndian.Uint64(b[16:])
	if string(appendSegmentHead(nil, first, salt)) != string(b) {
		return 0, 0, errors.New("its head has a wrong checksum")
	}
	return first, salt, nil
}

// createSegment makes the segment that starts at first, in place of one of the
// same name, which then held no acknowledged record. It is durable on return.
func createSegment(fs FS, dir string, first uint64, size int64) (*segment, error) {
	var salt [8]byte
	if _, err := rand.Read(salt[:]); err != nil {
		return nil, err
	}
	s := &segment{first: first, salt: binary.LittleEndian.Uint64(salt[:]), name: segmentName(dir, first)}
	temp := s.name + tempExt
	file, err := fs.Create(temp)
	if err != nil {
		return nil, err
	}
	s.file = file
	if err := s.install(fs, dir, temp, size); err != nil {
		file.Close()
		fs.Remove(temp) // after the rename there is nothing under this name
		return nil, fmt.Errorf("making segment %s: %w", s.name, err)
	}
	return s, nil
}

func (s *segment) install(fs FS, dir, temp string, size int64) error {
	if _, err := s.file.WriteVec([][]byte{appendSegmentHead(nil, s.first, s.salt)}, 0); err != nil {
		return err
	}
	// Room that cannot be reserved may still be there in smaller pieces: the
	// write that does not fit will say so.
	_ = s.file.Preallocate(size)
	if err := s.file.Sync(); err != nil {
		return err
	}
	if err := fs.Rename(temp, s.name); err != nil {
		return err
	}
	return fs.SyncDir(dir)
}

// openSegment opens a segment by the offset in its name.
func openSegment(fs FS, dir string, first uint64) (*segment, error) {
	s := &segment{first: first, name: segmentName(dir, first)}
	file, err := fs.Open(s.name)
	if err != nil {
		return nil, err
	}
	b := make([]byte, segmentHead)
	if _, err := file.ReadAt(b, 0); err != nil && err != io.EOF {
		file.Close()
		return nil, fmt.Errorf("reading segment %s: %w", s.name, err)
	}
	named, salt, err := parseSegmentHead(b)
	if err == nil && named != first {
		err = fmt.Errorf("its head says that it starts at %d", named)
	}
	if err != nil {
		file.Close()
		return nil, &CorruptError{File: s.name, Offset: first, Reason: err.Error()}
	}
	s.salt, s.file = salt, file
	return s, nil
}

// walker reads the records of a segment in order.
type walker struct {
	seg   *segment
	off   uint64 // of the next record
	limit uint64 // where to stop; records may not reach beyond
	buf   []byte // bytes of the segment from bufAt on
	bufAt uint64
}

// walkChunk is how much a walker reads at a time.
const walkChunk = 1 << 20

// next returns the next record, frames too; its data is valid until the call
// after. At the limit, or where nothing was written, the error is errEnd; it is a
// *CorruptError where the bytes are no record.
func (w *walker) next() (off uint64, rec Record, err error) {
	off = w.off
	if off >= w.limit {
		return off, rec, errEnd
	}
	b, err := w.bytes(off, recordHead)
	if err != nil {
		return off, rec, err
	}
	if len(b) < recordHead {
		if strings.Trim(string(b), "\x00") == "" {
			return off, rec, errEnd
		}
		return off, rec, w.corrupt("a record's head is cut short")
	}
	h, err := parseHead(b)
	if err == errEnd {
		return off, rec, errEnd
	} else if err != nil {
		return off, rec, w.corrupt(err.Error())
	}
	size := recordHead + uint64(h.size)
	if size > w.limit-off {
		return off, rec, w.corrupt(fmt.Sprintf("a record of %d bytes reaches beyond the end at %d", size, w.limit))
	}
	if b, err = w.bytes(off, int(size)); err != nil {
		return off, rec, err
	}
	if uint64(len(b)) < size {
		return off, rec, w.corrupt(fmt.Sprintf("a record of %d bytes is cut short after %d", size, len(b)))
	}
	if err := h.check(w.seg.salt, off, b[recordHead:]); err != nil {
		return off, rec, w.corrupt(err.Error())
	}
	w.off = off + size
	return off, Record{Kind: h.kind, Data: b[recordHead:]}, nil
}

// bytes returns n bytes at off, or fewer at the end of the file.
func (w *walker) bytes(off uint64, n int) ([]byte, error) {
	skip := off - w.bufAt
	if off >= w.bufAt && skip <= uint64(len(w.buf)) && uint64(len(w.buf))-skip >= uint64(n) {
		return w.buf[skip:][:n], nil
	}
	want := uint64(max(n, walkChunk))
	want = min(want, max(w.limit-off, uint64(n)))
	if uint64(cap(w.buf)) < want {
		w.buf = make([]byte, want)
	}
	w.buf = w.buf[:want]
	got, err := w.seg.file.ReadAt(w.buf, w.seg.place(off))
	w.buf, w.bufAt = w.buf[:got], off
	if err != nil && err != io.EOF {
		w.buf = w.buf[:0]
		return nil, fmt.Errorf("reading %s at offset %d: %w", w.seg.name, off, err)
	}
	return w.buf[:min(n, got)], nil
}

func (w *walker) corrupt(reason string) error {
	return &CorruptError{File: w.seg.name, Offset: w.off, Reason: reason}
}
