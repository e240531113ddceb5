//go:build unix

package testenv

import (
	"syscall"
	"testing"
	"time"
)

// CPU is what all cores have spent on this process so far. Other than wall time it does
// not show how busy the machine is.
func CPU(t testing.TB) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
