package store

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sort"
)

// find gives the segment that holds off, and where its records end.
func (l *Log) find(off uint64) (s *segment, limit uint64, err error) {
	l.segMu.RLock()
	defer l.segMu.RUnlock()
	limit = l.end.Load()
	i := sort.Search(len(l.segs), func(i int) bool { return l.segs[i].first > off })
	switch {
	case i == 0:
		return nil, 0, fmt.Errorf("offset %d of the log: %w", off, ErrDropped)
	case off >= limit:
		return nil, 0, fmt.Errorf("offset %d of the log, which ends at %d: %w", off, limit, ErrNotFound)
	case i < len(l.segs):
		limit = l.segs[i].first
	}
	return l.segs[i-1], limit, nil
}

// firstRead is how much ReadAt fetches before it knows the record's size.
const firstRead = 4096

// ReadAt reads the durable record at an offset that Done or Scan has given.
func (l *Log) ReadAt(off uint64) (Record, error) {
	s, limit, err := l.find(off)
	if err != nil {
		return Record{}, err
	}
	b := make([]byte, min(firstRead, limit-off))
	if err := l.read(s, off, b); err != nil {
		return Record{}, err
	}
	if len(b) < recordHead {
		return Record{}, fmt.Errorf("offset %d is not the beginning of a record", off)
	}
	h, err := parseHead(b)
	size := recordHead + uint64(h.size)
	if err != nil || h.kind == kindFrame || size > limit-off {
		return Record{}, &CorruptError{File: s.name, Offset: off, Reason: "no record begins here"}
	}
	if have := uint64(len(b)); size > have {
		b = append(make([]byte, 0, size), b...)[:size]
		if err := l.read(s, off+have, b[have:]); err != nil {
			return Record{}, err
		}
	}
	data := b[recordHead:size:size]
	if err := h.check(s.salt, off, data); err != nil {
		return Record{}, &CorruptError{File: s.name, Offset: off, Reason: err.Error()}
	}
	return Record{Kind: h.kind, Data: data}, nil
}

func (l *Log) read(s *segment, off uint64, b []byte) error {
	_, err := s.file.ReadAt(b, s.place(off))
	if err == nil {
		return nil
	}
	return l.readError(s, off, err)
}

func (l *Log) readError(s *segment, off uint64, err error) error {
	switch {
	case errors.Is(err, os.ErrClosed) && off < l.First():
		return fmt.Errorf("offset %d of the log: %w", off, ErrDropped)
	case errors.Is(err, os.ErrClosed):
		return ErrClosed
	case errors.Is(err, io.EOF):
		return &CorruptError{File: s.name, Offset: off, Reason: "the file ends inside a record"}
	}
	return fmt.Errorf("reading %s at offset %d: %w", s.name, off, err)
}

// Scan calls visit for each durable record from an offset on: [Log.First], an
// offset that Done, Mark or Scan has given, or [Log.End]. It ends where the log ended
// when Scan was called, or with the first error. A record's data is valid until
// visit returns.
func (l *Log) Scan(from uint64, visit func(off uint64, rec Record) error) error {
	end := l.End()
	var buf []byte
	for from < end {
		s, limit, err := l.find(from)
		if err != nil {
			return err
		}
		w := walker{seg: s, off: from, limit: min(limit, end), buf: buf[:0], bufAt: from}
		for {
			off, rec, err := w.next()
			if err == errEnd && off >= w.limit {
				break
			} else if err == errEnd {
				return &CorruptError{File: s.name, Offset: off, Reason: "zeros in place of a record"}
			} else if err != nil {
				return l.scanError(s, off, err)
			}
			if rec.Kind == kindFrame {
				continue
			}
			if err := visit(off, rec); err != nil {
				return err
			}
		}
		from, buf = w.off, w.buf
	}
	return nil
}

func (l *Log) scanError(s *segment, off uint64, err error) error {
	if errors.Is(err, os.ErrClosed) {
		return l.readError(s, off, err)
	}
	return err
}

// DropBefore deletes the segments whose records all lie before off. The last
// segment always stays.
func (l *Log) DropBefore(off uint64) error {
	l.segMu.Lock()
	defer l.segMu.Unlock()
	dropped := false
	for len(l.segs) > 1 && l.segs[1].first <= off {
		s := l.segs[0]
		if err := l.opt.FS.Remove(s.name); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("dropping the log before %d: %w", off, err)
		}
		s.file.Close()
		l.segs = l.segs[1:]
		dropped = true
	}
	if !dropped {
		return nil
	}
	if err := l.opt.FS.SyncDir(l.dir); err != nil {
		return fmt.Errorf("dropping the log before %d: %w", off, err)
	}
	return nil
}
