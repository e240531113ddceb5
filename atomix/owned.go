package atomix

import (
	"slices"

	"ios/chain"
	"ios/chain/utxo"
)

// Owned lists up to limit coins that an owner has as of the last final block, in
// canonical order, those behind the outpoint after if it is not nil; more says
// that there are others. An open execution does not show.
func (s *State) Owned(owner chain.Address, after *chain.OutPoint, limit int) (list []utxo.Entry, more bool) {
	if !s.exec.running {
		return s.coins.Owned(owner, after, limit)
	}
	gone, added := s.unfinal(owner, after)
	list, more = s.coins.Owned(owner, after, limit+len(added))
	list = slices.DeleteFunc(list, func(e utxo.Entry) bool { return added[e.OutPoint] })
	for _, e := range list {
		delete(gone, e.OutPoint) // it was put back
	}
	for _, e := range gone {
		list = append(list, e)
	}
	slices.SortFunc(list, func(a, b utxo.Entry) int { return a.OutPoint.Compare(b.OutPoint) })
	if len(list) > limit {
		list, more = list[:limit], true
	}
	return list, more
}

// unfinal are the owner's coins behind the outpoint that the open execution has
// taken away, and those that were not there before it. The first change of a
// coin tells how it was.
func (s *State) unfinal(owner chain.Address, after *chain.OutPoint) (gone map[chain.OutPoint]utxo.Entry, added map[chain.OutPoint]bool) {
	gone, added = make(map[chain.OutPoint]utxo.Entry), make(map[chain.OutPoint]bool)
	for e, isNew := range s.exec.coins.All {
		if e.Owner != owner || after != nil && e.OutPoint.Compare(*after) <= 0 {
			continue
		}
		if _, known := gone[e.OutPoint]; known || added[e.OutPoint] {
			continue
		}
		if isNew {
			added[e.OutPoint] = true
		} else {
			gone[e.OutPoint] = e
		}
	}
	return gone, added
}
