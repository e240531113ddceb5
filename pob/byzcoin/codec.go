package byzcoin

import (
	"encoding/binary"

	"ios/chain"
	"ios/internal/sm"
)

var be = binary.BigEndian

// Bounds of what a message may hold.
const (
	maxAckRefs    = 1 << 13
	maxPullRefs   = 1 << 8
	maxSyncBlocks = 1 << 8
	maxSyncRaw    = 1 << 20 // bytes of a block without its bodies
	maxEvidence   = chain.MaxBodyBytes + 1
)

// AppendTo appends the canonical encoding.
func (b *Body) AppendTo(dst []byte) []byte {
	return append(append(dst, kindBody), b.Body.Raw...)
}

// AppendTo appends the canonical encoding.
func (a *Acks) AppendTo(dst []byte) []byte {
	return chain.AppendRefs(append(dst, kindAcks), a.Refs)
}

// AppendTo appends the canonical encoding.
func (i *Insist) AppendTo(dst []byte) []byte {
	return chain.AppendRefs(append(dst, kindInsist), i.Refs)
}

// AppendTo appends the canonical encoding.
func (p *Pull) AppendTo(dst []byte) []byte {
	return chain.AppendRefs(append(dst, kindPull), p.Refs)
}

// AppendTo appends the canonical encoding.
func (p *Proposal) AppendTo(dst []byte) []byte {
	dst = be.AppendUint64(append(dst, kindProposal), p.View)
	dst = p.Header.AppendTo(dst)
	dst = chain.AppendRefs(dst, p.Refs)
	return append(dst, p.Signature[:]...)
}

// AppendTo appends the canonical encoding.
func (s *Share) AppendTo(dst []byte) []byte {
	dst = be.AppendUint64(append(dst, kindShare), s.Height)
	dst = be.AppendUint64(dst, s.View)
	dst = append(dst, byte(s.Phase))
	dst = append(dst, s.Block[:]...)
	return s.Votes.AppendTo(dst)
}

func (c *Certified) appendBody(dst []byte) []byte {
	dst = be.AppendUint64(dst, c.Height)
	dst = append(dst, c.Block[:]...)
	return c.Cert.AppendTo(dst)
}

// AppendTo appends the canonical encoding.
func (c *Certified) AppendTo(dst []byte) []byte {
	return c.appendBody(append(dst, kindCertified))
}

// AppendTo appends the canonical encoding.
func (b *Bypass) AppendTo(dst []byte) []byte {
	return be.AppendUint64(append(dst, kindBypass), b.View)
}

// AppendTo appends the canonical encoding.
func (c *Complaint) AppendTo(dst []byte) []byte {
	return be.AppendUint64(be.AppendUint64(append(dst, kindComplaint), c.View), c.Height)
}

func appendCertifieds(dst []byte, list []Certified) []byte {
	dst = be.AppendUint32(dst, uint32(len(list)))
	for i := range list {
		dst = list[i].appendBody(dst)
	}
	return dst
}

// appendSigned appends what the signature covers.
func (c *SignedChange) appendSigned(dst []byte) []byte {
	dst = be.AppendUint16(dst, c.Seat)
	dst = be.AppendUint64(dst, c.View)
	dst = appendCertifieds(dst, c.Final)
	return appendCertifieds(dst, c.Prepared)
}

func (c *SignedChange) appendTo(dst []byte) []byte {
	return append(c.appendSigned(dst), c.Signature[:]...)
}

// AppendTo appends the canonical encoding.
func (v *ViewChange) AppendTo(dst []byte) []byte {
	dst = v.Change.appendTo(append(dst, kindViewChange))
	return appendContents(dst, v.Prepared)
}

func appendContents(dst []byte, list []Content) []byte {
	dst = be.AppendUint32(dst, uint32(len(list)))
	for i := range list {
		dst = list[i].Header.AppendTo(dst)
		dst = chain.AppendRefs(dst, list[i].Refs)
	}
	return dst
}

// AppendTo appends the canonical encoding.
func (n *NewView) AppendTo(dst []byte) []byte {
	dst = be.AppendUint64(append(dst, kindNewView), n.View)
	dst = be.AppendUint32(dst, uint32(len(n.Changes)))
	for i := range n.Changes {
		dst = n.Changes[i].appendTo(dst)
	}
	return dst
}

// AppendTo appends the canonical encoding.
func (q *Query) AppendTo(dst []byte) []byte {
	dst = be.AppendUint64(append(dst, kindQuery), q.Nonce)
	dst = be.AppendUint64(dst, q.View)
	return be.AppendUint64(dst, q.Height)
}

// AppendTo appends the canonical encoding.
func (a *Answer) AppendTo(dst []byte) []byte {
	dst = be.AppendUint64(append(dst, kindAnswer), a.Nonce)
	dst = be.AppendUint64(dst, a.View)
	dst = be.AppendUint64(dst, a.Height)
	return appendCertifieds(dst, a.Final)
}

// AppendTo appends the canonical encoding.
func (f *Fetch) AppendTo(dst []byte) []byte {
	dst = be.AppendUint64(append(dst, kindFetch), f.From)
	dst = be.AppendUint32(dst, f.Count)
	return be.AppendUint32(dst, f.MaxBytes)
}

// AppendTo appends the canonical encoding.
func (s *SyncReply) AppendTo(dst []byte) []byte {
	dst = be.AppendUint32(append(dst, kindSyncReply), uint32(len(s.Blocks)))
	for i := range s.Blocks {
		b := &s.Blocks[i]
		dst = chain.AppendBlob(dst, b.raw)
		dst = be.AppendUint32(dst, uint32(len(b.Bodies)))
		for _, body := range b.Bodies {
			dst = chain.AppendBlob(dst, body.Raw)
		}
	}
	return dst
}

// AppendTo appends the canonical encoding.
func (f *FetchHeaders) AppendTo(dst []byte) []byte {
	return be.AppendUint32(be.AppendUint64(append(dst, kindFetchHeaders), f.From), f.Count)
}

// AppendTo appends the canonical encoding.
func (h *Headers) AppendTo(dst []byte) []byte {
	dst = be.AppendUint32(append(dst, kindHeaders), uint32(len(h.List)))
	for i := range h.List {
		dst = h.List[i].AppendTo(dst)
	}
	return dst
}

// AppendTo appends the canonical encoding.
func (f *Follow) AppendTo(dst []byte) []byte { return append(dst, kindFollow) }

// AppendTo appends the canonical encoding.
func (e *Evidence) AppendTo(dst []byte) []byte {
	dst = chain.AppendBlob(append(dst, kindEvidence), []byte(e.Fault))
	dst = chain.AppendBlob(dst, e.First)
	return chain.AppendBlob(dst, e.Other)
}

// Decode decodes a message. It is pure, computes the hashes of bodies and blocks
// and is meant to run off the machine. The message aliases raw. Signatures and
// certificates are not checked.
func Decode(raw []byte) (sm.Message, error) {
	r := chain.NewReader(raw)
	kind := r.U8()
	if kind == kindTagged {
		return decodeTagged(r)
	}
	if kind == kindBody {
		b, err := chain.DecodeBody(r.Rest())
		if err != nil {
			return nil, err
		}
		return &Body{b}, nil
	}
	msg := decodeKind(kind, r)
	if err := r.Close(); err != nil {
		return nil, err
	}
	return msg, nil
}

func decodeKind(kind byte, r *chain.Reader) sm.Message {
	switch kind {
	case kindAcks:
		return &Acks{readRefs(r, maxAckRefs)}
	case kindInsist:
		return &Insist{readRefs(r, maxAckRefs)}
	case kindPull:
		return &Pull{readRefs(r, maxPullRefs)}
	case kindProposal:
		return readProposal(r)
	case kindShare:
		return readShare(r)
	case kindCertified:
		c := readCertified(r)
		return &c
	case kindBypass:
		return &Bypass{r.U64()}
	case kindComplaint:
		return &Complaint{r.U64(), r.U64()}
	case kindViewChange:
		return readViewChange(r)
	case kindNewView:
		return readNewView(r)
	case kindQuery:
		return &Query{r.U64(), r.U64(), r.U64()}
	case kindAnswer:
		return &Answer{r.U64(), r.U64(), r.U64(), readCertifieds(r)}
	case kindFetch:
		return &Fetch{r.U64(), r.U32(), r.U32()}
	case kindSyncReply:
		return readSyncReply(r)
	case kindFetchHeaders:
		return &FetchHeaders{r.U64(), r.U32()}
	case kindHeaders:
		return readHeaders(r)
	case kindEvidence:
		return readEvidence(r)
	case kindFollow:
		return &Follow{}
	case kindWhere:
		return &Where{r.Term(), r.U64()}
	case kindAhead:
		return &Ahead{r.Term(), r.U64()}
	}
	r.Fail("unknown kind of message %d", kind)
	return nil
}

func readRefs(r *chain.Reader, max int) []chain.BodyRef {
	refs := r.Refs()
	if len(refs) > max {
		r.Fail("%d references, at most %d are allowed", len(refs), max)
	}
	return refs
}

func readProposal(r *chain.Reader) *Proposal {
	p := &Proposal{View: r.U64(), Header: r.Header(), Refs: r.Refs()}
	copy(p.Signature[:], r.Bytes(len(p.Signature)))
	checkContent(r, &p.Header, p.Refs)
	if r.Err() == nil {
		p.hash = p.Header.Hash()
	}
	return p
}

// checkContent wants the header to name the bodies.
func checkContent(r *chain.Reader, h *chain.Header, refs []chain.BodyRef) {
	if r.Err() == nil && chain.RefsHash(refs) != h.Bodies {
		r.Fail("block %d: the header names other bodies", h.Height)
	}
}

func readShare(r *chain.Reader) *Share {
	s := &Share{Height: r.U64(), View: r.U64(), Phase: chain.Phase(r.U8()), Block: r.Hash()}
	if r.Err() == nil && s.Phase != chain.Prepare && s.Phase != chain.Commit {
		r.Fail("unknown phase %d", s.Phase)
	}
	rest := r.Rest()
	if r.Err() != nil {
		return s
	}
	if n, err := s.Votes.Decode(rest); err != nil {
		r.Fail("share: %v", err)
	} else if n != len(rest) {
		r.Fail("%d bytes left over after a share", len(rest)-n)
	}
	return s
}

func readCertified(r *chain.Reader) Certified {
	return Certified{Height: r.U64(), Block: r.Hash(), Cert: r.Certificate()}
}

// readCertifieds reads a list of at most one.
func readCertifieds(r *chain.Reader) []Certified {
	if r.Count(1, 8+32+8+1+2) == 0 {
		return nil
	}
	return []Certified{readCertified(r)}
}

func readChange(r *chain.Reader) (c SignedChange) {
	c.Seat, c.View = r.U16(), r.U64()
	c.Final = readCertifieds(r)
	c.Prepared = readCertifieds(r)
	copy(c.Signature[:], r.Bytes(len(c.Signature)))
	return c
}

func readViewChange(r *chain.Reader) *ViewChange {
	v := &ViewChange{Change: readChange(r), Prepared: readContents(r)}
	if r.Err() == nil && len(v.Prepared) != len(v.Change.Prepared) {
		r.Fail("%d contents for %d prepared blocks", len(v.Prepared), len(v.Change.Prepared))
	}
	return v
}

// readContents reads a list of at most one.
func readContents(r *chain.Reader) []Content {
	if r.Count(1, 4) == 0 {
		return nil
	}
	c := Content{r.Header(), r.Refs()}
	checkContent(r, &c.Header, c.Refs)
	return []Content{c}
}

func readNewView(r *chain.Reader) *NewView {
	n := &NewView{View: r.U64()}
	count := r.Count(MaxMembers, 2+8+4+4+64)
	for range count {
		if r.Err() != nil {
			break
		}
		n.Changes = append(n.Changes, readChange(r))
	}
	return n
}

func readSyncReply(r *chain.Reader) *SyncReply {
	count := r.Count(maxSyncBlocks, 8)
	s := &SyncReply{Blocks: make([]SyncBlock, 0, count)}
	for range count {
		b, err := readSyncBlock(r)
		if err != nil {
			r.Fail("%v", err)
		}
		if r.Err() != nil {
			break
		}
		s.Blocks = append(s.Blocks, b)
	}
	return s
}

func readSyncBlock(r *chain.Reader) (b SyncBlock, err error) {
	b.raw = r.Blob(maxSyncRaw)
	count := r.Count(chain.MaxRefs, 4)
	if r.Err() != nil {
		return b, r.Err()
	}
	if b.Block, err = chain.DecodeBlock(b.raw); err != nil {
		return b, err
	}
	if count != len(b.Block.Refs) {
		return b, chain.Rule(chain.ErrEncoding, "block %d: %d bodies for %d references", b.Block.Header.Height, count, len(b.Block.Refs))
	}
	b.Bodies = make([]*chain.Body, 0, count)
	for i := range count {
		raw := r.Blob(chain.MaxBodyBytes)
		if r.Err() != nil {
			return b, r.Err()
		}
		body, err := chain.DecodeBody(raw)
		if err != nil {
			return b, err
		}
		if body.Ref() != b.Block.Refs[i] {
			return b, chain.Rule(chain.ErrProof, "block %d: body %d is another one than the block names", b.Block.Header.Height, i)
		}
		b.Bodies = append(b.Bodies, body)
	}
	return b, nil
}

func readHeaders(r *chain.Reader) *Headers {
	h := &Headers{}
	for range r.Count(maxHeaders, 4*32+2+8+4+8) {
		h.List = append(h.List, r.Header())
	}
	return h
}

func readEvidence(r *chain.Reader) *Evidence {
	return &Evidence{Fault(r.Blob(32)), r.Blob(maxEvidence), r.Blob(maxEvidence)}
}
