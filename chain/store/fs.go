package store

import "io"

// FS is the file layer below this package. Nil in the options means the
// operating system; tests put faults and crashes here.
type FS interface {
	// Create makes an empty file, readable by its owner only.
	Create(name string) (File, error)
	// Open opens a file that exists, for reading and writing.
	Open(name string) (File, error)
	Rename(from, to string) error
	Remove(name string) error
	// List gives the names of the files in a directory, sorted.
	List(dir string) ([]string, error)
	// MkdirAll makes a directory that only its owner can enter.
	MkdirAll(dir string) error
	// SyncDir makes the names in a directory durable.
	SyncDir(dir string) error
}

// File is an open file. ReadAt and Close may be called from any goroutine, the
// rest from one at a time.
type File interface {
	io.ReaderAt
	// WriteVec writes the buffers one after the other from off on. It writes
	// less than all of them only with an error. It does not keep or change bufs.
	WriteVec(bufs [][]byte, off int64) (int64, error)
	Truncate(size int64) error
	// Preallocate reserves room up to size, which reads as zeros.
	Preallocate(size int64) error
	// DataEnd is an offset from which on there are only zeros.
	DataEnd() (int64, error)
	// Sync makes the content durable, with what is needed to read it again.
	Sync() error
	Size() (int64, error)
	Close() error
}

// fileWriter appends to a File; it adapts one to io.Writer.
type fileWriter struct {
	file File
	off  int64
}

func (w *fileWriter) Write(p []byte) (int, error) {
	n, err := w.file.WriteVec([][]byte{p}, w.off)
	w.off += n
	return int(n), err
}
