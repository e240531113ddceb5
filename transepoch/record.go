package transepoch

import "ios/chain"

// Enter is what a block of a shard records to enter an epoch. From the next
// height on the shard is in the epoch, at batch 0.
type Enter struct {
	Epoch      uint64
	EpochBlock chain.Hash // the hash of the epoch block that the plan comes from
}

// AppendTo appends the canonical encoding.
func (e *Enter) AppendTo(dst []byte) []byte {
	dst = be.AppendUint64(append(dst, kindEnter), e.Epoch)
	return append(dst, e.EpochBlock[:]...)
}

// DecodeEnter decodes an Enter.
func DecodeEnter(raw []byte) (*Enter, error) {
	r := chain.NewReader(raw)
	if kind := r.U8(); kind != kindEnter {
		r.Fail("kind %d is not an Enter", kind)
	}
	e := &Enter{Epoch: r.U64(), EpochBlock: r.Hash()}
	if err := r.Close(); err != nil {
		return nil, err
	}
	return e, nil
}

// SwapRecord is what a block of a shard records to go on to the next batch. From
// the next height on the committee is that of the batch. A validator that the
// batch brings in and that is not in Present is absent: it holds its seat, and
// the quorum counts it.
type SwapRecord struct {
	Epoch uint64
	Batch uint32
	// Present, by ascending validator, are the Readies of who comes in with this
	// batch, and of who was absent and is no more.
	Present []Presence
}

// Presence is a Ready without what the record and the plan tell.
type Presence struct {
	Validator chain.ValidatorID
	Height    uint64
	StateRoot chain.Hash
	Signature [64]byte
}

const presenceSize = 2 + 8 + 32 + 64

// MaxPresent bounds the list of a record: of a batch of k at most k come in, with
// k at most log2 of chain.MaxValidators, and of those that were absent no more
// than half of the list can be.
const MaxPresent = 64

// AppendTo appends the canonical encoding.
func (s *SwapRecord) AppendTo(dst []byte) []byte {
	dst = be.AppendUint64(append(dst, kindSwap), s.Epoch)
	dst = be.AppendUint32(dst, s.Batch)
	dst = be.AppendUint32(dst, uint32(len(s.Present)))
	for i := range s.Present {
		a := &s.Present[i]
		dst = be.AppendUint16(dst, uint16(a.Validator))
		dst = be.AppendUint64(dst, a.Height)
		dst = append(dst, a.StateRoot[:]...)
		dst = append(dst, a.Signature[:]...)
	}
	return dst
}

// DecodeSwapRecord decodes a record. Nothing in it is checked but the order.
func DecodeSwapRecord(raw []byte) (*SwapRecord, error) {
	r := chain.NewReader(raw)
	if kind := r.U8(); kind != kindSwap {
		r.Fail("kind %d is not a swap record", kind)
	}
	s := &SwapRecord{Epoch: r.U64(), Batch: r.U32()}
	s.Present = make([]Presence, r.Count(MaxPresent, presenceSize))
	for i := range s.Present {
		a := &s.Present[i]
		*a = Presence{Validator: chain.ValidatorID(r.U16()), Height: r.U64(), StateRoot: r.Hash()}
		copy(a.Signature[:], r.Bytes(len(a.Signature)))
		if i > 0 && a.Validator <= s.Present[i-1].Validator {
			r.Fail("the present are not in ascending order")
		}
	}
	if err := r.Close(); err != nil {
		return nil, err
	}
	return s, nil
}
