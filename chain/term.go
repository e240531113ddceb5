package chain

import (
	"fmt"

	"ios/chain/cosi"
	"ios/chain/sig"
)

// IdentityShard stands for the identity chain of all validators in headers,
// bodies and certificates.
const IdentityShard ShardID = 0xffff

// Term is how long a committee is in office: an epoch, and in it the time
// behind so many batches of swaps. Terms of a chain follow each other without a
// gap: the next batch, or batch 0 of the next epoch.
type Term struct {
	Epoch uint64
	Batch uint32
}

// Compare orders terms by time.
func (t Term) Compare(o Term) int {
	switch {
	case t == o:
		return 0
	case t.Epoch < o.Epoch || t.Epoch == o.Epoch && t.Batch < o.Batch:
		return -1
	}
	return 1
}

// String is the term as logs show it.
func (t Term) String() string { return fmt.Sprintf("%d.%d", t.Epoch, t.Batch) }

// AppendTo appends the canonical encoding.
func (t Term) AppendTo(dst []byte) []byte {
	return be.AppendUint32(be.AppendUint64(dst, t.Epoch), t.Batch)
}

// Term reads a term.
func (r *Reader) Term() Term { return Term{r.U64(), r.U32()} }

// Term is the term of the committee that a block is made by.
func (h *Header) Term() Term { return Term{h.Epoch, h.Batch} }

// Committee is who makes the blocks of a chain in one term, by seat. It must
// not be changed.
type Committee struct {
	Shard   ShardID
	Term    Term
	Members []ValidatorID
	Signing []sig.PublicKey // of the members
	Cosi    *cosi.Committee // of the members
}

// Seat is the seat of a validator, or -1.
func (c *Committee) Seat(id ValidatorID) int {
	for i, m := range c.Members {
		if m == id {
			return i
		}
	}
	return -1
}

// Committees knows who made, makes and will make blocks. ErrNotReady is the
// kind of a term that is not known yet, ErrExpired of one that is too long ago
// to convince, ErrProof of one that does not exist.
type Committees interface {
	Committee(shard ShardID, term Term) (*Committee, error)
}
