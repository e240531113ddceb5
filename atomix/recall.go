package atomix

import (
	"ios/chain"
	"ios/chain/merkle"
)

// What executing a block came to is not in the block, only its root is. Whoever
// wants to prove outcomes of old blocks keeps the report's tree beside them.

// AppendReport appends the canonical encoding of what has to be kept of a
// report: the tree and the skipped transactions.
func AppendReport(dst []byte, r *Report) []byte {
	dst = be.AppendUint32(dst, uint32(len(r.Tree)))
	for i := range r.Tree {
		seg := &r.Tree[i]
		dst = be.AppendUint16(dst, uint16(seg.Dest))
		dst = be.AppendUint32(dst, uint32(len(seg.Entries)))
		for j := range seg.Entries {
			dst = append(dst, seg.Entries[j].ID[:]...)
			dst = append(dst, byte(seg.Entries[j].Outcome))
		}
	}
	dst = be.AppendUint32(dst, uint32(len(r.Skipped)))
	for i := range r.Skipped {
		dst = append(dst, r.Skipped[i].ID[:]...)
		dst = append(dst, byte(r.Skipped[i].Reason))
	}
	return dst
}

const (
	entrySize  = 32 + 1
	maxSkipped = chain.MaxRefs * chain.MaxTxsPerBody
)

// DecodeReport reads what AppendReport wrote.
func DecodeReport(raw []byte) (chain.OutcomeTree, []Skipped, error) {
	r := chain.NewReader(raw)
	tree := make(chain.OutcomeTree, r.Count(chain.MaxSegments, 2+4+entrySize))
	for i := range tree {
		seg := &tree[i]
		seg.Dest = chain.ShardID(r.U16())
		seg.Entries = make([]chain.Entry, r.Count(chain.MaxSegmentEntries, entrySize))
		if len(seg.Entries) == 0 || seg.Dest >= chain.MaxShards && seg.Dest != chain.IdentityShard || (i > 0 && seg.Dest < tree[i-1].Dest) {
			r.Fail("segment %d is empty or out of order", i)
		}
		for j := range seg.Entries {
			e := &seg.Entries[j]
			if e.ID, e.Outcome = r.Hash(), chain.Outcome(r.U8()); !e.Outcome.Valid() {
				r.Fail("unknown outcome %d", e.Outcome)
			}
		}
	}
	skipped := make([]Skipped, r.Count(maxSkipped, entrySize))
	for i := range skipped {
		k := &skipped[i]
		if k.ID, k.Reason = r.Hash(), Skip(r.U8()); k.Reason == 0 || k.Reason >= skipEnd {
			r.Fail("unknown reason %d", k.Reason)
		}
	}
	if err := r.Close(); err != nil {
		return nil, nil, err
	}
	return tree, skipped, nil
}

// OutcomesOf are the outcomes in a tree, each once, though several shards may
// have been told.
func OutcomesOf(tree chain.OutcomeTree) []chain.Entry {
	seen := make(map[chain.Entry]struct{})
	var list []chain.Entry
	for i := range tree {
		for _, e := range tree[i].Entries {
			if _, ok := seen[e]; !ok {
				seen[e] = struct{}{}
				list = append(list, e)
			}
		}
	}
	return list
}

// BundleOf cuts the segment out of a block's outcomes that tells shard dest of a
// transaction, without transactions. It is nil if there is none.
func BundleOf(b *chain.Block, tree chain.OutcomeTree, id chain.TxID, dest chain.ShardID) *chain.Bundle {
	for i := range tree {
		if tree[i].Dest != dest {
			continue
		}
		for j := range tree[i].Entries {
			if tree[i].Entries[j].ID == id {
				return bundleAt(b, tree, tree.Hashes(), i)
			}
		}
	}
	return nil
}

// bundleAt cuts out segment i; hashes is over the segments.
func bundleAt(b *chain.Block, tree chain.OutcomeTree, hashes *merkle.Tree, i int) *chain.Bundle {
	return &chain.Bundle{
		Header: b.Header, Cert: b.Cert, Segment: tree[i],
		Place: chain.Place{Index: uint32(i), Total: uint32(len(tree)), Path: hashes.Path(i)},
	}
}

// ProofOf shows what a block recorded for a transaction to a client: the outcome
// that closed it, if the block did that, else the shard's answer. It is nil if
// the block recorded nothing of it.
func ProofOf(b *chain.Block, tree chain.OutcomeTree, id chain.TxID) *chain.OutcomeProof {
	at, place := -1, 0
	var best chain.Outcome
	for i := range tree {
		for j := range tree[i].Entries {
			// Committed and Aborted are above the answers.
			if e := &tree[i].Entries[j]; e.ID == id && e.Outcome > best {
				at, place, best = i, j, e.Outcome
			}
		}
	}
	if at < 0 {
		return nil
	}
	return tree.Proof(b, at, place)
}
