package node

import (
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"ios/node/api"
)

// usage remembers how much disk the process takes.
type usage struct {
	mu       sync.Mutex
	measured time.Time
	bytes    uint64
}

// disk is the size of a directory, which is walked at most every 10 seconds.
func (u *usage) disk(dir string) uint64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	if time.Since(u.measured) > 10*time.Second {
		u.bytes, u.measured = sizeOf(dir), time.Now()
	}
	return u.bytes
}

// sizeOf is how many bytes a directory takes.
func sizeOf(dir string) (bytes uint64) {
	filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			if info, err := e.Info(); err == nil {
				bytes += uint64(info.Size())
			}
		}
		return nil
	})
	return bytes
}

// resources is what the process uses.
func (n *Node) resources() (r api.Resources) {
	var used syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &used) == nil {
		r.CPUSeconds = time.Duration(used.Utime.Nano() + used.Stime.Nano()).Seconds()
	}
	r.RSS, r.Goroutines = residentBytes(), uint64(runtime.NumGoroutine())
	r.Disk = n.usage.disk(n.cfg.DataDir)
	return r
}

// residentBytes is the process's resident memory; 0 where the system does not
// tell.
func residentBytes() uint64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseUint(fields[1], 10, 64)
	return pages * uint64(os.Getpagesize())
}
