package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// snapshotWriter cuts a stream into chunks.
type snapshotWriter struct {
	out    io.Writer
	height uint64
	at     uint64 // data bytes before buf
	buf    []byte
}

func (w *snapshotWriter) begin() error {
	head := binary.LittleEndian.AppendUint64([]byte(snapshotMagic), w.height)
	_, err := w.out.Write(head)
	return err
}

func (w *snapshotWriter) Write(p []byte) (int, error) {
	if w.buf == nil {
		w.buf = make([]byte, 0, snapshotChunk)
	}
	n := 0
	for n < len(p) {
		k := min(len(p)-n, snapshotChunk-len(w.buf))
		w.buf = append(w.buf, p[n:n+k]...)
		n += k
		if len(w.buf) == snapshotChunk {
			if err := w.flush(); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

func (w *snapshotWriter) flush() error {
	var head [8]byte
	binary.LittleEndian.PutUint32(head[0:], uint32(len(w.buf)))
	binary.LittleEndian.PutUint32(head[4:], snapshotSum(w.height, w.at, w.buf))
	if _, err := w.out.Write(head[:]); err != nil {
		return err
	}
	_, err := w.out.Write(w.buf)
	w.at += uint64(len(w.buf))
	w.buf = w.buf[:0]
	return err
}

func (w *snapshotWriter) end() error {
	if len(w.buf) > 0 {
		if err := w.flush(); err != nil {
			return err
		}
	}
	var end [16]byte
	binary.LittleEndian.PutUint32(end[4:], snapshotSum(w.height, w.at, nil))
	binary.LittleEndian.PutUint64(end[8:], w.at)
	_, err := w.out.Write(end[:])
	return err
}

// snapshotReader gives back the stream, chunk by chunk, each checked before any
// of it is given.
type snapshotReader struct {
	in     io.Reader
	height uint64
	at     uint64
	short  bool // the last chunk was not full, so the end must follow
	buf    []byte
	rest   []byte
	err    error
}

func newSnapshotReader(in io.Reader, height uint64) (*snapshotReader, error) {
	var head [snapshotHead]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return nil, fmt.Errorf("reading its head: %w", err)
	}
	if string(head[:8]) != snapshotMagic {
		return nil, errors.New("not a snapshot of this version")
	}
	if h := binary.LittleEndian.Uint64(head[8:]); h != height {
		return nil, fmt.Errorf("it is of height %d", h)
	}
	return &snapshotReader{in: in, height: height}, nil
}

func (r *snapshotReader) Read(p []byte) (int, error) {
	for len(r.rest) == 0 {
		if r.err == nil {
			r.err = r.fetch()
		}
		if r.err != nil {
			return 0, r.err
		}
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// fetch reads the next chunk; the error is io.EOF behind a good end.
func (r *snapshotReader) fetch() error {
	var head [8]byte
	if _, err := io.ReadFull(r.in, head[:]); err != nil {
		return r.broken(noEOF(err))
	}
	n, sum := binary.LittleEndian.Uint32(head[0:]), binary.LittleEndian.Uint32(head[4:])
	if n == 0 {
		return r.finish(sum)
	}
	if n > snapshotChunk || r.short {
		return r.broken(fmt.Errorf("a chunk of %d bytes does not belong here", n))
	}
	if r.buf == nil {
		r.buf = make([]byte, snapshotChunk)
	}
	data := r.buf[:n]
	if _, err := io.ReadFull(r.in, data); err != nil {
		return r.broken(noEOF(err))
	}
	if snapshotSum(r.height, r.at, data) != sum {
		return r.broken(errors.New("wrong checksum"))
	}
	r.rest, r.short = data, n < snapshotChunk
	r.at += uint64(n)
	return nil
}

func (r *snapshotReader) finish(sum uint32) error {
	var total [8]byte
	if _, err := io.ReadFull(r.in, total[:]); err != nil {
		return r.broken(noEOF(err))
	}
	if sum != snapshotSum(r.height, r.at, nil) || binary.LittleEndian.Uint64(total[:]) != r.at {
		return r.broken(errors.New("the end does not fit what came before"))
	}
	if n, err := r.in.Read(total[:1]); n > 0 || (err != nil && err != io.EOF) {
		return r.broken(fmt.Errorf("something follows the end (%v)", err))
	}
	return io.EOF
}

func (r *snapshotReader) broken(err error) error {
	return fmt.Errorf("damaged behind %d bytes of its content: %w", r.at, err)
}

func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
