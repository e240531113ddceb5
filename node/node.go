package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"ios/chain"
	"ios/chain/store"
	"ios/node/api"
	"ios/node/config"
	"ios/node/epochs"
)

// Config is what a node is made from.
type Config struct {
	Genesis *chain.Genesis // checked
	Node    *config.Node
	Keys    *config.Keyring
	DataDir string
	Log     *logrus.Logger
	Version string
	// Idle is called when no chain has made a block for a while after a time of
	// work: a good moment to give memory back. It must be brief. It may be nil.
	Idle func()
	// Transport makes the connections to the other validators. Nil means onet.
	Transport func(Handler) (Transport, error)
}

// Node is a running validator: the process, and what its chains share.
type Node struct {
	cfg     Config
	log     *logrus.Entry
	net     *network // who is who
	started time.Time
	lock    *store.Lock

	wire   Transport
	wired  chan struct{} // closed when wire is set
	check  *checker
	server *api.Server
	stats  *metrics
	usage  usage
	rates  *rates
	faults faultLog

	turning sync.Mutex  // held while an epoch begins
	records *epochStore // of epochs

	roster
	work sync.WaitGroup  // the chains' loops, and what ends them
	quit context.Context // ends when the node stops
	fail context.CancelCauseFunc
}

// Open locks the data directory, begins to serve clients and prepares a node.
// Run does the rest.
func Open(cfg Config) (*Node, error) {
	net, err := newNetwork(cfg.Genesis, cfg.Node.Name, cfg.Keys)
	if err != nil {
		return nil, err
	}
	n := &Node{
		cfg: cfg, net: net, started: time.Now(),
		log:   cfg.Log.WithField("validator", cfg.Node.Name),
		wired: make(chan struct{}), rates: newRates(), check: newChecker(net.book),
	}
	n.quit, n.fail = context.WithCancelCause(context.Background())
	n.stats = newMetrics(n)
	n.roster.init()
	if n.lock, err = store.AcquireLock(cfg.DataDir, n.started); err != nil {
		return nil, err
	}
	if err := n.open(); err != nil {
		n.lock.Release()
		return nil, err
	}
	return n, nil
}

func (n *Node) open() error {
	if err := n.loadEpochs(); err != nil {
		return err
	}
	if err := n.net.recognize(n.cfg.Node.Name, n.cfg.Keys); err != nil {
		return err
	}
	if err := n.enroll(); err != nil {
		return err
	}
	registry := prometheus.NewRegistry()
	if err := registry.Register(n.stats); err != nil {
		return err
	}
	var err error
	n.server, err = api.NewServer(api.Config{
		Listen: n.cfg.Node.API, Backend: n, Prefix: n.cfg.Genesis.Prefix(), Log: n.cfg.Log, Registry: registry,
	})
	return err
}

// Run recovers the chains from disk, takes part in them until ctx ends, and
// closes everything. It returns nil when ctx ended it.
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

	defer n.fail(nil)
	defer context.AfterFunc(ctx, func() { n.fail(ctx.Err()) })()
	checked := make(chan struct{})
	go func() { defer close(checked); n.check.run(n.flush) }()
	defer func() { n.check.close(); <-checked }()
	first := n.runners()
	for i, r := range first {
		if err := r.start(n.quit); err != nil {
			return errors.Join(err, closeAll(first[:i+1]))
		}
	}
	if n.wire, err = n.connect(); err != nil {
		return errors.Join(err, closeAll(first))
	}
	close(n.wired)
	defer func() { err = errors.Join(err, n.wire.Close()) }()
	if err := n.begin(first); err != nil {
		n.failed(err)
		n.fail(err)
	}
	<-n.quit.Done()
	n.changes.Lock()
	n.up = false
	n.changes.Unlock()
	n.work.Wait()
	n.mu.Lock()
	defer n.mu.Unlock()
	return errors.Join(n.errs...)
}

func closeAll(list []*runner) (err error) {
	for _, r := range list {
		err = errors.Join(err, r.close())
	}
	return err
}

// stopServing ends the client API.
func (n *Node) stopServing() error {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	return n.server.Close(ctx)
}

// flush hands what the checker found to the chains.
func (n *Node) flush() {
	for _, r := range n.runners() {
		r.verdicts.flush()
	}
}

// idleAfter is how long no chain makes a block until the node counts as idle.
const idleAfter = 10 * time.Second

// rest calls Config.Idle when there is nothing to do.
func (n *Node) rest() {
	tick := time.NewTicker(idleAfter)
	defer tick.Stop()
	rested := n.blocks()
	seen := rested
	for {
		select {
		case <-tick.C:
		case <-n.quit.Done():
			return
		}
		now := n.blocks()
		if now == seen && now != rested {
			n.cfg.Idle()
			rested = now
		}
		seen = now
	}
}

// blocks is how many blocks all chains have.
func (n *Node) blocks() (sum uint64) {
	for _, r := range n.runners() {
		sum += r.view.at()
	}
	return sum
}

// randomSeed is a secret for hash tables.
func randomSeed() (seed [16]byte, err error) {
	if _, err := rand.Read(seed[:]); err != nil {
		return seed, fmt.Errorf("reading randomness: %w", err)
	}
	return seed, nil
}

// network is who is who, by the genesis and the epochs since.
type network struct {
	genesis *chain.Genesis
	params  *chain.Params
	self    chain.ValidatorID
	book    *epochs.Book
}

func subdir(dir, name string) string { return filepath.Join(dir, name) }
