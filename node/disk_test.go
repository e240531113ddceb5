package node

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ios/chain"
	"ios/chain/store"
)

// TestWhatCannotBeOpenedIsNamed: a file is in the place of a part of a chain's directory.
func TestWhatCannotBeOpenedIsNamed(t *testing.T) {
	recorded := func(store.Record) (uint64, func() ([]chain.TxID, error)) { return 0, nil }
	told := func(error) {}
	for _, part := range []string{"snap", "ids", "log"} {
		dir := t.TempDir()
		path := filepath.Join(dir, part)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if d, err := openDisk(dir, recorded, told, told); err == nil || d != nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, %v", part, d, err)
		}
	}
}
