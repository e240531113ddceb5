package node

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"time"

	"ios/atomix"

	"ios/chain/store"
	"ios/internal/sm"
	"ios/node/validator"
)

// maxSaved bounds what the agreement saves in a snapshot: the bodies that are
// under way.
const maxSaved = 1 << 30

// recovered is what the disk holds.
type recovered struct {
	state  *atomix.State
	saved  []byte
	from   uint64 // log offset behind which records are not in the snapshot
	told   uint64 // height of the last record of outcomes
	height uint64 // of the snapshot

	records int   // of the log behind from
	err     error // why they ended early
}

// recover builds the machine from the newest snapshot and the log behind it.
func (n *Node) recover(ctx context.Context) (*validator.Core, error) {
	begin := time.Now()
	if r := n.disk.log.Recovered(); !r.Clean {
		n.log.Infof("the last stop was not in order: %v", r)
	}
	r, err := n.loadSnapshot()
	if err != nil {
		return nil, err
	}
	n.view.replaying("indexing the log", 0)
	if err := n.reindex(ctx); err != nil {
		return nil, fmt.Errorf("indexing the log: %w", err)
	}
	g := n.net.genesis
	core, err := validator.New(validator.Config{
		Params: n.net.params, Self: n.net.self, Committees: n.net.members,
		Agreement: n.net.agreement(n.cfg.Keys), Term: firstTerm, State: r.state, Saved: r.saved,
		Patience: atomix.DefaultPatience(g.Policy.Delta, g.Policy.BlockInterval),
		Gather:   g.Policy.BlockGap, Limits: validator.DefaultLimits(),
	}, n.records(ctx, r))
	if err = errors.Join(r.err, err); err != nil {
		return nil, fmt.Errorf("reading the log: %w", err)
	}
	p := core.Point()
	n.snap.last = r.from
	n.view.restored(p.Height)
	n.disk.tip.Store(r.told)
	n.log.Infof("replayed %d blocks with %d records of the log onto the state of height %d in %v; the last final block is %d (%s)",
		p.Height-r.height, r.records, r.height, time.Since(begin).Round(time.Millisecond), p.Height, p.Hash.Short())
	return core, nil
}

// loadSnapshot reads the newest good snapshot, or makes the genesis state.
func (n *Node) loadSnapshot() (*recovered, error) {
	seed, err := randomSeed()
	if err != nil {
		return nil, err
	}
	snap, err := n.disk.snaps.Latest()
	if errors.Is(err, store.ErrNotFound) {
		if heights, _ := n.disk.snaps.Heights(); len(heights) > 0 {
			n.log.Warnf("no snapshot is good, starting from the genesis: %v", err)
		}
		s := atomix.NewState(n.net.params, n.net.shard, seed)
		if err := s.Genesis(n.net.genesis.Allocations); err != nil {
			return nil, err
		}
		return &recovered{state: s, from: n.disk.log.First()}, nil
	}
	if err != nil {
		return nil, err
	}
	defer snap.Close()
	for _, skipped := range snap.Skipped {
		n.log.Warnf("passed over a damaged snapshot: %v", skipped)
	}
	r := &recovered{height: snap.Height}
	var head [16]byte
	if _, err := io.ReadFull(snap, head[:]); err != nil {
		return nil, fmt.Errorf("reading the snapshot of height %d: %w", snap.Height, err)
	}
	r.from = binary.BigEndian.Uint64(head[:])
	size := binary.BigEndian.Uint64(head[8:])
	if size > maxSaved {
		return nil, fmt.Errorf("the snapshot of height %d: %d bytes of bodies under way", snap.Height, size)
	}
	r.saved = make([]byte, size)
	if _, err := io.ReadFull(snap, r.saved); err != nil {
		return nil, fmt.Errorf("reading the snapshot of height %d: %w", snap.Height, err)
	}
	r.state, err = atomix.LoadState(n.net.params, n.net.shard, seed, snap)
	if err != nil {
		return nil, fmt.Errorf("reading the snapshot of height %d: %w", snap.Height, err)
	}
	r.told = r.height
	return r, nil
}

// reindex puts into the indexes what a crash kept out of them.
func (n *Node) reindex(ctx context.Context) error {
	d := n.disk
	from := max(min(d.index.Mark(), n.idsFrom()), d.log.First())
	return d.log.Scan(from, func(off uint64, rec store.Record) error {
		if indexable(rec.Kind) {
			if err := d.enter(indexEntry{off, store.Record{Kind: rec.Kind, Data: slices.Clone(rec.Data)}}); err != nil {
				return fmt.Errorf("entering it into the indexes: %w", err)
			}
		}
		return ctx.Err()
	})
}

// records reads the log behind the snapshot. An error ends them early; it is
// then in r.err.
func (n *Node) records(ctx context.Context, r *recovered) iter.Seq[sm.Persist] {
	log := n.disk.log
	end := log.End()
	stopped := errors.New("stopped")
	return func(yield func(sm.Persist) bool) {
		err := log.Scan(r.from, func(off uint64, rec store.Record) error {
			if r.records++; r.records%256 == 0 {
				n.view.replaying("executing the log", float64(off-r.from)/float64(end-r.from)*100)
			}
			if rec.Kind == validator.RecordOutcomes {
				r.told = max(r.told, validator.OutcomesHeight(rec.Data))
			}
			if !yield(sm.Persist{Kind: rec.Kind, Data: slices.Clone(rec.Data)}) {
				return stopped
			}
			return ctx.Err()
		})
		if !errors.Is(err, stopped) {
			r.err = err
		}
	}
}

// idsFrom is the log offset from which ids must be entered again.
func (n *Node) idsFrom() uint64 {
	covered, ok := n.disk.ids.Covered()
	if !ok {
		return 0
	}
	off, _, err := n.disk.index.Header(covered)
	if err != nil {
		return 0
	}
	return off
}

// snapshotHead is what stands before the ledger in a snapshot.
func snapshotHead(from uint64, saved []byte) []byte {
	head := binary.BigEndian.AppendUint64(nil, from)
	head = binary.BigEndian.AppendUint64(head, uint64(len(saved)))
	return append(head, saved...)
}
