package transepoch

import "ios/chain"

const absenteeSize = 2 + 8 + 4 + 8

// AppendTo appends the canonical encoding.
func (s *State) AppendTo(dst []byte) []byte {
	dst = append(append(dst, kindState), s.Chain[:]...)
	dst = be.AppendUint16(dst, uint16(s.Shard))
	dst = be.AppendUint64(dst, s.Epoch)
	dst = be.AppendUint32(dst, s.Batch)
	dst = be.AppendUint64(dst, s.Entered)
	dst = be.AppendUint32(dst, uint32(len(s.Absent)))
	for _, a := range s.Absent {
		dst = be.AppendUint16(dst, uint16(a.Validator))
		dst = be.AppendUint64(dst, a.Epoch)
		dst = be.AppendUint32(dst, a.Batch)
		dst = be.AppendUint64(dst, a.Since)
	}
	return dst
}

// DecodeState decodes a State.
func DecodeState(raw []byte) (*State, error) {
	r := chain.NewReader(raw)
	if kind := r.U8(); kind != kindState {
		r.Fail("kind %d is not a transition's state", kind)
	}
	s := &State{Chain: r.Hash(), Shard: chain.ShardID(r.U16()), Epoch: r.U64(), Batch: r.U32(), Entered: r.U64()}
	if n := r.Count(MaxPresent, absenteeSize); n > 0 {
		s.Absent = make([]Absentee, n)
	}
	for i := range s.Absent {
		a := &s.Absent[i]
		*a = Absentee{chain.ValidatorID(r.U16()), r.U64(), r.U32(), r.U64()}
		if i > 0 && a.Validator <= s.Absent[i-1].Validator {
			r.Fail("the absent are not in ascending order")
		}
	}
	if err := r.Close(); err != nil {
		return nil, err
	}
	return s, nil
}
