package drp

import (
	"fmt"

	"ios/chain"
	"ios/drp/pvss"
)

// Transcript is all that the output follows from. It does not change.
type Transcript struct {
	Choice  *Choice
	SignOff []byte
	// Counts says of each chosen dealing whether it counts. It is a consequence of
	// the dealings, which verifiers check.
	Counts []bool
	// Openings are, of each group with a dealing that counts, by threshold many of
	// its servers in ascending order. The others have none.
	Openings [][]Opening
}

// Opening is what one server opens of the dealings to its group that count.
type Opening struct {
	Index  uint16 // of the server in its group
	Shares pvss.Decryption
}

// AppendTo appends the canonical encoding.
func (t *Transcript) AppendTo(dst []byte) []byte {
	dst = chain.AppendBlob(dst, t.Choice.Raw)
	dst = chain.AppendBlob(dst, t.SignOff)
	for _, counts := range t.Counts {
		if counts {
			dst = append(dst, 1)
		} else {
			dst = append(dst, 0)
		}
	}
	for _, list := range t.Openings {
		for i := range list {
			dst = be.AppendUint16(dst, list[i].Index)
			dst = append(dst, list[i].Shares...)
		}
	}
	return dst
}

// decodeTranscript reads a transcript of a run, which aliases raw. The choice's
// structure is checked, since the lengths of the rest follow from it.
func (r *run) decodeTranscript(raw []byte) (*Transcript, *layout, error) {
	rd := chain.NewReader(raw)
	if len(raw) > MaxTranscript {
		rd.Fail("a transcript of %d bytes, at most %d are possible", len(raw), MaxTranscript)
	}
	choice := rd.Blob(MaxChoice)
	t := &Transcript{SignOff: rd.Blob(MaxSignOff)}
	if err := rd.Err(); err != nil {
		return nil, nil, fmt.Errorf("drp: reading a transcript: %w", err)
	}
	var err error
	if t.Choice, err = DecodeChoice(choice); err != nil {
		return nil, nil, err
	}
	l := r.layout(t.Choice.View)
	if err := l.check(t.Choice); err != nil {
		return nil, nil, err
	}
	t.Counts = make([]bool, len(t.Choice.Dealings))
	for i := range t.Counts {
		n := rd.U8()
		if n > 1 {
			rd.Fail("%d where 0 or 1 is wanted", n)
		}
		t.Counts[i] = n == 1
	}
	t.Openings = make([][]Opening, len(l.groups))
	at := 0
	for g, members := range l.groups {
		m := 0
		for range l.threshold(g) {
			if t.Counts[at] {
				m++
			}
			at++
		}
		if m > 0 {
			t.Openings[g] = readOpenings(rd, l.threshold(g), len(members), m)
		}
	}
	if err := rd.Close(); err != nil {
		return nil, nil, fmt.Errorf("drp: reading a transcript: %w", err)
	}
	return t, l, nil
}

// readOpenings reads what t of c servers open of m dealings.
func readOpenings(r *chain.Reader, t, c, m int) []Opening {
	list := make([]Opening, t)
	for i := range list {
		list[i] = Opening{r.U16(), r.Bytes(pvss.DecryptionSize(m))}
		if int(list[i].Index) >= c || i > 0 && list[i].Index <= list[i-1].Index {
			r.Fail("openings of a group of %d are not in ascending order", c)
		}
	}
	return list
}
