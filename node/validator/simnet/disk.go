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
	bodies   map[chain.BodyRef][]byte
	outcomes map[uint64]*validator.Outcomes
	ids      map[chain.TxID][]uint64 // the heights that recorded it, ascending
}

// open brings the index up to the records.
func (d *disk) open(records []sm.Persist) error {
	if d.blocks == nil || d.read > len(records) {
		*d = disk{
			blocks: map[uint64][]byte{}, bodies: map[chain.BodyRef][]byte{},
			outcomes: map[uint64]*validator.Outcomes{}, ids: map[chain.TxID][]uint64{},
		}
	}
	for ; d.read < len(records); d.read++ {
		if err := d.enter(&records[d.read]); err != nil {
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
		d.bodies[b.Ref()] = p.Data
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
func (n *Net) snap(m *member) error {
	if !n.sim.Up(m.id) || m.core.State().Height() == 0 {
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
