package node

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"

	"ios/chain"
	"ios/internal/sm"
	"ios/node/api"
)

// runner runs the machine of one chain: it feeds it events, one at a time, and
// carries out the effects.
type runner struct {
	node  *Node
	chain chain.ShardID
	owner owner
	log   *logrus.Entry
	dir   string

	disk *disk
	core machine
	read *reader
	open atomic.Bool // it takes messages

	events   chan sm.Event
	verdicts *verdicts
	inbox    *inbox
	tasks    chan func()
	timers   *timers
	view     *view

	snap    snapshotting
	closing atomic.Bool
	done    chan struct{} // closed when the loop has ended, or never will begin
	leave   func()        // ends run; set by launch
	gone    chan struct{} // closed when run has ended
	ended   sync.Once
}

// Sizes of the queues between the loop and the rest.
const (
	eventQueue = 4096
	taskQueue  = 1024
)

// init prepares the runner of a chain whose data is in the directory.
func (r *runner) init(n *Node, id chain.ShardID, dir string, o owner) {
	*r = runner{
		node: n, chain: id, owner: o, dir: dir,
		log:    n.log.WithField("shard", chainName(id)),
		events: make(chan sm.Event, eventQueue), tasks: make(chan func(), taskQueue),
		verdicts: newVerdicts(), inbox: newInbox(), timers: newTimers(), done: make(chan struct{}),
	}
	r.snap.every = snapshotEvery
	r.view = newView(r)
}

// start opens the data directory and recovers the machine. Afterwards close is
// due.
func (r *runner) start(ctx context.Context) (err error) {
	if r.disk, err = openDisk(r.dir, r.owner.recorded, r.logState, r.indexState); err != nil {
		return err
	}
	if err = r.recover(ctx); err != nil {
		return err
	}
	r.read = newReader()
	r.open.Store(true)
	return nil
}

// close closes all that start opened. The loop must have ended.
func (r *runner) close() (err error) {
	r.stop()
	if r.read != nil {
		r.read.close()
	}
	r.snap.writers.Wait()
	if r.disk != nil {
		err = r.disk.close()
	}
	return err
}

// stop lets everybody go who waits for the loop.
func (r *runner) stop() {
	r.ended.Do(func() {
		r.open.Store(false)
		close(r.done)
		r.inbox.close()
		r.verdicts.close()
	})
}

// post hands an event to the loop. It waits while the loop is behind, which is
// what slows a peer down that sends too much.
func (r *runner) post(ev sm.Event) {
	select {
	case r.events <- ev:
	case <-r.done:
	}
}

// ask runs read in the loop, between two steps of the machine. Once it has
// returned, with an error too, read does not run any more.
func (r *runner) ask(ctx context.Context, read func()) error {
	if !r.view.serving() {
		return chain.Rule(chain.ErrNotReady, "the validator is %s; see its status", r.view.phase())
	}
	var taken atomic.Bool // by the loop, or back by us
	finished := make(chan struct{})
	task := func() {
		if taken.CompareAndSwap(false, true) {
			read()
			close(finished)
		}
	}
	select {
	case r.tasks <- task:
	case <-r.done:
		return chain.Rule(api.ErrStopping, "the validator is shutting down")
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-finished:
		return nil
	case <-r.done:
		return chain.Rule(api.ErrStopping, "the validator is shutting down")
	case <-ctx.Done():
		if taken.CompareAndSwap(false, true) {
			return ctx.Err()
		}
		<-finished
		return nil
	}
}

// stopPatience is how long a disk that takes no writes may hold up the end.
const stopPatience = 3 * time.Second

// unblock closes the log when the loop hangs in it after ctx ended: on a full
// disk appends wait for room, which must not keep the runner from ending.
func (r *runner) unblock(ctx context.Context) (stop func() bool) {
	return context.AfterFunc(ctx, func() {
		select {
		case <-r.done:
		case <-time.After(2 * stopPatience):
			r.log.Warn("the disk takes no writes; ending without them")
			_ = r.disk.log.Close() // close gets the error
		}
	})
}

// loop feeds the machine until ctx ends.
func (r *runner) loop(ctx context.Context) error {
	defer r.unblock(ctx)()
	defer r.stop()
	r.step(r.owner.begin())
	for _, ev := range r.owner.news() {
		r.step(ev)
	}
	r.view.began()
	wake := time.NewTimer(time.Hour)
	defer wake.Stop()
	for {
		if at, ok := r.timers.next(); ok {
			wake.Reset(time.Until(at))
		}
		select {
		case ev := <-r.events:
			r.consume(ev)
		case <-r.verdicts.ready:
			if list := r.verdicts.take(); len(list) > 0 {
				r.step(r.owner.checked(list))
			}
		case task := <-r.tasks:
			task()
		case <-wake.C:
		case <-ctx.Done():
			r.log.Info("stopping")
			return r.saveAtEnd()
		}
		for now := time.Now(); ; {
			key, ok := r.timers.pop(now)
			if !ok {
				break
			}
			r.step(sm.Fire{Key: key})
		}
	}
}

func (r *runner) consume(ev sm.Event) {
	if in, ok := ev.(inbound); ok {
		if r.inbox.give(&in) {
			r.step(in.Receive)
		}
		return
	}
	r.step(ev)
}

func (r *runner) step(ev sm.Event) {
	r.apply(r.core.Step(time.Now(), ev))
	if r.snap.moved {
		r.snap.moved = false
		r.maybeSnapshot()
	}
}

// run takes part in the chain until ctx ends, and closes everything.
func (r *runner) run(ctx context.Context) error {
	err := r.loop(ctx)
	return errors.Join(err, r.close())
}
