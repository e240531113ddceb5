package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"ios/chain"
	"ios/chain/cosi"
	"ios/chain/store"
	"ios/internal/sm"
	"ios/node/api"
	"ios/node/config"
	"ios/node/validator"
)

// Config is what a node is made from.
type Config struct {
	Genesis *chain.Genesis // checked
	Node    *config.Node
	Keys    *config.Keys
	DataDir string
	Log     *logrus.Logger
	Version string
	// Idle is called when the shard has made no block for a while after a time of
	// work: a good moment to give memory back. It must be brief. It may be nil.
	Idle func()
	// Transport makes the connections to the other validators. Nil means onet.
	Transport func(Handler) (Transport, error)
}

// Node is a running validator.
type Node struct {
	cfg     Config
	log     *logrus.Entry
	net     *network // who is who
	started time.Time

	lock  *store.Lock
	disk  *disk
	core  *validator.Core
	wire  Transport
	check *checker
	read  *reader

	events chan sm.Event
	inbox  *inbox
	wired  chan struct{} // closed when wire is set
	tasks  chan func()
	timers *timers
	view   *view
	server *api.Server
	stats  *metrics

	skipped *skippedTxs
	scans   *scans
	snap    snapshotting
	closing atomic.Bool
	done    chan struct{} // closed when the loop has ended
}

// Sizes of the queues between the loop and the rest.
const (
	eventQueue = 4096
	taskQueue  = 1024
)

// idleAfter is how long a shard makes no block until it counts as idle.
const idleAfter = 10 * time.Second

// Open locks the data directory, begins to serve clients and prepares a node.
// Run does the rest.
func Open(cfg Config) (*Node, error) {
	net, err := newNetwork(cfg.Genesis, cfg.Node.Name, cfg.Keys)
	if err != nil {
		return nil, err
	}
	n := &Node{
		cfg: cfg, net: net, started: time.Now(),
		log:    cfg.Log.WithFields(logrus.Fields{"validator": cfg.Node.Name, "shard": net.shard}),
		events: make(chan sm.Event, eventQueue), tasks: make(chan func(), taskQueue),
		inbox: newInbox(), wired: make(chan struct{}),
		timers: newTimers(), done: make(chan struct{}),
		skipped: newSkippedTxs(), scans: newScans(),
	}
	n.snap.every = snapshotEvery
	n.view = newView(n)
	n.stats = newMetrics(n)
	if n.lock, err = store.AcquireLock(cfg.DataDir, n.started); err != nil {
		return nil, err
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(n.stats)
	n.server, err = api.NewServer(api.Config{Listen: cfg.Node.API, Backend: n, Prefix: cfg.Genesis.Prefix(), Log: cfg.Log, Registry: registry})
	if err != nil {
		n.lock.Release()
		return nil, err
	}
	return n, nil
}

// Run recovers the state from disk, takes part in the committee until ctx ends,
// and closes everything. It returns nil when ctx ended it.
func (n *Node) Run(ctx context.Context) error {
	err := n.run(ctx)
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		err = nil
	}
	return err
}

func (n *Node) run(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, n.lock.Release()) }()
	defer func() { err = errors.Join(err, n.stopServing()) }()

	if n.disk, err = openDisk(n.cfg.DataDir, n.logState, n.indexState); err != nil {
		return err
	}
	defer func() { n.snap.writers.Wait(); err = errors.Join(err, n.disk.close()) }()
	if n.core, err = n.recover(ctx); err != nil {
		return err
	}
	n.check = newChecker(n.net.committees)
	checked := make(chan struct{})
	batch := &eventBatch{node: n}
	n.view.batch.Store(batch)
	go func() { defer close(checked); n.check.run(batch.flush) }()
	defer func() { n.check.close(); <-checked }()
	n.read = newReader(n)
	defer n.read.close()
	if n.wire, err = n.connect(); err != nil {
		return err
	}
	close(n.wired)
	defer func() { err = errors.Join(err, n.wire.Close()) }()
	return n.loop(ctx)
}

func (n *Node) stopServing() error {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	return n.server.Close(ctx)
}

// post hands an event to the loop. It waits while the loop is behind, which is
// what slows a peer down that sends too much.
func (n *Node) post(ev sm.Event) {
	select {
	case n.events <- ev:
	case <-n.done:
	}
}

// ask runs read in the loop, between two steps of the machine. Once it has
// returned, with an error too, read does not run any more.
func (n *Node) ask(ctx context.Context, read func()) error {
	if !n.view.serving() {
		return chain.Rule(chain.ErrNotReady, "the validator is %s; see its status", n.view.phase())
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
	case n.tasks <- task:
	case <-n.done:
		return chain.Rule(api.ErrStopping, "the validator is shutting down")
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-finished:
		return nil
	case <-n.done:
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
// disk appends wait for room, which must not keep the node from ending.
func (n *Node) unblock(ctx context.Context) (stop func() bool) {
	return context.AfterFunc(ctx, func() {
		select {
		case <-n.done:
		case <-time.After(2 * stopPatience):
			n.log.Warn("the disk takes no writes; ending without them")
			_ = n.disk.log.Close() // run gets the error
		}
	})
}

// loop feeds the machine until ctx ends.
func (n *Node) loop(ctx context.Context) error {
	defer n.unblock(ctx)()
	defer n.inbox.close()
	defer close(n.done)
	n.step(validator.Start{})
	n.view.began()
	wake := time.NewTimer(time.Hour)
	defer wake.Stop()
	rest := time.NewTicker(idleAfter)
	defer rest.Stop()
	restedAt := n.core.State().Height()
	lastSeen := restedAt
	for {
		if at, ok := n.timers.next(); ok {
			wake.Reset(time.Until(at))
		}
		select {
		case ev := <-n.events:
			n.consume(ev)
		case task := <-n.tasks:
			task()
		case <-wake.C:
		case <-rest.C:
			height := n.core.State().Height()
			if height == lastSeen && height != restedAt && n.cfg.Idle != nil {
				n.cfg.Idle()
				restedAt = height
			}
			lastSeen = height
		case <-ctx.Done():
			n.log.Info("stopping")
			return n.saveAtEnd()
		}
		for now := time.Now(); ; {
			key, ok := n.timers.pop(now)
			if !ok {
				break
			}
			n.step(sm.Fire{Key: key})
		}
	}
}

func (n *Node) consume(ev sm.Event) {
	if in, ok := ev.(inbound); ok {
		if n.inbox.give(&in) {
			n.step(in.Receive)
		}
		return
	}
	n.step(ev)
}

func (n *Node) step(ev sm.Event) {
	n.apply(n.core.Step(time.Now(), ev))
	if n.snap.moved {
		n.snap.moved = false
		n.maybeSnapshot()
	}
}

// randomSeed is a secret for hash tables.
func randomSeed() (seed [16]byte, err error) {
	if _, err := rand.Read(seed[:]); err != nil {
		return seed, fmt.Errorf("reading randomness: %w", err)
	}
	return seed, nil
}

// network is what the genesis says of who is who.
type network struct {
	genesis    *chain.Genesis
	params     *chain.Params
	self       chain.ValidatorID
	shard      chain.ShardID
	seat       int
	members    [][]chain.ValidatorID // by shard
	committees []*cosi.Committee     // by shard
}

func (w *network) name(id chain.ValidatorID) string {
	if int(id) < len(w.genesis.Validators) {
		return w.genesis.Validators[id].Name
	}
	return fmt.Sprint("validator ", id)
}

// shardOf is the shard of a validator.
func (w *network) shardOf(id chain.ValidatorID) chain.ShardID {
	for s, members := range w.members {
		for _, m := range members {
			if m == id {
				return chain.ShardID(s)
			}
		}
	}
	return 0
}

func subdir(dir, name string) string { return filepath.Join(dir, name) }
