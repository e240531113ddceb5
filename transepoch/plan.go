package transepoch

import (
	"slices"

	"ios/chain"
)

// Swap is one change of one seat. With a validator in and out, In takes Out's
// seat. With Out None, In takes a new seat behind the last. With In None, the
// seat of Out goes: the holder of the last seat moves to it, so that a committee
// has no empty seats and its quorum counts validators only.
type Swap struct {
	Seat    int
	Out, In chain.ValidatorID
}

// Transition is what one shard goes through in an epoch.
type Transition struct {
	Stalled   bool // it keeps its committee, epoch and plan; there are no batches
	BatchSize int  // k: no batch changes more seats, and no more may be absent
	Batches   [][]Swap
}

// Plan leads every shard from one epoch's committee to the next. It must not be
// changed.
type Plan struct {
	ChainID  chain.Hash
	Epoch    uint64
	Old, New Assignment
	Shards   []Transition
}

// MakePlan makes the plan of an input. It is the same for everybody, and
// treats validators alike: but for the order of newcomers it does not depend on
// what number anybody has in the registry.
func MakePlan(in *Input) (*Plan, error) {
	if err := in.Check(); err != nil {
		return nil, err
	}
	d := newDraft(in)
	if err := d.sizes(); err != nil {
		return nil, err
	}
	d.drawLeavers()
	if err := d.drawSeats(); err != nil {
		return nil, err
	}
	p := &Plan{
		ChainID: in.ChainID, Epoch: in.Epoch,
		Old: in.Old.Clone(), New: in.Old.Clone(), Shards: make([]Transition, len(in.Old)),
	}
	for j := range p.Shards {
		if d.shards[j].stalled {
			p.Shards[j].Stalled = true
			continue
		}
		p.Shards[j] = d.batches(j)
		for _, batch := range p.Shards[j].Batches {
			p.New[j] = apply(p.New[j], batch)
		}
	}
	return p, nil
}

// Unchanged is the plan of an epoch that everybody enters as it is: the first
// one, and one for which the beacon has no output.
func Unchanged(chainID chain.Hash, epoch uint64, a Assignment, stalled chain.Shards) (*Plan, error) {
	if err := a.Check(); err != nil {
		return nil, err
	}
	p := &Plan{ChainID: chainID, Epoch: epoch, Old: a.Clone(), New: a.Clone(), Shards: make([]Transition, len(a))}
	for j := range p.Shards {
		p.Shards[j] = Transition{Stalled: stalled.Has(chain.ShardID(j)), BatchSize: 1}
	}
	return p, nil
}

// apply is the committee after a batch. It may change seats.
func apply(seats []chain.ValidatorID, batch []Swap) []chain.ValidatorID {
	for _, s := range batch {
		last := len(seats) - 1
		switch {
		case s.Out == None:
			seats = append(seats, s.In)
		case s.In == None:
			seats[s.Seat] = seats[last]
			seats = seats[:last]
		default:
			seats[s.Seat] = s.In
		}
	}
	return seats
}

// Last is the number of the shard's last batch, which is 0 when nothing changes.
func (p *Plan) Last(shard chain.ShardID) uint32 {
	if int(shard) >= len(p.Shards) {
		return 0
	}
	return uint32(len(p.Shards[shard].Batches))
}

// Committee is the seats of the shard after a number of batches; 0 is the
// committee that enters the epoch. It is a function of the epoch block alone:
// a member that did not get ready holds its seat all the same.
func (p *Plan) Committee(shard chain.ShardID, batch uint32) ([]chain.ValidatorID, error) {
	if int(shard) >= len(p.Shards) {
		return nil, chain.Rule(ErrBatch, "shard %d: epoch %d has %d", shard, p.Epoch, len(p.Shards))
	}
	if batch > p.Last(shard) {
		return nil, chain.Rule(ErrBatch, "batch %d of shard %d: epoch %d has %d", batch, shard, p.Epoch, p.Last(shard))
	}
	seats := slices.Clone(p.Old[shard])
	for _, b := range p.Shards[shard].Batches[:batch] {
		seats = apply(seats, b)
	}
	return seats, nil
}

// seats is how many seats the shard has after a number of batches.
func (p *Plan) seats(shard chain.ShardID, batch uint32) int {
	seats, err := p.Committee(shard, batch)
	if err != nil {
		return 0
	}
	return len(seats)
}

// Batch is what changes between the committees of batch-1 and batch; nil if
// there is no such batch. It must not be changed.
func (p *Plan) Batch(shard chain.ShardID, batch uint32) []Swap {
	if batch < 1 || batch > p.Last(shard) {
		return nil
	}
	return p.Shards[shard].Batches[batch-1]
}

// Move is a batch that a validator comes or goes with.
type Move struct {
	Shard chain.ShardID
	Batch uint32
}

// Joins is the batch that brings a validator into a shard, if one does.
func (p *Plan) Joins(v chain.ValidatorID) (Move, bool) {
	moves := p.moves(v, func(s Swap) chain.ValidatorID { return s.In })
	if len(moves) == 0 {
		return Move{}, false
	}
	return moves[0], true
}

// Leaves are the batches that take a validator out of a shard: one, or two for a
// validator that had two seats and leaves the registry.
func (p *Plan) Leaves(v chain.ValidatorID) []Move {
	return p.moves(v, func(s Swap) chain.ValidatorID { return s.Out })
}

func (p *Plan) moves(v chain.ValidatorID, end func(Swap) chain.ValidatorID) (moves []Move) {
	if v == None {
		return nil
	}
	for j := range p.Shards {
		for b, batch := range p.Shards[j].Batches {
			for _, s := range batch {
				if end(s) == v {
					moves = append(moves, Move{chain.ShardID(j), uint32(b + 1)})
				}
			}
		}
	}
	return moves
}

// Outgoing is who leaves the shard, ascending. While the shard is stalled under
// this plan they may still vote in it: they belong to the [Input.Held] of the
// plans that are made meanwhile.
func (p *Plan) Outgoing(shard chain.ShardID) (ids []chain.ValidatorID) {
	if int(shard) >= len(p.Shards) {
		return nil
	}
	for _, batch := range p.Shards[shard].Batches {
		for _, s := range batch {
			if s.Out != None {
				ids = append(ids, s.Out)
			}
		}
	}
	slices.Sort(ids)
	return ids
}
