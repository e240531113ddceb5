package eds

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"

	"ios/chain"
)

// Permutation is the order of 0 to n-1 that the seed gives under the tag, which
// names the use and has at most 255 bytes. Each order is equally likely. It is
// part of the protocol and never changes for a tag and a seed.
func Permutation(tag string, seed chain.Hash, n int) []int {
	order := make([]int, max(n, 0))
	for i := range order {
		order[i] = i
	}
	s := newStream(tag, seed)
	for i := len(order) - 1; i > 0; i-- { // Fisher-Yates
		j := s.below(uint32(i + 1))
		order[i], order[j] = order[j], order[i]
	}
	return order
}

// stream is SHA-256 in counter mode over a tag and a seed.
type stream struct {
	prefix  []byte
	counter uint64
	block   [sha256.Size]byte
	left    int // bytes of block not yet used
}

func newStream(tag string, seed chain.Hash) *stream {
	prefix := append([]byte{byte(len(tag))}, tag...)
	return &stream{prefix: append(prefix, seed[:]...)}
}

func (s *stream) next() uint32 {
	if s.left == 0 {
		s.block = sha256.Sum256(binary.BigEndian.AppendUint64(s.prefix[:len(s.prefix):len(s.prefix)], s.counter))
		s.counter++
		s.left = len(s.block)
	}
	v := binary.BigEndian.Uint32(s.block[len(s.block)-s.left:])
	s.left -= 4
	return v
}

// below draws evenly from 0 to n-1. It draws again what would favour the small
// numbers (Lemire's method).
func (s *stream) below(n uint32) uint32 {
	threshold := -n % n
	for {
		if hi, lo := bits.Mul32(s.next(), n); lo >= threshold {
			return hi
		}
	}
}
