package utxo

import (
	"encoding/binary"
	"math"
	"math/bits"

	"ios/chain"
)

// Coin is an unspent output, without its outpoint.
type Coin struct {
	Owner  chain.Address
	Amount uint64 // base units
}

// Partitions is how many parts of a set can be changed at the same time.
const Partitions = 16

// Partition is the part of the set that an owner's coins are in. It is made of
// the address's last bits; the first ones choose the shard.
func Partition(owner *chain.Address) int { return int(owner[len(owner)-1] % Partitions) }

// Set is a set of unspent outputs. Operations on owners of different partitions
// may run at the same time; all others may not run beside a change.
type Set struct {
	seed  [2]uint64
	parts [Partitions]partition
}

// New makes an empty set. The seed must be secret and random: whoever knows it
// can make outpoints that collide in the index. The content of the set, its
// order and its snapshots do not depend on it.
func New(seed [16]byte) *Set {
	return &Set{seed: [2]uint64{binary.LittleEndian.Uint64(seed[:]), binary.LittleEndian.Uint64(seed[8:])}}
}

// hash mixes an outpoint with the seed. 16 bytes of the transaction's id are
// enough: many ids that share them cannot be found.
func (s *Set) hash(op *chain.OutPoint) uint32 {
	a := binary.LittleEndian.Uint64(op.Tx[0:]) ^ s.seed[0]
	b := (binary.LittleEndian.Uint64(op.Tx[8:]) + uint64(op.Index)*0x9e3779b97f4a7c15) ^ s.seed[1]
	hi, lo := bits.Mul64(a, b)
	hi, lo = bits.Mul64(hi^lo^s.seed[1], 0xd6e8feb86659fd93)
	return uint32((hi ^ lo) >> 32)
}

// Get gives the amount of the owner's coin at op. It is false when there is no
// such coin, or when it belongs to another owner.
func (s *Set) Get(op chain.OutPoint, owner chain.Address) (amount uint64, ok bool) {
	_, _, e := s.parts[Partition(&owner)].find(s.hash(&op), &op)
	if e == nil || e.owner != owner {
		return 0, false
	}
	return e.amount(), true
}

// Add puts a coin in. It is false, and changes nothing, when there is one at op
// in the same partition already.
func (s *Set) Add(op chain.OutPoint, c Coin) bool {
	return s.parts[Partition(&c.Owner)].add(s.hash(&op), &op, &c)
}

// Remove takes the owner's coin at op out. It is false, and changes nothing,
// when there is no such coin, or when it belongs to another owner.
func (s *Set) Remove(op chain.OutPoint, owner chain.Address) (Coin, bool) {
	return s.parts[Partition(&owner)].remove(s.hash(&op), &op, &owner)
}

// Len is the number of coins.
func (s *Set) Len() int {
	n := 0
	for i := range s.parts {
		n += s.parts[i].idx.n
	}
	return n
}

// Value is the sum of all amounts, and the largest uint64 where the sum is above
// that: no supply that the rules allow reaches it, so an audit fails.
func (s *Set) Value() uint64 {
	var sum, top uint64
	for i := range s.parts {
		top += s.parts[i].carry
	}
	for i := range s.parts {
		var carry uint64
		sum, carry = bits.Add64(sum, s.parts[i].value, 0)
		top += carry
	}
	if top != 0 {
		return math.MaxUint64
	}
	return sum
}

// Owned lists up to limit coins of an owner in canonical order, those behind the
// outpoint after if it is not nil; more says that there are others. It reads the
// whole of the owner's partition.
func (s *Set) Owned(owner chain.Address, after *chain.OutPoint, limit int) (list []Entry, more bool) {
	s.parts[Partition(&owner)].each(func(_ uint32, e *entry) bool {
		if e.owner != owner || after != nil && e.outpoint().Compare(*after) <= 0 {
			return true
		}
		list = append(list, Entry{e.outpoint(), e.coin()})
		if len(list) >= 2*limit+64 { // only the first ones can be on the list
			sortEntries(list)
			list, more = list[:limit], true
		}
		return true
	})
	sortEntries(list)
	if len(list) > limit {
		list, more = list[:limit], true
	}
	return list, more
}
