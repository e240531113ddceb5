package chain

import (
	"ios/chain/sig"
	"ios/internal/sm"
)

// ValidatorID is a validator's place in the registry of the network.
type ValidatorID = sm.NodeID

// MaxBodyBytes bounds an encoded body.
const MaxBodyBytes = 1 << 20

const bodyHeadSize = 32 + 2 + 8 + 4 + 2 + 8

// Body is what one validator puts up for ordering: a payload under the
// author's next number. An author that signs two bodies with one number in a
// term is a proven cheat.
type Body struct {
	Chain     Hash
	Shard     ShardID
	Epoch     uint64
	Batch     uint32 // with Epoch the term of the committee that orders it
	Author    ValidatorID
	Number    uint64 // from 1 in each term, without gaps
	Payload   []byte
	Signature [64]byte

	// Set by DecodeBody and SignBody.
	Hash Hash
	Raw  []byte
	// Content is the decoded payload, put there by whoever checked it.
	Content any
}

// Ref is the body's name in a proposal.
func (b *Body) Ref() BodyRef { return BodyRef{b.Author, b.Number, b.Hash} }

// Term is the term of the committee that orders the body.
func (b *Body) Term() Term { return Term{b.Epoch, b.Batch} }

// SignBody sets Signature, Hash and Raw; afterwards Payload aliases Raw.
func (b *Body) SignBody(key *sig.Key) {
	raw := make([]byte, 0, bodyHeadSize+4+len(b.Payload)+len(b.Signature))
	raw = append(raw, b.Chain[:]...)
	raw = be.AppendUint16(raw, uint16(b.Shard))
	raw = b.Term().AppendTo(raw)
	raw = be.AppendUint16(raw, uint16(b.Author))
	raw = be.AppendUint64(raw, b.Number)
	raw = AppendBlob(raw, b.Payload)
	b.Hash = tagged(tagBody, raw)
	b.Signature = key.Sign(bodySigned(b.Hash))
	b.Raw = append(raw, b.Signature[:]...)
	b.Payload = b.Raw[bodyHeadSize+4 : len(raw) : len(raw)]
}

func bodySigned(h Hash) []byte { return append([]byte(tagBodySig), h[:]...) }

// DecodeBody decodes a body, which aliases raw. The signature is not checked.
func DecodeBody(raw []byte) (*Body, error) {
	if len(raw) > MaxBodyBytes {
		return nil, Rule(ErrTooLarge, "a body of %d bytes, at most %d are allowed", len(raw), MaxBodyBytes)
	}
	r := NewReader(raw)
	b := &Body{Chain: r.Hash(), Shard: ShardID(r.U16()), Epoch: r.U64(), Batch: r.U32(), Author: ValidatorID(r.U16()), Number: r.U64()}
	b.Payload = r.Blob(MaxBodyBytes)
	signed := r.Offset()
	copy(b.Signature[:], r.Bytes(len(b.Signature)))
	if err := r.Close(); err != nil {
		return nil, err
	}
	b.Raw = raw
	b.Hash = tagged(tagBody, raw[:signed])
	return b, nil
}

// CheckSignature checks the author's signature.
func (b *Body) CheckSignature(author *sig.PublicKey) error {
	if !sig.Verify(author, bodySigned(b.Hash), &b.Signature) {
		return Rule(ErrSignature, "body %d of validator %d", b.Number, b.Author)
	}
	return nil
}

// Payload is what a shard's body holds: transactions of clients, proofs of what
// other shards decided, and now and then a turn to another committee.
type Payload struct {
	// Turn asks for the next committee: an encoded entry into an epoch or a batch
	// of it, see package transepoch. It is empty in nearly all bodies.
	Turn    []byte
	Txs     []Tx
	Bundles []*Bundle
}

// MaxTxsPerBody and MaxBundlesPerBody bound a payload's lists, MaxTurnBytes its
// turn.
const (
	MaxTxsPerBody     = 4096
	MaxBundlesPerBody = 64
	MaxTurnBytes      = 64 << 10
)

// PayloadOf encodes transactions (each encoded) and bundles (each encoded).
func PayloadOf(txs, bundles [][]byte) []byte { return TurnPayloadOf(nil, txs, bundles) }

// TurnPayloadOf is PayloadOf with a turn. The turn comes first, so that TurnOf
// finds it without decoding the rest.
func TurnPayloadOf(turn []byte, txs, bundles [][]byte) []byte {
	size := 12 + len(turn)
	for _, t := range txs {
		size += len(t)
	}
	for _, b := range bundles {
		size += 4 + len(b)
	}
	dst := AppendBlob(make([]byte, 0, size), turn)
	dst = be.AppendUint32(dst, uint32(len(txs)))
	for _, t := range txs {
		dst = append(dst, t...)
	}
	dst = be.AppendUint32(dst, uint32(len(bundles)))
	for _, b := range bundles {
		dst = AppendBlob(dst, b)
	}
	return dst
}

// TurnOf is the turn in a payload that decodes, which it aliases; nil if there is
// none.
func TurnOf(payload []byte) []byte {
	turn := NewReader(payload).Blob(MaxTurnBytes)
	if len(turn) == 0 {
		return nil
	}
	return turn
}

// DecodePayload decodes a payload, which aliases raw.
func (p *Params) DecodePayload(raw []byte) (*Payload, error) {
	r := NewReader(raw)
	pl := new(Payload)
	if turn := r.Blob(MaxTurnBytes); len(turn) > 0 {
		pl.Turn = turn
	}
	n := r.Count(MaxTxsPerBody, txMinSize)
	left := n
	pl.Txs = p.readTxs(r, n, func() bool { left--; return left >= 0 })
	for range r.Count(MaxBundlesPerBody, 4) {
		b, err := p.DecodeBundle(r.Blob(MaxBodyBytes))
		if err != nil && r.err == nil {
			return nil, err
		}
		pl.Bundles = append(pl.Bundles, b)
	}
	if err := r.Close(); err != nil {
		return nil, err
	}
	return pl, nil
}
