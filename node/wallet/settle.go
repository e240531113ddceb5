package wallet

import (
	"context"
	"time"

	"ios/chain"
)

// settleAtATime bounds how many open transfers are asked about, newest first.
const settleAtATime = 64

// Settle asks what became of the journal's open transfers and notes those that
// have ended. It sends nothing.
func (w *Wallet) Settle(ctx context.Context, r *Remote) (ended int, err error) {
	ended, _, err = w.settle(ctx, r)
	return ended, err
}

// settle is Settle, and adds up what those that stay open have locked. No shard lists
// such coins: they are gone when the transfer is committed, and back when it is aborted.
func (w *Wallet) settle(ctx context.Context, r *Remote) (ended int, locked uint64, err error) {
	all, err := w.journal.read()
	if err != nil {
		return 0, 0, err
	}
	asked := 0
	for i := len(all) - 1; i >= 0 && asked < settleAtATime; i-- {
		s := all[i]
		if !s.Open() {
			continue
		}
		asked++
		t, err := r.Params.DecodeTx(s.raw)
		if err != nil {
			return ended, locked, chain.Rule(ErrDamaged, "transfer %s in the journal: %v", s.ID, err)
		}
		shards := r.Outcomes(ctx, t)
		if err := ctx.Err(); err != nil {
			return ended, locked, err
		}
		verdict, reason := settled(shards)
		if verdict == VerdictOpen {
			locked += r.locked(t, shards)
			continue
		}
		if err := w.journal.append(&line{ID: s.ID, Time: time.Now(), Verdict: verdict, Reason: reason}); err != nil {
			return ended, locked, err
		}
		ended++
	}
	return ended, locked, nil
}

// locked is what an open transfer holds in the shards that have proven that they
// accepted it.
func (r *Remote) locked(t *chain.Tx, shards []ShardOutcome) (amount uint64) {
	for i := range shards {
		if shards[i].Outcome != chain.Accepted {
			continue
		}
		for j := range t.Inputs {
			if in := &t.Inputs[j]; in.Owner.Shard(r.Params.Shards) == shards[i].Shard {
				amount += in.Amount
			}
		}
	}
	return amount
}

// settled is how a transfer has ended, given the proven outcomes of all shards
// that it involves: committed everywhere, or given up in one, after which no
// other can commit it.
func settled(shards []ShardOutcome) (verdict, reason string) {
	verdict = VerdictCommitted
	for i := range shards {
		switch o := &shards[i]; o.Outcome {
		case chain.Committed:
		case chain.Aborted, chain.Rejected:
			if verdict != VerdictAborted || o.Outcome == chain.Rejected {
				verdict, reason = VerdictAborted, o.Reason
			}
		default:
			if verdict == VerdictCommitted {
				verdict = VerdictOpen
			}
		}
	}
	return verdict, reason
}
