package chain

import "ios/chain/cosi"

// MaxRefs bounds the bodies of one block.
const MaxRefs = 1 << 14

// BodyRef names a body.
type BodyRef struct {
	Author ValidatorID
	Number uint64
	Hash   Hash
}

const refSize = 2 + 8 + 32

// AppendRefs appends a list of references behind its length.
func AppendRefs(dst []byte, refs []BodyRef) []byte {
	dst = be.AppendUint32(dst, uint32(len(refs)))
	for i := range refs {
		dst = be.AppendUint16(dst, uint16(refs[i].Author))
		dst = be.AppendUint64(dst, refs[i].Number)
		dst = append(dst, refs[i].Hash[:]...)
	}
	return dst
}

// Refs reads what AppendRefs wrote.
func (r *Reader) Refs() []BodyRef {
	n := r.Count(MaxRefs, refSize)
	if n == 0 {
		return nil
	}
	refs := make([]BodyRef, n)
	for i := range refs {
		refs[i] = BodyRef{ValidatorID(r.U16()), r.U64(), r.Hash()}
	}
	return refs
}

// RefsHash commits to an ordered list of bodies.
func RefsHash(refs []BodyRef) Hash { return tagged(tagRefs, AppendRefs(nil, refs)) }

// Header is what a certificate makes final. It leaves out the view and the
// proposer, so that a new view can propose the same block.
type Header struct {
	Chain    Hash
	Shard    ShardID
	Epoch    uint64
	Batch    uint32 // which committee of the epoch
	Height   uint64 // from 1; the genesis state is height 0
	Parent   Hash   // hash of the header below; the chain id at height 1
	Bodies   Hash   // RefsHash of the ordered bodies
	Outcomes Hash   // root of what executing them came to, see OutcomeTree
}

const headerSize = 32 + 2 + 8 + 4 + 8 + 32 + 32 + 32

// AppendTo appends the canonical encoding.
func (h *Header) AppendTo(dst []byte) []byte {
	dst = append(dst, h.Chain[:]...)
	dst = be.AppendUint16(dst, uint16(h.Shard))
	dst = be.AppendUint64(dst, h.Epoch)
	dst = be.AppendUint32(dst, h.Batch)
	dst = be.AppendUint64(dst, h.Height)
	dst = append(dst, h.Parent[:]...)
	dst = append(dst, h.Bodies[:]...)
	return append(dst, h.Outcomes[:]...)
}

// Header reads a header.
func (r *Reader) Header() Header {
	return Header{
		Chain: r.Hash(), Shard: ShardID(r.U16()), Epoch: r.U64(), Batch: r.U32(),
		Height: r.U64(), Parent: r.Hash(), Bodies: r.Hash(), Outcomes: r.Hash(),
	}
}

// Hash names the block.
func (h *Header) Hash() Hash {
	var buf [headerSize]byte
	return tagged(tagHeader, h.AppendTo(buf[:0]))
}

// Phase is a round of votes on a block.
type Phase uint8

// The phases. A quorum of Prepare votes locks a block in its view, a quorum of
// Commit votes makes it final.
const (
	Prepare Phase = 1
	Commit  Phase = 2
)

// VoteBytes is what a member signs for the block in a view and phase.
func VoteBytes(h *Header, block Hash, view uint64, phase Phase) []byte {
	dst := make([]byte, 0, len(tagVote)+headerSize)
	dst = append(dst, tagVote...)
	dst = append(dst, h.Chain[:]...)
	dst = be.AppendUint16(dst, uint16(h.Shard))
	dst = be.AppendUint64(dst, h.Epoch)
	dst = be.AppendUint32(dst, h.Batch)
	dst = be.AppendUint64(dst, h.Height)
	dst = be.AppendUint64(dst, view)
	dst = append(dst, byte(phase))
	return append(dst, block[:]...)
}

// Certificate is the consent of a quorum of the committee to a block in one
// view and phase.
type Certificate struct {
	View  uint64
	Phase Phase
	cosi.Certificate
}

// AppendTo appends the canonical encoding.
func (c *Certificate) AppendTo(dst []byte) []byte {
	dst = be.AppendUint64(dst, c.View)
	dst = append(dst, byte(c.Phase))
	return c.Certificate.AppendTo(dst)
}

// Certificate reads a certificate.
func (r *Reader) Certificate() (c Certificate) {
	c.View, c.Phase = r.U64(), Phase(r.U8())
	if c.Phase != Prepare && c.Phase != Commit {
		r.Fail("unknown phase %d", c.Phase)
	}
	if r.err != nil {
		return c
	}
	n, err := c.Certificate.Decode(r.buf[r.off:])
	if err != nil {
		r.Fail("certificate: %v", err)
		return c
	}
	r.off += n
	return c
}

// Verify checks that the committee consents to the block by c.
func (c *Certificate) Verify(committee *cosi.Committee, h *Header, block Hash) error {
	if err := committee.Verify(VoteBytes(h, block, c.View, c.Phase), c.Certificate); err != nil {
		return Rule(ErrProof, "certificate of shard %d height %d: %v", h.Shard, h.Height, err)
	}
	return nil
}

// Block is a final block without its bodies.
type Block struct {
	Header Header
	Refs   []BodyRef
	Cert   Certificate // of phase Commit
}

// AppendTo appends the canonical encoding.
func (b *Block) AppendTo(dst []byte) []byte {
	dst = b.Header.AppendTo(dst)
	dst = AppendRefs(dst, b.Refs)
	return b.Cert.AppendTo(dst)
}

// Block reads a block and checks that the header names its bodies.
func (r *Reader) Block() *Block {
	b := &Block{Header: r.Header(), Refs: r.Refs()}
	b.Cert = r.Certificate()
	if r.err == nil && RefsHash(b.Refs) != b.Header.Bodies {
		r.Fail("block %d: the header names other bodies", b.Header.Height)
	}
	if r.err == nil && b.Cert.Phase != Commit {
		r.Fail("block %d: a certificate of phase %d does not make it final", b.Header.Height, b.Cert.Phase)
	}
	return b
}

// DecodeBlock decodes a block. The certificate's signature is not checked.
func DecodeBlock(raw []byte) (*Block, error) {
	r := NewReader(raw)
	b := r.Block()
	if err := r.Close(); err != nil {
		return nil, err
	}
	return b, nil
}
