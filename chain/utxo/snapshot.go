package utxo

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"

	"ios/chain"
)

// EntrySize is the size of an encoded entry:
//
//	transaction 32 | index u32 | owner 32 | amount u64, big-endian
const EntrySize = 32 + 4 + 32 + 8

// AppendEntry appends the canonical encoding of a coin with its outpoint. It is
// a leaf of the set's Merkle tree and a line of a snapshot.
func AppendEntry(dst []byte, e *Entry) []byte {
	dst = append(dst, e.Tx[:]...)
	dst = binary.BigEndian.AppendUint32(dst, e.Index)
	dst = append(dst, e.Owner[:]...)
	return binary.BigEndian.AppendUint64(dst, e.Amount)
}

// DecodeEntry reads EntrySize bytes.
func DecodeEntry(b []byte) (e Entry, err error) {
	if len(b) != EntrySize {
		return e, fmt.Errorf("utxo: an entry of %d bytes instead of %d", len(b), EntrySize)
	}
	copy(e.Tx[:], b)
	e.Index = binary.BigEndian.Uint32(b[32:])
	copy(e.Owner[:], b[36:])
	e.Amount = binary.BigEndian.Uint64(b[68:])
	return e, nil
}

// snapshotMagic begins a snapshot; the count (u64) and the entries follow.
const snapshotMagic = "iosutxo\x01"

// AppendSnapshot writes the set to w. Equal sets give equal bytes.
func (s *Set) AppendSnapshot(w io.Writer) error {
	out := bufio.NewWriterSize(w, 256<<10)
	if _, err := out.WriteString(snapshotMagic); err != nil {
		return err
	}
	buf := binary.BigEndian.AppendUint64(make([]byte, 0, EntrySize), uint64(s.Len()))
	if _, err := out.Write(buf); err != nil {
		return err
	}
	for e := range s.Sorted() {
		buf = AppendEntry(buf[:0], &e)
		if _, err := out.Write(buf); err != nil {
			return err
		}
	}
	return out.Flush()
}

// Load reads what AppendSnapshot wrote and nothing after it. It refuses
// anything that AppendSnapshot would not write: entries out of order or twice,
// amounts of zero, sums above uint64, fewer entries than announced.
func Load(r io.Reader, seed [16]byte) (*Set, error) {
	var head [len(snapshotMagic) + 8]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, fmt.Errorf("utxo: reading a snapshot's head: %w", err)
	}
	if string(head[:len(snapshotMagic)]) != snapshotMagic {
		return nil, fmt.Errorf("utxo: not a snapshot of this version: it begins with %x", head[:len(snapshotMagic)])
	}
	count := binary.BigEndian.Uint64(head[len(snapshotMagic):])
	s := New(seed)
	var last chain.OutPoint
	var sum uint64
	buf := make([]byte, 0, 1024*EntrySize)
	for n := uint64(0); n < count; {
		k := min(count-n, uint64(cap(buf)/EntrySize))
		buf = buf[:k*EntrySize]
		if _, err := io.ReadFull(r, buf); err != nil {
			return nil, fmt.Errorf("utxo: reading coins from number %d of %d: %w", n, count, err)
		}
		for b := buf; len(b) > 0; b, n = b[EntrySize:], n+1 {
			e, err := DecodeEntry(b[:EntrySize])
			if err != nil {
				return nil, err
			}
			if err := s.load(n, &e, &last, &sum); err != nil {
				return nil, err
			}
		}
	}
	return s, nil
}

// load adds the n-th entry of a snapshot.
func (s *Set) load(n uint64, e *Entry, last *chain.OutPoint, sum *uint64) error {
	if n > 0 && last.Compare(e.OutPoint) >= 0 {
		return fmt.Errorf("utxo: coin %d of a snapshot is not above the one before it", n)
	}
	if e.Amount == 0 {
		return fmt.Errorf("utxo: coin %d of a snapshot has no amount", n)
	}
	var carry uint64
	if *sum, carry = bits.Add64(*sum, e.Amount, 0); carry != 0 {
		return fmt.Errorf("utxo: the amounts of a snapshot overflow at coin %d", n)
	}
	*last = e.OutPoint
	if !s.Add(e.OutPoint, e.Coin) {
		return fmt.Errorf("utxo: coin %d of a snapshot is there twice", n)
	}
	return nil
}
