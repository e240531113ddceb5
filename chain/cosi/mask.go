package cosi

import (
	"bytes"
	"fmt"
	"math/bits"
)

// Mask says which seats of a committee take part: a bit a seat, seat i at bit
// i%8 of byte i/8, padded with zeros. A Mask always has the one length of its
// committee and zero padding, because nothing here makes another. A copy shares
// the bits; Clone does not. The zero Mask is of no committee.
type Mask struct {
	seats int
	bits  []byte
}

// NewMask is the mask of a committee of this many seats with nobody in it.
func NewMask(seats int) Mask {
	if seats < 0 || seats > MaxSeats {
		return Mask{}
	}
	return Mask{seats, make([]byte, maskBytes(seats))}
}

// ParseMask takes the bits of a committee of this many seats. It refuses any
// other length and padding that is not zero.
func ParseMask(seats int, raw []byte) (Mask, error) {
	if seats < 0 || seats > MaxSeats || len(raw) != maskBytes(seats) {
		return Mask{}, fmt.Errorf("cosi: mask of %d bytes for %d seats: %w", len(raw), seats, ErrMask)
	}
	if seats%8 != 0 && raw[len(raw)-1]>>(seats%8) != 0 {
		return Mask{}, fmt.Errorf("cosi: padding of a mask of %d seats is not zero: %w", seats, ErrMask)
	}
	return Mask{seats, bytes.Clone(raw)}, nil
}

func maskBytes(seats int) int { return (seats + 7) / 8 }

// Seats is the size of the committee, not the number of seats in the mask.
func (m Mask) Seats() int { return m.seats }

// Bytes are the bits. They must not be changed.
func (m Mask) Bytes() []byte { return m.bits }

// Has reports whether seat i is in the mask.
func (m Mask) Has(i int) bool {
	return i >= 0 && i < m.seats && m.bits[i/8]>>(i%8)&1 == 1
}

// Set puts seat i in the mask. Seats that the committee does not have are
// left out.
func (m Mask) Set(i int) {
	if i >= 0 && i < m.seats {
		m.bits[i/8] |= 1 << (i % 8)
	}
}

// Count is the number of seats in the mask.
func (m Mask) Count() int {
	n := 0
	for _, b := range m.bits {
		n += bits.OnesCount8(b)
	}
	return n
}

// Members are the seats in the mask, in order.
func (m Mask) Members() []int {
	members := make([]int, 0, m.Count())
	for i := range m.seats {
		if m.Has(i) {
			members = append(members, i)
		}
	}
	return members
}

// Absent are the seats that are not in the mask, in order.
func (m Mask) Absent() []int {
	absent := make([]int, 0, m.seats-m.Count())
	for i := range m.seats {
		if !m.Has(i) {
			absent = append(absent, i)
		}
	}
	return absent
}

// Overlaps reports whether the two have a seat in common.
func (m Mask) Overlaps(other Mask) bool {
	for i := range min(len(m.bits), len(other.bits)) {
		if m.bits[i]&other.bits[i] != 0 {
			return true
		}
	}
	return false
}

// Within reports whether every seat of m is in other, of the same committee.
func (m Mask) Within(other Mask) bool {
	if m.seats != other.seats {
		return false
	}
	for i := range m.bits {
		if m.bits[i]&^other.bits[i] != 0 {
			return false
		}
	}
	return true
}

// Equal reports whether the two are of equal committees and name equal seats.
func (m Mask) Equal(other Mask) bool {
	return m.seats == other.seats && bytes.Equal(m.bits, other.bits)
}

// Clone is a copy with bits of its own.
func (m Mask) Clone() Mask { return Mask{m.seats, bytes.Clone(m.bits)} }

// String is the number of seats in the mask and of the committee, as "3 of 4".
func (m Mask) String() string { return fmt.Sprintf("%d of %d", m.Count(), m.seats) }

// add puts every seat of other, of the same committee, into m.
func (m Mask) add(other Mask) {
	for i := range m.bits {
		m.bits[i] |= other.bits[i]
	}
}
