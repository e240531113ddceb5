package byzcoin

import (
	"ios/chain"
	"ios/chain/cosi"
)

// The messages between the members of a committee. They travel in a [Tagged],
// which names the term, but for Fetch and SyncReply; what is signed binds shard
// and term too.
type (
	// Body carries a body, from its author or from whoever has it.
	Body struct{ Body *chain.Body }

	// Acks says that the sender has checked and stored the bodies.
	Acks struct{ Refs []chain.BodyRef }

	// Insist says that the sender has acked the bodies and wants them listed.
	Insist struct{ Refs []chain.BodyRef }

	// Pull asks for bodies.
	Pull struct{ Refs []chain.BodyRef }

	// Proposal is a leader's block. The header has its Outcomes.
	Proposal struct {
		View      uint64
		Header    chain.Header
		Refs      []chain.BodyRef
		Signature [64]byte // of the leader of the view, over proposalBytes

		hash chain.Hash // of Header
	}

	// Share is the sender's vote, or what it gathered as an inner node.
	Share struct {
		Height uint64
		View   uint64
		Phase  chain.Phase
		Block  chain.Hash
		Votes  cosi.Contribution
	}

	// Certified is a certificate with what it is about.
	Certified struct {
		Height uint64
		Block  chain.Hash
		Cert   chain.Certificate
	}

	// Bypass tells a part of the tree to send its shares to the leader itself
	// for the rest of the view.
	Bypass struct{ View uint64 }

	// Complaint says that the sender would leave the view, since nothing becomes
	// final above its last final block. It goes on voting in the view until enough
	// others would leave it too.
	Complaint struct{ View, Height uint64 }

	// SignedChange is a member's wish to go to a view, with what binds it.
	SignedChange struct {
		Seat      uint16
		View      uint64
		Final     []Certified // the last final block, none at the start point
		Prepared  []Certified // the highest prepared block above it, if any
		Signature [64]byte
	}

	// ViewChange carries a SignedChange, with the block that it shows as
	// prepared.
	ViewChange struct {
		Change   SignedChange
		Prepared []Content // as many as Change.Prepared
	}

	// Content is a block without a certificate.
	Content struct {
		Header chain.Header
		Refs   []chain.BodyRef
	}

	// NewView installs a view: a quorum of wishes to go there, by seat.
	NewView struct {
		View    uint64
		Changes []SignedChange
	}

	// Query asks for an Answer.
	Query struct {
		Nonce  uint64 // comes back in the answer
		View   uint64 // of the sender
		Height uint64
	}

	// Answer tells the sender's state. The certificate is there if the
	// sender's height is above that of the query.
	Answer struct {
		Nonce  uint64
		View   uint64
		Height uint64
		Final  []Certified
	}

	// Fetch asks for final blocks, of whatever term.
	Fetch struct {
		From     uint64 // height of the first
		Count    uint32
		MaxBytes uint32
	}

	// FetchHeaders asks for the headers of final blocks, of whatever term.
	FetchHeaders struct {
		From  uint64 // height of the first
		Count uint32
	}

	// Headers answers FetchHeaders: all of them in order, or none.
	Headers struct{ List []chain.Header }

	// Follow asks a member for the certificates of final blocks, for a while.
	Follow struct{}

	// SyncReply answers Fetch.
	SyncReply struct{ Blocks []SyncBlock }

	// SyncBlock is a final block with its bodies in order.
	SyncBlock struct {
		Block  *chain.Block
		Bodies []*chain.Body
		raw    []byte // of Block
	}
)

// Evidence proves that somebody broke a rule: two signed bodies with one number,
// two signed proposals for one height and view, or one signed value that breaks
// a rule by itself.
type Evidence struct {
	Fault Fault
	First []byte // an encoded message: Body or Proposal
	Other []byte // the same; empty where the first suffices
}

// Kinds of messages.
const (
	kindBody byte = 1 + iota
	kindAcks
	kindInsist
	kindPull
	kindProposal
	kindShare
	kindCertified
	kindBypass
	kindViewChange
	kindNewView
	kindQuery
	kindAnswer
	kindFetch
	kindSyncReply
	kindEvidence
	kindFollow
	kindTagged
	kindWhere
	kindAhead
	kindFetchHeaders
	kindHeaders
	kindComplaint
)

// hash of the header, computed once.
func (p *Proposal) block() chain.Hash {
	if p.hash.IsZero() {
		p.hash = p.Header.Hash()
	}
	return p.hash
}

const tagProposal = "ios/byzcoin/proposal/v1"

// proposalBytes is what a proposer signs: the chain, shard, epoch, batch,
// height and view with the block's hash, which covers the header.
func proposalBytes(p *Proposal) []byte {
	return append([]byte(tagProposal), chain.VoteBytes(&p.Header, p.block(), p.View, 0)...)
}

const tagChange = "ios/byzcoin/view-change/v1"

// changeBytes is what a member signs to change the view.
func (m *Machine) changeBytes(c *SignedChange) []byte {
	dst := append([]byte(tagChange), m.cfg.ChainID[:]...)
	dst = be.AppendUint16(dst, uint16(m.cfg.Shard))
	dst = be.AppendUint64(dst, m.cfg.Epoch)
	dst = be.AppendUint32(dst, m.cfg.Batch)
	return c.appendSigned(dst)
}

// NewSyncReply builds the answer to a Serve from raw records: final blocks in
// order of height as [RecordFinal] holds them, and to each its raw bodies in
// order. It checks nothing but the encoding.
func NewSyncReply(blocks [][]byte, bodies [][][]byte) (*SyncReply, error) {
	if len(blocks) != len(bodies) || len(blocks) > maxSyncBlocks {
		return nil, chain.Rule(chain.ErrTooLarge, "%d blocks with %d lists of bodies, at most %d are possible", len(blocks), len(bodies), maxSyncBlocks)
	}
	r := &SyncReply{Blocks: make([]SyncBlock, len(blocks))}
	for i := range blocks {
		b, err := chain.DecodeBlock(blocks[i])
		if err != nil {
			return nil, err
		}
		r.Blocks[i] = SyncBlock{Block: b, raw: blocks[i]}
		for _, raw := range bodies[i] {
			r.Blocks[i].Bodies = append(r.Blocks[i].Bodies, &chain.Body{Raw: raw})
		}
	}
	return r, nil
}
