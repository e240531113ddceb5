package node

import (
	"fmt"
	"sync"
	"time"

	"ios/chain"
	"ios/node/api"
	"ios/pob/byzcoin"
)

// view is what a runner tells about its chain without asking the loop.
type view struct {
	runner *runner

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
}

func newView(r *runner) *view { return &view{runner: r, step: "starting", moved: make(chan struct{})} }

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

// at is the height of the last final block.
func (v *view) at() uint64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.height
}

// tell fills in where the chain is, and reports whether the loop runs.
func (v *view) tell(s *api.Status) (running bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	s.Percent, s.Height, s.BlockTime = v.percent, v.height, v.blockTime
	s.View, s.Leader = v.viewNo, v.leaderID
	return v.running
}

func (v *view) agreement(s byzcoin.Status) {
	v.mu.Lock()
	changed := s.Phase != v.agreed.Phase || s.Reason != v.agreed.Reason
	v.agreed, v.viewNo, v.leaderID = s, s.View, s.Leader
	v.mu.Unlock()
	if changed {
		v.runner.log.Infof("%v: %s", s.Phase, s.Reason)
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
func (r *runner) logState(cause error)   { r.diskState(&r.view.logErr, cause) }
func (r *runner) indexState(cause error) { r.diskState(&r.view.indexErr, cause) }

func (r *runner) diskState(part *error, cause error) {
	r.view.mu.Lock()
	before := r.view.diskErr()
	*part = cause
	after := r.view.diskErr()
	r.view.mu.Unlock()
	switch {
	case before == nil && after != nil:
		r.log.Errorf("the disk takes no more: %v; nothing is voted or accepted until it does", after)
	case before != nil && after == nil:
		r.log.Info("the disk takes writes again")
	}
}

// diskErr is why the disk takes no more. The caller holds the lock.
func (v *view) diskErr() error {
	if v.logErr != nil {
		return v.logErr
	}
	return v.indexErr
}

// phase is the API's name for what the chain's runner is doing.
func (v *view) phase() string {
	p, _ := v.phaseAndReason()
	return p
}

func (v *view) phaseAndReason() (phase, reason string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case v.runner.closing.Load():
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
	case byzcoin.Following:
		return api.PhaseFollowing, v.agreed.Reason
	case byzcoin.Halted:
		return api.PhaseStopped, v.agreed.Reason
	}
	return api.PhaseReady, ""
}

// ready is why the chain cannot serve now; empty if it can.
func (r *runner) ready() string {
	if phase, reason := r.view.phaseAndReason(); phase != api.PhaseReady {
		return fmt.Sprintf("%s: %s", phase, reason)
	}
	return ""
}

// next is what follows by itself, or what the operator can do.
func (v *view) next(phase string) string {
	switch phase {
	case api.PhaseStarting, api.PhaseReplaying:
		return "it will join its committee"
	case api.PhaseSyncing:
		return "it votes once it has the committee's newest block; start the validators that it waits for"
	case api.PhaseFollowing:
		return "it votes once it has a seat"
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
		text += v.runner.node.net.name(id)
	}
	return text
}
