package merkle

import (
	"crypto/sha256"
	"math/bits"
)

// Hash is a node of a tree.
type Hash = [32]byte

const (
	leafPrefix = 0x00
	nodePrefix = 0x01
)

// maxLevels bounds the height of a tree: sizes are 64-bit.
const maxLevels = 64

// Empty is the root of a tree without leaves, SHA-256 of nothing.
var Empty = Hash(sha256.Sum256(nil))

// LeafHash is the hash of a leaf that holds data.
func LeafHash(data []byte) Hash {
	// Most leaves are short records: those are hashed without touching the heap.
	var short [256]byte
	if len(data) < len(short) {
		short[0] = leafPrefix
		n := copy(short[1:], data)
		return sha256.Sum256(short[:1+n])
	}
	h := sha256.New()
	h.Write([]byte{leafPrefix})
	h.Write(data)
	return Hash(h.Sum(nil))
}

// NodeHash is the hash of the node above left and right.
func NodeHash(left, right Hash) Hash {
	var buf [1 + 2*len(left)]byte
	buf[0] = nodePrefix
	copy(buf[1:], left[:])
	copy(buf[1+len(left):], right[:])
	return sha256.Sum256(buf[:])
}

// Root is the root of the tree over leaves, which are leaf hashes in order.
// It reads them once and allocates nothing.
func Root(leaves []Hash) Hash {
	var b Builder
	for i := range leaves {
		b.Append(leaves[i])
	}
	return b.Root()
}

// Builder computes the root of a tree whose leaves come one by one. It holds
// one hash a level; its zero value is the empty tree.
type Builder struct {
	size uint64
	// full[i] is the root of the complete subtree of 2^i leaves that the i-th
	// bit of size stands for.
	full [maxLevels]Hash
	buf  [1 + 2*len(Hash{})]byte
}

// Append adds a leaf hash at the end.
func (b *Builder) Append(leaf Hash) {
	level := 0
	for ; b.size>>level&1 == 1; level++ {
		leaf = b.node(&b.full[level], &leaf)
	}
	b.full[level] = leaf
	b.size++
}

// Size is the number of leaves so far.
func (b *Builder) Size() uint64 { return b.size }

// Root is the root over the leaves so far; more can be appended after.
func (b *Builder) Root() Hash {
	if b.size == 0 {
		return Empty
	}
	level := bits.TrailingZeros64(b.size)
	root := b.full[level]
	for level++; b.size>>level != 0; level++ {
		if b.size>>level&1 == 1 {
			root = b.node(&b.full[level], &root)
		}
	}
	return root
}

// node is NodeHash in a buffer that stays: it saves clearing one per node.
func (b *Builder) node(left, right *Hash) Hash {
	b.buf[0] = nodePrefix
	copy(b.buf[1:], left[:])
	copy(b.buf[1+len(left):], right[:])
	return sha256.Sum256(b.buf[:])
}
