package transepoch

import (
	"time"

	"ios/chain"
)

// ValidateEnter is what a member checks when somebody proposes to enter an epoch.
func (p *Progress) ValidateEnter(e *Enter) error {
	if p.next == nil || e.Epoch != p.next.Epoch || e.EpochBlock != p.nextBlock {
		return chain.Rule(ErrEnter, "epoch %d by block %s: no such epoch block is known that shard %d can enter", e.Epoch, e.EpochBlock.Short(), p.state.Shard)
	}
	_, err := p.state.Enter(p.plan, p.next, 0)
	return err
}

// Validate is what a member checks when somebody proposes rec in the block at
// the height. If early is above zero, rec is right but leaves out somebody whose
// time has not passed by this member's clock: it should hold its vote back that
// long, or until that validator's Ready is there. Clocks differ, so this is no
// reason to vote for another view.
func (p *Progress) Validate(now time.Time, height uint64, rec *SwapRecord) (early time.Duration, err error) {
	if p.sealed {
		return 0, chain.Rule(ErrRecord, "batch %d of epoch %d: shard %d has certified its state block and waits for the next epoch block", rec.Batch, rec.Epoch, p.state.Shard)
	}
	next, err := p.state.Swap(p.plan, rec, height)
	if err != nil {
		return 0, err
	}
	for i := range rec.Present {
		if err := p.checkPresence(&rec.Present[i]); err != nil {
			return 0, err
		}
	}
	if len(next.Absent) > p.state.spare(p.plan) {
		return max(0, p.resign.Sub(now)), nil
	}
	for _, s := range p.plan.Batch(p.state.Shard, rec.Batch) {
		if s.In != None && rec.find(s.In) == nil {
			return max(0, p.deadline.Sub(now)), nil
		}
	}
	return 0, nil
}

func (p *Progress) checkPresence(a *Presence) error {
	root, known := p.cfg.Root(a.Height)
	switch {
	case !known:
		return chain.Rule(ErrReady, "validator %d was ready at height %d, of which the root is not known here", a.Validator, a.Height)
	case root != a.StateRoot:
		return chain.Rule(ErrReady, "validator %d was ready at height %d with root %s, here it is %s", a.Validator, a.Height, a.StateRoot.Short(), root.Short())
	}
	w, _ := p.state.want(p.plan, a.Validator) // Swap has found it
	r := Ready{p.state.Chain, p.state.Shard, w.epoch, w.batch, a.Validator, a.Height, a.StateRoot, a.Signature}
	if have := p.readies[a.Validator]; have != nil && have.Ready == r {
		return nil
	}
	key, ok := p.cfg.Key(a.Validator)
	if !ok {
		return chain.Rule(ErrReady, "validator %d has no key here", a.Validator)
	}
	return r.CheckSignature(&key)
}
