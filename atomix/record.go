package atomix

import (
	"slices"

	"ios/chain"
)

// record is a transaction that waits for other shards.
type record struct {
	tx       *chain.Tx // an own copy
	involved chain.Shards
	yes      chain.Shards // who said yes, this shard among them
	opened   uint64       // height of the block that made it
	told     uint64       // height of the block that last told the others this shard's answer
}

// roomyRecord is a record with room for a transaction of the usual size: one
// piece of memory, as there may be thousands in a block.
type roomyRecord struct {
	record
	tx        chain.Tx
	inputs    [1]chain.Input
	outputs   [2]chain.Output
	witnesses [1]chain.Witness
	raw       [368]byte
}

// newRecord copies a transaction out of the body it came in, which may then go.
func newRecord(t *chain.Tx) *record {
	r := new(roomyRecord)
	r.tx = chain.Tx{
		Expiry: t.Expiry, ID: t.ID, Raw: append(r.raw[:0], t.Raw...),
		Inputs: append(r.inputs[:0], t.Inputs...), Outputs: append(r.outputs[:0], t.Outputs...),
		Witnesses: append(r.witnesses[:0], t.Witnesses...),
	}
	for i := range r.tx.Outputs {
		if d := &r.tx.Outputs[i].Data; len(*d) > 0 {
			*d = slices.Clone(*d)
		}
	}
	r.record.tx = &r.tx
	return &r.record
}
