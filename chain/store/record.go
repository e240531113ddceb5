package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// Record is what the log keeps: a kind that its owner defines, never 0, and at
// most MaxRecord bytes.
type Record struct {
	Kind byte
	Data []byte
}

// MaxRecord bounds the data of one record.
const MaxRecord = 64 << 20

// On disk a record is
//
//	length of data u32 | crc32c u32 | kind u8 | data
//
// little-endian, with the checksum over the segment's salt, the record's offset,
// length, kind and data. The salt is random and the offset is the record's own,
// so neither what an earlier file left on the disk nor bytes that somebody put
// inside a record can pass for a record of this place.
const recordHead = 9

// kindFrame is the kind of the log's own records. Their data is the segment's
// salt and the frame's offset: the salt can be searched for in a damaged
// segment, and nobody outside can know it.
const (
	kindFrame = 0
	frameData = 16
	frameSize = recordHead + frameData
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func recordSum(salt, off uint64, kind byte, data []byte) uint32 {
	var h [21]byte
	binary.LittleEndian.PutUint64(h[0:], salt)
	binary.LittleEndian.PutUint64(h[8:], off)
	binary.LittleEndian.PutUint32(h[16:], uint32(len(data)))
	h[20] = kind
	return crc32.Update(crc32.Checksum(h[:], castagnoli), castagnoli, data)
}

// appendHead appends the head of a record with the given data at off.
func appendHead(dst []byte, salt, off uint64, kind byte, data []byte) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(data)))
	dst = binary.LittleEndian.AppendUint32(dst, recordSum(salt, off, kind, data))
	return append(dst, kind)
}

func appendFrame(dst []byte, salt, off uint64) []byte {
	var data [frameData]byte
	binary.LittleEndian.PutUint64(data[0:], salt)
	binary.LittleEndian.PutUint64(data[8:], off)
	dst = appendHead(dst, salt, off, kindFrame, data[:])
	return append(dst, data[:]...)
}

// head is a record's head as read, not yet checked against the data.
type head struct {
	size uint32
	sum  uint32
	kind byte
}

// errEnd means that the log ends here: room that was never written.
var errEnd = errors.New("end of the log")

func parseHead(b []byte) (head, error) {
	h := head{binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:]), b[8]}
	switch {
	case h == head{}:
		return h, errEnd
	case h.size > MaxRecord:
		return h, fmt.Errorf("a record of %d bytes, more than the %d allowed", h.size, MaxRecord)
	case h.kind == kindFrame && h.size != frameData:
		return h, fmt.Errorf("a frame of %d bytes instead of %d", h.size, frameData)
	}
	return h, nil
}

// check says whether data belongs to the head at off.
func (h head) check(salt, off uint64, data []byte) error {
	if sum := recordSum(salt, off, h.kind, data); sum != h.sum {
		return fmt.Errorf("checksum %08x instead of %08x", sum, h.sum)
	}
	if h.kind != kindFrame {
		return nil
	}
	if !bytes.Equal(data, appendFrame(nil, salt, off)[recordHead:]) {
		return errors.New("a frame that belongs elsewhere")
	}
	return nil
}

// checkRecord refuses what the log could not read back.
func checkRecord(r Record) error {
	if r.Kind == kindFrame {
		return errors.New("record kind 0 is the log's own; use kinds from 1 on")
	}
	if len(r.Data) > MaxRecord {
		return fmt.Errorf("a record of %d bytes is larger than the %d that the log takes; split it", len(r.Data), MaxRecord)
	}
	return nil
}
