package store

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// memFS is a disk with a write cache, faults and power cuts. What was written
// and not synced may be lost, in whole or in sectors, when the power goes.
type memFS struct {
	mu    sync.Mutex
	files map[string]*memInode // as the running system sees them
	names map[string]*memInode // as they are on disk: SyncDir makes them so
	// faults
	room      int64         // bytes that can still be written; -1 without a limit
	syncFails int           // so many syncs fail
	dirFails  int           // so many syncs of a directory fail
	down      bool          // the power is off: everything fails
	off       chan struct{} // closed when it goes
	calls     int           // changes so far
	cutAt     int           // the power goes at this change; -1 never
}

type memInode struct {
	now     []byte // what reads see
	disk    []byte // what was synced
	pending []memWrite
}

// memWrite is a change since the last sync: bytes at a place, or a new size.
type memWrite struct {
	off  int64
	data []byte // nil: truncation to off
}

var errPower = errors.New("power cut")

func newMemFS() *memFS {
	return &memFS{files: map[string]*memInode{}, names: map[string]*memInode{}, room: -1, cutAt: -1, off: make(chan struct{})}
}

func (fs *memFS) set(change func()) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	change()
}

// step counts a change; with the lock held.
func (fs *memFS) step() error {
	if fs.calls++; fs.calls == fs.cutAt {
		fs.down = true
		close(fs.off)
	}
	if fs.down {
		return errPower
	}
	return nil
}

// reboot is the disk after a power cut at this moment. Of the writes that were
// not synced, each sector may or may not have made it.
func (fs *memFS) reboot(r *rand.Rand) *memFS {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	next := newMemFS()
	copied := map[*memInode]*memInode{}
	names := fs.names
	if r.IntN(2) == 0 {
		names = fs.files // renames that were not synced made it
	}
	for name, ino := range names {
		if copied[ino] == nil {
			b := slices.Clone(ino.disk)
			upto := r.IntN(len(ino.pending) + 1)
			for i, w := range ino.pending {
				b = w.apply(b, func(int) bool { return i < upto || r.IntN(3) == 0 })
			}
			copied[ino] = &memInode{now: b, disk: slices.Clone(b)}
		}
		next.files[name], next.names[name] = copied[ino], copied[ino]
	}
	return next
}

const memSector = 512

// apply makes a change to b, sector by sector as keep says.
func (w memWrite) apply(b []byte, keep func(sector int) bool) []byte {
	if w.data == nil {
		if !keep(0) {
			return b
		}
		if int64(len(b)) > w.off {
			return b[:w.off]
		}
		return append(b, make([]byte, w.off-int64(len(b)))...)
	}
	if grow := w.off + int64(len(w.data)) - int64(len(b)); grow > 0 {
		b = append(b, make([]byte, grow)...)
	}
	for at := 0; at < len(w.data); {
		n := min(len(w.data)-at, memSector-int(w.off+int64(at))%memSector)
		if keep(at) {
			copy(b[w.off+int64(at):], w.data[at:at+n])
		}
		at += n
	}
	return b
}

func all(int) bool { return true }

func (fs *memFS) Create(name string) (File, error) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if err := fs.step(); err != nil {
		return nil, err
	}
	fs.files[name] = &memInode{}
	return &memFile{fs: fs, ino: fs.files[name]}, nil
}

func (fs *memFS) Open(name string) (File, error) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if fs.files[name] == nil {
		return nil, os.ErrNotExist
	}
	return &memFile{fs: fs, ino: fs.files[name]}, nil
}

func (fs *memFS) Rename(from, to string) error {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if err := fs.step(); err != nil {
		return err
	}
	fs.files[to] = fs.files[from]
	delete(fs.files, from)
	return nil
}

func (fs *memFS) Remove(name string) error {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if err := fs.step(); err != nil {
		return err
	}
	if fs.files[name] == nil {
		return os.ErrNotExist
	}
	delete(fs.files, name)
	return nil
}

func (fs *memFS) List(dir string) ([]string, error) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	var names []string
	for name := range fs.files {
		if strings.HasPrefix(name, dir+"/") {
			names = append(names, filepath.Base(name))
		}
	}
	slices.Sort(names)
	return names, nil
}

func (fs *memFS) MkdirAll(string) error { return nil }

func (fs *memFS) SyncDir(dir string) error {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if err := fs.step(); err != nil {
		return err
	}
	if fs.dirFails > 0 {
		fs.dirFails--
		return syscall.EIO
	}
	for name := range fs.names {
		if strings.HasPrefix(name, dir+"/") {
			delete(fs.names, name)
		}
	}
	for name, ino := range fs.files {
		if strings.HasPrefix(name, dir+"/") {
			fs.names[name] = ino
		}
	}
	return nil
}

type memFile struct {
	fs     *memFS
	ino    *memInode
	closed bool
}

func (f *memFile) ReadAt(b []byte, off int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if f.closed {
		return 0, os.ErrClosed
	}
	if off >= int64(len(f.ino.now)) {
		return 0, io.EOF
	}
	n := copy(b, f.ino.now[off:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memFile) change(w memWrite) {
	f.ino.now = w.apply(f.ino.now, all)
	f.ino.pending = append(f.ino.pending, w)
}

func (f *memFile) WriteVec(bufs [][]byte, off int64) (int64, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	data := bytes.Join(bufs, nil)
	err := f.fs.step()
	switch {
	case err != nil && f.fs.calls == f.fs.cutAt: // in the middle of the write
		data = data[:len(data)/2]
	case err != nil:
		return 0, err
	}
	if room := f.fs.room; room >= 0 && int64(len(data)) > room {
		data, err = data[:room], syscall.ENOSPC
	}
	if len(data) > 0 {
		f.change(memWrite{off, data})
	}
	if f.fs.room >= 0 {
		f.fs.room -= int64(len(data))
	}
	return int64(len(data)), err
}

func (f *memFile) Truncate(size int64) error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.fs.step(); err != nil {
		return err
	}
	f.change(memWrite{size, nil})
	return nil
}

func (f *memFile) DataEnd() (int64, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	return int64(len(bytes.TrimRight(f.ino.now, "\x00"))), nil
}

func (f *memFile) Preallocate(size int64) error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.fs.step(); err != nil {
		return err
	}
	if f.fs.room >= 0 {
		return syscall.ENOSPC
	}
	if size > int64(len(f.ino.now)) {
		f.change(memWrite{size, nil})
	}
	return nil
}

// Sync of a file that fails forgets what it should have written, as kernels do:
// reads still see it, the disk never gets it.
func (f *memFile) Sync() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.fs.step(); err != nil {
		return err
	}
	if f.fs.syncFails > 0 {
		f.fs.syncFails--
		f.ino.pending = nil
		return syscall.EIO
	}
	for _, w := range f.ino.pending {
		f.ino.disk = w.apply(f.ino.disk, all)
	}
	f.ino.pending = nil
	return nil
}

func (f *memFile) Size() (int64, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	return int64(len(f.ino.now)), nil
}

func (f *memFile) Close() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	f.closed = true
	return nil
}
