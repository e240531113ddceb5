package atomix

import (
	"bytes"
	"maps"
	"slices"

	"ios/chain"
	"ios/internal/sm"
)

// The identity chain is made by all validators, so that no letters go there: each
// member hands what its shard has for the registry to its own part in that chain.
// What the identity chain has for the shard comes as CarryIn, again in each epoch
// for as long as the shard's answer is missing there.

// tellRegistry hands over a bundle of a new block.
func (r *Relay) tellRegistry(b *chain.Bundle) {
	if r.seat >= 0 && b != nil {
		r.emit(sm.Deliver{Value: ForRegistry{r.withTxs(b, nil)}})
	}
}

// answerRegistry hands over once more what the shard answered to the outcomes in
// a bundle of the identity chain, which waits for it.
func (r *Relay) answerRegistry(b *chain.Bundle) {
	var told batches
	for i := range b.Segment.Entries {
		e := &b.Segment.Entries[i]
		if st, known := r.cfg.Status(e.ID); known && st.Closed != 0 && e.Outcome == chain.Accepted {
			told.add(st.Told, e.ID)
		}
	}
	r.recallRegistry(told)
}

// remindRegistry hands over what waits for the registry, after a restart.
func (r *Relay) remindRegistry() {
	var told batches
	for _, id := range slices.SortedFunc(maps.Keys(r.items), func(a, b chain.TxID) int { return bytes.Compare(a[:], b[:]) }) {
		if it := r.items[id]; it.lacks(chain.IdentityShard) {
			told.add(it.told, id)
		}
	}
	r.recallRegistry(told)
}

func (r *Relay) recallRegistry(told batches) {
	for i := range told {
		b := &told[i]
		if r.recent.has(b.height) {
			for _, found := range r.recent.showing(b.height, chain.IdentityShard, b.ids) {
				r.tellRegistry(found)
			}
		} else if r.recalls < maxRecalls {
			r.recalls++
			r.emit(Recall{ID: b.first, Height: b.height, Dest: chain.IdentityShard, To: r.cfg.Self, Push: true})
		}
	}
}
