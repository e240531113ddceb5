package node

import (
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
	last uint64 // log offset of the newest one
	busy bool   // one is being written
	// moved says that the last step made a block final. Between two steps is
	// when what the machine saves and the log behind it fit together.
	moved   bool
	writers sync.WaitGroup
}

// maybeSnapshot begins a snapshot when the log has grown enough. The ledger is
// frozen here, which takes a copy of its memory, and written elsewhere.
func (n *Node) maybeSnapshot() {
	if n.snap.busy || n.disk.log.End() < n.snap.last+snapshotEvery {
		return
	}
	frozen, err := n.core.State().Freeze()
	if err != nil {
		return // the next block is being executed; there will be another moment
	}
	n.snap.busy = true
	height, saved := frozen.Height(), n.core.Export()
	begin := time.Now()
	// All records so far go before the snapshot: the mark tells where they end.
	n.disk.append(nil, func() {
		from := n.disk.log.End()
		n.snap.writers.Add(1)
		go func() {
			defer n.snap.writers.Done()
			err := n.disk.snaps.Write(height, func(w io.Writer) error {
				if _, err := w.Write(snapshotHead(from, saved)); err != nil {
					return err
				}
				return frozen.WriteSnapshot(w)
			})
			n.snapshotDone(height, from, time.Since(begin), err)
		}()
	})
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
	state := n.core.State()
	if n.snap.busy || state.Height() == 0 || n.disk.log.End() == n.snap.last {
		return nil
	}
	if state.Executing() {
		return nil // a block is being voted on; the log has it all
	}
	durable := make(chan uint64, 1)
	n.disk.append(nil, func() { durable <- n.disk.log.End() })
	var from uint64
	select {
	case from = <-durable:
	case <-time.After(3 * time.Second):
		return fmt.Errorf("the disk takes no writes; the state was not saved, and nothing that was acknowledged is lost")
	}
	return n.disk.snaps.Write(state.Height(), func(w io.Writer) error {
		if _, err := w.Write(snapshotHead(from, n.core.Export())); err != nil {
			return err
		}
		return state.WriteSnapshot(w)
	})
}
