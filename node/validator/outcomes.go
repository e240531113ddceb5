package validator

import (
	"encoding/binary"

	"ios/atomix"
	"ios/chain"
	"ios/internal/sm"
)

var be = binary.BigEndian

// RecordOutcomes is the kind of the record that follows the one of each final
// block: what executing the block came to. The ledger would come to it again,
// but only by executing all blocks below, too. The kinds below it are package
// byzcoin's.
const RecordOutcomes uint8 = 16

// Outcomes is what executing a block came to, as a RecordOutcomes holds it:
// height and time, 64 bits each, and what [atomix.AppendReport] writes.
type Outcomes struct {
	Height  uint64
	Time    int64 // when this validator saw the block final, Unix nanoseconds
	Tree    chain.OutcomeTree
	Skipped []atomix.Skipped
}

func (c *Core) persistOutcomes(r *atomix.Report) {
	raw := make([]byte, 0, 64+33*(len(r.Outcomes)+len(r.Skipped))*5/4)
	raw = binary.BigEndian.AppendUint64(raw, r.Height)
	raw = binary.BigEndian.AppendUint64(raw, uint64(c.now.UnixNano()))
	c.out = append(c.out, sm.Persist{Kind: RecordOutcomes, Data: atomix.AppendReport(raw, r)})
}

// OutcomesHeight is the height that a record is of.
func OutcomesHeight(raw []byte) uint64 {
	r := chain.NewReader(raw)
	return r.U64()
}

// DecodeOutcomes decodes a record.
func DecodeOutcomes(raw []byte) (*Outcomes, error) {
	r := chain.NewReader(raw)
	o := &Outcomes{Height: r.U64(), Time: int64(r.U64())}
	rest := r.Rest()
	if err := r.Close(); err != nil {
		return nil, err
	}
	var err error
	o.Tree, o.Skipped, err = atomix.DecodeReport(rest)
	return o, err
}
