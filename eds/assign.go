package eds

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"

	"ios/chain"
)

const tagAssign = "ios/eds-assign/v1"

// Assign permutes validators 0 to validators-1 by the seed and cuts them into
// shards whose sizes differ by at most one, the larger ones first. Within a
// shard the order is that of the permutation: it gives the seats. There are no
// shards if a number makes no sense.
func Assign(seed chain.Hash, validators int, shards int) [][]chain.ValidatorID {
	if shards < 1 || shards > chain.MaxShards || validators < 0 || validators > chain.MaxValidators {
		return nil
	}
	order := permutation(newStream(seed), validators)
	sets := make([][]chain.ValidatorID, shards)
	for i := range sets {
		size := validators / shards
		if i < validators%shards {
			size++
		}
		sets[i], order = order[:size:size], order[size:]
	}
	return sets
}

// permutation is a Fisher-Yates shuffle of 0 to n-1.
func permutation(s *stream, n int) []chain.ValidatorID {
	order := make([]chain.ValidatorID, n)
	for i := range order {
		order[i] = chain.ValidatorID(i)
	}
	for i := n - 1; i > 0; i-- {
		j := s.below(uint32(i + 1))
		order[i], order[j] = order[j], order[i]
	}
	return order
}

// stream is SHA-256 in counter mode over the tag and a seed.
type stream struct {
	prefix  []byte
	counter uint64
	block   [sha256.Size]byte
	left    int // bytes of block not yet used
}

func newStream(seed chain.Hash) *stream {
	prefix := append([]byte{byte(len(tagAssign))}, tagAssign...)
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
