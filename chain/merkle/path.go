package merkle

import (
	"errors"
	"fmt"
	"math/bits"
)

// What a verifier found wrong. Errors of this package wrap one of these.
var (
	// ErrRange says that an index or a size makes no sense.
	ErrRange = errors.New("index or size out of range")
	// ErrLength says that a proof has not the one length that the sizes imply.
	ErrLength = errors.New("proof has the wrong length")
	// ErrMismatch says that a proof leads to another root.
	ErrMismatch = errors.New("proof leads to another root")
)

// PathLength is the length of the path of a leaf in a tree of size leaves, and
// at most 64. It is 0 if there is no such leaf.
func PathLength(index, size uint64) int {
	if index >= size {
		return 0
	}
	inner, border := split(index, size)
	return inner + border
}

// split cuts a path in two. Its first part has a sibling at every level; above
// that the leaf lies on the tree's right border, where only left siblings
// exist, one for each set bit of the index.
func split(index, size uint64) (inner, border int) {
	inner = bits.Len64(index ^ (size - 1))
	return inner, bits.OnesCount64(index >> inner)
}

// Path proves that leaves[index] is in the tree over leaves: the siblings on
// the way up, lowest first. It hashes the whole tree; use a [Tree] for many
// paths over one list. It is nil if there is no such leaf.
func Path(leaves []Hash, index int) []Hash {
	if index < 0 || index >= len(leaves) {
		return nil
	}
	path := make([]Hash, 0, PathLength(uint64(index), uint64(len(leaves))))
	level := append([]Hash(nil), leaves...)
	for len(level) > 1 {
		if sibling := index ^ 1; sibling < len(level) {
			path = append(path, level[sibling])
		}
		level = level[:lift(level, level)]
		index >>= 1
	}
	return path
}

// lift writes the level above from to, which may be the same slice, and
// returns how many nodes it has.
func lift(to, from []Hash) int {
	pairs := len(from) / 2
	for i := range pairs {
		to[i] = NodeHash(from[2*i], from[2*i+1])
	}
	if len(from)%2 == 0 {
		return pairs
	}
	to[pairs] = from[len(from)-1]
	return pairs + 1
}

// RootFromPath is the root of the tree of size leaves that has leaf (a leaf
// hash) at index, if path is its path there: the caller checks it against the
// root that it trusts.
func RootFromPath(leaf Hash, index, size uint64, path []Hash) (Hash, error) {
	if index >= size {
		return Hash{}, fmt.Errorf("merkle: leaf %d of a tree of %d: %w", index, size, ErrRange)
	}
	inner, border := split(index, size)
	if len(path) != inner+border {
		return Hash{}, fmt.Errorf("merkle: path of leaf %d of %d has %d hashes, not %d: %w",
			index, size, len(path), inner+border, ErrLength)
	}
	return climb(leaf, index, path, inner), nil
}

// VerifyPath checks that the tree of size leaves with this root has leaf (a
// leaf hash) at index.
func VerifyPath(leaf Hash, index, size uint64, path []Hash, root Hash) error {
	got, err := RootFromPath(leaf, index, size, path)
	if err != nil {
		return err
	}
	if got != root {
		return fmt.Errorf("merkle: path of leaf %d of %d: %w", index, size, ErrMismatch)
	}
	return nil
}

// climb hashes node with the siblings in path up to the root: inner of them to
// the side that the index says, the others to the left.
func climb(node Hash, index uint64, path []Hash, inner int) Hash {
	for i, sibling := range path {
		if i < inner && index>>i&1 == 0 {
			node = NodeHash(node, sibling)
		} else {
			node = NodeHash(sibling, node)
		}
	}
	return node
}
