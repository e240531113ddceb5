package eds

import (
	"encoding/binary"

	"ios/chain"
	"ios/chain/vrf"
	"ios/internal/sm"
)

var be = binary.BigEndian

// Kinds of messages.
const (
	kindTicket byte = 1 + iota
	kindTimeout
)

// Nobody stands for a leader that is not known.
const Nobody chain.ValidatorID = 1<<16 - 1

// Ticket is a member's lot in a view, from the member itself.
type Ticket struct {
	Epoch uint64
	View  uint64
	New   bool // the sender has just begun the view, and asks where others are
	Proof vrf.Proof
}

// Shown is a ticket as another member passes it on.
type Shown struct {
	Owner chain.ValidatorID
	Proof vrf.Proof
}

// Timeout says that its sender has given up on a round.
type Timeout struct {
	Epoch  uint64
	Round  uint64
	Backed chain.ValidatorID // in that round, or Nobody
	Best   []Shown           // the best tickets of the round's view that it knows, at most Ranks
}

// AppendTo appends the canonical encoding.
func (t *Ticket) AppendTo(dst []byte) []byte {
	dst = be.AppendUint64(append(dst, kindTicket), t.Epoch)
	dst = be.AppendUint64(dst, t.View)
	var flag byte
	if t.New {
		flag = 1
	}
	return append(append(dst, flag), t.Proof[:]...)
}

// AppendTo appends the canonical encoding.
func (t *Timeout) AppendTo(dst []byte) []byte {
	dst = be.AppendUint64(append(dst, kindTimeout), t.Epoch)
	dst = be.AppendUint64(dst, t.Round)
	dst = be.AppendUint16(dst, uint16(t.Backed))
	dst = be.AppendUint32(dst, uint32(len(t.Best)))
	for i := range t.Best {
		dst = be.AppendUint16(dst, uint16(t.Best[i].Owner))
		dst = append(dst, t.Best[i].Proof[:]...)
	}
	return dst
}

// Decode reads a message.
func Decode(raw []byte) (sm.Message, error) {
	r := chain.NewReader(raw)
	var msg sm.Message
	switch kind := r.U8(); kind {
	case kindTicket:
		t := &Ticket{Epoch: r.U64(), View: r.U64()}
		flag := r.U8()
		if t.New = flag == 1; flag > 1 {
			r.Fail("a ticket's flag is %d, 0 or 1 is wanted", flag)
		}
		copy(t.Proof[:], r.Bytes(len(t.Proof)))
		msg = t
	case kindTimeout:
		t := &Timeout{Epoch: r.U64(), Round: r.U64(), Backed: chain.ValidatorID(r.U16())}
		for range r.Count(Ranks, 2+vrf.ProofSize) {
			s := Shown{Owner: chain.ValidatorID(r.U16())}
			copy(s.Proof[:], r.Bytes(len(s.Proof)))
			t.Best = append(t.Best, s)
		}
		msg = t
	default:
		r.Fail("a lottery message of unknown kind %d", kind)
	}
	if err := r.Close(); err != nil {
		return nil, err
	}
	return msg, nil
}
