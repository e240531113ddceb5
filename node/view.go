package node

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"

	"ios/chain"
	"ios/node/api"
	"ios/node/validator"
	"ios/pob/byzcoin"
)

// view is what the node tells about itself without asking the loop.
type view struct {
	node   *Node
	batch  atomic.Pointer[eventBatch]
	faults faultLog

	mu        sync.Mutex
	step      string  // what is being replayed
	percent   float64 // of replaying
	running   bool    // the loop runs
	logErr    error   // the log takes no more
	indexErr  error   // the indexes take no more
	agreed    byzcoin.Status
	viewNo    uint64
	leaderID  chain.ValidatorID
	height    uint64
	blockTime time.Time
	moved     chan struct{} // closed at the next final block
	figures   figures       // as the loop told them last
}

func newView(n *Node) *view { return &view{node: n, step: "starting", moved: make(chan struct{})} }

func (v *view) serving() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.running
}

func (v *view) replaying(step string, percent float64) {
	v.mu.Lock()
	v.step, v.percent = step, percent
	v.mu.Unlock()
}

func (v *view) restored(height uint64) {
	v.mu.Lock()
	v.height = height
	v.mu.Unlock()
}

func (v *view) began() {
	v.mu.Lock()
	v.running, v.percent = true, 100
	v.mu.Unlock()
}

func (v *view) agreement(s byzcoin.Status) {
	v.mu.Lock()
	changed := s.Phase != v.agreed.Phase || s.Reason != v.agreed.Reason
	v.agreed, v.viewNo, v.leaderID = s, s.View, s.Leader
	v.mu.Unlock()
	if changed {
		v.node.log.Infof("%v: %s", s.Phase, s.Reason)
	}
}

func (v *view) leader(c byzcoin.ViewChanged) {
	v.mu.Lock()
	v.viewNo, v.leaderID = c.View, c.Leader
	v.mu.Unlock()
}

// final notes a final block and tells the time since the one before.
func (v *view) final(height uint64, at time.Time) {
	v.mu.Lock()
	v.height, v.blockTime = height, at
	close(v.moved)
	v.moved = make(chan struct{})
	v.mu.Unlock()
}

// nextFinal is closed when another block is final.
func (v *view) nextFinal() <-chan struct{} {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.moved
}

// logState is told how the log is, and indexState how the indexes are.
func (n *Node) logState(cause error)   { n.diskState(&n.view.logErr, cause) }
func (n *Node) indexState(cause error) { n.diskState(&n.view.indexErr, cause) }

func (n *Node) diskState(part *error, cause error) {
	n.view.mu.Lock()
	before := n.view.diskErr()
	*part = cause
	after := n.view.diskErr()
	n.view.mu.Unlock()
	switch {
	case before == nil && after != nil:
		n.log.Errorf("the disk takes no more: %v; nothing is voted or accepted until it does", after)
	case before != nil && after == nil:
		n.log.Info("the disk takes writes again")
	}
}

// diskErr is why the disk takes no more. The caller holds the lock.
func (v *view) diskErr() error {
	if v.logErr != nil {
		return v.logErr
	}
	return v.indexErr
}

// phase is the API's name for what the node is doing.
func (v *view) phase() string {
	p, _ := v.phaseAndReason()
	return p
}

func (v *view) phaseAndReason() (phase, reason string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case v.node.closing.Load():
		return api.PhaseStopped, "it is shutting down"
	case !v.running && v.step == "starting":
		return api.PhaseStarting, "it opens its data directory"
	case !v.running:
		return api.PhaseReplaying, v.step
	case v.diskErr() != nil:
		return api.PhaseStopped, fmt.Sprintf("the disk takes no writes: %v", v.diskErr())
	}
	switch v.agreed.Phase {
	case byzcoin.Syncing:
		return api.PhaseSyncing, v.agreed.Reason
	case byzcoin.Waiting:
		return api.PhaseStalled, v.agreed.Reason
	case byzcoin.Halted:
		return api.PhaseStopped, v.agreed.Reason
	}
	return api.PhaseReady, ""
}

// next is what follows by itself, or what the operator can do.
func (v *view) next(phase string) string {
	switch phase {
	case api.PhaseStarting, api.PhaseReplaying:
		return "it will join its committee"
	case api.PhaseSyncing:
		return "it votes once it has the committee's newest block; start the validators that it waits for"
	case api.PhaseStalled:
		return "it goes on when a quorum of the shard is there; start the validators that it waits for"
	case api.PhaseStopped:
		v.mu.Lock()
		defer v.mu.Unlock()
		if v.diskErr() != nil {
			return "make room on the disk; it tries again every second"
		}
		return "look into its log"
	}
	return ""
}

// waitsFor names the validators that are awaited.
func (v *view) waitsFor() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	text := ""
	for i, id := range v.agreed.WaitsFor {
		if i > 0 {
			text += ", "
		}
		text += v.node.net.name(id)
	}
	return text
}

// faultLog logs what others do wrong, one line a second for each.
type faultLog struct {
	mu    sync.Mutex
	last  time.Time
	quiet int
}

func (f *faultLog) log(entry *logrus.Entry, reason error) {
	f.mu.Lock()
	if time.Since(f.last) < time.Second {
		f.quiet++
		f.mu.Unlock()
		return
	}
	quiet := f.quiet
	f.last, f.quiet = time.Now(), 0
	f.mu.Unlock()
	if quiet > 0 {
		reason = fmt.Errorf("%w (and %d more)", reason, quiet)
	}
	entry.Warnf("misbehaviour: %v", reason)
}

// decided takes note of a final block. What it returns tells the clients.
func (n *Node) decided(d validator.Decided) func() {
	now := time.Now()
	h := &d.Block.Header
	n.view.final(h.Height, now)
	n.stats.final(d)
	for _, s := range d.Report.Skipped {
		n.skipped.add(s.ID, h.Height, s.Reason)
	}
	n.snap.moved = !d.Synced
	return func() { n.server.Publish(liveEvent(d, now)) }
}

func liveEvent(d validator.Decided, at time.Time) *api.BlockEvent {
	h := &d.Block.Header
	ev := &api.BlockEvent{
		Height: h.Height, Hash: h.Hash(), Time: at, Epoch: h.Epoch, View: d.Block.Cert.View,
		Outcomes: make(api.Packed, 0, 33*len(d.Report.Outcomes)),
	}
	for _, e := range d.Report.Outcomes {
		ev.Outcomes = ev.Outcomes.Append(e.ID, byte(e.Outcome))
	}
	for _, s := range d.Report.Skipped {
		ev.Skipped = ev.Skipped.Append(s.ID, byte(s.Reason))
	}
	return ev
}
