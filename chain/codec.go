package chain

import (
	"encoding/binary"
	"fmt"
)

// Encoders append to a buffer; the integers are big-endian.
var be = binary.BigEndian

// Reader decodes a canonical encoding. The first fault sticks, later reads give
// zero values, and [Reader.Close] reports the fault or the bytes left over.
// What it returns aliases the buffer.
type Reader struct {
	buf []byte
	off int
	err error
}

// NewReader reads from buf, which the decoded values may alias.
func NewReader(buf []byte) *Reader { return &Reader{buf: buf} }

// Fail records a fault, unless there is one already.
func (r *Reader) Fail(format string, args ...any) {
	if r.err == nil {
		r.err = &RuleError{Kind: ErrEncoding, Text: fmt.Sprintf(format, args...)}
	}
}

// Err is the first fault.
func (r *Reader) Err() error { return r.err }

// Close reports the first fault, or that bytes are left over.
func (r *Reader) Close() error {
	if r.err == nil && r.off != len(r.buf) {
		r.Fail("%d bytes left over after the value", len(r.buf)-r.off)
	}
	return r.err
}

// Left is the number of bytes not yet read.
func (r *Reader) Left() int { return len(r.buf) - r.off }

// Offset is the number of bytes read.
func (r *Reader) Offset() int { return r.off }

// Bytes reads n bytes.
func (r *Reader) Bytes(n int) []byte {
	if r.err != nil {
		return nil
	}
	if n < 0 || n > r.Left() {
		r.Fail("%d bytes wanted at offset %d, %d are there", n, r.off, r.Left())
		return nil
	}
	b := r.buf[r.off : r.off+n : r.off+n]
	r.off += n
	return b
}

// Rest reads all that is left.
func (r *Reader) Rest() []byte { return r.Bytes(r.Left()) }

// U8 reads an 8-bit integer.
func (r *Reader) U8() uint8 {
	if b := r.Bytes(1); b != nil {
		return b[0]
	}
	return 0
}

// U16 reads a 16-bit integer.
func (r *Reader) U16() uint16 {
	if b := r.Bytes(2); b != nil {
		return be.Uint16(b)
	}
	return 0
}

// U32 reads a 32-bit integer.
func (r *Reader) U32() uint32 {
	if b := r.Bytes(4); b != nil {
		return be.Uint32(b)
	}
	return 0
}

// U64 reads a 64-bit integer.
func (r *Reader) U64() uint64 {
	if b := r.Bytes(8); b != nil {
		return be.Uint64(b)
	}
	return 0
}

// Hash reads 32 bytes.
func (r *Reader) Hash() (h Hash) {
	copy(h[:], r.Bytes(len(h)))
	return h
}

// Count reads a 32-bit list length and refuses one above max, or one whose
// elements of at least size bytes each cannot fit into what is left. A caller
// may therefore allocate count elements.
func (r *Reader) Count(max, size int) int {
	n := r.U32()
	if r.err != nil {
		return 0
	}
	if uint64(n) > uint64(max) {
		r.Fail("a list of %d elements, at most %d are allowed", n, max)
		return 0
	}
	if uint64(n)*uint64(size) > uint64(r.Left()) {
		r.Fail("a list of %d elements in %d bytes", n, r.Left())
		return 0
	}
	return int(n)
}

// Blob reads a 32-bit length and that many bytes, at most max.
func (r *Reader) Blob(max int) []byte { return r.Bytes(r.Count(max, 1)) }

// AppendBlob appends b behind its 32-bit length.
func AppendBlob(dst, b []byte) []byte {
	dst = be.AppendUint32(dst, uint32(len(b)))
	return append(dst, b...)
}
