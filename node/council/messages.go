package council

import (
	"encoding/binary"

	"ios/chain"
	"ios/drp"
	"ios/eds"
	"ios/internal/sm"
	"ios/pob/byzcoin"
)

// Protocols of an Envelope.
const (
	protoAgreement byte = 1 + iota
	protoLottery
	protoBeacon
	protoCouncil
)

// maxEndorsed is how many seeds of an epoch a member stands for at once.
const maxEndorsed = 64

// Endorsed tells the seeds for the coming epoch that the sender has acked, or is
// about to.
type Endorsed struct {
	Epoch uint64
	Refs  []chain.BodyRef
}

const kindEndorsed byte = 1

var be = binary.BigEndian

// AppendTo appends the canonical encoding.
func (m *Endorsed) AppendTo(dst []byte) []byte {
	return chain.AppendRefs(be.AppendUint64(append(dst, kindEndorsed), m.Epoch), m.Refs)
}

func decodeCouncil(raw []byte) (sm.Message, error) {
	r := chain.NewReader(raw)
	if kind := r.U8(); r.Err() == nil && kind != kindEndorsed {
		r.Fail("a message of unknown kind %d", kind)
	}
	m := &Endorsed{Epoch: r.U64(), Refs: r.Refs()}
	if len(m.Refs) > maxEndorsed {
		r.Fail("%d seeds at once, at most %d are possible", len(m.Refs), maxEndorsed)
	}
	if err := r.Close(); err != nil {
		return nil, err
	}
	return m, nil
}

// Envelope is what travels between validators: a message of one of the
// protocols behind a byte that tells which.
type Envelope struct {
	Protocol byte
	Msg      sm.Message
}

// AppendTo appends the encoding.
func (e *Envelope) AppendTo(dst []byte) []byte {
	return e.Msg.AppendTo(append(dst, e.Protocol))
}

// Decode decodes an Envelope, which aliases payload. It may run on any
// goroutine.
func Decode(payload []byte) (*Envelope, error) {
	if len(payload) == 0 {
		return nil, chain.Rule(chain.ErrEncoding, "an empty message")
	}
	var msg sm.Message
	var err error
	switch payload[0] {
	case protoAgreement:
		msg, err = byzcoin.Decode(payload[1:])
	case protoLottery:
		msg, err = eds.Decode(payload[1:])
	case protoBeacon:
		msg, err = drp.Decode(payload[1:])
	case protoCouncil:
		msg, err = decodeCouncil(payload[1:])
	default:
		err = chain.Rule(chain.ErrEncoding, "a message of unknown protocol %d", payload[0])
	}
	if err != nil {
		return nil, err
	}
	return &Envelope{payload[0], msg}, nil
}

// Agreement is the envelope of a message between the members of a term.
func Agreement(term chain.Term, msg sm.Message) *Envelope {
	return &Envelope{protoAgreement, byzcoin.Tag(term, msg)}
}
