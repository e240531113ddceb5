package chain

import (
	"ios/chain/cosi"
	"ios/chain/merkle"
)

// Place is a leaf's place in a Merkle tree and the path from it to the root.
type Place struct {
	Index, Total uint32
	Path         []merkle.Hash
}

const maxPath = 32

func (p *Place) appendTo(dst []byte) []byte {
	dst = be.AppendUint32(dst, p.Index)
	dst = be.AppendUint32(dst, p.Total)
	dst = be.AppendUint32(dst, uint32(len(p.Path)))
	for i := range p.Path {
		dst = append(dst, p.Path[i][:]...)
	}
	return dst
}

func (r *Reader) place() (p Place) {
	p.Index, p.Total = r.U32(), r.U32()
	n := r.Count(maxPath, 32)
	if n > 0 {
		p.Path = make([]merkle.Hash, n)
	}
	for i := range p.Path {
		p.Path[i] = r.Hash()
	}
	return p
}

func (p *Place) verify(leaf merkle.Hash, root Hash) error {
	if err := merkle.VerifyPath(leaf, uint64(p.Index), uint64(p.Total), p.Path, root); err != nil {
		return Rule(ErrProof, "%v", err)
	}
	return nil
}

// Bundle shows one segment of a final block to the segment's destination:
// everything that the block decided for that shard behind one certificate.
type Bundle struct {
	Header  Header
	Cert    Certificate
	Place   Place
	Segment Segment
	// Txs are transactions of the segment that the destination may not know,
	// in the order of their entries.
	Txs []Tx

	// Raw is the encoding, set by DecodeBundle and [Bundle.Encode].
	Raw []byte
}

// AppendTo appends the canonical encoding.
func (b *Bundle) AppendTo(dst []byte) []byte {
	dst = b.Header.AppendTo(dst)
	dst = b.Cert.AppendTo(dst)
	dst = b.Place.appendTo(dst)
	dst = be.AppendUint16(dst, uint16(b.Segment.Dest))
	dst = be.AppendUint32(dst, uint32(len(b.Segment.Entries)))
	for i := range b.Segment.Entries {
		dst = append(dst, b.Segment.Entries[i].ID[:]...)
		dst = append(dst, byte(b.Segment.Entries[i].Outcome))
	}
	dst = be.AppendUint32(dst, uint32(len(b.Txs)))
	for i := range b.Txs {
		dst = append(dst, b.Txs[i].Raw...)
	}
	return dst
}

// Encode sets Raw, if it is not set, and returns it.
func (b *Bundle) Encode() []byte {
	if b.Raw == nil {
		const rest = 512 // header, certificate and counts of a committee of any usual size
		size := rest + len(b.Place.Path)*len(Hash{}) + len(b.Segment.Entries)*entrySize
		for i := range b.Txs {
			size += len(b.Txs[i].Raw)
		}
		b.Raw = b.AppendTo(make([]byte, 0, size))
	}
	return b.Raw
}

// DecodeBundle decodes a bundle, which aliases raw. It checks that each
// transaction belongs to an entry; [Bundle.Verify] checks the proof.
func (p *Params) DecodeBundle(raw []byte) (*Bundle, error) {
	r := NewReader(raw)
	b := &Bundle{Header: r.Header(), Raw: raw}
	b.Cert = r.Certificate()
	b.Place = r.place()
	b.Segment.Dest = ShardID(r.U16())
	b.Segment.Entries = make([]Entry, r.Count(MaxSegmentEntries, entrySize))
	for i := range b.Segment.Entries {
		e := &b.Segment.Entries[i]
		e.ID, e.Outcome = r.Hash(), Outcome(r.U8())
		if !e.Outcome.Valid() {
			r.Fail("unknown outcome %d", e.Outcome)
		}
	}
	n := r.Count(len(b.Segment.Entries), txMinSize)
	left := n
	b.Txs = p.readTxs(r, n, func() bool { left--; return left >= 0 })
	if err := r.Close(); err != nil {
		return nil, err
	}
	at := 0
	for i := range b.Segment.Entries {
		if at < len(b.Txs) && b.Txs[at].ID == b.Segment.Entries[i].ID {
			at++
		}
	}
	if at != len(b.Txs) {
		return nil, Rule(ErrEncoding, "transaction %s has no entry in its place", b.Txs[at].ID.Short())
	}
	return b, nil
}

// VerifyPath checks that the header commits to the segment. The certificate
// remains to be checked: many bundles share one.
func (b *Bundle) VerifyPath() error {
	leaf := segmentLeaf(b.Segment.Dest, uint32(len(b.Segment.Entries)), b.Segment.Root())
	return b.Place.verify(leaf, b.Header.Outcomes)
}

// OutcomeProof shows one recorded outcome to a client.
type OutcomeProof struct {
	Header  Header
	Cert    Certificate
	Segment Place
	Dest    ShardID
	Leaf    Place
	Entry   Entry
}

// AppendTo appends the canonical encoding.
func (o *OutcomeProof) AppendTo(dst []byte) []byte {
	dst = o.Header.AppendTo(dst)
	dst = o.Cert.AppendTo(dst)
	dst = o.Segment.appendTo(dst)
	dst = be.AppendUint16(dst, uint16(o.Dest))
	dst = o.Leaf.appendTo(dst)
	dst = append(dst, o.Entry.ID[:]...)
	return append(dst, byte(o.Entry.Outcome))
}

// DecodeOutcomeProof decodes a proof.
func DecodeOutcomeProof(raw []byte) (*OutcomeProof, error) {
	r := NewReader(raw)
	o := &OutcomeProof{Header: r.Header()}
	o.Cert = r.Certificate()
	o.Segment = r.place()
	o.Dest = ShardID(r.U16())
	o.Leaf = r.place()
	o.Entry = Entry{ID: r.Hash(), Outcome: Outcome(r.U8())}
	if !o.Entry.Outcome.Valid() {
		r.Fail("unknown outcome %d", o.Entry.Outcome)
	}
	if err := r.Close(); err != nil {
		return nil, err
	}
	return o, nil
}

// Verify checks that the committee's shard recorded the entry in a final block
// of the chain.
func (o *OutcomeProof) Verify(p *Params, shard ShardID, committee *cosi.Committee) error {
	if err := p.checkFinal(&o.Header, &o.Cert, shard); err != nil {
		return err
	}
	one := Segment{Entries: []Entry{o.Entry}}
	// The leaf's path gives the segment's root, which must lead to the header.
	root, err := merkle.RootFromPath(one.leaves()[0], uint64(o.Leaf.Index), uint64(o.Leaf.Total), o.Leaf.Path)
	if err != nil {
		return Rule(ErrProof, "%v", err)
	}
	if err := o.Segment.verify(segmentLeaf(o.Dest, o.Leaf.Total, root), o.Header.Outcomes); err != nil {
		return err
	}
	return o.Cert.Verify(committee, &o.Header, o.Header.Hash())
}

// Check checks all that a bundle shows shard dest by itself: where it comes from,
// the path, and each transaction. Certificate and signatures are left.
func (b *Bundle) Check(p *Params, dest ShardID) error {
	if err := b.CheckOrigin(p, dest); err != nil {
		return err
	}
	if err := b.VerifyPath(); err != nil {
		return err
	}
	for i := range b.Txs {
		// It may have expired since the other shard answered in time.
		if err := p.CheckTx(&b.Txs[i], b.Txs[i].Expiry); err != nil {
			return err
		}
	}
	return nil
}

// CheckOrigin checks that the bundle claims to be a final block's of another
// chain of this network, and is meant for dest; either may be the identity chain.
func (b *Bundle) CheckOrigin(p *Params, dest ShardID) error {
	if b.Header.Shard == dest || int(b.Header.Shard) >= p.Shards && b.Header.Shard != IdentityShard {
		return Rule(ErrWrongShard, "a proof from shard %d shown to shard %d", b.Header.Shard, dest)
	}
	if b.Segment.Dest != dest {
		return Rule(ErrWrongShard, "a proof for shard %d shown to shard %d", b.Segment.Dest, dest)
	}
	return p.checkFinal(&b.Header, &b.Cert, b.Header.Shard)
}

func (p *Params) checkFinal(h *Header, c *Certificate, shard ShardID) error {
	switch {
	case h.Chain != p.ChainID:
		return Rule(ErrWrongChain, "a proof of chain %s, this is %s", h.Chain.Short(), p.ChainID.Short())
	case h.Shard != shard:
		return Rule(ErrWrongShard, "a proof of shard %d, shard %d is wanted", h.Shard, shard)
	case c.Phase != Commit:
		return Rule(ErrProof, "a certificate of phase %d does not make a block final", c.Phase)
	}
	return nil
}
