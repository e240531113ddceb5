package atomix

import (
	"iter"

	"ios/chain"
	"ios/chain/utxo"
)

// executeTx applies a client's transaction, or skips it without a trace.
func (s *State) executeTx(t *chain.Tx) {
	var why Skip
	switch shard, only := s.params.OnlyShard(t); {
	case t.Expiry < s.exec.epoch:
		why = SkipExpired
	case only && shard == s.shard:
		why = s.executeLocal(t)
	case only:
		why = SkipWrongShard
	default:
		why = s.offer(t)
	}
	if why != 0 {
		s.exec.report.Skipped = append(s.exec.report.Skipped, Skipped{t.ID, why})
	}
}

// executeLocal moves value within the shard.
func (s *State) executeLocal(t *chain.Tx) Skip {
	if _, why := s.take(t); why != 0 {
		return why
	}
	s.addOutputs(t)
	s.sums.fees += t.Fee()
	s.record(t.ID, chain.Committed)
	s.tell(t, s.shard, chain.Committed)
	return 0
}

// offer answers a client's transaction across shards: with a yes, or not at all.
func (s *State) offer(t *chain.Tx) Skip {
	inputs := s.params.InputShards(t)
	if !inputs.Has(s.shard) {
		return SkipWrongShard
	}
	if s.answered(t.ID) {
		return SkipDecided
	}
	held, why := s.take(t)
	if why != 0 {
		return why
	}
	var yes chain.Shards
	yes.Add(s.shard)
	s.openRecord(t, yes, held)
	return 0
}

// answered reports whether the shard has given its answer.
func (s *State) answered(id chain.TxID) bool {
	if _, ok := s.open[id]; ok {
		return true
	}
	_, ok := s.decided[id]
	return ok
}

// take removes the inputs that lie in this shard, all or none, and gives their
// sum.
func (s *State) take(t *chain.Tx) (sum uint64, why Skip) {
	undo := &s.exec.coins
	mark := undo.Mark()
	for i := range t.Inputs {
		in := &t.Inputs[i]
		if in.Shard(s.params.Shards) != s.shard {
			continue
		}
		coin, ok := undo.Remove(s.coins, in.OutPoint, in.Owner)
		if ok && coin.Amount == in.Amount {
			sum += in.Amount
			continue
		}
		if err := s.coins.RevertTo(undo, mark); err != nil {
			s.broken = err
		}
		if ok {
			return 0, SkipClaim
		}
		if _, locked := s.locked[in.OutPoint]; locked {
			return 0, SkipLocked
		}
		return 0, SkipMissing
	}
	return sum, 0
}

// addOutputs creates the outputs that lie in this shard and gives their sum. An
// output's data is not kept. No outpoint is ever made twice, as no transaction
// commits twice: an audit finds it if one does.
func (s *State) addOutputs(t *chain.Tx) (sum uint64) {
	for i := range t.Outputs {
		out := &t.Outputs[i]
		if out.Shard(s.params.Shards) != s.shard {
			continue
		}
		op := chain.OutPoint{Tx: t.ID, Index: uint32(i)}
		s.exec.coins.Add(s.coins, op, utxo.Coin{Owner: out.Owner, Amount: out.Amount})
		sum += out.Amount
	}
	return sum
}

// record puts an outcome into the report.
func (s *State) record(id chain.TxID, o chain.Outcome) {
	s.exec.report.Outcomes = append(s.exec.report.Outcomes, chain.Entry{ID: id, Outcome: o})
}

// tell emits an outcome for one shard.
func (s *State) tell(t *chain.Tx, dest chain.ShardID, o chain.Outcome) {
	s.exec.tree.add(dest, chain.Entry{ID: t.ID, Outcome: o}, len(t.Raw))
}

// tellOthers emits this shard's answer for every other shard involved.
func (s *State) tellOthers(t *chain.Tx, involved *chain.Shards, o chain.Outcome) {
	s.record(t.ID, o)
	for d := range s.others(involved) {
		s.tell(t, d, o)
	}
}

// others walks the chains in a set but for this one, in ascending order.
func (s *State) others(involved *chain.Shards) iter.Seq[chain.ShardID] {
	return func(yield func(chain.ShardID) bool) {
		for d := range chain.ShardID(s.params.Shards) {
			if d != s.shard && involved.Has(d) && !yield(d) {
				return
			}
		}
		if involved.Has(chain.IdentityShard) {
			yield(chain.IdentityShard)
		}
	}
}
