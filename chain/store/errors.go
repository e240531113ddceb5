package store

import (
	"errors"
	"fmt"
)

var (
	// ErrClosed is the answer of something that was closed.
	ErrClosed = errors.New("the store is closed")
	// ErrNotFound is the answer for what was never put in.
	ErrNotFound = errors.New("not found")
	// ErrDropped is the answer for what was there and was dropped.
	ErrDropped = errors.New("dropped: older than what is kept")
	// ErrFailed is wrapped in what a log that cannot write answers.
	ErrFailed = errors.New("the log cannot write")
)

// CorruptError says that bytes on disk are not what was written there.
type CorruptError struct {
	File   string
	Offset uint64 // in the log: the record's offset; elsewhere: in the file
	Reason string
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("%s is damaged at offset %d: %s; move the data directory away to fetch everything anew, and count the validator as faulty: it has forgotten what it signed", e.File, e.Offset, e.Reason)
}
