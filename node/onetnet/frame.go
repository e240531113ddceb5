package onetnet

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"
)

// A frame on the wire is its length (4 bytes, big endian, of what follows), its
// kind (1 byte) and its body:
//
//	heartbeat  empty
//	batch      count (4), then for each message its length (4) and its bytes
//	chunk      length of the whole message (4), offset (4), bytes
//
// The chunks of a message follow each other without anything between them, and
// all but the last are full, so that a message has one encoding.
const (
	// MaxFrame bounds a frame's kind and body, and with it what a peer can make
	// this side allocate before anything is checked.
	MaxFrame = 1 << 20
	// MaxMessage bounds one message.
	MaxMessage = 16 << 20

	frameHeader      = 4
	batchEntryHeader = 4
	maxBatchBody     = MaxFrame - 1 - 4
	maxBatchCount    = 4096
	// maxWhole is the longest message that travels in one piece.
	maxWhole    = maxBatchBody - batchEntryHeader
	chunkHeader = 8
	maxChunk    = MaxFrame - 1 - chunkHeader
)

const (
	kindHeartbeat = byte(1 + iota)
	kindBatch
	kindChunk
)

// ErrMalformed is what a frame that breaks the format is refused with.
var ErrMalformed = errors.New("malformed frame")

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}

// writeHeartbeat writes an empty frame.
func writeHeartbeat(w io.Writer) error {
	_, err := w.Write([]byte{0, 0, 0, 1, kindHeartbeat})
	return err
}

// writeBatch writes items, which fit one frame, as one.
func writeBatch(w io.Writer, items []item) error {
	size := 1 + 4
	for _, it := range items {
		size += batchEntryHeader + it.size
	}
	var h [frameHeader + 1 + 4]byte
	binary.BigEndian.PutUint32(h[:], uint32(size))
	h[frameHeader] = kindBatch
	binary.BigEndian.PutUint32(h[frameHeader+1:], uint32(len(items)))
	if _, err := w.Write(h[:]); err != nil {
		return err
	}
	for _, it := range items {
		binary.BigEndian.PutUint32(h[:4], uint32(it.size))
		if _, err := w.Write(h[:4]); err != nil {
			return err
		}
		for _, p := range it.parts {
			if _, err := w.Write(p); err != nil {
				return err
			}
		}
	}
	return nil
}

// writeChunks writes an item that is too big for one frame. next is called
// before each frame.
func writeChunks(w io.Writer, it item, next func() error) error {
	parts, offset := it.parts, 0
	var part []byte
	for offset < it.size {
		if err := next(); err != nil {
			return err
		}
		n := min(maxChunk, it.size-offset)
		var h [frameHeader + 1 + chunkHeader]byte
		binary.BigEndian.PutUint32(h[:], uint32(1+chunkHeader+n))
		h[frameHeader] = kindChunk
		binary.BigEndian.PutUint32(h[frameHeader+1:], uint32(it.size))
		binary.BigEndian.PutUint32(h[frameHeader+5:], uint32(offset))
		if _, err := w.Write(h[:]); err != nil {
			return err
		}
		offset += n
		for n > 0 {
			for len(part) == 0 {
				part, parts = parts[0], parts[1:]
			}
			k := min(n, len(part))
			if _, err := w.Write(part[:k]); err != nil {
				return err
			}
			part, n = part[k:], n-k
		}
	}
	return nil
}

// parseBatch splits the body of a batch. Messages alias the body, but for those
// so small that they would keep a much bigger frame alive.
func parseBatch(body []byte) ([][]byte, error) {
	if len(body) < 4 {
		return nil, malformed("batch of %d bytes", len(body))
	}
	count := int(binary.BigEndian.Uint32(body))
	rest := body[4:]
	if count < 1 || count > maxBatchCount || count > len(rest)/(batchEntryHeader+1) {
		return nil, malformed("batch of %d messages in %d bytes", count, len(body))
	}
	messages := make([][]byte, count)
	for i := range messages {
		if len(rest) < batchEntryHeader {
			return nil, malformed("batch ends before message %d of %d", i, count)
		}
		n := binary.BigEndian.Uint32(rest)
		rest = rest[batchEntryHeader:]
		if n == 0 || uint64(n) > uint64(len(rest)) {
			return nil, malformed("message %d has %d bytes of %d left", i, n, len(rest))
		}
		m := rest[:n:n]
		if len(body) > 16<<10 && len(m) < len(body)/8 {
			m = append([]byte(nil), m...)
		}
		messages[i], rest = m, rest[n:]
	}
	if len(rest) > 0 {
		return nil, malformed("%d bytes after the last message of a batch", len(rest))
	}
	return messages, nil
}

// assembly is the one message of a connection that is arriving in chunks. It
// holds what arrived, not room for what is announced.
type assembly struct {
	total   int
	size    int // bytes so far
	chunks  [][]byte
	started time.Time
}

func (a *assembly) open() bool { return a.total != 0 }

// add takes the body of a chunk and returns the message once it is whole.
func (a *assembly) add(body []byte, now time.Time, limit time.Duration) ([]byte, error) {
	if len(body) < chunkHeader {
		return nil, malformed("chunk of %d bytes", len(body))
	}
	total, offset := binary.BigEndian.Uint32(body), binary.BigEndian.Uint32(body[4:])
	data := body[chunkHeader:]
	if total <= maxWhole || total > MaxMessage {
		return nil, malformed("message of %d bytes in chunks", total)
	}
	if !a.open() {
		*a = assembly{total: int(total), started: now}
	}
	if int(total) != a.total || int64(offset) != int64(a.size) {
		return nil, malformed("chunk at %d of %d, want %d of %d", offset, total, a.size, a.total)
	}
	if len(data) != min(maxChunk, a.total-a.size) {
		return nil, malformed("chunk of %d bytes at %d of %d", len(data), offset, total)
	}
	if now.Sub(a.started) > limit {
		return nil, fmt.Errorf("a message of %d bytes is incomplete after %v", total, limit)
	}
	a.chunks = append(a.chunks, data)
	a.size += len(data)
	if a.size < a.total {
		return nil, nil
	}
	whole := bytes.Join(a.chunks, nil)
	*a = assembly{}
	return whole, nil
}
