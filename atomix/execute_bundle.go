package atomix

import "ios/chain"

// executeBundle hears the answers of another shard. Its path and certificate
// were checked.
func (s *State) executeBundle(b *chain.Bundle) {
	if Stale(b, s.exec.epoch) {
		s.exec.report.Ignored[SkipStale] += len(b.Segment.Entries)
		return
	}
	at := 0
	for i := range b.Segment.Entries {
		e := &b.Segment.Entries[i]
		var t *chain.Tx
		if at < len(b.Txs) && b.Txs[at].ID == e.ID {
			t = &b.Txs[at]
			at++
		}
		if why := s.hear(&b.Header, e, t); why != 0 {
			s.exec.report.Ignored[why]++
		}
	}
}

// Stale reports whether a proof is too old to convince in an epoch: more than an
// epoch after it was certified, the adversary may have the keys. It depends on
// the epoch of the block that holds it alone, so that all come to the same.
func Stale(b *chain.Bundle, epoch uint64) bool { return b.Header.Epoch+1 < epoch }

// hear takes in one answer; t is nil when it was not shown.
func (s *State) hear(h *chain.Header, e *chain.Entry, t *chain.Tx) Skip {
	from := h.Shard
	if rec := s.open[e.ID]; rec != nil {
		return s.hearOpen(rec, from, e.Outcome)
	}
	if d, ok := s.decided[e.ID]; ok {
		return s.answerAgain(h, e, t, d)
	}
	// Committed without a record cannot be: its shard needed this one's yes.
	if e.Outcome != chain.Accepted {
		return SkipNothingOpen
	}
	if t == nil {
		return SkipUnknown
	}
	if t.Expiry < s.exec.epoch {
		return SkipExpired
	}
	return s.answer(from, t)
}

// answerAgain tells the others once more what was decided, if one of them still
// waits for it and what they were told in an earlier epoch may convince them no
// longer.
func (s *State) answerAgain(h *chain.Header, e *chain.Entry, t *chain.Tx, d Decision) Skip {
	x := &s.exec
	if e.Outcome != chain.Accepted || t == nil || d.Told >= x.began || !waits(h, x.epoch) {
		return SkipDecided
	}
	involved := s.params.Involved(t)
	if !involved.Has(h.Shard) {
		return SkipUninvolved
	}
	x.steps = append(x.steps, step{kind: stepAnswered, id: e.ID, told: d.Told})
	x.report.Retold = append(x.report.Retold, e.ID)
	d.Told = x.height
	s.decided[e.ID] = d
	for to := range s.others(&involved) {
		s.tell(t, to, d.Outcome)
	}
	return 0
}

// waits reports whether what a block has said yes to may still be open in its shard
// while ours is in an epoch. A shard tells what is open anew when it enters one, so
// an older proof says nothing of that: anybody may show it again. What the identity
// chain tells for an epoch is in the last block before its record.
func waits(h *chain.Header, epoch uint64) bool {
	if h.Shard == chain.IdentityShard {
		return h.Epoch+1 >= epoch
	}
	return h.Epoch >= epoch
}

// hearOpen adds an answer to an open record and closes it if that is enough.
func (s *State) hearOpen(rec *record, from chain.ShardID, o chain.Outcome) Skip {
	if from == s.shard || !rec.involved.Has(from) {
		return SkipUninvolved
	}
	x := &s.exec
	if !o.Yes() {
		s.closeRecord(rec, chain.Aborted)
		return 0
	}
	if rec.yes.Has(from) && o == chain.Accepted {
		return SkipDecided
	}
	x.steps = append(x.steps, step{kind: stepHeard, id: rec.tx.ID, rec: rec, yes: rec.yes})
	x.report.Heard = append(x.report.Heard, Heard{rec.tx.ID, from, o == chain.Committed})
	if o == chain.Committed {
		rec.yes = rec.involved
	} else {
		rec.yes.Add(from)
	}
	if rec.yes.Contains(&rec.involved) {
		s.closeRecord(rec, chain.Committed)
	}
	return 0
}

// answer gives this shard's answer to a transaction that shard from said yes to.
func (s *State) answer(from chain.ShardID, t *chain.Tx) Skip {
	involved := s.params.Involved(t)
	if from == s.shard || !involved.Has(from) {
		return SkipUninvolved
	}
	if !involved.Has(s.shard) {
		return SkipWrongShard
	}
	held, why := s.take(t)
	if why != 0 {
		// The other shard's lock justifies the record, and is waiting for it.
		s.decide(t, Decision{chain.Rejected, s.exec.height, s.exec.height, t.Expiry})
		s.tellOthers(t, &involved, chain.Rejected)
		return 0
	}
	var yes chain.Shards
	yes.Add(s.shard)
	yes.Add(from)
	if !yes.Contains(&involved) {
		s.openRecord(t, yes, held)
		return 0
	}
	s.decide(t, Decision{chain.Committed, s.exec.height, s.exec.height, t.Expiry})
	s.settle(t, held)
	s.tellOthers(t, &involved, chain.Committed)
	return 0
}
