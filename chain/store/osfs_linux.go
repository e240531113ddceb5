package store

import (
	"errors"
	"io"

	"golang.org/x/sys/unix"
)

// maxIOV is the number of buffers that the kernel takes in one call.
const maxIOV = 1024

// WriteVec hands the buffers to the kernel as they are: a body that arrived from
// the network reaches the page cache without a copy of its own.
func (f *osFile) WriteVec(bufs [][]byte, off int64) (int64, error) {
	conn, err := f.SyscallConn()
	if err != nil {
		return 0, err
	}
	f.iov = append(f.iov[:0], bufs...)
	defer clear(f.iov)
	rest, done := f.iov, int64(0)
	for {
		for len(rest) > 0 && len(rest[0]) == 0 {
			rest = rest[1:]
		}
		if len(rest) == 0 {
			return done, nil
		}
		var n int
		var werr error
		if err := conn.Control(func(fd uintptr) {
			n, werr = unix.Pwritev(int(fd), rest[:min(len(rest), maxIOV)], off+done)
		}); err != nil {
			return done, err
		}
		if errors.Is(werr, unix.EINTR) {
			continue
		}
		if werr != nil {
			return done, werr
		}
		if n == 0 {
			return done, io.ErrShortWrite
		}
		done += int64(n)
		for n > 0 {
			k := min(n, len(rest[0]))
			rest[0] = rest[0][k:]
			if n -= k; len(rest[0]) == 0 {
				rest = rest[1:]
			}
		}
	}
}

// Preallocate extends the file with reserved blocks, so that a sync need not
// make a new size durable.
func (f *osFile) Preallocate(size int64) error {
	return f.control(func(fd int) error { return unix.Fallocate(fd, 0, 0, size) })
}

// DataEnd asks the file system for what it keeps. Where that cannot tell, all is
// data; and so is what was read lately, so ask before reading.
func (f *osFile) DataEnd() (end int64, err error) {
	err = f.control(func(fd int) error {
		for {
			data, err := unix.Seek(fd, end, unix.SEEK_DATA)
			if err != nil {
				return err
			}
			if end, err = unix.Seek(fd, data, unix.SEEK_HOLE); err != nil {
				return err
			}
		}
	})
	switch {
	case errors.Is(err, unix.ENXIO):
		return end, nil
	case errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EOPNOTSUPP):
		return f.Size()
	}
	return end, err
}

// Sync is fdatasync: times of access and change may be lost, content may not.
func (f *osFile) Sync() error { return f.control(unix.Fdatasync) }

func (f *osFile) control(call func(fd int) error) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var cerr error
	if err := conn.Control(func(fd uintptr) {
		for cerr = call(int(fd)); errors.Is(cerr, unix.EINTR); {
			cerr = call(int(fd))
		}
	}); err != nil {
		return err
	}
	return cerr
}
