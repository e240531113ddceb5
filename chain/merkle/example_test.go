package merkle_test

import (
	"fmt"

	"ios/chain/merkle"
)

// Whoever knows a root and a size is shown that a record is there.
func Example() {
	var leaves []merkle.Hash
	for _, record := range []string{"a", "b", "c", "d", "e"} {
		leaves = append(leaves, merkle.LeafHash([]byte(record)))
	}
	tree := merkle.NewTree(leaves)
	path := tree.Path(2)
	fmt.Println("path of", len(path), "hashes")
	fmt.Println(merkle.VerifyPath(merkle.LeafHash([]byte("c")), 2, 5, path, tree.Root()))
	fmt.Println(merkle.VerifyPath(merkle.LeafHash([]byte("x")), 2, 5, path, tree.Root()))
	// Output:
	// path of 3 hashes
	// <nil>
	// merkle: path of leaf 2 of 5: proof leads to another root
}
