package node

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// snapshotEvery is how many bytes of log are executed again at the most, or
// nearly: about a second for each 100 MB.
const snapshotEvery = 256 << 20

// snapshotting is the loop's: what is known of snapshots.
type snapshotting struct {
	every uint64 // snapshotEvery
	last  uint64 // log offset behind what the newest one holds
	busy  bool   // one is being written
	// moved says that the last step made a block final. Between two steps is
	// when what the machine saves and the log behind it fit together.
	moved   bool
	writers sync.WaitGroup
}

// maybeSnapshot begins a snapshot when the log has grown enough. The ledger is
// frozen here, which takes a copy of its memory, and written elsewhere.
func (r *runner) maybeSnapshot() {
	if r.snap.busy || r.disk.log.End() < r.snap.last+r.snap.every {
		return
	}
	im, err := r.owner.image(true)
	if err != nil {
		r.log.Errorf("no snapshot of height %d is made: %v", r.core.Point().Height, err)
		return
	}
	r.snap.busy = true
	begin := time.Now()
	r.snap.writers.Add(1)
	err = r.disk.log.Mark(func(from uint64, err error) {
		if err != nil {
			r.snap.writers.Done() // the log was closed
			return
		}
		go func() {
			defer r.snap.writers.Done()
			r.snapshotDone(im.height, from, time.Since(begin), r.writeSnapshot(im, from))
		}()
	})
	if err != nil {
		r.snap.writers.Done()
	}
}

// snapshotDone tells the loop.
func (r *runner) snapshotDone(height, from uint64, took time.Duration, err error) {
	if err != nil {
		r.log.Errorf("snapshot of height %d: %v", height, err)
	} else {
		r.log.Infof("snapshot of height %d in %v", height, took.Round(time.Millisecond))
	}
	select {
	case r.tasks <- func() {
		r.snap.busy = false
		r.snap.last = from
	}:
	case <-r.done:
	}
}

// saveAtEnd writes a snapshot when the chain is stopped in order, so that the
// next start has nothing to execute again.
func (r *runner) saveAtEnd() error {
	r.closing.Store(true)
	if r.snap.busy || r.core.Point().Height == 0 || r.disk.log.End() == r.snap.last {
		return nil
	}
	im, err := r.owner.image(false)
	if err != nil {
		return fmt.Errorf("saving the state: %w", err)
	}
	durable := make(chan uint64, 1)
	err = r.disk.log.Mark(func(from uint64, err error) {
		if err == nil {
			durable <- from
		}
	})
	if err != nil {
		return errNotSaved
	}
	var from uint64
	select {
	case from = <-durable:
	case <-time.After(stopPatience):
		return errNotSaved
	}
	return r.writeSnapshot(im, from)
}

// writeSnapshot writes an image; the records behind from are not in it.
func (r *runner) writeSnapshot(im image, from uint64) error {
	return r.disk.snaps.Write(im.height, func(w io.Writer) error {
		if _, err := w.Write(snapshotHead(from, im.saved)); err != nil {
			return err
		}
		return im.ledger(w)
	})
}

var errNotSaved = errors.New("the disk takes no writes; the state was not saved, and nothing that was acknowledged is lost; make room and start the validator again")
