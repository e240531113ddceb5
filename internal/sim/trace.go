package sim

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"time"

	"ios/internal/sm"
)

// traceLines is how many of the last events a failure shows.
const traceLines = 60

// trace is the hash over all events and a ring of the last.
type trace struct {
	digest hash.Hash
	ring   [traceLines]entry
	count  uint64
}

type entry struct {
	at   time.Time
	node sm.NodeID
	what string
	size int
}

func (t *trace) init() { t.digest = sha256.New() }

func (t *trace) note(now time.Time, node sm.NodeID, what string, raw []byte) {
	var head [22]byte
	binary.BigEndian.PutUint64(head[:], uint64(now.UnixNano()))
	binary.BigEndian.PutUint16(head[8:], uint16(node))
	binary.BigEndian.PutUint32(head[10:], uint32(len(what)))
	binary.BigEndian.PutUint64(head[14:], uint64(len(raw)))
	t.digest.Write(head[:])
	t.digest.Write([]byte(what))
	t.digest.Write(raw)
	t.ring[t.count%traceLines] = entry{now, node, what, len(raw)}
	t.count++
}

func (t *trace) sum() (h [32]byte) {
	t.digest.Sum(h[:0])
	return h
}

func (t *trace) lines() []string {
	first := uint64(0)
	if t.count > traceLines {
		first = t.count - traceLines
	}
	var lines []string
	for i := first; i < t.count; i++ {
		e := t.ring[i%traceLines]
		lines = append(lines, fmt.Sprintf("%12v  node %-3d %s (%d bytes)", e.at.Sub(Start), e.node, e.what, e.size))
	}
	return lines
}
