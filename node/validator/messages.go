package validator

import (
	"ios/atomix"
	"ios/chain"
	"ios/internal/sm"
	"ios/pob/byzcoin"
	"ios/transepoch"
)

// Protocols of an Envelope.
const (
	protoAgreement  byte = 1
	protoRelay      byte = 2
	protoTransition byte = 3
	protoHandover   byte = 4
)

// Envelope is what travels between validators: a message of one of the
// protocols behind a byte that tells which.
type Envelope struct {
	Protocol byte
	Msg      sm.Message
	// Shard is the one whose validator the message is for. It is not encoded:
	// whoever runs the machines of several chains puts it before the envelope.
	Shard chain.ShardID
}

// For is the chain that the message is for.
func (e *Envelope) For() chain.ShardID { return e.Shard }

// AppendTo appends the encoding.
func (e *Envelope) AppendTo(dst []byte) []byte {
	return e.Msg.AppendTo(append(dst, e.Protocol))
}

// Decode decodes an Envelope, which aliases payload. It may run on any
// goroutine.
func Decode(p *chain.Params, payload []byte) (*Envelope, error) {
	if len(payload) == 0 {
		return nil, chain.Rule(chain.ErrEncoding, "an empty message")
	}
	var msg sm.Message
	var err error
	switch payload[0] {
	case protoAgreement:
		msg, err = byzcoin.Decode(payload[1:])
	case protoRelay:
		msg, err = atomix.DecodeMessage(p, payload[1:])
	case protoTransition:
		msg, err = transepoch.DecodeReady(payload[1:])
	case protoHandover:
		var b *chain.Body
		b, err = chain.DecodeBody(payload[1:])
		msg = &Handover{b}
	default:
		err = chain.Rule(chain.ErrEncoding, "a message of unknown protocol %d", payload[0])
	}
	if err != nil {
		return nil, err
	}
	return &Envelope{Protocol: payload[0], Msg: msg}, nil
}

// encode encodes a payload whose parts are encoded.
func encode(p *chain.Payload) []byte {
	txs, bundles := make([][]byte, len(p.Txs)), make([][]byte, len(p.Bundles))
	for i := range p.Txs {
		txs[i] = p.Txs[i].Raw
	}
	for i, b := range p.Bundles {
		bundles[i] = b.Encode()
	}
	return chain.TurnPayloadOf(p.Turn, txs, bundles)
}

func (c *Core) authored(v byzcoin.Authored) {
	if v.Err != nil {
		return
	}
	d := v.Tag.(*chain.Payload)
	c.pool.take(d, v.Number)
	if d.Turn != nil && c.proposal != nil {
		c.proposal.authored = c.now
	}
	if len(c.debts) > 0 {
		for i := range d.Txs {
			c.safe(d.Txs[i].ID)
		}
		c.settle()
	}
}

// Agreement is the envelope of a message between the members of a term.
func Agreement(term chain.Term, msg sm.Message) *Envelope {
	return &Envelope{Protocol: protoAgreement, Msg: byzcoin.Tag(term, msg)}
}
