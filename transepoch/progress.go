package transepoch

import (
	"slices"
	"time"

	"ios/chain"
	"ios/chain/sig"
	"ios/internal/sm"
)

// Config is what a member's Progress works with.
type Config struct {
	// Deadline is how long a batch waits for those that it brings in. If more are
	// absent then than the shard can spare, it waits 16 times as long.
	Deadline time.Duration
	// Key is a validator's key for messages.
	Key func(chain.ValidatorID) (sig.PublicKey, bool)
	// Root is what a Ready at a final height has to show. It is not known above
	// the member's own final height, and must be known from there down to the
	// block that entered the epoch.
	Root func(height uint64) (chain.Hash, bool)
}

// Progress is a shard's transition as one member sees it: a machine of package
// sm that says when to propose what. It decides nothing: the shard's blocks do,
// and it follows them. It persists nothing; the State comes from the shard's
// state, and Readies are repeated by their owners.
type Progress struct {
	cfg   Config
	state State
	plan  *Plan

	next      *Plan // of the last epoch block announced, if the shard may enter it
	nextBlock chain.Hash
	sealed    bool
	deadline  time.Time // of the next batch
	resign    time.Time // when it goes on without more than can be spared
	readies   map[chain.ValidatorID]*readiness
	proposed  int  // the number of those present in the last proposal, plus one
	named     bool // the owner was told whom the next batch waits for
}

// readiness is the Ready of a validator that is wanted, with a good signature.
type readiness struct {
	Ready
	confirmed bool // the root is right, too
}

// The events besides sm.Receive (of a *Ready) and sm.Fire.
type (
	// Start is the first event. After a restart the deadline begins anew.
	Start struct{}
	// Announced says that an epoch block is certified.
	Announced struct {
		Plan  *Plan
		Block chain.Hash
	}
	// Sealed says that the shard has certified its state block: it records no
	// batch until it enters an epoch, since the epoch block that takes it up at
	// that state block would not find it there. The owner says so again after a
	// restart.
	Sealed struct{}
	// Entered says that a final block entered the epoch of the plan.
	Entered struct {
		Plan   *Plan
		Height uint64
	}
	// Recorded says that a final block recorded a batch.
	Recorded struct {
		Record *SwapRecord
		Height uint64
	}
	// Tick says that Config.Root may know more heights, or that time has passed.
	Tick struct{}
)

// What a Progress delivers.
type (
	// ProposeEnter asks the leader to record this.
	ProposeEnter struct{ Enter Enter }
	// Propose asks the leader to record this. A later one replaces it.
	Propose struct{ Record *SwapRecord }
	// Waiting names who holds up the next batch: the seats that are absent, and
	// those that would be.
	Waiting struct {
		Epoch           uint64
		Batch           uint32
		Absent, Missing []chain.ValidatorID
	}
	// Fault says that the shard's final blocks and the plan do not fit. The
	// event was ignored.
	Fault struct{ Err error }
)

const timerDeadline = 1

// patience is for how many deadlines a batch waits that would leave more seats
// absent than can be spared.
const patience = 16

// NewProgress makes the Progress of a member of the state's shard. The plan is
// that of the state's epoch.
func NewProgress(cfg Config, state State, plan *Plan) (*Progress, error) {
	if _, err := state.Committee(plan); err != nil {
		return nil, err
	}
	return &Progress{cfg: cfg, state: state, plan: plan, readies: make(map[chain.ValidatorID]*readiness)}, nil
}

// State is how far the shard is.
func (p *Progress) State() State { return p.state }

// Plan is the plan that the shard follows.
func (p *Progress) Plan() *Plan { return p.plan }

// Done reports whether the shard has been through all batches of its plan.
func (p *Progress) Done() bool { return p.state.Batch == p.plan.Last(p.state.Shard) }

// Step implements sm.Machine.
func (p *Progress) Step(now time.Time, ev sm.Event) []sm.Effect {
	switch ev := ev.(type) {
	case Start:
		return append(p.await(now), p.evaluate(now)...)
	case Announced:
		return p.announced(ev)
	case Sealed:
		p.sealed = true
	case Entered:
		next, err := p.state.Enter(p.plan, ev.Plan, ev.Height)
		if err != nil {
			return []sm.Effect{sm.Deliver{Value: Fault{err}}}
		}
		p.state, p.plan, p.sealed = next, ev.Plan, false
		if p.next != nil && p.next.Epoch <= ev.Plan.Epoch {
			p.next = nil
		}
		return append(p.await(now), p.evaluate(now)...)
	case Recorded:
		next, err := p.state.Swap(p.plan, ev.Record, ev.Height)
		if err != nil {
			return []sm.Effect{sm.Deliver{Value: Fault{err}}}
		}
		p.state = next
		return append(p.await(now), p.evaluate(now)...)
	case sm.Receive:
		if r, ok := ev.Msg.(*Ready); ok && p.receive(ev.From, r) {
			return p.evaluate(now)
		}
	case sm.Fire, Tick:
		return p.evaluate(now)
	}
	return nil
}

// await begins to wait for the next batch.
func (p *Progress) await(now time.Time) []sm.Effect {
	p.proposed, p.named = 0, false
	for v, r := range p.readies {
		w, ok := p.state.want(p.plan, v)
		if !ok || w.epoch != r.Epoch || w.batch != r.Batch || r.Height < w.least {
			delete(p.readies, v)
		}
	}
	key := sm.TimerKey{Kind: timerDeadline}
	if p.Done() {
		return []sm.Effect{sm.CancelTimer{Key: key}}
	}
	p.deadline, p.resign = now.Add(p.cfg.Deadline), now.Add(patience*p.cfg.Deadline)
	return []sm.Effect{sm.SetTimer{Key: key, At: p.deadline}}
}

// announced asks for the entry into the epoch, unless the shard is stalled in it.
func (p *Progress) announced(ev Announced) []sm.Effect {
	if ev.Plan.Epoch <= p.state.Epoch || p.next != nil && ev.Plan.Epoch <= p.next.Epoch {
		return nil
	}
	if int(p.state.Shard) < len(ev.Plan.Shards) && ev.Plan.Shards[p.state.Shard].Stalled {
		return nil
	}
	if _, err := p.state.Enter(p.plan, ev.Plan, 0); err != nil {
		return []sm.Effect{sm.Deliver{Value: Fault{err}}}
	}
	p.next, p.nextBlock = ev.Plan, ev.Block
	return []sm.Effect{sm.Deliver{Value: ProposeEnter{Enter{ev.Plan.Epoch, ev.Block}}}}
}

// receive takes a Ready from its owner and reports whether that may change
// anything. One that waits for its height is not replaced: its owner would
// otherwise run ahead of a member that is behind for ever.
func (p *Progress) receive(from sm.NodeID, r *Ready) bool {
	if r.Chain != p.state.Chain || r.Shard != p.state.Shard || from != r.Validator {
		return false
	}
	w, ok := p.state.want(p.plan, r.Validator)
	if !ok || r.Epoch != w.epoch || r.Batch != w.batch || r.Height < w.least || p.readies[r.Validator] != nil {
		return false
	}
	key, ok := p.cfg.Key(r.Validator)
	if !ok || r.CheckSignature(&key) != nil {
		return false
	}
	p.readies[r.Validator] = &readiness{Ready: *r}
	return true
}

// confirm compares a validator's root with the shard's, if that is known by now.
// A wrong one is dropped, so that its owner can try again.
func (p *Progress) confirm(v chain.ValidatorID) bool {
	r := p.readies[v]
	if r == nil || r.confirmed {
		return r != nil
	}
	root, known := p.cfg.Root(r.Height)
	if known && root != r.StateRoot {
		delete(p.readies, v)
	}
	r.confirmed = known && root == r.StateRoot
	return r.confirmed
}

// evaluate proposes the next batch once all that it brings in are ready, or the
// deadline has passed, and again whenever more are ready.
func (p *Progress) evaluate(now time.Time) []sm.Effect {
	if p.sealed || p.Done() {
		return nil
	}
	rec, missing := p.record()
	if len(missing) > 0 && now.Before(p.deadline) || len(rec.Present)+1 == p.proposed {
		return nil
	}
	next, err := p.state.Swap(p.plan, rec, ^uint64(0))
	if err != nil || len(next.Absent) > p.state.spare(p.plan) && now.Before(p.resign) {
		if p.named {
			return nil
		}
		p.named = true
		return []sm.Effect{
			sm.Deliver{Value: Waiting{rec.Epoch, rec.Batch, p.Absent(), missing}},
			sm.SetTimer{Key: sm.TimerKey{Kind: timerDeadline}, At: p.resign},
		}
	}
	p.proposed = len(rec.Present) + 1
	return []sm.Effect{sm.Deliver{Value: Propose{rec}}}
}

// record is the next record as the member would propose it, and who would be
// missing from it.
func (p *Progress) record() (rec *SwapRecord, missing []chain.ValidatorID) {
	rec = &SwapRecord{Epoch: p.state.Epoch, Batch: p.state.Batch + 1}
	add := func(v chain.ValidatorID) bool {
		if !p.confirm(v) {
			return false
		}
		r := p.readies[v]
		rec.Present = append(rec.Present, Presence{v, r.Height, r.StateRoot, r.Signature})
		return true
	}
	for _, a := range p.state.Absent {
		add(a.Validator)
	}
	for _, s := range p.plan.Batch(p.state.Shard, rec.Batch) {
		if s.In != None && !add(s.In) {
			missing = append(missing, s.In)
		}
	}
	slices.SortFunc(rec.Present, func(a, b Presence) int { return int(a.Validator) - int(b.Validator) })
	return rec, missing
}

// Absent is who holds a seat, was not ready for it, and is not by now as far as
// this member knows.
func (p *Progress) Absent() (ids []chain.ValidatorID) {
	for _, a := range p.state.Absent {
		if !p.confirm(a.Validator) {
			ids = append(ids, a.Validator)
		}
	}
	return ids
}
