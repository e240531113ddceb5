package epochs

import (
	"errors"

	"ios/chain"
	"ios/transepoch/identity"
)

// Convinces reports whether the certificates of a chain's term still show by
// themselves that a block is final. Of a term that is not known yet they may.
func (b *Book) Convinces(chainID chain.ShardID, term chain.Term) bool {
	_, err := b.Committee(chainID, term)
	return !errors.Is(err, chain.ErrExpired)
}

// Around are the blocks of a chain next to a height that records name: the highest
// at or below it and the lowest above it, each of height 0 if there is none. All
// blocks of a term that does not convince any more are below one: an epoch is entered
// by a record that names a block of the last batch of the epoch before.
func (b *Book) Around(chainID chain.ShardID, height uint64) (below, above identity.Point) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for e := b.book.Current().Number; e > 0; e-- {
		p, ok := b.anchor(chainID, e)
		if !ok {
			break
		}
		if p.Height <= height {
			return p, above
		}
		above = p
	}
	return identity.Point{}, above
}

// anchor is the block that the record of an epoch names or, for the identity
// chain, is an outcome of.
func (b *Book) anchor(chainID chain.ShardID, epoch uint64) (identity.Point, bool) {
	if chainID == chain.IdentityShard {
		p, ok := b.begun[epoch]
		return p, ok
	}
	rec, err := b.book.Record(epoch)
	if err != nil || int(chainID) >= len(rec.Shards) {
		return identity.Point{}, false
	}
	return rec.Shards[chainID].Base, true
}
