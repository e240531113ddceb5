package chain

import (
	"crypto/sha256"

	"ios/chain/merkle"
)

// Outcome is what a shard recorded for a transaction in a block.
type Outcome uint8

// The outcomes. A transaction within one shard goes straight to Committed. One
// across shards is first Accepted (its inputs here are locked) or Rejected, and
// then Committed or Aborted; a shard that holds the acceptance of all the
// others goes straight to Committed too.
const (
	Accepted  Outcome = 1
	Rejected  Outcome = 2
	Committed Outcome = 3
	Aborted   Outcome = 4
)

// String names the outcome.
func (o Outcome) String() string {
	switch o {
	case Accepted:
		return "accepted"
	case Rejected:
		return "rejected"
	case Committed:
		return "committed"
	case Aborted:
		return "aborted"
	}
	return "unknown"
}

// Valid reports whether o is one of the outcomes.
func (o Outcome) Valid() bool { return o >= Accepted && o <= Aborted }

// Yes reports whether the shard stands for the transaction: it accepted, or it
// committed, which it does only after everybody accepted.
func (o Outcome) Yes() bool { return o == Accepted || o == Committed }

// Entry is one recorded outcome.
type Entry struct {
	ID      TxID
	Outcome Outcome
}

const entrySize = 32 + 1

// Limits of a segment.
const (
	MaxSegmentEntries = 512
	MaxSegmentBytes   = 256 << 10 // of transactions, unless it holds only one
	MaxSegments       = 1 << 16
)

// Segment is a run of outcomes of one block for one destination, in the order
// of execution: what concerns only the shard itself and what closes an open
// transaction has the shard as its destination; an acceptance or rejection is
// in a segment for each other shard that the transaction involves.
type Segment struct {
	Dest    ShardID
	Entries []Entry
}

// Root is the RFC 6962 root over the entries.
func (s *Segment) Root() Hash { return merkle.Root(s.leaves()) }

func (s *Segment) leaves() []merkle.Hash {
	leaves := make([]merkle.Hash, len(s.Entries))
	var buf [1 + entrySize]byte // RFC 6962: a leaf is hashed behind a zero byte
	for i := range s.Entries {
		copy(buf[1:], s.Entries[i].ID[:])
		buf[entrySize] = byte(s.Entries[i].Outcome)
		leaves[i] = sha256.Sum256(buf[:])
	}
	return leaves
}

// segmentLeaf is the segment's leaf in the tree of all segments.
func segmentLeaf(dest ShardID, count uint32, root Hash) merkle.Hash {
	buf := be.AppendUint16(make([]byte, 0, 38), uint16(dest))
	buf = be.AppendUint32(buf, count)
	return merkle.LeafHash(append(buf, root[:]...))
}

// OutcomeTree is all outcomes of a block: a Merkle tree over its segments,
// which stand by ascending destination and then in order. Its root is in the
// header.
type OutcomeTree []Segment

func (t OutcomeTree) leaves() []merkle.Hash {
	leaves := make([]merkle.Hash, len(t))
	for i := range t {
		leaves[i] = segmentLeaf(t[i].Dest, uint32(len(t[i].Entries)), t[i].Root())
	}
	return leaves
}

// Hashes is the tree over the segments' leaves, for many paths at the cost of
// one.
func (t OutcomeTree) Hashes() *merkle.Tree { return merkle.NewTree(t.leaves()) }

// Root is the value for Header.Outcomes.
func (t OutcomeTree) Root() Hash { return merkle.Root(t.leaves()) }

// Bundle cuts segment i out of the tree of the block, with the transactions
// that its destination may not know; they are in the order of their entries.
func (t OutcomeTree) Bundle(b *Block, i int, txs []Tx) *Bundle {
	return &Bundle{
		Header: b.Header, Cert: b.Cert,
		Place:   Place{Index: uint32(i), Total: uint32(len(t)), Path: merkle.Path(t.leaves(), i)},
		Segment: t[i], Txs: txs,
	}
}

// Proof shows the entry at place j of segment i to a client.
func (t OutcomeTree) Proof(b *Block, i, j int) *OutcomeProof {
	s := &t[i]
	return &OutcomeProof{
		Header: b.Header, Cert: b.Cert,
		Segment: Place{Index: uint32(i), Total: uint32(len(t)), Path: merkle.Path(t.leaves(), i)},
		Dest:    s.Dest,
		Leaf:    Place{Index: uint32(j), Total: uint32(len(s.Entries)), Path: merkle.Path(s.leaves(), j)},
		Entry:   s.Entries[j],
	}
}
