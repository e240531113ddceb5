package identity

import "ios/chain"

// MaxOps bounds the ops of a body, MaxRegistrations those among them that register
// keys: each costs milliseconds to check, also one that comes to nothing.
const (
	MaxOps           = 256
	MaxRegistrations = 32
	// MaxCarried bounds the bundles of a body: each costs a pairing to check.
	MaxCarried = 32
)

// Payload is what a body of the identity chain holds.
type Payload struct{ Ops []Op }

// AppendTo appends the canonical encoding.
func (p *Payload) AppendTo(dst []byte) []byte {
	dst = be.AppendUint32(dst, uint32(len(p.Ops)))
	for _, op := range p.Ops {
		dst = chain.AppendBlob(dst, appendOp(nil, op))
	}
	return dst
}

func appendOp(dst []byte, op Op) []byte { return op.appendTo(append(dst, byte(op.Kind()))) }

// OpID names an op of an author's body in reports and outcomes.
func OpID(chainID chain.Hash, author chain.ValidatorID, op Op) chain.Hash {
	return tagged(tagOp, chainID[:], be.AppendUint16(nil, uint16(author)), appendOp(nil, op))
}

// DecodePayload decodes a payload, which aliases raw. Nothing but the form is
// checked.
func DecodePayload(raw []byte) (*Payload, error) {
	if len(raw) > chain.MaxBodyBytes {
		return nil, chain.Rule(chain.ErrTooLarge, "a payload of %d bytes, at most %d are allowed", len(raw), chain.MaxBodyBytes)
	}
	r := chain.NewReader(raw)
	p := &Payload{Ops: make([]Op, r.Count(MaxOps, 4+1))}
	for i := range p.Ops {
		op, err := DecodeOp(r.Blob(chain.MaxBodyBytes))
		if r.Err() != nil {
			return nil, r.Err()
		}
		if err != nil {
			return nil, err
		}
		p.Ops[i] = op
	}
	if err := r.Close(); err != nil {
		return nil, err
	}
	return p, nil
}

// DecodeOp decodes one op, which aliases raw.
func DecodeOp(raw []byte) (Op, error) {
	r := chain.NewReader(raw)
	op := readOp(r)
	if err := r.Close(); err != nil {
		return nil, err
	}
	return op, nil
}

func readOp(r *chain.Reader) Op {
	switch k := Kind(r.U8()); k {
	case KindJoin:
		j := &Join{Validator: r.Validator()}
		copy(j.Payer[:], r.Bytes(len(j.Payer)))
		j.Proofs.read(r)
		copy(j.Payment[:], r.Bytes(len(j.Payment)))
		return j
	case KindRotate:
		o := &Rotate{Order: readOrder(r), Validator: r.Validator()}
		o.Proofs.read(r)
		return o
	case KindLeave:
		return &Leave{readOrder(r), readPayee(r)}
	case KindResume:
		return &Resume{readOrder(r)}
	case KindUnbond:
		return &Unbond{readOrder(r), r.U64(), readPayee(r)}
	case KindAlive:
		return &Alive{r.U64()}
	case KindBase:
		b := &Base{Header: r.Header()}
		b.Cert = r.Certificate()
		return b
	case KindSeed:
		return &Seed{Epoch: r.U64(), Choice: r.Blob(chain.MaxBodyBytes)}
	case KindOutput:
		return &Output{r.U64(), r.Hash(), r.Blob(chain.MaxBodyBytes)}
	case KindSilent:
		return &Silent{r.U64(), r.U16(), readIDs(r)}
	case KindCarried:
		return &Carried{r.Blob(chain.MaxBodyBytes)}
	default:
		r.Fail("unknown kind of op %d", k)
		return nil
	}
}

func (j *Join) appendTo(dst []byte) []byte {
	dst = append(j.Validator.AppendTo(dst), j.Payer[:]...)
	return append(j.Proofs.appendTo(dst), j.Payment[:]...)
}

func (o *Rotate) appendTo(dst []byte) []byte {
	return o.Proofs.appendTo(o.Validator.AppendTo(o.Order.appendTo(dst)))
}

func (o *Leave) appendTo(dst []byte) []byte { return o.To.appendTo(o.Order.appendTo(dst)) }

func (o *Resume) appendTo(dst []byte) []byte { return o.Order.appendTo(dst) }

func (o *Unbond) appendTo(dst []byte) []byte {
	return o.To.appendTo(be.AppendUint64(o.Order.appendTo(dst), o.Amount))
}

func (o *Alive) appendTo(dst []byte) []byte { return be.AppendUint64(dst, o.Epoch) }

func (o *Base) appendTo(dst []byte) []byte { return o.Cert.AppendTo(o.Header.AppendTo(dst)) }

func (o *Seed) appendTo(dst []byte) []byte {
	return chain.AppendBlob(be.AppendUint64(dst, o.Epoch), o.Choice)
}

func (o *Output) appendTo(dst []byte) []byte {
	dst = append(be.AppendUint64(dst, o.Epoch), o.Random[:]...)
	return chain.AppendBlob(dst, o.Rest)
}

func (o *Silent) appendTo(dst []byte) []byte {
	return appendIDs(be.AppendUint16(be.AppendUint64(dst, o.Epoch), o.Group), o.IDs)
}

func (o *Carried) appendTo(dst []byte) []byte { return chain.AppendBlob(dst, o.Raw) }

func (p *KeyProofs) appendTo(dst []byte) []byte {
	dst = append(dst, p.Signing[:]...)
	dst = append(dst, p.Identity[:]...)
	return append(dst, p.Cosi[:]...)
}

func (p *KeyProofs) read(r *chain.Reader) {
	for _, to := range [][]byte{p.Signing[:], p.Identity[:], p.Cosi[:]} {
		copy(to, r.Bytes(len(to)))
	}
}

// head is all of an order but the signature.
func (o *Order) head(dst []byte) []byte {
	dst = be.AppendUint16(dst, uint16(o.ID))
	dst = append(dst, o.Key[:]...)
	return be.AppendUint64(dst, o.Seq)
}

func (o *Order) appendTo(dst []byte) []byte { return append(o.head(dst), o.Signature[:]...) }

func readOrder(r *chain.Reader) (o Order) {
	o.ID = chain.ValidatorID(r.U16())
	copy(o.Key[:], r.Bytes(len(o.Key)))
	o.Seq = r.U64()
	copy(o.Signature[:], r.Bytes(len(o.Signature)))
	return o
}

func (p *Payee) appendTo(dst []byte) []byte { return appendBool(append(dst, p.Owner[:]...), p.Credit) }

func readPayee(r *chain.Reader) (p Payee) {
	copy(p.Owner[:], r.Bytes(len(p.Owner)))
	p.Credit = readBool(r)
	return p
}
