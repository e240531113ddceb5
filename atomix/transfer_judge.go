package atomix

import (
	"cmp"
	"fmt"

	"ios/chain"
)

// judge draws the conclusions from what is known of all shards.
func (t *Transfer) judge() {
	committed, yes, no, open := 0, 0, -1, 0
	for i, s := range t.involved {
		switch t.views[s].outcome {
		case chain.Committed:
			committed, yes = committed+1, yes+1
		case chain.Accepted:
			open, yes = open+1, yes+1
		case chain.Rejected, chain.Aborted:
			if no < 0 || t.views[s].outcome == chain.Rejected {
				no = i
			}
		}
	}
	switch {
	case no >= 0:
		v := t.views[t.involved[no]]
		why := fmt.Sprintf("shard %d: %v: %s", v.shard, v.outcome, cmp.Or(v.reason, "an input was not there"))
		t.decide(TransferAbort, why)
		if open == 0 && t.nothingElse() {
			t.end(TransferAbort, why)
		}
	case committed > 0 || yes == len(t.involved) && !t.registry:
		t.decide(TransferCommit, "")
		if committed == len(t.involved) {
			t.end(TransferCommit, "")
		}
	case yes == 0:
		if why, ok := t.refusal(); ok {
			t.end(TransferRefuse, why)
		}
	}
}

func (t *Transfer) decide(v Verdict, why string) {
	if t.decisive != Open {
		return
	}
	t.decisive = v
	for _, s := range t.involved {
		clear(t.views[s].denied) // what members said before may have changed
	}
	t.deliver(Decisive{v, why})
}

func (t *Transfer) end(v Verdict, why string) {
	t.done = true
	t.deliver(Done{v, why})
}

// believable reports whether so many members of a shard say a thing that one of
// them is honest.
func (t *Transfer) believable(s chain.ShardID, members int) bool {
	return members > t.cfg.Committees[s].Faults() || members >= t.views[s].members
}

// nothingElse reports whether no input shard without a proven outcome can have
// something locked.
func (t *Transfer) nothingElse() bool {
	for _, s := range t.involved {
		v := t.views[s]
		if v.outcome == 0 && t.inputs.Has(s) && !t.believable(s, len(v.denied)) {
			return false
		}
	}
	return true
}

// refusal reports whether an input shard refuses the transaction and no other one
// has taken it: we did not submit it there, and so many members say that nothing
// is recorded that one of them is honest.
func (t *Transfer) refusal() (why string, ok bool) {
	for _, s := range t.involved {
		if !t.inputs.Has(s) {
			continue
		}
		v := t.views[s]
		if t.believable(s, len(v.refused)) {
			if why == "" {
				why = fmt.Sprintf("shard %d: %s", s, v.oneReason())
			}
		} else if v.sent || v.claim == ClaimPending || !t.believable(s, len(v.denied)) {
			return "", false
		}
	}
	return why, why != ""
}

// oneReason is the reason of the first member that gave one.
func (v *view) oneReason() string {
	for m := range v.members {
		if why, ok := v.refused[m]; ok {
			return cmp.Or(why, "refused")
		}
	}
	return "refused"
}
