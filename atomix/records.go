package atomix

import "ios/chain"

// openRecord records a yes that has to wait for others; the inputs, worth held,
// were taken.
func (s *State) openRecord(t *chain.Tx, yes chain.Shards, held uint64) {
	x := &s.exec
	rec := newRecord(t)
	rec.involved, rec.yes, rec.opened, rec.told = s.params.Involved(t), yes, x.height, x.height
	s.open[t.ID] = rec
	s.markLocked(rec.tx)
	s.sums.locked += held
	x.steps = append(x.steps, step{kind: stepOpened, id: t.ID, rec: rec})
	x.report.Opened = append(x.report.Opened, Opened{rec.tx, x.height, yes})
	s.tellOthers(t, &rec.involved, chain.Accepted)
}

// tellAgain tells the others anew what is open, in the first block of an epoch:
// what they were told in an earlier one does not convince them for much longer.
func (s *State) tellAgain() {
	x := &s.exec
	for _, id := range sortedIDs(s.open) {
		rec := s.open[id]
		x.steps = append(x.steps, step{kind: stepRetold, id: id, rec: rec, told: rec.told})
		rec.told = x.height
		x.report.Retold = append(x.report.Retold, id)
		for d := range s.others(&rec.involved) {
			s.tell(rec.tx, d, chain.Accepted)
		}
	}
}

// closeRecord commits or aborts an open transaction. Only the own shard is told:
// the others had this shard's answer, and can tell from the same answers.
func (s *State) closeRecord(rec *record, o chain.Outcome) {
	x, t := &s.exec, rec.tx
	delete(s.open, t.ID)
	s.unlock(t)
	held := s.heldBy(t)
	s.sums.locked -= held
	s.decided[t.ID] = Decision{o, rec.told, x.height, t.Expiry}
	x.steps = append(x.steps, step{kind: stepClosed, id: t.ID, rec: rec})
	x.report.Closed = append(x.report.Closed, chain.Entry{ID: t.ID, Outcome: o})
	if o == chain.Committed {
		s.settle(t, held)
	} else {
		s.giveBack(t)
	}
	s.record(t.ID, o)
	s.tell(t, s.shard, o)
}

// decide records an outcome that needs no waiting.
func (s *State) decide(t *chain.Tx, d Decision) {
	s.decided[t.ID] = d
	s.exec.steps = append(s.exec.steps, step{kind: stepDecided, id: t.ID})
	s.exec.report.Closed = append(s.exec.report.Closed, chain.Entry{ID: t.ID, Outcome: d.Outcome})
}

// settle makes this shard's part of a committed transfer: its inputs, worth
// held, are gone already.
func (s *State) settle(t *chain.Tx, held uint64) {
	gained := s.addOutputs(t)
	if s.params.FeeShard(t) == s.shard {
		fee := t.Fee()
		s.sums.fees += fee
		gained += fee // at most the sum of the inputs: no overflow
	}
	s.sums.value += gained - held // modulo 2^64, as the true sum fits

	net, had := s.between[t.Expiry]
	s.exec.keep(netBefore{t.Expiry, net, had})
	net.Add(gained)
	net.Sub(held)
	s.between[t.Expiry] = net
}

// giveBack returns the locked inputs to the coins.
func (s *State) giveBack(t *chain.Tx) {
	for in := range s.ownInputs(t) {
		s.exec.coins.Add(s.coins, in.OutPoint, coinOf(in))
	}
}

// heldBy is what the inputs of t in this shard are worth.
func (s *State) heldBy(t *chain.Tx) (sum uint64) {
	for in := range s.ownInputs(t) {
		sum += in.Amount
	}
	return sum
}

func (s *State) markLocked(t *chain.Tx) {
	for in := range s.ownInputs(t) {
		s.locked[in.OutPoint] = t.ID
	}
}

func (s *State) unlock(t *chain.Tx) {
	for in := range s.ownInputs(t) {
		delete(s.locked, in.OutPoint)
	}
}
