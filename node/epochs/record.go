package epochs

import (
	"ios/chain"
	"ios/transepoch/identity"
)

// maxProofBytes bounds an encoded proof of a record.
const maxProofBytes = 64 << 10

// MaxRecordBytes bounds an encoded record.
const MaxRecordBytes = identity.MaxEpochBytes + maxProofBytes + 8

// Record is what begins an epoch, as it travels and as it is stored: an encoded
// identity.Epoch, and the chain.OutcomeProof by which the epoch before certifies
// it.
type Record struct {
	Number uint64 // of the epoch
	Epoch  []byte
	Proof  []byte
}

// AppendTo appends the encoding.
func (r *Record) AppendTo(dst []byte) []byte {
	return chain.AppendBlob(chain.AppendBlob(dst, r.Epoch), r.Proof)
}

// DecodeRecord decodes a record and what is in it. It proves nothing yet.
func DecodeRecord(raw []byte) (*Record, error) {
	r := chain.NewReader(raw)
	rec := &Record{Epoch: r.Blob(identity.MaxEpochBytes), Proof: r.Blob(maxProofBytes)}
	if err := r.Close(); err != nil {
		return nil, err
	}
	e, _, err := rec.decode()
	if err != nil {
		return nil, err
	}
	rec.Number = e.Number
	return rec, nil
}

func (r *Record) decode() (*identity.Epoch, *chain.OutcomeProof, error) {
	e, err := identity.DecodeEpoch(r.Epoch)
	if err != nil {
		return nil, nil, err
	}
	if len(r.Proof) > maxProofBytes {
		return nil, nil, chain.Rule(chain.ErrTooLarge, "a proof of %d bytes, at most %d are allowed", len(r.Proof), maxProofBytes)
	}
	p, err := chain.DecodeOutcomeProof(r.Proof)
	return e, p, err
}

// Block is the hash of the block that certifies the record.
func (r *Record) Block() (chain.Hash, error) {
	p, err := chain.DecodeOutcomeProof(r.Proof)
	if err != nil {
		return chain.Hash{}, err
	}
	return p.Header.Hash(), nil
}
