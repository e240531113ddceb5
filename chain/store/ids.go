package store

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
)

// IDsOptions configure IDs. The zero value is usable.
type IDsOptions struct {
	// TableSize is how many ids are gathered in memory before they are written
	// as a run; 262,144 if 0, which take 6 MB.
	TableSize int
	FS        FS // OS if nil
}

// IDs tells which block holds a transaction. It keeps the first 8 bytes of each
// id, so an answer is a list of candidates, nearly always of one.
//
// Recent ids are in memory, older ones in sorted runs that the background writes
// and merges. After a crash the owner adds again what the log has of the heights
// above [IDs.Covered].
type IDs struct {
	dir  string
	fs   FS
	size int
	seed [2]uint64
	info []error

	mu      sync.RWMutex
	change  sync.Cond  // on mu
	active  *idTable   // takes what is added
	frozen  []*idTable // wait to be written, oldest first
	spare   *idTable
	runs    []*run // ascending by height
	started bool   // a height was added, or a run is there
	floor   uint64
	err     error
	closing bool
	done    chan struct{}
}

// maxFrozen bounds the tables that wait to be written.
const maxFrozen = 4

// OpenIDs opens the runs in a directory, or makes it. Runs that are damaged or
// behind a hole are deleted with all that follow; [IDs.Problems] says so, and
// [IDs.Covered] where to go on.
func OpenIDs(dir string, opt IDsOptions) (*IDs, error) {
	if opt.TableSize <= 0 {
		opt.TableSize = 1 << 18
	}
	if opt.FS == nil {
		opt.FS = OS
	}
	x := &IDs{dir: dir, fs: opt.FS, size: opt.TableSize, done: make(chan struct{})}
	x.change.L = &x.mu
	var secret [16]byte
	if _, err := rand.Read(secret[:]); err != nil {
		return nil, err
	}
	x.seed = [2]uint64{binary.LittleEndian.Uint64(secret[:]), binary.LittleEndian.Uint64(secret[8:])}
	if err := x.load(); err != nil {
		for _, r := range x.runs {
			r.file.Close()
		}
		return nil, fmt.Errorf("opening the ids in %s: %w", dir, err)
	}
	next := uint64(0)
	if x.started = len(x.runs) > 0; x.started {
		next = x.runs[len(x.runs)-1].to + 1
	}
	x.active = newIDTable(x.seed, next)
	go x.write()
	return x, nil
}

// Problems says what was wrong with runs that were deleted.
func (x *IDs) Problems() []error { return x.info }

// Err is why runs cannot be written at the moment, nil when they can.
func (x *IDs) Err() error {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.err
}

// Covered is the greatest height whose ids, with those of all heights before,
// are durable; false when there is none.
func (x *IDs) Covered() (height uint64, ok bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if len(x.runs) == 0 {
		return 0, false
	}
	return x.runs[len(x.runs)-1].to, true
}

// AddBlock notes the ids of a height. Heights must ascend; heights that are left
// out have no ids, and one that is covered already is passed over, so that the
// log can be read again from anywhere. It blocks while too much is unwritten,
// and is an error that changes nothing when that is because writing fails.
func AddBlock[H ~[32]byte](x *IDs, height uint64, ids []H) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if pass, err := x.begin(height, len(ids)); pass || err != nil {
		return err
	}
	for i := range ids {
		id := [32]byte(ids[i])
		x.active.add(prefixOf(&id))
	}
	return nil
}

func prefixOf(id *[32]byte) uint64 { return binary.BigEndian.Uint64(id[:8]) }

// begin makes the active table ready for n ids of a height.
func (x *IDs) begin(height uint64, n int) (pass bool, err error) {
	if len(x.runs) > 0 && height <= x.runs[len(x.runs)-1].to {
		return true, nil
	}
	if !x.started {
		x.active.reset(height)
		x.started = true
	}
	if height < x.active.to+1 {
		return false, fmt.Errorf("ids of height %d come after those of height %d", height, x.active.to)
	}
	if x.active.n >= x.size || height-x.active.from > maxSpan {
		if err := x.freeze(height); err != nil {
			return false, err
		}
	}
	x.active.to = height
	x.active.reserve(n)
	return false, nil
}

// freeze hands the active table to the background and begins a new one for the
// heights behind it. next is the height that comes; a table cannot span more
// than maxSpan, so what lies far ahead begins there.
func (x *IDs) freeze(next uint64) error {
	for len(x.frozen) >= maxFrozen && !x.closing {
		if x.err != nil {
			x.change.Broadcast() // try to write once more
			return fmt.Errorf("the ids of height %d cannot be taken: %w", next, x.err)
		}
		x.change.Wait()
	}
	if x.closing {
		return ErrClosed
	}
	from := x.active.to + 1
	if next-from > maxSpan {
		return fmt.Errorf("height %d is too far ahead of %d", next, x.active.to)
	}
	x.frozen = append(x.frozen, x.active)
	if x.active = x.spare; x.active == nil {
		x.active = newIDTable(x.seed, from)
	}
	x.spare = nil
	x.active.reset(from)
	x.change.Broadcast()
	return nil
}

// Find gives the heights, ascending, of blocks that may hold the id. None means
// that no block since the floor does.
func (x *IDs) Find(id [32]byte) ([]uint64, error) {
	prefix := prefixOf(&id)
	for {
		list, err := x.find(prefix)
		// A run that was merged meanwhile is closed: its successor is there now.
		if errors.Is(err, os.ErrClosed) && !x.isClosed() {
			continue
		} else if errors.Is(err, os.ErrClosed) {
			return nil, ErrClosed
		}
		return list, err
	}
}

func (x *IDs) isClosed() bool {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.closing
}

func (x *IDs) find(prefix uint64) ([]uint64, error) {
	x.mu.RLock()
	if x.closing {
		x.mu.RUnlock()
		return nil, ErrClosed
	}
	list := x.active.find(prefix, nil)
	for _, t := range x.frozen {
		list = t.find(prefix, list)
	}
	runs, floor := x.runs, x.floor
	x.mu.RUnlock()
	for _, r := range runs {
		if r.to < floor {
			continue
		}
		var err error
		if list, err = r.find(prefix, list); err != nil {
			return nil, err
		}
	}
	list = slices.DeleteFunc(list, func(h uint64) bool { return h < floor })
	slices.Sort(list)
	return list, nil
}

// DropBefore forgets the ids of heights below the given one. Their room on disk
// comes free in the background, run by run.
func (x *IDs) DropBefore(height uint64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.floor = max(x.floor, height)
	x.change.Broadcast()
}

// Flush writes what is in memory and returns when it is durable.
func (x *IDs) Flush() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.err = nil // try again what failed before
	x.change.Broadcast()
	if x.started && x.active.to+1 > x.active.from {
		if err := x.freeze(x.active.to + 1); err != nil {
			return err
		}
	}
	for len(x.frozen) > 0 && x.err == nil {
		x.change.Wait()
	}
	return x.err
}

// Close writes what is in memory and closes the runs.
func (x *IDs) Close() error {
	if x.isClosed() {
		<-x.done
		return nil
	}
	err := x.Flush()
	x.mu.Lock()
	x.closing = true
	x.change.Broadcast()
	x.mu.Unlock()
	<-x.done
	for _, r := range x.runs {
		err = errors.Join(err, r.file.Close())
	}
	return err
}
