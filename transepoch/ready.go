package transepoch

import (
	"ios/chain"
	"ios/chain/sig"
)

const tagReady = "ios/transepoch-ready/v1"

// The first byte of an encoding.
const (
	kindReady byte = 1 + iota
	kindEnter
	kindSwap
	kindState
)

// Ready says that a validator has what it takes to sit in a shard: the state at
// a final height of it. Its owner sends it to the shard's members, again and
// again, until a block records it.
type Ready struct {
	Chain     chain.Hash
	Shard     chain.ShardID
	Epoch     uint64
	Batch     uint32 // the batch that brings the validator in
	Validator chain.ValidatorID
	Height    uint64
	StateRoot chain.Hash // what the validator found the state at Height to be
	Signature [64]byte
}

const readySize = 1 + 32 + 2 + 8 + 4 + 2 + 8 + 32 + 64

func (r *Ready) appendUnsigned(dst []byte) []byte {
	dst = append(dst, kindReady)
	dst = append(dst, r.Chain[:]...)
	dst = be.AppendUint16(dst, uint16(r.Shard))
	dst = be.AppendUint64(dst, r.Epoch)
	dst = be.AppendUint32(dst, r.Batch)
	dst = be.AppendUint16(dst, uint16(r.Validator))
	dst = be.AppendUint64(dst, r.Height)
	return append(dst, r.StateRoot[:]...)
}

// AppendTo appends the canonical encoding. It makes a Ready a message.
func (r *Ready) AppendTo(dst []byte) []byte {
	return append(r.appendUnsigned(dst), r.Signature[:]...)
}

// DecodeReady decodes a Ready. The signature is not checked.
func DecodeReady(raw []byte) (*Ready, error) {
	rd := chain.NewReader(raw)
	if kind := rd.U8(); kind != kindReady {
		rd.Fail("kind %d is not a Ready", kind)
	}
	r := &Ready{
		Chain: rd.Hash(), Shard: chain.ShardID(rd.U16()), Epoch: rd.U64(), Batch: rd.U32(),
		Validator: chain.ValidatorID(rd.U16()), Height: rd.U64(), StateRoot: rd.Hash(),
	}
	copy(r.Signature[:], rd.Bytes(len(r.Signature)))
	if err := rd.Close(); err != nil {
		return nil, err
	}
	return r, nil
}

func (r *Ready) signed() []byte {
	return r.appendUnsigned(append(make([]byte, 0, len(tagReady)+readySize), tagReady...))
}

// Sign sets the signature.
func (r *Ready) Sign(key *sig.Key) { r.Signature = key.Sign(r.signed()) }

// CheckSignature checks the signature.
func (r *Ready) CheckSignature(key *sig.PublicKey) error {
	if !sig.Verify(key, r.signed(), &r.Signature) {
		return chain.Rule(chain.ErrSignature, "Ready of validator %d for batch %d of shard %d in epoch %d", r.Validator, r.Batch, r.Shard, r.Epoch)
	}
	return nil
}
