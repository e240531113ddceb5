package merkle

// Tree holds every node over a list of leaf hashes, about two hashes a leaf, so
// that each path costs no hashing.
type Tree struct {
	// levels[0] are the leaves, the last level is the root alone.
	levels [][]Hash
}

// NewTree builds the tree over leaves, which it copies.
func NewTree(leaves []Hash) *Tree {
	if len(leaves) == 0 {
		return &Tree{}
	}
	level := append([]Hash(nil), leaves...)
	t := &Tree{levels: [][]Hash{level}}
	for len(level) > 1 {
		above := make([]Hash, (len(level)+1)/2)
		lift(above, level)
		t.levels = append(t.levels, above)
		level = above
	}
	return t
}

// Size is the number of leaves.
func (t *Tree) Size() int {
	if len(t.levels) == 0 {
		return 0
	}
	return len(t.levels[0])
}

// Root is the root over all leaves.
func (t *Tree) Root() Hash {
	if len(t.levels) == 0 {
		return Empty
	}
	return t.levels[len(t.levels)-1][0]
}

// Path is what [Path] returns for the leaves of t.
func (t *Tree) Path(index int) []Hash {
	if index < 0 || index >= t.Size() {
		return nil
	}
	path := make([]Hash, 0, PathLength(uint64(index), uint64(t.Size())))
	for _, level := range t.levels {
		if sibling := index ^ 1; sibling < len(level) {
			path = append(path, level[sibling])
		}
		index >>= 1
	}
	return path
}
