package drp

import (
	"fmt"

	"ios/chain"
	"ios/drp/pvss"
	"ios/internal/sm"
)

// Kinds of messages, the first byte of each.
const (
	kindAsk uint8 = iota + 1
	kindDeal
	kindShow
	kindWant
	kindFull
	kindOpen
	kindPass
)

// Ask asks a server for its dealing in a view. Leaders send it.
type Ask struct{ Epoch, View uint64 }

// Deal is a server's dealing, for a leader.
type Deal struct {
	Epoch uint64
	Raw   []byte
}

// Show shows a sign-off and asks for the shares. Collectors send it.
type Show struct {
	Epoch, View uint64
	Choice      chain.Hash
	SignOff     []byte
}

// Want asks a collector for the choice that its sign-off is for.
type Want struct {
	Epoch  uint64
	Choice chain.Hash
}

// Full is that choice.
type Full struct {
	Epoch uint64
	Raw   []byte
}

// Open is a server's opened shares, for a collector.
type Open struct {
	Epoch  uint64
	Choice chain.Hash
	Shares pvss.Decryption
}

// Pass gives a collector shares that another one has checked, by ascending place.
type Pass struct {
	Epoch  uint64
	Choice chain.Hash
	List   []Shares
}

// AppendTo appends the canonical encoding.
func (m *Ask) AppendTo(dst []byte) []byte {
	return be.AppendUint64(be.AppendUint64(append(dst, kindAsk), m.Epoch), m.View)
}

// AppendTo appends the canonical encoding.
func (m *Deal) AppendTo(dst []byte) []byte {
	return chain.AppendBlob(be.AppendUint64(append(dst, kindDeal), m.Epoch), m.Raw)
}

// AppendTo appends the canonical encoding.
func (m *Show) AppendTo(dst []byte) []byte {
	dst = be.AppendUint64(be.AppendUint64(append(dst, kindShow), m.Epoch), m.View)
	return chain.AppendBlob(append(dst, m.Choice[:]...), m.SignOff)
}

// AppendTo appends the canonical encoding.
func (m *Want) AppendTo(dst []byte) []byte {
	return append(be.AppendUint64(append(dst, kindWant), m.Epoch), m.Choice[:]...)
}

// AppendTo appends the canonical encoding.
func (m *Full) AppendTo(dst []byte) []byte {
	return chain.AppendBlob(be.AppendUint64(append(dst, kindFull), m.Epoch), m.Raw)
}

// AppendTo appends the canonical encoding.
func (m *Open) AppendTo(dst []byte) []byte {
	dst = append(be.AppendUint64(append(dst, kindOpen), m.Epoch), m.Choice[:]...)
	return chain.AppendBlob(dst, m.Shares)
}

// AppendTo appends the canonical encoding.
func (m *Pass) AppendTo(dst []byte) []byte {
	dst = append(be.AppendUint64(append(dst, kindPass), m.Epoch), m.Choice[:]...)
	dst = be.AppendUint32(dst, uint32(len(m.List)))
	for i := range m.List {
		dst = chain.AppendBlob(be.AppendUint16(dst, m.List[i].Server), m.List[i].Raw)
	}
	return dst
}

func readPass(r *chain.Reader) *Pass {
	m := &Pass{Epoch: r.U64(), Choice: r.Hash()}
	for range r.Count(MaxServers, 2+4) {
		e := Shares{r.U16(), r.Blob(maxShares)}
		if r.Err() != nil {
			break
		}
		m.List = append(m.List, e)
	}
	return m
}

// maxShares bounds the encoding of an Open's shares.
var maxShares = pvss.DecryptionSize(pvss.Threshold(MaxServers))

// Decode reads a message, which aliases raw. Every list in it is bounded; what
// fits a run is for the machine to say.
func Decode(raw []byte) (sm.Message, error) {
	r := chain.NewReader(raw)
	var m sm.Message
	switch kind := r.U8(); kind {
	case kindAsk:
		m = &Ask{Epoch: r.U64(), View: r.U64()}
	case kindDeal:
		m = &Deal{Epoch: r.U64(), Raw: r.Blob(maxDealing)}
	case kindShow:
		m = &Show{Epoch: r.U64(), View: r.U64(), Choice: r.Hash(), SignOff: r.Blob(MaxSignOff)}
	case kindWant:
		m = &Want{Epoch: r.U64(), Choice: r.Hash()}
	case kindFull:
		m = &Full{Epoch: r.U64(), Raw: r.Blob(MaxChoice)}
	case kindOpen:
		m = &Open{Epoch: r.U64(), Choice: r.Hash(), Shares: r.Blob(maxShares)}
	case kindPass:
		m = readPass(r)
	default:
		r.Fail("message of unknown kind %d", kind)
	}
	if err := r.Close(); err != nil {
		return nil, fmt.Errorf("drp: %w", err)
	}
	return m, nil
}
