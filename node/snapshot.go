package node

import (
	"errors"
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
func (n *Node) maybeSnapshot() {
	if n.snap.busy || n.disk.log.End() < n.snap.last+n.snap.every {
		return
	}
	state, saved := n.core.Snapshot()
	frozen, err := state.Freeze()
	if err != nil {
		n.log.Errorf("no snapshot of height %d is made: %v", state.Height(), err)
		return
	}
	n.snap.busy = true
	begin := time.Now()
	n.snap.writers.Add(1)
	err = n.disk.log.Mark(func(from uint64, err error) {
		if err != nil {
			n.snap.writers.Done() // the log was closed
			return
		}
		go func() {
			defer n.snap.writers.Done()
			err := n.disk.snaps.Write(frozen.Height(), func(w io.Writer) error {
				if _, err := w.Write(snapshotHead(from, saved)); err != nil {
					return err
				}
				return frozen.WriteSnapshot(w)
			})
			n.snapshotDone(frozen.Height(), from, time.Since(begin), err)
		}()
	})
	if err != nil {
		n.snap.writers.Done()
	}
}

// snapshotDone tells the loop.
func (n *Node) snapshotDone(height, from uint64, took time.Duration, err error) {
	if err != nil {
		n.log.Errorf("snapshot of height %d: %v", height, err)
	} else {
		n.log.Infof("snapshot of height %d in %v", height, took.Round(time.Millisecond))
	}
	select {
	case n.tasks <- func() {
		n.snap.busy = false
		n.snap.last = from
	}:
	case <-n.done:
	}
}

// saveAtEnd writes a snapshot when the node is stopped in order, so that the
// next start has nothing to execute again.
func (n *Node) saveAtEnd() error {
	n.closing.Store(true)
	if n.snap.busy || n.core.State().Height() == 0 || n.disk.log.End() == n.snap.last {
		return nil
	}
	state, saved := n.core.Snapshot()
	durable := make(chan uint64, 1)
	err := n.disk.log.Mark(func(from uint64, err error) {
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
	return n.disk.snaps.Write(state.Height(), func(w io.Writer) error {
		if _, err := w.Write(snapshotHead(from, saved)); err != nil {
			return err
		}
		return state.WriteSnapshot(w)
	})
}

var errNotSaved = errors.New("the disk takes no writes; the state was not saved, and nothing that was acknowledged is lost; make room and start the validator again")
