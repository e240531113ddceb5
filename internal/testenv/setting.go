package testenv

import (
	"os"
	"strconv"
	"testing"
)

// Setting is a number of the environment, or the usual one: IOS_SEEDS is how many
// random runs a test makes, IOS_SEED the first one.
func Setting(t testing.TB, name string, usual uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return usual
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}
