//go:build unix

package store

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// lockName is the file in a data directory that its process holds. It stays
// when the process ends: removing it would let two processes hold two files of
// one name. The kernel's lock ends with the process, however that ends.
const lockName = "LOCK"

// Lock is the right to use a data directory.
type Lock struct{ file *os.File }

// LockedError says who uses a data directory.
type LockedError struct {
	Dir    string
	Holder string // "pid 123 since 2006-01-02T15:04:05Z", as the holder wrote it
}

func (e *LockedError) Error() string {
	return fmt.Sprintf("data directory %s is in use by %s; stop that process or choose another directory", e.Dir, e.Holder)
}

// AcquireLock makes the data directory if need be, closes it to others, and
// locks it. The time is written into the lock for whoever finds it taken.
func AcquireLock(dir string, now time.Time) (*Lock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the data directory: %w", err)
	}
	if st, err := os.Stat(dir); err != nil {
		return nil, err
	} else if st.Mode().Perm()&0o077 != 0 {
		if err := os.Chmod(dir, 0o700); err != nil {
			return nil, fmt.Errorf("data directory %s is open to other users (mode %o) and cannot be closed: %w", dir, st.Mode().Perm(), err)
		}
	}
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking data directory %s: %w", dir, err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		defer f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, &LockedError{Dir: dir, Holder: holder(f)}
		}
		return nil, fmt.Errorf("locking data directory %s: %w", dir, err)
	}
	l := &Lock{f}
	text := fmt.Sprintf("pid %d since %s\n", os.Getpid(), now.UTC().Format(time.RFC3339))
	if err := f.Truncate(0); err != nil {
		l.Release()
		return nil, fmt.Errorf("writing %s: %w", f.Name(), err)
	}
	if _, err := f.WriteAt([]byte(text), 0); err != nil {
		l.Release()
		return nil, fmt.Errorf("writing %s: %w", f.Name(), err)
	}
	return l, nil
}

// holder reads who has the lock; the file may be anything.
func holder(f *os.File) string {
	b, err := io.ReadAll(io.NewSectionReader(f, 0, 100))
	text := strings.TrimSpace(strings.ToValidUTF8(string(b), "?"))
	if err != nil || text == "" {
		return "another process"
	}
	return text
}

// Release gives the directory free.
func (l *Lock) Release() error { return l.file.Close() }
