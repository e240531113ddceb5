package simnet

import (
	"bytes"
	"fmt"

	"ios/atomix"
	"ios/chain"
	"ios/internal/sm"
	"ios/node/validator"
	"ios/pob/byzcoin"
)

// disk is the index over a validator's durable records.
type disk struct {
	read     int // records that are in the index
	blocks   map[uint64][]byte
	bodies   map[bodyAt][]byte
	outcomes map[uint64]*validator.Outcomes
	ids      map[chain.TxID][]uint64 // the heights that recorded it, ascending
}

// bodyAt names a body: numbers count from 1 in each term.
type bodyAt struct {
	term chain.Term
	ref  chain.BodyRef
}

// open brings the index up to the records.
func (d *disk) open(shard chain.ShardID, records []sm.Persist) error {
	if d.blocks == nil || d.read > len(records) {
		*d = disk{
			blocks: map[uint64][]byte{}, bodies: map[bodyAt][]byte{},
			outcomes: map[uint64]*validator.Outcomes{}, ids: map[chain.TxID][]uint64{},
		}
	}
	for ; d.read < len(records); d.read++ {
		list := recordsOf(records[:d.read+1], shard, d.read)
		if len(list) == 0 {
			continue
		}
		if err := d.enter(&list[0]); err != nil {
			return fmt.Errorf("record %d of kind %d: %w", d.read, records[d.read].Kind, err)
		}
	}
	return nil
}

func (d *disk) enter(p *sm.Persist) error {
	switch p.Kind {
	case byzcoin.RecordBody, byzcoin.RecordPulled:
		b, err := chain.DecodeBody(p.Data)
		if err != nil {
			return err
		}
		d.bodies[bodyAt{b.Term(), b.Ref()}] = p.Data
	case byzcoin.RecordFinal:
		b, err := chain.DecodeBlock(p.Data)
		if err != nil {
			return err
		}
		d.blocks[b.Header.Height] = p.Data
	case validator.RecordOutcomes:
		o, err := validator.DecodeOutcomes(p.Data)
		if err != nil {
			return err
		}
		if d.outcomes[o.Height] != nil {
			return fmt.Errorf("the outcomes of block %d are there twice", o.Height)
		}
		d.outcomes[o.Height] = o
		for _, e := range atomix.OutcomesOf(o.Tree) {
			d.ids[e.ID] = append(d.ids[e.ID], o.Height)
		}
	}
	return nil
}

// block reads a final block, nil if it is not there.
func (d *disk) block(height uint64) (*chain.Block, *validator.Outcomes) {
	raw, o := d.blocks[height], d.outcomes[height]
	if raw == nil || o == nil {
		return nil, nil
	}
	b, err := chain.DecodeBlock(bytes.Clone(raw))
	if err != nil {
		return nil, nil
	}
	return b, o
}

// snapshot is a ledger on disk.
type snapshot struct {
	from   int // records that are in it
	height uint64
	state  []byte
	saved  []byte
}

// snap writes a snapshot of a validator, if it can be taken now. It counts once
// the records before it are durable.
func (n *Net) snap(m *post) error {
	if !n.sim.Up(m.id) || m.core == nil || m.core.State().Height() == 0 {
		return nil
	}
	var buf bytes.Buffer
	state, saved := m.core.Snapshot()
	if err := state.WriteSnapshot(&buf); err != nil {
		return err
	}
	s := snapshot{m.returned, state.Height(), buf.Bytes(), bytes.Clone(saved)}
	m.snaps = append(m.snaps, s)
	if len(m.snaps) > 2 {
		m.snaps = m.snaps[1:]
	}
	return nil
}
