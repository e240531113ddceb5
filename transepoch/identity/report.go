package identity

import (
	"bytes"
	"slices"

	"ios/chain"
	"ios/chain/merkle"
)

// Reason is why an op had no effect.
type Reason string

// The reasons. Done is that it had one.
const (
	Done           Reason = ""
	ReasonWrong    Reason = "wrong"    // it is none that a checked body has
	ReasonEpoch    Reason = "epoch"    // it is for another epoch
	ReasonEndless  Reason = "endless"  // the policy knows one epoch only
	ReasonSeeded   Reason = "seeded"   // the epoch has its seed
	ReasonUnseeded Reason = "unseeded" // no earlier block has the seed
	ReasonEnded    Reason = "ended"    // the end of the epoch is decided
	ReasonUnknown  Reason = "unknown"  // no such validator, or no member
	ReasonGone     Reason = "gone"     // it left for good
	ReasonKey      Reason = "key"      // not the signing key that it has now
	ReasonSeq      Reason = "seq"      // not its next order
	ReasonAgain    Reason = "again"    // it is so already
	ReasonStake    Reason = "stake"    // too little stake, or none to take back
	ReasonCredit   Reason = "credit"   // the payer has too little
	ReasonClash    Reason = "clash"    // another validator has a name, address or key of it
	ReasonFull     Reason = "full"     // a bound is reached
	ReasonOld      Reason = "old"      // a newer block of the shard is known
)

// Result is what became of an op.
type Result struct {
	ID     chain.Hash // see OpID
	Author chain.ValidatorID
	Kind   Kind
	Reason Reason
}

// Report tells what executing one block came to. It does not change after
// Execute, and may be kept and read by other goroutines.
type Report struct {
	Height uint64
	Term   chain.Term
	Ops    []Result // in order
	Epoch  *Epoch   // the record that the block ends its term with, if it does

	// Due are the payouts that the block tells shards of, by id, see [Payout.Tx].
	Due []*chain.Tx

	// Tree is what the block's header commits to: for the identity chain itself
	// the op's outcomes, the seed ([SeedID]) and the record ([Epoch.Hash]), and
	// for shards the payouts and the answers to what they pay in.
	Tree   chain.OutcomeTree
	Hashes *merkle.Tree

	seed, frozen chain.Hash // of a seed in the block
}

// SignOff is what the beacon's servers open their shares for, if the final block
// has a seed. It is for the owner to keep: a snapshot of the state does not have
// it.
func (r *Report) SignOff(b *chain.Block) ([]byte, bool) {
	if r.seed.IsZero() {
		return nil, false
	}
	proof, ok := r.Proof(b, r.seed)
	if !ok {
		return nil, false
	}
	return (&SignOff{r.frozen, *proof}).AppendTo(nil), true
}

// Proof shows that the final block, which must be the report's, recorded an
// outcome: that of an op, of a seed or of a record.
func (r *Report) Proof(b *chain.Block, id chain.Hash) (*chain.OutcomeProof, bool) {
	if b.Header.Height != r.Height || b.Header.Outcomes != r.Hashes.Root() {
		return nil, false
	}
	for i := range r.Tree {
		for j := range r.Tree[i].Entries {
			if r.Tree[i].Entries[j].ID == id {
				return r.Tree.Proof(b, i, j), true
			}
		}
	}
	return nil, false
}

// Bundle shows a segment of the tree to the shard that it is for, with the payouts
// in it. The block must be the report's.
func (r *Report) Bundle(b *chain.Block, segment int) *chain.Bundle {
	var txs []chain.Tx
	for _, e := range r.Tree[segment].Entries {
		i, ok := slices.BinarySearchFunc(r.Due, e.ID, func(t *chain.Tx, id chain.TxID) int { return bytes.Compare(t.ID[:], id[:]) })
		if ok {
			txs = append(txs, *r.Due[i])
		}
	}
	return &chain.Bundle{
		Header: b.Header, Cert: b.Cert, Segment: r.Tree[segment], Txs: txs,
		Place: chain.Place{Index: uint32(segment), Total: uint32(len(r.Tree)), Path: r.Hashes.Path(segment)},
	}
}

// segmentEntry is an outcome and whom it is for.
type segmentEntry struct {
	dest chain.ShardID
	chain.Entry
}

func (x *execution) tell(dest chain.ShardID, id chain.Hash, o chain.Outcome) {
	x.told = append(x.told, segmentEntry{dest, chain.Entry{ID: id, Outcome: o}})
}

// tree gathers outcomes into segments, by ascending destination.
func tree(told []segmentEntry) (t chain.OutcomeTree) {
	slices.SortStableFunc(told, func(a, b segmentEntry) int { return int(a.dest) - int(b.dest) })
	for _, e := range told {
		last := len(t) - 1
		if last < 0 || t[last].Dest != e.dest || len(t[last].Entries) == chain.MaxSegmentEntries {
			t = append(t, chain.Segment{Dest: e.dest})
			last++
		}
		t[last].Entries = append(t[last].Entries, e.Entry)
	}
	return t
}
