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
	all, err := w.journal.read()
	if err != nil {
		return 0, err
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
			return ended, chain.Rule(ErrDamaged, "transfer %s in the journal: %v", s.ID, err)
		}
		verdict, reason := settled(r.Outcomes(ctx, t))
		if err := ctx.Err(); err != nil {
			return ended, err
		}
		if verdict == VerdictOpen {
			continue
		}
		if err := w.journal.append(&line{ID: s.ID, Time: time.Now(), Verdict: verdict, Reason: reason}); err != nil {
			return ended, err
		}
		ended++
	}
	return ended, nil
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
