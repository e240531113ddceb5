package simnet

import (
	"fmt"
	"math/rand/v2"
	"time"

	"ios/internal/sim"
	"ios/node/validator"
	"ios/pob/byzcoin"
)

// Plan is what a seed makes of a run.
type Plan struct {
	Seed                    uint64
	Sizes                   []int // of the shards' committees
	Traitors                []int // hostile members of each shard
	Leaders                 bool  // they are the first ones to lead
	Vices                   Vice  // of all of them; 0 for some of each
	Faults                  sim.Faults
	Until                   time.Duration // when the faults end
	Every                   time.Duration // about, between two crashes or partitions
	Pause                   time.Duration // at most, until a crashed validator restarts
	Down                    int           // at once, 0 for any number
	Blackouts               int           // times that a whole shard loses power
	Payments                int           // clients' transactions
	Wealth                  uint64        // of all owners, in units of the usual one; 0 is 1
	Alone                   bool          // clients submit to one validator of a shard and do not look back
	Fragile                 float64       // chance at each step of a validator that it crashes just after
	Cuts                    int           // times that a shard is cut off from the others
	Snapshots               time.Duration // about, between two of a validator; 0 for none
	Policy                  byzcoin.Policy
	Limits                  validator.Limits
	Spares                  int           // validators that have no seat in the first epoch
	Epochs                  int           // that come after it
	EpochEvery              time.Duration // at least, between two epochs
	Lost                    bool          // a newcomer never starts
	Spread                  time.Duration // at most, until all know of one
	Deadline                time.Duration // that a batch waits for those that it brings in
	SwapPermille, BatchSize int
	BLS                     bool // collective signatures are real ones, which costs a hundred times as much
	Sabotage                Sabotage
}

// Sabotage breaks a rule on purpose, to see that it is noticed.
type Sabotage struct {
	// Blind validators believe every proof of another shard.
	Blind bool
	// Hasty validators ack every turn to another committee that is in a body.
	Hasty bool
	// Amnesia has all of shard 0 forget in a blackout the bodies that they acked.
	Amnesia bool
	// CreditTwice has validator 0 pay an output twice.
	CreditTwice bool
}

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

// Faults is how many members of a committee may be hostile.
func Faults(size int) int { return (size - 1) / 3 }

// PlanOf is the plan of a seed: some runs are calm, some have everything at once.
func PlanOf(seed uint64) Plan {
	r := rand.New(rand.NewPCG(seed, 0x91a4))
	p := Plan{
		Seed: seed, Faults: sim.Mix(seed),
		Until: pick[time.Duration](r, 4, 8, 12) * time.Second,
		Every: pick[time.Duration](r, 300, 600, 1500) * time.Millisecond,
		Pause: pick[time.Duration](r, 300, 1000, 3000) * time.Millisecond,
		Down:  pick(r, 1, 2, 3, 0), Blackouts: pick(r, 0, 0, 1, 2),
		Payments: pick(r, 20, 40, 80, 160), Fragile: pick(r, 0, 0, 0.002, 0.01), Cuts: pick(r, 0, 0, 1, 3),
		Snapshots: pick[time.Duration](r, 0, 0, 1000, 3000) * time.Millisecond,
		Policy: byzcoin.Policy{
			BlockInterval: 300 * time.Millisecond, MinGap: pick[time.Duration](r, 20, 100) * time.Millisecond,
			Window: pick(r, 4, 8, 16), Quota: pick(r, 1, 2, 4), TreeAbove: pick(r, 16, 16, 3),
		},
		Limits: validator.Limits{
			QueueTxs: pick(r, 4, 64), QueueBytes: 1 << 16, BodyTxs: pick(r, 1, 3, 16), BodyBytes: 1 << 14,
			Bundles: pick(r, 3, 64), Bodies: pick(r, 2, 8),
		},
	}
	if r.IntN(4) > 0 {
		p.Sizes = []int{pick(r, 4, 4, 5, 6, 7, 8, 9, 10), pick(r, 4, 4, 5, 5, 6, 8)}
	} else {
		p.Sizes = []int{pick(r, 4, 5, 6, 7), 4, pick(r, 4, 5), 4}
	}
	if r.IntN(4) == 0 {
		p.Faults.MaxDelay = pick[time.Duration](r, 400, 800) * time.Millisecond
	}
	if r.IntN(4) == 0 {
		p.Faults.MaxSync = pick[time.Duration](r, 100, 300) * time.Millisecond
	}
	p.Leaders = r.IntN(2) == 0
	if r.IntN(5) == 0 { // no seat to spare, and leaders that look for whoever forgot a vote
		p.Sizes = []int{pick(r, 4, 4, 7), 4}
		p.Leaders, p.Vices = true, TwoProposals|HidesPrepared
		p.Fragile, p.Pause = pick(r, 0.01, 0.03), 200*time.Millisecond
		p.Policy.MinGap = 100 * time.Millisecond
	}
	if seed%3 == 0 {
		p.Spares, p.Epochs = pick(r, 0, 1, 2, 3), pick(r, 1, 1, 2)
		p.EpochEvery = pick[time.Duration](r, 500, 1500, 3000) * time.Millisecond
		p.Spread = pick[time.Duration](r, 0, 100, 1000, 3000) * time.Millisecond
		p.Deadline = pick[time.Duration](r, 300, 2000, 10000) * time.Millisecond
		p.SwapPermille, p.BatchSize = pick(r, 200, 340, 500), pick(r, 1, 1, 2)
	}
	calm := r.IntN(4) == 0
	for _, size := range p.Sizes {
		n := Faults(size)
		if calm {
			n = 0
		}
		p.Traitors = append(p.Traitors, n)
	}
	return p
}

// String is the plan in a line.
func (p *Plan) String() string {
	return fmt.Sprintf("seed %d: shards of %v with %v hostile, %v of loss %.2f, duplication %.2f, reordering %.1f, delays up to %v, writes up to %v, crashes about every %v with %d down at most and at %.3f of the steps, %d blackouts, %d cuts, snapshots every %v, %d payments, %d epochs every %v with %d spares, batches of %d after at most %v",
		p.Seed, p.Sizes, p.Traitors, p.Until, p.Faults.Loss, p.Faults.Duplicate, p.Faults.Reorder, p.Faults.MaxDelay,
		p.Faults.MaxSync, p.Every, p.Down, p.Fragile, p.Blackouts, p.Cuts, p.Snapshots, p.Payments, p.Epochs, p.EpochEvery, p.Spares, p.BatchSize, p.Deadline)
}
