package simnet

import (
	"fmt"
	"slices"
	"time"

	"ios/chain"
	"ios/internal/sim"
	"ios/internal/sm"
	"ios/pob/byzcoin"
)

// Result is what a run came to.
type Result struct {
	Stats
	Hash [32]byte // of the whole run
	// Transfers are how long transfers across shards took, from the first outcome
	// to the last, during which one of the shards went on to another term; ascending.
	Transfers []time.Duration
}

// Calm is what the network does when the faults have ended.
var Calm = sim.Faults{MinDelay: time.Millisecond, MaxDelay: 10 * time.Millisecond, MaxSync: 2 * time.Millisecond}

// Limit is how long everything may take to come to an end after that.
const Limit = 5 * time.Minute

// Run runs a plan to its end. An error says which invariant broke, and how to see
// it again.
func Run(p Plan) (Result, error) {
	n, err := newNet(p)
	if err != nil {
		return Result{}, err
	}
	n.unleash()
	n.sim.RunFor(p.Until + 50*time.Millisecond)
	if n.ok() {
		n.traffic(4, 500*time.Millisecond)
		n.sim.RunFor(600 * time.Millisecond)
	}
	if n.ok() && !n.sim.RunUntil(n.settled, Limit) && n.ok() {
		n.sim.Fail(n.stuck())
	}
	if n.ok() {
		n.clientsEnd()
	}
	if n.ok() {
		n.judgeEnd()
	}
	n.ok()
	n.stats.Steps, n.stats.Simulated, n.stats.Pace = n.sim.Steps(), n.sim.Elapsed(), n.judge.pace()
	slices.Sort(n.judge.transfers)
	r := Result{n.stats, n.sim.Hash(), n.judge.transfers}
	if err := n.sim.Err(); err != nil {
		return r, fmt.Errorf("%w\n%v\nTo see it again: IOS_SEED=%d IOS_SEEDS=1 go test ./node/validator -run Soak -v", err, &p, p.Seed)
	}
	return r, nil
}

// ok reports whether nothing has broken.
func (n *Net) ok() bool {
	if n.err != nil {
		n.sim.Fail(n.err)
	}
	return n.sim.Err() == nil
}

// unleash schedules all that goes wrong, and the payments.
func (n *Net) unleash() {
	p := &n.plan
	var all []sm.NodeID
	for _, m := range n.members {
		all = append(all, m.id)
	}
	n.sim.Unleash(sim.Chaos{Until: p.Until, Nodes: all, Down: p.Down, Every: p.Every, Pause: p.Pause}, Calm)
	n.traffic(p.Payments, p.Until)
	if p.Epochs > 0 {
		n.sim.After(p.EpochEvery/2, n.epochs)
	}
	for range p.Blackouts {
		n.sim.After(n.below(p.Until*3/4), n.blackout)
	}
	for range p.Cuts {
		n.sim.After(n.below(p.Until*3/4), n.cut)
	}
	if p.Snapshots > 0 {
		for _, m := range n.members {
			n.snapshots(m)
		}
	}
	if p.Sabotage.Amnesia {
		n.sim.After(p.Until/2, n.forget)
	}
	if p.Sabotage.CreditTwice {
		n.sim.After(p.Until/2, n.creditTwice)
	}
}

// snapshots has a validator write one now and then.
func (n *Net) snapshots(m *member) {
	n.sim.After(n.plan.Snapshots/2+n.below(n.plan.Snapshots), func() {
		for _, p := range m.posts {
			if err := n.snap(p); err != nil {
				n.fail("%v: %w", p, err)
			}
		}
		n.snapshots(m)
	})
}

// blackout takes the power from a whole shard at one instant, or from all.
func (n *Net) blackout() {
	seats := n.seats(chain.ShardID(n.intn(len(n.plan.Sizes))))
	all := n.chance(0.3)
	for _, m := range n.members {
		if all || slices.Contains(seats, m.id) {
			n.sim.Crash(m.id)
			n.sim.After(n.below(n.plan.Pause), func() { n.sim.Restart(m.id) })
		}
	}
}

// cut separates a shard from the others.
func (n *Net) cut() { n.sim.Partition(nil, n.seats(chain.ShardID(n.intn(len(n.plan.Sizes))))) }

// stumble crashes a validator in the middle of what it does.
func (n *Net) stumble(m *member) {
	if n.sim == nil || n.plan.Fragile == 0 || n.sim.Elapsed() > n.plan.Until || !n.chance(n.plan.Fragile) {
		return
	}
	n.sim.After(n.below(n.plan.Faults.MaxSync+time.Millisecond), func() {
		n.sim.Crash(m.id)
		n.sim.After(n.below(n.plan.Pause), func() { n.sim.Restart(m.id) })
	})
}

// clientsEnd lets the clients that are there come to their verdicts.
func (n *Net) clientsEnd() {
	done := func() bool {
		for _, c := range n.clients {
			if c.tx != nil {
				return false
			}
		}
		return true
	}
	if !n.sim.RunUntil(done, Limit) && n.ok() {
		for i, c := range n.clients {
			if c.tx != nil {
				n.fail("%v after the faults ended, client %d has no verdict on %s, whose outcomes are %v", n.sim.Elapsed()-n.plan.Until, i, c.tx.ID.Short(), n.judge.fateOf(c.tx).outcomes)
			}
		}
		return
	}
	if n.ok() && !n.sim.RunUntil(n.settled, Limit) && n.ok() {
		n.sim.Fail(n.stuck())
	}
}

// forget is sabotage: a blackout of shard 0 in which everybody loses the acks.
func (n *Net) forget() {
	for _, id := range n.seats(0) {
		n.sim.Crash(id)
		var kept []sm.Persist
		for _, p := range n.sim.Records(id) {
			if p.Kind != byzcoin.RecordAck && p.Kind != byzcoin.RecordBody && p.Kind != byzcoin.RecordPulled || n.finalBody(p.Data[2:]) {
				kept = append(kept, p)
			}
		}
		n.sim.SetRecords(id, kept)
		n.members[id].posts[0].disk, n.members[id].posts[0].snaps = disk{}, nil
		n.sim.Restart(id)
	}
}
