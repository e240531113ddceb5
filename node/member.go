package node

import (
	"io"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"ios/atomix"
	"ios/chain"
	"ios/chain/store"
	"ios/internal/sm"
	"ios/node/api"
	"ios/node/council"
	"ios/node/validator"
	"ios/transepoch"
)

// member is this validator's part in a shard: its chain, and what clients want
// to know of it.
type member struct {
	runner
	state *atomix.State // from load to restore
	core  *validator.Core

	epoch   atomic.Uint64                   // of the next block
	shownAt atomic.Pointer[council.ShardAt] // what the identity chain was shown last
	shown   time.Time                       // when
	leaving atomic.Bool

	skipped *skippedTxs
	scans   *scans
	stats   *shardMetrics

	mu      sync.Mutex
	figures figures // as the loop told them last
	turn    validator.Transition
}

var _ owner = (*member)(nil)

func newMember(n *Node, shard chain.ShardID, dir string) *member {
	m := &member{skipped: newSkippedTxs(), scans: newScans(), stats: n.stats.of(shard)}
	m.runner.init(n, shard, dir, m)
	return m
}

// load implements owner.
func (m *member) load(snapshot io.Reader) error {
	seed, err := randomSeed()
	if err != nil {
		return err
	}
	w := m.node.net
	if snapshot != nil {
		m.state, err = atomix.LoadState(w.params, m.chain, seed, snapshot)
		return err
	}
	m.state = atomix.NewState(w.params, m.chain, seed)
	return m.state.Genesis(w.genesis.Allocations)
}

// restore implements owner.
func (m *member) restore(saved []byte, records iter.Seq[sm.Persist]) (machine, error) {
	w := m.node.net
	policy := &w.genesis.Policy
	board, err := w.book.Board()
	if err != nil {
		return nil, err
	}
	core, err := validator.New(validator.Config{
		Params: w.params, Self: w.self, Committees: board,
		Agreement: w.agreement(m.node.voice, m.chain), Term: firstTerm, State: m.state, Saved: saved,
		Plan: w.plan, Signing: w.book.Signing, BatchDeadline: policy.BatchDeadline,
		Patience: atomix.DefaultPatience(policy.Delta, policy.BlockInterval),
		Gather:   policy.BlockGap, Limits: validator.DefaultLimits(),
	}, records)
	if err != nil {
		return nil, err
	}
	m.epoch.Store(core.Term().Epoch)
	m.core, m.state = core, nil
	return core, nil
}

func (m *member) begin() sm.Event { return validator.Start{} }

// image implements owner.
func (m *member) image(frozen bool) (image, error) {
	state, saved := m.core.Snapshot()
	if frozen { // this takes a copy of its memory
		var err error
		if state, err = state.Freeze(); err != nil {
			return image{}, err
		}
	}
	return image{state.Height(), saved, func(w io.Writer) error { return state.WriteSnapshot(w) }}, nil
}

func (m *member) decode(payload []byte) (sm.Message, error) {
	return validator.Decode(m.node.net.params, payload)
}

func (m *member) agreement(term chain.Term, msg sm.Message) sm.Message {
	return validator.Agreement(term, msg)
}

func (m *member) checked(list []sm.Event) sm.Event { return validator.Events(list) }

// delivered implements owner.
func (m *member) delivered(value any) func() {
	switch v := value.(type) {
	case validator.Answer:
		return func() { v.Tag.(chan validator.Answer) <- v }
	case validator.Decided:
		return m.decided(v)
	case validator.Released:
		m.maybeLeave()
	case validator.Lapsed:
		m.log.Infof("%d transactions that were accepted have expired before a block took them", len(v.IDs))
	case transepoch.Fault:
		m.log.Errorf("the shard cannot go to the next committee: %v", v.Err)
	case atomix.ForRegistry:
		if a := m.node.assembly(); a != nil {
			return func() { go a.post(council.Carry{Bundle: v.Bundle}) }
		}
	case atomix.Misbehaviour:
		m.node.misbehaved(v.Who, v.Reason, true)
	}
	return nil
}

// noteTurn takes note of where the shard is in its epoch. It runs in the loop.
func (m *member) noteTurn() {
	t := m.core.Transition()
	m.mu.Lock()
	m.turn = t
	m.mu.Unlock()
}

// transition tells where the shard is in its epoch.
func (m *member) transition(in *api.Membership) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := &m.turn
	in.Epoch, in.Batch, in.Batches = t.Epoch, t.Batch, t.Last
	in.Absent = m.node.net.names(t.Absent)
	if t.Joining {
		in.Transition = t.Reason
	}
}

// decided takes note of a final block. What it returns tells the clients.
func (m *member) decided(d validator.Decided) func() {
	now := time.Now()
	h := &d.Block.Header
	m.view.final(h.Height, now)
	m.epoch.Store(m.core.Term().Epoch)
	m.noteTurn()
	m.stats.final(d)
	m.show(d.Block, now)
	m.maybeLeave()
	for _, s := range d.Report.Skipped {
		m.skipped.add(s.ID, h.Height, s.Reason)
	}
	m.snap.moved = !d.Synced
	return func() { m.node.server.Publish(m.chain, liveEvent(d, now)) }
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

// recorded implements owner.
func (m *member) recorded(r store.Record) (uint64, func() ([]chain.TxID, error)) {
	if r.Kind != validator.RecordOutcomes {
		return 0, nil
	}
	return validator.OutcomesHeight(r.Data), func() ([]chain.TxID, error) {
		o, err := validator.DecodeOutcomes(r.Data)
		if err != nil {
			return nil, err
		}
		return recordedIDs(o.Tree), nil
	}
}

// recordedIDs are the transactions in a tree, each at least once.
func recordedIDs(tree chain.OutcomeTree) []chain.TxID {
	n := 0
	for i := range tree {
		n += len(tree[i].Entries)
	}
	ids := make([]chain.TxID, 0, n)
	for i := range tree {
		for j := range tree[i].Entries {
			ids = append(ids, tree[i].Entries[j].ID)
		}
	}
	return ids
}

// outcomes reads what a block came to.
func (m *member) outcomes(height uint64) (*validator.Outcomes, error) {
	raw, err := m.disk.told(height)
	if err != nil {
		return nil, err
	}
	return validator.DecodeOutcomes(raw)
}
