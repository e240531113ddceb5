package utxo

// All calls visit for the changes noted, in order, until it returns false.
func (u *Undo) All(visit func(e Entry, added bool) bool) {
	for i := range u.changes {
		c := &u.changes[i]
		if !visit(Entry{c.op, c.coin}, c.added) {
			return
		}
	}
}
