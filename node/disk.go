package node

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"ios/chain"
	"ios/chain/store"
	"ios/pob/byzcoin"
)

// disk is a chain's data directory: the log, and what is derived from it.
type disk struct {
	dir   string
	log   *store.Log
	index *store.Index
	ids   *store.IDs
	snaps *store.Snapshots

	entries chan indexEntry
	indexed sync.WaitGroup
	closing chan struct{}
	// recorded reads a record that tells what a final block did, see [owner].
	recorded func(store.Record) (uint64, func() ([]chain.TxID, error))
	// unindexed is told why the indexes take no more, and nil when they do again.
	unindexed func(error)
	tip       atomic.Uint64 // height up to which blocks and outcomes can be read
}

// indexEntry is what the indexer puts into the index: a record and its place.
type indexEntry struct {
	off    uint64
	record store.Record
}

const (
	indexQueue = 4096
	indexRetry = time.Second
)

// openDisk opens a data directory. The last two functions are told why the log
// and the indexes take no more, and nil when they do again.
func openDisk(dir string, recorded func(store.Record) (uint64, func() ([]chain.TxID, error)), unlogged, unindexed func(error)) (d *disk, err error) {
	d = &disk{
		dir: dir, entries: make(chan indexEntry, indexQueue), closing: make(chan struct{}),
		recorded: recorded, unindexed: unindexed,
	}
	opened := d // which is nil where an error is returned
	defer func() {
		if err != nil {
			opened.closeFiles()
		}
	}()
	if err = os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the chain's directory: %w", err)
	}
	if d.snaps, err = store.OpenSnapshots(subdir(dir, "snap"), nil); err != nil {
		return nil, err
	}
	if d.index, err = store.OpenIndex(subdir(dir, "index.db"), store.IndexOptions{}); err != nil {
		return nil, err
	}
	if d.ids, err = store.OpenIDs(subdir(dir, "ids"), store.IDsOptions{}); err != nil {
		return nil, err
	}
	if d.log, err = store.OpenLog(subdir(dir, "log"), store.Options{OnState: unlogged}); err != nil {
		return nil, err
	}
	d.indexed.Add(1)
	go d.runIndexer()
	return d, nil
}

// close makes all that was appended durable. The log goes first, since it feeds
// the indexer.
func (d *disk) close() error {
	close(d.closing)
	err := d.log.Close()
	close(d.entries)
	d.indexed.Wait()
	return errors.Join(err, d.closeFiles())
}

// closeFiles closes what is open. Clients may still be reading: they get
// store.ErrClosed.
func (d *disk) closeFiles() (err error) {
	if d.log != nil {
		err = errors.Join(err, d.log.Close())
	}
	if d.ids != nil {
		err = errors.Join(err, d.ids.Close())
	}
	if d.index != nil {
		err = errors.Join(err, d.index.Close())
	}
	return err
}

// append makes records durable and then runs after, which must be brief.
// Appends are carried out in order, also those without records.
func (d *disk) append(records []store.Record, after func()) {
	// An error means that the log was closed: then nothing is sent any more.
	_ = d.log.Append(store.Batch{Records: records, Done: func(offsets []uint64, err error) {
		if err != nil {
			return
		}
		after()
		for i, off := range offsets {
			if d.indexable(records[i]) {
				d.entries <- indexEntry{off, records[i]}
			}
		}
	}})
}

func (d *disk) indexable(r store.Record) bool {
	switch r.Kind {
	case byzcoin.RecordBody, byzcoin.RecordPulled, byzcoin.RecordFinal:
		return true
	}
	height, _ := d.recorded(r)
	return height > 0
}

func (d *disk) runIndexer() {
	defer d.indexed.Done()
	for e := range d.entries {
		if !d.insist(e) {
			break
		}
	}
	for range d.entries { // what is left is found in the log at the next start
	}
}

// insist enters a record, as often as it takes: none may be left out, since the
// ids of a height that was passed over would never be found. It is false when
// the disk is closed while the indexes take no more.
func (d *disk) insist(e indexEntry) bool {
	err := d.enter(e)
	if err == nil {
		return true
	}
	d.unindexed(err)
	for err != nil {
		select {
		case <-time.After(indexRetry):
		case <-d.closing:
			return false
		}
		err = d.enter(e)
	}
	d.unindexed(nil)
	return true
}

// enter puts a record into the indexes.
func (d *disk) enter(e indexEntry) (err error) {
	switch raw := e.record.Data; e.record.Kind {
	case byzcoin.RecordBody, byzcoin.RecordPulled:
		if key, ok := bodyKey(raw); ok {
			err = d.index.PutBody(key, e.off)
		}
	case byzcoin.RecordFinal:
		if b, e2 := chain.DecodeBlock(raw); e2 == nil {
			err = d.index.PutHeader(b.Header.Height, e.off, b.Header.AppendTo(nil))
		}
	default:
		if height, list := d.recorded(e.record); height > 0 {
			if ids, e2 := list(); e2 == nil {
				if err = store.AddBlock(d.ids, height, ids); err == nil {
					d.tip.Store(height)
				}
			}
		}
	}
	if err == nil {
		d.index.Advance(e.off)
	}
	return err
}

// bodyKey is the index's name for a body, read from its encoding.
func bodyKey(raw []byte) (store.BodyKey, bool) {
	const term = 32 + 2 // behind chain and shard
	if len(raw) < term+22 {
		return store.BodyKey{}, false
	}
	be := binary.BigEndian
	return store.BodyKey{
		Epoch: be.Uint64(raw[term:]), Batch: be.Uint32(raw[term+8:]),
		Author: uint32(be.Uint16(raw[term+12:])), Number: be.Uint64(raw[term+14:]),
	}, true
}

// header reads the header of a final block.
func (d *disk) header(height uint64) (h chain.Header, err error) {
	_, raw, err := d.index.Header(height)
	if err != nil {
		return h, err
	}
	rd := chain.NewReader(raw)
	h = rd.Header()
	return h, rd.Close()
}

// block reads a final block and its encoding.
func (d *disk) block(height uint64) (*chain.Block, []byte, error) {
	off, _, err := d.index.Header(height)
	if err != nil {
		return nil, nil, err
	}
	rec, err := d.log.ReadAt(off)
	if err != nil {
		return nil, nil, err
	}
	b, err := chain.DecodeBlock(rec.Data)
	if err != nil || b.Header.Height != height {
		return nil, nil, fmt.Errorf("the log has no block %d at offset %d: %v", height, off, err)
	}
	return b, rec.Data, nil
}

// body reads a body by its term and reference.
func (d *disk) body(term chain.Term, ref chain.BodyRef) (*chain.Body, error) {
	off, err := d.index.Body(store.BodyKey{Epoch: term.Epoch, Batch: term.Batch, Author: uint32(ref.Author), Number: ref.Number})
	if err != nil {
		return nil, err
	}
	rec, err := d.log.ReadAt(off)
	if err != nil {
		return nil, err
	}
	b, err := chain.DecodeBody(rec.Data)
	if err != nil {
		return nil, err
	}
	if b.Hash != ref.Hash {
		return nil, fmt.Errorf("body %d of validator %d: %w", ref.Number, ref.Author, store.ErrNotFound)
	}
	return b, nil
}

// errFound ends a scan.
var errFound = errors.New("found")

// told reads the record of what a block did, which lies soon behind the block's
// own.
func (d *disk) told(height uint64) (raw []byte, err error) {
	off, _, err := d.index.Header(height)
	if err != nil {
		return nil, err
	}
	const near = 10000 // records; there are a handful between the two
	seen := 0
	err = d.log.Scan(off, func(_ uint64, rec store.Record) error {
		if seen++; seen > near {
			return fmt.Errorf("the outcomes of block %d: %w", height, store.ErrNotFound)
		}
		if h, _ := d.recorded(rec); h != height {
			return nil
		}
		raw = slices.Clone(rec.Data)
		return errFound
	})
	switch {
	case errors.Is(err, errFound):
		return raw, nil
	case err == nil:
		err = fmt.Errorf("the outcomes of block %d: %w", height, store.ErrNotFound)
	}
	return nil, err
}
