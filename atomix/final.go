package atomix

import (
	"ios/chain"
	"ios/chain/utxo"
)

// Final is the ledger as of the last final block: what an open execution did
// does not show, since it may be taken back. It may be read until the State
// changes.
type Final struct {
	s    *State
	past *past // empty when no execution is open
}

// past is how that which the open execution changed was before. It is made when
// it is asked for, once an execution, as it takes a walk over all changes.
type past struct {
	coins  map[chain.OutPoint]pastCoin
	closed map[chain.TxID]*record        // open before
	locked map[chain.OutPoint]chain.TxID // inputs of closed
	told   map[chain.TxID]struct{}       // what the execution recorded
	toldAt map[chain.TxID]uint64         // where the others were told of what it told again
}

type pastCoin struct {
	utxo.Coin
	there bool
}

// Final gives the ledger as of the last final block.
func (s *State) Final() Final {
	x := &s.exec
	if !x.running {
		return Final{s, new(past)}
	}
	if x.past == nil {
		x.past = s.lookBack()
	}
	return Final{s, x.past}
}

func (s *State) lookBack() *past {
	x := &s.exec
	p := &past{
		coins:  make(map[chain.OutPoint]pastCoin, x.coins.Len()),
		closed: make(map[chain.TxID]*record), locked: make(map[chain.OutPoint]chain.TxID),
		told: make(map[chain.TxID]struct{}, len(x.report.Outcomes)), toldAt: make(map[chain.TxID]uint64, len(x.report.Retold)),
	}
	for e, added := range x.coins.All {
		if _, known := p.coins[e.OutPoint]; !known { // the first change tells how it was
			p.coins[e.OutPoint] = pastCoin{e.Coin, !added}
		}
	}
	for i := range x.steps {
		st := &x.steps[i]
		if st.kind == stepRetold || st.kind == stepAnswered {
			p.toldAt[st.id] = st.told
		}
		if st.kind != stepClosed || st.rec.opened == x.height {
			continue
		}
		p.closed[st.id] = st.rec
		for in := range s.ownInputs(st.rec.tx) {
			p.locked[in.OutPoint] = st.id
		}
	}
	for i := range x.report.Outcomes {
		p.told[x.report.Outcomes[i].ID] = struct{}{}
	}
	return p
}

// Validate is [State.Validate] as of the last final block.
func (f Final) Validate(t *chain.Tx, epoch uint64) error {
	return f.s.validate(f, t, epoch)
}

// Gone reports whether an input is neither among the coins, with this amount or
// another one, nor held by an open transfer.
func (f Final) Gone(in *chain.Input) bool {
	_, held := f.holder(in.OutPoint)
	_, there := f.amount(in.OutPoint, in.Owner)
	return !held && !there
}

// Executing reports whether the open execution records an outcome of the
// transaction.
func (f Final) Executing(id chain.TxID) bool {
	_, ok := f.past.told[id]
	return ok
}

func (f Final) decision(id chain.TxID) (d Decision, open, known bool) {
	if r := f.s.open[id]; r != nil && r.opened <= f.s.height || f.past.closed[id] != nil {
		return d, true, true
	}
	if d, known = f.s.decided[id]; d.Closed > f.s.height {
		return Decision{}, false, false
	}
	return d, false, known
}

func (f Final) holder(op chain.OutPoint) (chain.TxID, bool) {
	if id, ok := f.past.locked[op]; ok {
		return id, true
	}
	id, ok := f.s.locked[op]
	if !ok || f.s.open[id].opened > f.s.height {
		return chain.TxID{}, false
	}
	return id, true
}

func (f Final) amount(op chain.OutPoint, owner chain.Address) (uint64, bool) {
	if c, ok := f.past.coins[op]; ok {
		return c.Amount, c.there && c.Owner == owner
	}
	return f.s.coins.Get(op, owner)
}
