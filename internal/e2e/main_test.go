package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// program is the ios binary that the tests run.
var program string

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// run builds the program once, without the race detector: what is tested is
// the product. IOS_PROGRAM names one that is built already.
func run(m *testing.M) (int, error) {
	if program = os.Getenv("IOS_PROGRAM"); program != "" {
		return m.Run(), nil
	}
	dir, err := os.MkdirTemp("", "ios-e2e")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "ios")
	build := exec.Command("go", "build", "-o", program, "ios/cmd/ios")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("building the program: %w\n%s", err, out)
	}
	return m.Run(), nil
}

// soak skips what takes long, unless it is asked for.
func soak(t *testing.T) {
	t.Helper()
	if os.Getenv("IOS_SOAK") == "" {
		t.Skip("takes long; set IOS_SOAK=1 to run it")
	}
}

// tick is how often a condition is looked at.
const tick = 20 * time.Millisecond

// await waits until the condition holds: cond gives what is missing, or "".
func await(t *testing.T, patience time.Duration, cond func() string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		missing := cond()
		if missing == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after %v: %s", patience, missing)
		}
		time.Sleep(tick)
	}
}
