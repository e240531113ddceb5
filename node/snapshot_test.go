package node

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"ios/chain"
	"ios/chain/store"
	"ios/node/api"
)

// copyDisk is what a validator's disk holds, as a power cut would leave it: its
// snapshots as they are, and its log as it is a moment later.
func (r *rig) copyDisk(id chain.ValidatorID) (dir string) {
	r.t.Helper()
	dir = filepath.Join(r.t.TempDir(), "data")
	shard := filepath.Base(r.member(id).dir)
	for _, sub := range []string{filepath.Join(shard, "snap"), filepath.Join(shard, "log")} {
		if err := os.MkdirAll(subdir(dir, sub), 0o700); err != nil {
			r.t.Fatal(err)
		}
		files, err := os.ReadDir(subdir(r.dirs[id], sub))
		if err != nil {
			r.t.Fatal(err)
		}
		for _, f := range files {
			r.copyFile(filepath.Join(r.dirs[id], sub, f.Name()), filepath.Join(dir, sub, f.Name()))
		}
	}
	return dir
}

func (r *rig) copyFile(from, to string) {
	r.t.Helper()
	in, err := os.Open(from)
	if errors.Is(err, os.ErrNotExist) {
		return // an old snapshot that was just deleted
	} else if err != nil {
		r.t.Fatal(err)
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		r.t.Fatal(err)
	}
	defer out.Close()
	const enough = 1 << 20 // of a segment, whose room is reserved
	if _, err := io.Copy(out, io.LimitReader(in, enough)); err != nil {
		r.t.Fatal(err)
	}
}

// hold makes the validator's disk take nothing until it is released.
func (n *member) hold(t *testing.T) (release func()) {
	t.Helper()
	hung, free := make(chan struct{}), make(chan struct{})
	err := n.disk.log.Append(store.Batch{Done: func([]uint64, error) { close(hung); <-free }})
	if err != nil {
		t.Fatal(err)
	}
	<-hung
	return func() { close(free) }
}

// What is recorded between the moment of a snapshot and its writing lies behind
// it: a crash after that loses nothing.
func TestASnapshotHidesNothingThatCameAfterIt(t *testing.T) {
	r := newRig(t, 1, 4)
	coins := r.coins(0, 4)
	late := r.members[0][3] // it does not lead
	n := r.member(late)
	inLoop := func(f func()) {
		t.Helper()
		if err := n.ask(context.Background(), f); err != nil {
			t.Fatal(err)
		}
	}
	var paid []*chain.Tx
	pay := func() {
		x := r.pay(coins[len(paid):len(paid)+1], 0)
		r.submit(r.at(0), x)
		out := r.becomes(r.at(0), x.ID, api.StateCommitted)
		r.eventually("the block with the last validator", func() bool {
			st, err := n.Status(context.Background())
			return err == nil && st.Height >= out.Height
		})
		paid = append(paid, x)
	}
	pay()
	r.becomes(n, paid[0].ID, api.StateCommitted)
	inLoop(func() { n.snap.every = 1 })
	release := n.hold(t)
	pay()
	inLoop(func() {
		if !n.snap.busy {
			t.Error("no snapshot has begun")
		}
		n.snap.every = snapshotEvery
	})
	pay()
	release()
	r.eventually("a snapshot", func() bool {
		heights, err := n.disk.snaps.Heights()
		return err == nil && len(heights) == 1
	})
	pay()
	r.becomes(n, paid[3].ID, api.StateCommitted)
	dir := r.copyDisk(late)
	r.stop(late)
	r.dirs[late] = dir
	r.start(late)
	r.ready(late)
	for _, x := range paid {
		r.becomes(r.member(late), x.ID, api.StateCommitted)
	}
	r.supplyHolds()
}

// A disk that takes no writes makes the loop wait for it. The status is told all
// the same, calls end with their context, and the node ends when it is told to.
func TestANodeWhoseDiskHangs(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, 4)
	x := r.pay(r.coins(0, 1), 0)
	r.submit(r.at(0), x)
	r.becomes(r.member(3), x.ID, api.StateCommitted)
	run := r.nodes[3]
	n := run.node.newest()
	before, err := n.Status(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	release := n.hold(t)
	filled := make(chan struct{})
	go func() { // it is full, so that the loop waits too
		defer close(filled)
		for n.disk.log.Append(store.Batch{}) == nil {
		}
	}()
	r.eventually("a loop that waits", func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
		defer cancel()
		return errors.Is(n.ask(ctx, func() {}), context.DeadlineExceeded)
	})
	st, err := n.Status(context.Background())
	if err != nil || st.Supply != before.Supply {
		t.Error("the status is not told:", err)
	}
	run.stop()
	<-n.done
	<-filled
	release()
	if err := <-run.err; !errors.Is(err, errNotSaved) {
		t.Error("it does not say that the state was not saved:", err)
	}
	r.nodes[3] = nil
}
