package atomix

import (
	"ios/chain"
	"ios/internal/sm"
)

// Kinds of messages between relays.
const (
	kindBundle  = 1
	kindQuery   = 2
	kindUnknown = 3
	kindLetter  = 4
)

// MaxQuery bounds the transactions that one message asks for.
const MaxQuery = chain.MaxSegmentEntries

// AppendTo appends the canonical encoding.
func (l *Letter) AppendTo(dst []byte) []byte {
	return l.Msg.AppendTo(be.AppendUint16(append(dst, kindLetter), uint16(l.From)))
}

// AppendTo appends the canonical encoding.
func (m *BundleMsg) AppendTo(dst []byte) []byte {
	return append(append(dst, kindBundle), m.Bundle.Encode()...)
}

// AppendTo appends the canonical encoding.
func (m *QueryMsg) AppendTo(dst []byte) []byte { return appendIDs(append(dst, kindQuery), m.IDs) }

// AppendTo appends the canonical encoding.
func (m *UnknownMsg) AppendTo(dst []byte) []byte { return appendIDs(append(dst, kindUnknown), m.IDs) }

func appendIDs(dst []byte, ids []chain.TxID) []byte {
	dst = be.AppendUint32(dst, uint32(len(ids)))
	for i := range ids {
		dst = append(dst, ids[i][:]...)
	}
	return dst
}

func readIDs(r *chain.Reader) []chain.TxID {
	ids := make([]chain.TxID, r.Count(MaxQuery, len(chain.TxID{})))
	for i := range ids {
		ids[i] = r.Hash()
	}
	if len(ids) == 0 {
		r.Fail("a list of no transactions")
	}
	return ids
}

// DecodeMessage decodes a Letter. It is pure and meant to run off the machine.
// The message aliases raw; a bundle's proof is not checked.
func DecodeMessage(p *chain.Params, raw []byte) (sm.Message, error) {
	r := chain.NewReader(raw)
	if kind := r.U8(); kind != kindLetter {
		r.Fail("kind %d is no letter", kind)
	}
	l := &Letter{From: chain.ShardID(r.U16())}
	rest := r.Rest()
	if err := r.Close(); err != nil {
		return nil, err
	}
	var err error
	if l.Msg, err = decodeContent(p, rest); err != nil {
		return nil, err
	}
	return l, nil
}

func decodeContent(p *chain.Params, raw []byte) (sm.Message, error) {
	r := chain.NewReader(raw)
	switch kind := r.U8(); kind {
	case kindBundle:
		rest := r.Rest()
		if len(rest) > chain.MaxBodyBytes {
			return nil, chain.Rule(chain.ErrTooLarge, "a bundle of %d bytes, at most %d are allowed", len(rest), chain.MaxBodyBytes)
		}
		b, err := p.DecodeBundle(rest)
		if err != nil {
			return nil, err
		}
		return &BundleMsg{b}, nil
	case kindQuery:
		m := &QueryMsg{readIDs(r)}
		return m, r.Close()
	case kindUnknown:
		m := &UnknownMsg{readIDs(r)}
		return m, r.Close()
	default:
		r.Fail("unknown kind of message %d", kind)
		return nil, r.Err()
	}
}
