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

	"ios/chain/store"
	"ios/internal/sm"
)

// maxSaved bounds what the agreement saves in a snapshot: the bodies that are
// under way.
const maxSaved = 1 << 30

// replay is what the disk holds, and how far it has been read.
type replay struct {
	saved  []byte
	from   uint64 // log offset behind which records are not in the snapshot
	told   uint64 // height of the last record of what a block did
	height uint64 // of the snapshot

	records int   // of the log behind from
	err     error // why they ended early
}

// recover builds the machine from the newest snapshot and the log behind it.
func (r *runner) recover(ctx context.Context) error {
	begin := time.Now()
	if last := r.disk.log.Recovered(); !last.Clean {
		r.log.Infof("the last stop was not in order: %v", last)
	}
	p, err := r.loadSnapshot()
	if err != nil {
		return err
	}
	r.view.replaying("indexing the log", 0)
	if err := r.reindex(ctx); err != nil {
		return fmt.Errorf("indexing the log: %w", err)
	}
	r.core, err = r.owner.restore(p.saved, r.records(ctx, p))
	if err = errors.Join(p.err, err); err != nil {
		return fmt.Errorf("reading the log: %w", err)
	}
	at := r.core.Point()
	r.snap.last = p.from
	r.view.restored(at.Height)
	r.disk.tip.Store(p.told)
	r.log.Infof("replayed %d blocks with %d records of the log onto the state of height %d in %v; the last final block is %d (%s)",
		at.Height-p.height, p.records, p.height, time.Since(begin).Round(time.Millisecond), at.Height, at.Hash.Short())
	return nil
}

// loadSnapshot reads the newest good snapshot, or makes the genesis state.
func (r *runner) loadSnapshot() (*replay, error) {
	snap, err := r.disk.snaps.Latest()
	if errors.Is(err, store.ErrNotFound) {
		if heights, _ := r.disk.snaps.Heights(); len(heights) > 0 {
			r.log.Warnf("no snapshot is good, starting from the genesis: %v", err)
		}
		return &replay{from: r.disk.log.First()}, r.owner.load(nil)
	}
	if err != nil {
		return nil, err
	}
	defer snap.Close()
	for _, skipped := range snap.Skipped {
		r.log.Warnf("passed over a damaged snapshot: %v", skipped)
	}
	p := &replay{height: snap.Height, told: snap.Height}
	if err := p.readHead(snap); err != nil {
		return nil, fmt.Errorf("reading the snapshot of height %d: %w", snap.Height, err)
	}
	if err := r.owner.load(snap); err != nil {
		return nil, fmt.Errorf("reading the snapshot of height %d: %w", snap.Height, err)
	}
	return p, nil
}

// readHead reads what snapshotHead wrote.
func (p *replay) readHead(snap io.Reader) error {
	var head [16]byte
	if _, err := io.ReadFull(snap, head[:]); err != nil {
		return err
	}
	p.from = binary.BigEndian.Uint64(head[:])
	size := binary.BigEndian.Uint64(head[8:])
	if size > maxSaved {
		return fmt.Errorf("%d bytes of bodies under way", size)
	}
	p.saved = make([]byte, size)
	_, err := io.ReadFull(snap, p.saved)
	return err
}

// reindex puts into the indexes what a crash kept out of them.
func (r *runner) reindex(ctx context.Context) error {
	d := r.disk
	from := max(min(d.index.Mark(), r.idsFrom()), d.log.First())
	return d.log.Scan(from, func(off uint64, rec store.Record) error {
		if d.indexable(rec) {
			if err := d.enter(indexEntry{off, store.Record{Kind: rec.Kind, Data: slices.Clone(rec.Data)}}); err != nil {
				return fmt.Errorf("entering it into the indexes: %w", err)
			}
		}
		return ctx.Err()
	})
}

// records reads the log behind the snapshot. An error ends them early; it is
// then in p.err.
func (r *runner) records(ctx context.Context, p *replay) iter.Seq[sm.Persist] {
	log := r.disk.log
	end := log.End()
	stopped := errors.New("stopped")
	return func(yield func(sm.Persist) bool) {
		err := log.Scan(p.from, func(off uint64, rec store.Record) error {
			if p.records++; p.records%256 == 0 {
				r.view.replaying("executing the log", float64(off-p.from)/float64(end-p.from)*100)
			}
			height, _ := r.owner.recorded(rec)
			p.told = max(p.told, height)
			if !yield(sm.Persist{Kind: rec.Kind, Data: slices.Clone(rec.Data)}) {
				return stopped
			}
			return ctx.Err()
		})
		if !errors.Is(err, stopped) {
			p.err = err
		}
	}
}

// idsFrom is the log offset from which ids must be entered again.
func (r *runner) idsFrom() uint64 {
	covered, ok := r.disk.ids.Covered()
	if !ok {
		return 0
	}
	off, _, err := r.disk.index.Header(covered)
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
