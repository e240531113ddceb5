package simnet

import (
	"slices"
	"time"

	"ios/atomix"
	"ios/chain"
)

// fate is what the shards' final blocks recorded of a transaction.
type fate struct {
	tx       *chain.Tx
	involved []chain.ShardID
	outcomes []chain.Outcome // by shard
	accepted []bool          // by shard: it was accepted first
	since    uint64          // the earliest epoch of a shard that recorded something
	began    time.Duration   // when a shard first recorded something
	turns    int             // of the involved shards until then
}

func (j *judge) fateOf(t *chain.Tx) *fate {
	f := j.txs[t.ID]
	if f == nil {
		in := j.params.Involved(t)
		f = &fate{involved: in.List(), outcomes: make([]chain.Outcome, len(j.plan.Sizes)), accepted: make([]bool, len(j.plan.Sizes))}
		copied, err := j.params.DecodeTx(slices.Clone(t.Raw))
		if err != nil {
			j.fail("a transaction does not decode again: %w", err)
			copied = t
		}
		f.tx = copied
		j.txs[t.ID], j.order = f, append(j.order, f)
	}
	return f
}

// born notes an output that is final.
func (j *judge) born(op chain.OutPoint, out chain.Output) { j.coins[op] = out }

// record checks and notes what a final block recorded.
func (j *judge) record(shard chain.ShardID, r *atomix.Report) {
	for _, e := range r.Outcomes {
		f := j.txs[e.ID]
		if f == nil {
			j.fail("shard %d records %v for %s, which is in no body", shard, e.Outcome, e.ID.Short())
			return
		}
		j.outcome(f, shard, e.Outcome)
	}
	j.stats.Skipped += len(r.Skipped)
}

func (j *judge) outcome(f *fate, shard chain.ShardID, o chain.Outcome) {
	id, before := f.tx.ID.Short(), f.outcomes[shard]
	cross := len(f.involved) > 1
	switch {
	case !slices.Contains(f.involved, shard):
		j.fail("invariant 4: shard %d records %v for %s, which does not involve it", shard, o, id)
	case !cross && (before != 0 || o != chain.Committed):
		j.fail("invariant 4: shard %d records %v for %s, a transaction within the shard that was %v", shard, o, id, before)
	case before == 0 && (o == chain.Accepted || o == chain.Rejected || o == chain.Committed):
	case before == chain.Accepted && (o == chain.Committed || o == chain.Aborted):
	default:
		j.fail("invariant 4: shard %d records %v for %s after %v", shard, o, id, before)
	}
	for _, s := range f.involved {
		other := f.outcomes[s]
		switch {
		case s == shard:
		case o == chain.Committed && other != 0 && !other.Yes():
			j.fail("invariant 4: shard %d commits %s, shard %d has it %v", shard, id, s, other)
		case (o == chain.Rejected || o == chain.Aborted) && other == chain.Committed:
			j.fail("invariant 4: shard %d has %s %v, shard %d committed it", shard, id, o, s)
		}
	}
	f.outcomes[shard] = o
	if cross {
		j.timed(f)
	}
	if e := j.chains[shard].state.Report().Epoch; f.since == 0 || e < f.since {
		f.since = e
	}
	j.dealtWith(shard, f.tx.ID)
	j.spent(f, shard, o, before)
	j.tellClients(f, shard, o)
}

// timed notes how long a transfer across shards took whose shards went from term
// to term meanwhile, from the first outcome to the last.
func (j *judge) timed(f *fate) {
	turns, records, closed := 0, 0, 0
	for _, s := range f.involved {
		turns += j.chains[s].turns
		if o := f.outcomes[s]; o != 0 {
			records++
			if o != chain.Accepted {
				closed++
			}
		}
	}
	if records == 1 && f.since == 0 {
		f.began, f.turns = j.now(), turns
	}
	if closed == len(f.involved) && turns > f.turns {
		j.transfers = append(j.transfers, j.now()-f.began)
	}
}

// spent notes which coins an outcome takes and makes.
func (j *judge) spent(f *fate, shard chain.ShardID, o, before chain.Outcome) {
	if o.Yes() && before == 0 {
		f.accepted[shard] = true
		for i := range f.tx.Inputs {
			in := &f.tx.Inputs[i]
			if in.Owner.Shard(j.params.Shards) == shard {
				j.spends[in.OutPoint] = append(j.spends[in.OutPoint], f)
			}
		}
	}
	if o != chain.Committed {
		return
	}
	for i := range f.tx.Outputs {
		if f.tx.Outputs[i].Owner.Shard(j.params.Shards) == shard {
			j.born(chain.OutPoint{Tx: f.tx.ID, Index: uint32(i)}, f.tx.Outputs[i])
		}
	}
}

// excuse reports whether another transaction, or the claim itself, is why a shard
// had to skip one.
func (j *judge) excuse(f *fate, shard chain.ShardID) bool {
	for i := range f.tx.Inputs {
		in := &f.tx.Inputs[i]
		if in.Owner.Shard(j.params.Shards) != shard {
			continue
		}
		c, known := j.coins[in.OutPoint]
		if !known || c.Owner != in.Owner || c.Amount != in.Amount {
			return true
		}
		for _, other := range j.spends[in.OutPoint] {
			if other != f {
				return true
			}
		}
	}
	return false
}
