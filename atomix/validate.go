package atomix

import "ios/chain"

// ledgerView is what a transaction is checked against.
type ledgerView interface {
	// decision tells whether the shard has answered, and what it was closed with
	// unless it is open.
	decision(chain.TxID) (d Decision, open, known bool)
	holder(chain.OutPoint) (chain.TxID, bool)
	amount(chain.OutPoint, chain.Address) (uint64, bool)
}

// present is the ledger with what the open execution did.
type present struct{ *State }

func (s present) decision(id chain.TxID) (d Decision, open, known bool) {
	if _, open = s.open[id]; open {
		return d, true, true
	}
	d, known = s.decided[id]
	return d, false, known
}

func (s present) holder(op chain.OutPoint) (chain.TxID, bool) {
	id, ok := s.locked[op]
	return id, ok
}

func (s present) amount(op chain.OutPoint, owner chain.Address) (uint64, bool) {
	return s.coins.Get(op, owner)
}

// Validate checks a transaction that CheckTx has passed against the state, for
// admission: what it refuses would be skipped by a block now. The state may have
// changed when the block comes. It sees what the open execution did, and that
// may be taken back: what is to be relied upon is told by [State.Final].
func (s *State) Validate(t *chain.Tx, epoch uint64) error {
	return s.validate(present{s}, t, epoch)
}

func (s *State) validate(v ledgerView, t *chain.Tx, epoch uint64) error {
	id := t.ID.Short()
	if in := s.params.InputShards(t); !in.Has(s.shard) {
		return chain.Rule(chain.ErrWrongShard, "transaction %s has no input in shard %d; submit it where its inputs are", id, s.shard)
	}
	if t.Expiry < epoch {
		return chain.Rule(chain.ErrExpired, "transaction %s expired with epoch %d, this is epoch %d; make and sign it anew", id, t.Expiry, epoch)
	}
	switch d, open, known := v.decision(t.ID); {
	case open:
		return chain.Rule(chain.ErrDecided, "transaction %s is accepted here already and waits for other shards", id)
	case known:
		return chain.Rule(chain.ErrDecided, "transaction %s is %v here already", id, d.Outcome)
	}
	for in := range s.ownInputs(t) {
		if holder, ok := v.holder(in.OutPoint); ok {
			return chain.Rule(chain.ErrLocked, "output %d of %s is held by transfer %s; wait for its end", in.Index, in.Tx.Short(), holder.Short())
		}
		switch amount, ok := v.amount(in.OutPoint, in.Owner); {
		case !ok && s.applied(v, t):
			return chain.Rule(chain.ErrDecided, "transaction %s is applied here already", id)
		case !ok:
			return chain.Rule(chain.ErrUnknown, "output %d of %s is not there: it was spent, belongs to somebody else, or is not final yet", in.Index, in.Tx.Short())
		case amount != in.Amount:
			return chain.Rule(chain.ErrClaim, "output %d of %s holds %d, the input claims %d", in.Index, in.Tx.Short(), amount, in.Amount)
		}
	}
	return nil
}

// applied reports whether an output of t is among the coins: then t itself spent
// what it lacks now. A client that asks one validator and submits to the next
// must not be told that its own payment was too late.
func (s *State) applied(v ledgerView, t *chain.Tx) bool {
	for i := range t.Outputs {
		out := &t.Outputs[i]
		if out.Owner.Shard(s.params.Shards) != s.shard {
			continue
		}
		if _, ok := v.amount(chain.OutPoint{Tx: t.ID, Index: uint32(i)}, out.Owner); ok {
			return true
		}
	}
	return false
}
