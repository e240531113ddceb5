package merkle

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// naiveRoot is the definition of RFC 9162, section 2.1.1, word for word.
func naiveRoot(leaves []Hash) Hash {
	switch len(leaves) {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return leaves[0]
	}
	k := naiveSplit(len(leaves))
	return naiveNode(naiveRoot(leaves[:k]), naiveRoot(leaves[k:]))
}

func naiveNode(left, right Hash) Hash {
	return sha256.Sum256(slices.Concat([]byte{1}, left[:], right[:]))
}

func naiveSplit(n int) int {
	k := 1
	for 2*k < n {
		k *= 2
	}
	return k
}

// naivePath is PATH of section 2.1.3.1.
func naivePath(leaves []Hash, m int) []Hash {
	if len(leaves) == 1 {
		return nil
	}
	k := naiveSplit(len(leaves))
	if m < k {
		return append(naivePath(leaves[:k], m), naiveRoot(leaves[k:]))
	}
	return append(naivePath(leaves[k:], m-k), naiveRoot(leaves[:k]))
}

func drawLeaves(t *rapid.T, most int) []Hash {
	leaves := make([]Hash, rapid.IntRange(0, most).Draw(t, "leaves"))
	salt := rapid.Byte().Draw(t, "salt")
	for i := range leaves {
		leaves[i] = LeafHash([]byte{salt, byte(i), byte(i >> 8)})
	}
	return leaves
}

func TestAgainstTheDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		leaves := drawLeaves(t, 300)
		before := slices.Clone(leaves)
		want := naiveRoot(leaves)
		tree := NewTree(leaves)
		if got := Root(leaves); got != want {
			t.Fatalf("Root of %d leaves is %x, want %x", len(leaves), got, want)
		}
		if tree.Root() != want || tree.Size() != len(leaves) {
			t.Fatalf("Tree of %d leaves: size %d, root %x, want %x", len(leaves), tree.Size(), tree.Root(), want)
		}
		if len(leaves) == 0 {
			return
		}
		i := rapid.IntRange(0, len(leaves)-1).Draw(t, "index")
		path := naivePath(leaves, i)
		if !slices.Equal(Path(leaves, i), path) || !slices.Equal(tree.Path(i), path) {
			t.Fatalf("path of %d in %d leaves differs from the definition", i, len(leaves))
		}
		if len(path) != PathLength(uint64(i), uint64(len(leaves))) {
			t.Fatalf("PathLength(%d, %d) = %d, the path has %d", i, len(leaves), PathLength(uint64(i), uint64(len(leaves))), len(path))
		}
		if err := VerifyPath(leaves[i], uint64(i), uint64(len(leaves)), path, want); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(leaves, before) {
			t.Fatal("the leaves were changed")
		}
	})
}

func TestBuilderHasTheRootOfEveryPrefix(t *testing.T) {
	var b Builder
	var leaves []Hash
	for i := range 200 {
		if b.Size() != uint64(i) || b.Root() != naiveRoot(leaves) {
			t.Fatalf("after %d leaves: size %d, root %x", i, b.Size(), b.Root())
		}
		leaf := LeafHash([]byte{byte(i)})
		leaves = append(leaves, leaf)
		b.Append(leaf)
	}
}

func TestLeafHashPrefixesDataOfAnyLength(t *testing.T) {
	for _, n := range []int{0, 1, 63, 254, 255, 256, 257, 5000} {
		data := make([]byte, n)
		for i := range data {
			data[i] = byte(i * 7)
		}
		if got, want := LeafHash(data), Hash(sha256.Sum256(append([]byte{0}, data...))); got != want {
			t.Errorf("leaf of %d bytes: %x, want %x", n, got, want)
		}
	}
}

// A wrong anything must fail: the proof holds for one leaf at one index of one
// size under one root.
func TestPathProvesNothingElse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		leaves := drawLeaves(t, 100)
		if len(leaves) == 0 {
			return
		}
		size := uint64(len(leaves))
		root := Root(leaves)
		index := uint64(rapid.IntRange(0, len(leaves)-1).Draw(t, "index"))
		path := Path(leaves, int(index))

		other := rapid.Uint64Range(0, 2*size).Draw(t, "other index")
		if other != index && VerifyPath(leaves[index], other, size, path, root) == nil {
			t.Fatalf("path of leaf %d of %d also holds at %d", index, size, other)
		}
		if err := VerifyPath(leaves[index], index, size, append(slices.Clone(path), root), root); !errors.Is(err, ErrLength) {
			t.Fatalf("a longer path: %v", err)
		}
		if err := VerifyPath(leaves[index], size, size, path, root); !errors.Is(err, ErrRange) {
			t.Fatalf("an index beyond the last: %v", err)
		}
		bit := rapid.IntRange(0, 255).Draw(t, "bit")
		leaf := leaves[index]
		leaf[bit/8] ^= 1 << (bit % 8)
		if VerifyPath(leaf, index, size, path, root) == nil {
			t.Fatal("another leaf holds")
		}
		root[bit/8] ^= 1 << (bit % 8)
		if VerifyPath(leaves[index], index, size, path, root) == nil {
			t.Fatal("another root holds")
		}
		if len(path) == 0 {
			return
		}
		root = Root(leaves)
		if err := VerifyPath(leaves[index], index, size, path[1:], root); !errors.Is(err, ErrLength) {
			t.Fatalf("a shorter path: %v", err)
		}
		path[rapid.IntRange(0, len(path)-1).Draw(t, "sibling")][bit/8] ^= 1 << (bit % 8)
		if VerifyPath(leaves[index], index, size, path, root) == nil {
			t.Fatal("a changed path holds")
		}
	})
}

func TestConsistencyOfEveryPrefix(t *testing.T) {
	var leaves []Hash
	for i := range 70 {
		leaves = append(leaves, LeafHash([]byte{byte(i)}))
		for size := 1; size <= len(leaves); size++ {
			proof := Consistency(leaves, size)
			older, newer := Root(leaves[:size]), Root(leaves)
			if err := VerifyConsistency(uint64(size), uint64(len(leaves)), proof, older, newer); err != nil {
				t.Fatal(err)
			}
			if err := VerifyConsistency(uint64(size), uint64(len(leaves)), append(slices.Clone(proof), newer), older, newer); !errors.Is(err, ErrLength) {
				t.Fatalf("longer proof from %d to %d: %v", size, len(leaves), err)
			}
			for k := range proof {
				proof[k][3] ^= 4
				if VerifyConsistency(uint64(size), uint64(len(leaves)), proof, older, newer) == nil {
					t.Fatalf("proof from %d to %d holds with hash %d changed", size, len(leaves), k)
				}
				proof[k][3] ^= 4
			}
			if size < len(leaves) && VerifyConsistency(uint64(size), uint64(len(leaves)), proof, newer, newer) == nil {
				t.Fatalf("proof from %d to %d holds for another older root", size, len(leaves))
			}
		}
	}
	if Consistency(leaves, 0) != nil || Consistency(leaves, len(leaves)+1) != nil || Path(leaves, -1) != nil || Path(leaves, len(leaves)) != nil {
		t.Fatal("a proof for what is not there")
	}
}

func TestRootAllocatesNothing(t *testing.T) {
	leaves := make([]Hash, 1000)
	if n := testing.AllocsPerRun(10, func() { Root(leaves) }); n > 0 {
		t.Errorf("Root allocates %v times", n)
	}
}

func FuzzVerify(f *testing.F) {
	f.Add(uint64(0), uint64(1), []byte{})
	f.Add(uint64(3), uint64(8), make([]byte, 96))
	f.Add(^uint64(0)-1, ^uint64(0), make([]byte, 64*32))
	f.Fuzz(func(t *testing.T, a, b uint64, raw []byte) {
		proof := make([]Hash, len(raw)/32)
		for i := range proof {
			proof[i] = Hash(raw[32*i:])
		}
		// Whatever the sizes, no panic, and no proof of another length.
		if err := VerifyPath(Empty, a, b, proof, Empty); err == nil && len(proof) != PathLength(a, b) {
			t.Fatalf("a path of %d hashes holds for leaf %d of %d", len(proof), a, b)
		}
		if err := VerifyConsistency(a, b, proof, Empty, Empty); err == nil && a != b {
			t.Fatalf("%d and %d leaves have one root", a, b)
		}
	})
}

func BenchmarkRoot(b *testing.B) {
	for _, n := range []int{16, 1024, 30000} {
		leaves := make([]Hash, n)
		for i := range leaves {
			leaves[i] = LeafHash([]byte{byte(i), byte(i >> 8)})
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Root(leaves)
			}
			// The floor is one SHA-256 of 65 bytes a leaf.
			perLeaf := float64(b.Elapsed().Nanoseconds()) / float64(b.N) / float64(n)
			b.ReportMetric(perLeaf, "ns/leaf")
		})
	}
}

func BenchmarkNodeFloor(b *testing.B) {
	var buf [65]byte
	for b.Loop() {
		sum := sha256.Sum256(buf[:])
		copy(buf[1:], sum[:])
	}
}

func BenchmarkTree(b *testing.B) {
	leaves := make([]Hash, 30000)
	for b.Loop() {
		NewTree(leaves)
	}
}
