package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"os"
	"runtime/debug"
	"slices"
	"time"

	"go.etcd.io/bbolt"
)

// The buckets: heights, bodies, and what is said about the whole. A value is the
// log offset (u64), a checksum over key, offset and the rest, and the rest.
var (
	bucketHeaders = []byte("headers")
	bucketBodies  = []byte("bodies")
	bucketAbout   = []byte("about")
	keyMark       = []byte("mark-v1")
)

// indexFile is the part of an index that is on disk.
type indexFile struct {
	path string
	db   *bbolt.DB
}

// openIndexFile opens or makes the file. A damaged one is deleted and made anew;
// rebuilt then says what was wrong.
func openIndexFile(path string) (f *indexFile, rebuilt, err error) {
	f, err = tryIndexFile(path)
	if !isDamage(err) {
		return f, nil, err
	}
	rebuilt = err
	if err := os.Remove(path); err != nil {
		return nil, nil, fmt.Errorf("deleting the damaged index (%v): %w", rebuilt, err)
	}
	f, err = tryIndexFile(path)
	return f, rebuilt, err
}

// isDamage tells a file that is not what was written from a system that does not
// let it be read.
func isDamage(err error) bool {
	var c *CorruptError
	return errors.As(err, &c) || errors.Is(err, bbolt.ErrInvalid) ||
		errors.Is(err, bbolt.ErrChecksum) || errors.Is(err, bbolt.ErrVersionMismatch)
}

func tryIndexFile(path string) (*indexFile, error) {
	f := &indexFile{path: path}
	err := f.guard(func() error { return f.open(path) })
	if err == nil {
		_, err = f.mark()
	}
	if err == nil {
		return f, nil
	}
	if f.db != nil {
		_ = f.guard(f.db.Close)
	}
	return nil, fmt.Errorf("opening the index %s: %w", path, err)
}

func (f *indexFile) open(path string) (err error) {
	// bbolt's two pages about the whole; it has no error of its own for less.
	if st, err := os.Stat(path); err == nil && st.Size() > 0 && st.Size() < 2*int64(os.Getpagesize()) {
		return &CorruptError{File: path, Reason: fmt.Sprintf("%d bytes are too few", st.Size())}
	}
	// The list of free pages is written with each transaction. Without it bbolt
	// finds it by walking the tree in a goroutine of its own, where what it
	// panics about on a damaged file would end the process.
	f.db, err = bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second, FreelistType: bbolt.FreelistMapType})
	if err != nil {
		return err
	}
	return f.db.Update(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{bucketHeaders, bucketBodies, bucketAbout} {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		return nil
	})
}

// guard turns what bbolt does on a damaged file into an error: it panics, and
// where the file is too short the memory that maps it faults.
func (f *indexFile) guard(do func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = &CorruptError{File: f.path, Reason: fmt.Sprintf("%v (it can be deleted: the log has all of it)", p)}
		}
	}()
	return do()
}

func (f *indexFile) close() error { return f.guard(f.db.Close) }

func indexValue(key []byte, off uint64, rest []byte) []byte {
	b := make([]byte, 12, 12+len(rest))
	binary.BigEndian.PutUint64(b, off)
	sum := crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, b[:8])
	binary.BigEndian.PutUint32(b[8:], crc32.Update(sum, castagnoli, rest))
	return append(b, rest...)
}

// parseIndexValue gives a copy of what indexValue put together.
func parseIndexValue(key, b []byte) (off uint64, rest []byte, err error) {
	if len(b) < 12 {
		return 0, nil, errors.New("a value is cut short")
	}
	off = binary.BigEndian.Uint64(b)
	if want := indexValue(key, off, b[12:]); !bytes.Equal(want, b) {
		return 0, nil, errors.New("a value has a wrong checksum")
	}
	return off, bytes.Clone(b[12:]), nil
}

func (f *indexFile) get(bucket, key []byte) (off uint64, rest []byte, err error) {
	err = f.guard(func() error {
		return f.db.View(func(tx *bbolt.Tx) error {
			b := tx.Bucket(bucket).Get(key)
			if b == nil {
				return ErrNotFound
			}
			var err error
			if off, rest, err = parseIndexValue(key, b); err != nil {
				return &CorruptError{File: f.path, Reason: err.Error() + " (it can be deleted: the log has all of it)"}
			}
			return nil
		})
	})
	if errors.Is(err, bbolt.ErrDatabaseNotOpen) {
		err = ErrClosed
	}
	return off, rest, err
}

func heightKey(height uint64) []byte { return binary.BigEndian.AppendUint64(nil, height) }

func (f *indexFile) header(height uint64) (off uint64, header []byte, err error) {
	return f.get(bucketHeaders, heightKey(height))
}

func (f *indexFile) body(key BodyKey) (off uint64, err error) {
	k := key.encode()
	off, _, err = f.get(bucketBodies, k[:])
	return off, err
}

func (f *indexFile) mark() (uint64, error) {
	off, _, err := f.get(bucketAbout, keyMark)
	if errors.Is(err, ErrNotFound) {
		return 0, nil
	}
	return off, err
}

// write makes an overlay durable in one transaction, in the order of the keys,
// and deletes what lies below the floors.
func (f *indexFile) write(o *overlay) error {
	err := f.guard(func() error {
		return f.db.Update(func(tx *bbolt.Tx) error {
			headers, bodies := tx.Bucket(bucketHeaders), tx.Bucket(bucketBodies)
			headers.FillPercent, bodies.FillPercent = 0.9, 0.9 // keys mostly ascend
			for _, h := range slices.Sorted(maps.Keys(o.headers)) {
				at, key := o.headers[h], heightKey(h)
				if err := headers.Put(key, indexValue(key, at.off, at.header)); err != nil {
					return err
				}
			}
			for _, k := range slices.SortedFunc(maps.Keys(o.bodies), compareBodies) {
				key := k.encode()
				if err := bodies.Put(key[:], indexValue(key[:], o.bodies[k], nil)); err != nil {
					return err
				}
			}
			if err := dropBelow(headers, o.floors.height); err != nil {
				return err
			}
			if err := dropBelow(bodies, o.floors.epoch); err != nil {
				return err
			}
			return tx.Bucket(bucketAbout).Put(keyMark, indexValue(keyMark, o.mark, nil))
		})
	})
	if err != nil {
		return fmt.Errorf("writing the index: %w", err)
	}
	return nil
}

func compareBodies(a, b BodyKey) int {
	x, y := a.encode(), b.encode()
	return bytes.Compare(x[:], y[:])
}

// maxDropped bounds the deletions of one transaction; the rest goes with the
// next.
const maxDropped = 1 << 16

// dropBelow deletes the keys whose first eight bytes are below floor.
func dropBelow(b *bbolt.Bucket, floor uint64) error {
	var keys [][]byte
	c := b.Cursor()
	for k, _ := c.First(); k != nil && len(keys) < maxDropped && binary.BigEndian.Uint64(k) < floor; k, _ = c.Next() {
		keys = append(keys, k)
	}
	for _, k := range keys {
		if err := b.Delete(k); err != nil {
			return err
		}
	}
	return nil
}
