package validator

import (
	"slices"
	"time"

	"ios/atomix"
	"ios/chain"
	"ios/internal/sm"
	"ios/pob/byzcoin"
	"ios/transepoch"
)

// proposal is a turn that the shard should take.
type proposal struct {
	turn     []byte
	since    time.Time
	authored time.Time // when we last put it into a body, zero if we did not
}

// follow makes the transition's machine if it is missing, and tells it of the
// newest epoch that the shard can enter from where it stands.
func (c *Core) follow() {
	s := &c.succession.state
	if c.progress == nil {
		plan := c.plan(s.Epoch)
		if plan == nil {
			return
		}
		p, err := transepoch.NewProgress(transepoch.Config{
			Deadline: c.cfg.BatchDeadline, Key: c.cfg.Signing, Root: c.succession.root,
		}, *s, plan)
		if err != nil {
			c.out = append(c.out, sm.Deliver{Value: transepoch.Fault{Err: err}})
			return
		}
		c.progress = p
		c.stepProgress(transepoch.Start{})
	}
	at := c.progress.State()
	for _, e := range c.epochs {
		if e.Plan.Epoch <= at.Epoch || e.Plan.Shards[at.Shard].Stalled {
			continue
		}
		if _, err := at.Enter(c.progress.Plan(), e.Plan, 0); err == nil {
			c.stepProgress(transepoch.Announced{Plan: e.Plan, Block: e.Block})
		}
	}
}

// turned follows a final block that ended its term.
func (c *Core) turned(t *turned) {
	c.turns, c.vetted, c.unready = nil, nil, nil
	clear(c.checks)
	clear(c.heard)
	c.handedIn()
	c.proposal = nil
	switch plan := c.plan(t.state.Epoch); {
	case c.progress == nil:
	case !after(&t.state, c.progress.State()): // it was made from the last of several
	case t.record != nil:
		c.stepProgress(transepoch.Recorded{Record: t.record, Height: t.height})
	case plan != nil:
		c.stepProgress(transepoch.Entered{Plan: plan, Height: t.height})
	default:
		c.progress = nil // until the epoch block is here
		c.out = append(c.out, sm.CancelTimer{Key: sm.TimerKey{Kind: timersProgress | 1}})
	}
	c.follow()
}

// after reports whether a is further than b.
func after(a *transepoch.State, b transepoch.State) bool {
	return chain.Term{Epoch: a.Epoch, Batch: a.Batch}.Compare(chain.Term{Epoch: b.Epoch, Batch: b.Batch}) > 0
}

func (c *Core) stepProgress(ev sm.Event) {
	if c.progress == nil {
		return
	}
	for _, e := range c.progress.Step(c.now, ev) {
		d, ok := e.(sm.Deliver)
		if !ok {
			c.pass(e, protoTransition, timersProgress)
			continue
		}
		switch v := d.Value.(type) {
		case transepoch.ProposeEnter:
			c.propose(v.Enter.AppendTo(nil))
		case transepoch.Propose:
			c.propose(v.Record.AppendTo(nil))
		default:
			c.out = append(c.out, d)
		}
	}
}

func (c *Core) propose(turn []byte) {
	if c.proposal == nil {
		c.proposal = &proposal{since: c.now}
	}
	c.proposal.turn = turn
}

// authorTurn puts the proposal into a body of ours: at once as the leader, and
// otherwise when so many have had their turn as are between the leader and us.
func (c *Core) authorTurn() {
	p := c.proposal
	if p == nil || c.bft.Seat() < 0 {
		return
	}
	if !c.ourTurn(p.since, p.authored) {
		return
	}
	before := p.authored
	d := &chain.Payload{Turn: p.turn}
	c.stepAgreement(byzcoin.Author{Payload: encode(d), Content: d, Tag: d})
	if c.proposal == p && p.authored == before {
		c.wake(c.now.Add(authorRetry))
	} else {
		c.wake(c.now.Add(4 * c.cfg.Patience))
	}
}

// ourTurn reports whether it is ours to put something up that the shard has wanted
// since a time: first it is the leader's, then that of the others one after the
// other, and of who did before only after a while. If not, we wake up for it.
func (c *Core) ourTurn(since, authored time.Time) bool {
	members := c.bft.Members()
	rank := (c.bft.Seat() - slices.Index(members, c.bft.Leader()) + len(members)) % len(members)
	at := since.Add(time.Duration(rank) * c.cfg.Patience)
	if again := authored.Add(4 * c.cfg.Patience); !authored.IsZero() && again.After(at) {
		at = again
	}
	if c.now.Before(at) {
		c.wake(at)
		return false
	}
	return true
}

// committees tells the relay who is a member where. In another shard those surely
// are whose seats the epoch leaves alone; how far the shard is in it need not be
// known here. anew says that our shard has gone on to another term.
func (c *Core) committees(anew bool) {
	n := c.cfg.Params.Shards
	ev := atomix.CommitteesChanged{Committees: make([][]chain.ValidatorID, n), Others: make([][]chain.ValidatorID, n), Anew: anew}
	var plan *transepoch.Plan
	if len(c.epochs) > 0 {
		plan = c.epochs[len(c.epochs)-1].Plan
	}
	for s := range n {
		known := plan != nil && s < len(plan.Old)
		switch {
		case chain.ShardID(s) == c.state.Shard():
			ev.Committees[s] = c.bft.Members()
		case known:
			ev.Committees[s] = stay(plan.Old[s], plan.New[s])
		}
		if known {
			ev.Others[s] = without(either(plan.Old[s], plan.New[s]), ev.Committees[s])
		}
	}
	c.stepRelay(ev)
}
