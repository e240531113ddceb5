package council

import (
	"ios/chain"
	"ios/internal/sm"
	"ios/transepoch/identity"
)

// RecordOutcomes is the kind of the record that follows the one of each final
// block: when it became final here, and what executing it came to.
const RecordOutcomes uint8 = 16

// Outcomes is what a RecordOutcomes holds.
type Outcomes struct {
	Height  uint64
	Time    int64             // when this validator saw the block final, Unix nanoseconds
	Results []identity.Result // of the ops, in order
	Tree    chain.OutcomeTree
}

// Bounds and least sizes of what is in a record.
const (
	resultSize  = 32 + 2 + 1 + 4
	segmentSize = 2 + 4
	entrySize   = 32 + 1
	maxReason   = 32
)

func (c *Core) persistFinal(d *decided) {
	o := Outcomes{d.report.Height, c.now.UnixNano(), d.report.Ops, d.report.Tree}
	c.emit(sm.Persist{Kind: RecordOutcomes, Data: o.AppendTo(nil)})
}

// AppendTo appends the canonical encoding.
func (o *Outcomes) AppendTo(dst []byte) []byte {
	dst = be.AppendUint64(be.AppendUint64(dst, o.Height), uint64(o.Time))
	dst = be.AppendUint32(dst, uint32(len(o.Results)))
	for i := range o.Results {
		r := &o.Results[i]
		dst = be.AppendUint16(append(dst, r.ID[:]...), uint16(r.Author))
		dst = chain.AppendBlob(append(dst, byte(r.Kind)), []byte(r.Reason))
	}
	dst = be.AppendUint32(dst, uint32(len(o.Tree)))
	for i := range o.Tree {
		s := &o.Tree[i]
		dst = be.AppendUint32(be.AppendUint16(dst, uint16(s.Dest)), uint32(len(s.Entries)))
		for j := range s.Entries {
			dst = append(append(dst, s.Entries[j].ID[:]...), byte(s.Entries[j].Outcome))
		}
	}
	return dst
}

// OutcomesHeight is the height that a record is of.
func OutcomesHeight(raw []byte) uint64 { return chain.NewReader(raw).U64() }

// DecodeOutcomes decodes a record.
func DecodeOutcomes(raw []byte) (*Outcomes, error) {
	r := chain.NewReader(raw)
	o := &Outcomes{Height: r.U64(), Time: int64(r.U64())}
	o.Results = make([]identity.Result, r.Count(chain.MaxRefs*identity.MaxOps, resultSize))
	for i := range o.Results {
		o.Results[i] = identity.Result{ID: r.Hash(), Author: chain.ValidatorID(r.U16()), Kind: identity.Kind(r.U8())}
		o.Results[i].Reason = identity.Reason(r.Blob(maxReason))
	}
	o.Tree = make(chain.OutcomeTree, r.Count(chain.MaxSegments, segmentSize))
	for i := range o.Tree {
		s := &o.Tree[i]
		s.Dest = chain.ShardID(r.U16())
		s.Entries = make([]chain.Entry, r.Count(chain.MaxSegmentEntries, entrySize))
		for j := range s.Entries {
			s.Entries[j] = chain.Entry{ID: r.Hash(), Outcome: chain.Outcome(r.U8())}
			if r.Err() == nil && !s.Entries[j].Outcome.Valid() {
				r.Fail("unknown outcome %d", s.Entries[j].Outcome)
			}
		}
	}
	if err := r.Close(); err != nil {
		return nil, err
	}
	return o, nil
}
