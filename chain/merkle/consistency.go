package merkle

import (
	"fmt"
	"math/bits"
)

// Consistency proves that the tree over the first size leaves is a prefix of
// the tree over all of them. It is empty if the sizes are equal, and nil if
// size is not between 1 and the number of leaves: every tree extends the empty
// one, which needs no proof.
func Consistency(leaves []Hash, size int) []Hash {
	if size < 1 || size > len(leaves) {
		return nil
	}
	return subproof(leaves, size, true)
}

// subproof is SUBPROOF of RFC 9162, section 2.1.4.1. known says that whoever
// checks has the root over the first size leaves already.
func subproof(leaves []Hash, size int, known bool) []Hash {
	if size == len(leaves) {
		if known {
			return []Hash{}
		}
		return []Hash{Root(leaves)}
	}
	k := largestPowerBelow(len(leaves))
	if size <= k {
		return append(subproof(leaves[:k], size, known), Root(leaves[k:]))
	}
	return append(subproof(leaves[k:], size-k, false), Root(leaves[:k]))
}

// largestPowerBelow is the largest power of two smaller than n, for n > 1.
func largestPowerBelow(n int) int {
	return 1 << (bits.Len(uint(n-1)) - 1)
}

// VerifyConsistency checks that the tree of size1 leaves with root1 is a prefix
// of the tree of size2 leaves with root2. An empty first tree is refused unless
// both are empty: there is nothing that a proof could show.
func VerifyConsistency(size1, size2 uint64, proof []Hash, root1, root2 Hash) error {
	switch {
	case size1 > size2:
		return fmt.Errorf("merkle: a tree of %d leaves is no prefix of one of %d: %w", size1, size2, ErrRange)
	case size1 == size2:
		return verifySame(size1, proof, root1, root2)
	case size1 == 0:
		return fmt.Errorf("merkle: consistency with an empty tree shows nothing: %w", ErrRange)
	}
	// The proof is the path of the last complete subtree of the first tree, of
	// 2^shift leaves, in the second; it starts with that subtree's root unless
	// this is the whole first tree, whose root the verifier has.
	inner, border := split(size1-1, size2)
	shift := bits.TrailingZeros64(size1)
	inner -= shift
	seed, rest := root1, proof
	want := inner + border
	if size1 != 1<<shift {
		want++
	}
	if len(proof) != want {
		return fmt.Errorf("merkle: consistency proof from %d to %d has %d hashes, not %d: %w",
			size1, size2, len(proof), want, ErrLength)
	}
	if size1 != 1<<shift {
		seed, rest = proof[0], proof[1:]
	}
	index := (size1 - 1) >> shift
	if climbLeft(seed, index, rest, inner) != root1 {
		return fmt.Errorf("merkle: consistency proof from %d to %d, first root: %w", size1, size2, ErrMismatch)
	}
	if climb(seed, index, rest, inner) != root2 {
		return fmt.Errorf("merkle: consistency proof from %d to %d, second root: %w", size1, size2, ErrMismatch)
	}
	return nil
}

// verifySame is the case of two trees of one size.
func verifySame(size uint64, proof []Hash, root1, root2 Hash) error {
	if len(proof) != 0 {
		return fmt.Errorf("merkle: consistency of two trees of %d leaves takes no proof: %w", size, ErrLength)
	}
	if root1 != root2 || size == 0 && root1 != Empty {
		return fmt.Errorf("merkle: two trees of %d leaves: %w", size, ErrMismatch)
	}
	return nil
}

// climbLeft is climb with the left siblings only: the root of the tree that
// ends with node.
func climbLeft(node Hash, index uint64, path []Hash, inner int) Hash {
	for i, sibling := range path {
		if i >= inner || index>>i&1 == 1 {
			node = NodeHash(sibling, node)
		}
	}
	return node
}
