package utxo

import (
	"fmt"

	"ios/chain"
)

// Undo applies changes to a set and can take them back. The zero value is
// empty. An Undo whose changes are all in one partition can be used beside
// others for other partitions, and reverted before or after them.
type Undo struct {
	changes []change
}

// change is what one operation did.
type change struct {
	op    chain.OutPoint
	coin  Coin
	added bool
}

// Add is [Set.Add], noted when it changed the set.
func (u *Undo) Add(s *Set, op chain.OutPoint, c Coin) bool {
	if !s.Add(op, c) {
		return false
	}
	u.changes = append(u.changes, change{op, c, true})
	return true
}

// Remove is [Set.Remove], noted when it changed the set.
func (u *Undo) Remove(s *Set, op chain.OutPoint, owner chain.Address) (Coin, bool) {
	c, ok := s.Remove(op, owner)
	if ok {
		u.changes = append(u.changes, change{op, c, false})
	}
	return c, ok
}

// Len is the number of changes noted.
func (u *Undo) Len() int { return len(u.changes) }

// Reset forgets the changes and keeps the memory for new ones.
func (u *Undo) Reset() { u.changes = u.changes[:0] }

// Mark is a point to which RevertTo can go back.
func (u *Undo) Mark() int { return len(u.changes) }

// Revert takes all changes back, the last first, and forgets them. An error
// means that somebody else changed the same coins in between; the set can then
// only be loaded anew.
func (s *Set) Revert(u *Undo) error { return s.RevertTo(u, 0) }

// RevertTo takes back the changes that were noted after the mark.
func (s *Set) RevertTo(u *Undo, mark int) error {
	for len(u.changes) > mark {
		c := &u.changes[len(u.changes)-1]
		if c.added {
			if got, ok := s.Remove(c.op, c.coin.Owner); !ok || got != c.coin {
				return fmt.Errorf("utxo: undoing the addition of %v: it is not there as it was added", c.op)
			}
		} else if !s.Add(c.op, c.coin) {
			return fmt.Errorf("utxo: undoing the removal of %v: it is there again", c.op)
		}
		u.changes = u.changes[:len(u.changes)-1]
	}
	return nil
}
