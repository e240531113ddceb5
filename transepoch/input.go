package transepoch

import (
	"math/bits"

	"ios/chain"
)

// Input is all that a plan is made of. An epoch block carries it, so that anyone
// can compute the plan from the block alone.
type Input struct {
	ChainID chain.Hash
	Epoch   uint64     // the epoch that the transition leads into
	Random  chain.Hash // rnd_e, the beacon's output for it

	// Old is where the shards stand: the committee of each at the batch that its
	// last certified state block names. Normally that is the New of the plan
	// before, and everybody has one seat. When a shard did not get to its last
	// batch, a validator may have two seats (the shard that it was to leave is
	// behind) or none (the one that it was to join is). For a stalled shard it is
	// the seats that the shard's own plan leads to.
	Old     Assignment
	Members []chain.ValidatorID // the frozen set of the epoch, ascending

	// Stalled shards keep their epoch, committee and plan.
	Stalled chain.Shards
	// Held are validators, ascending, that may still vote in a stalled shard
	// without a seat in its Old, see [Plan.Outgoing]: once for each such shard.
	// Nobody who is held or has a seat in two places comes to a third: it is not
	// drawn to leave its shard, or it waits for a seat if it has none.
	Held []chain.ValidatorID

	// SwapPermille is the part of each shard's seats, in thousandths, rounded up,
	// whose holders are drawn to leave in every epoch.
	SwapPermille int
	// BatchSize is the most seats of a shard that change at once. It should be
	// what the safety calculator gives, max(1, min(floor(log2 s), f-b)); a plan
	// uses no more than max(1, floor(log2 s)) for a shard of s in any case.
	BatchSize int
}

// MaxInputBytes bounds an encoded Input.
const MaxInputBytes = 64 << 10

const maxPermille = 1000

// Check refuses what no plan can be made of.
func (in *Input) Check() error {
	if err := in.Old.Check(); err != nil {
		return err
	}
	for i, v := range in.Members {
		if v >= chain.MaxPlaces || i > 0 && v <= in.Members[i-1] {
			return chain.Rule(ErrInput, "the frozen set is not ascending from 0 to %d at validator %d", chain.MaxPlaces-1, v)
		}
	}
	for i, v := range in.Held {
		if v >= chain.MaxPlaces || i > 0 && v < in.Held[i-1] || i >= maxSeatings && v == in.Held[i-maxSeatings] {
			return chain.Rule(ErrInput, "the list of the held is not ascending from 0 to %d, with nobody more than %d times, at validator %d", chain.MaxPlaces-1, maxSeatings, v)
		}
	}
	for _, s := range in.Stalled.List() {
		if int(s) >= len(in.Old) {
			return chain.Rule(ErrInput, "shard %d is stalled, but there are %d", s, len(in.Old))
		}
	}
	switch {
	case in.SwapPermille < 0 || in.SwapPermille > maxPermille:
		return chain.Rule(ErrInput, "%d thousandths of the seats are to change, from 0 to %d are wanted", in.SwapPermille, maxPermille)
	case in.BatchSize < 1 || in.BatchSize > chain.MaxValidators:
		return chain.Rule(ErrInput, "batches of %d seats, from 1 to %d are wanted", in.BatchSize, chain.MaxValidators)
	}
	return nil
}

// AppendTo appends the canonical encoding.
func (in *Input) AppendTo(dst []byte) []byte {
	dst = append(dst, in.ChainID[:]...)
	dst = be.AppendUint64(dst, in.Epoch)
	dst = append(dst, in.Random[:]...)
	dst = in.Old.AppendTo(dst)
	dst = appendIDs(dst, in.Members)
	dst = in.Stalled.AppendTo(dst)
	dst = appendIDs(dst, in.Held)
	dst = be.AppendUint16(dst, uint16(in.SwapPermille))
	return be.AppendUint16(dst, uint16(in.BatchSize))
}

// DecodeInput decodes an Input and checks it.
func DecodeInput(raw []byte) (*Input, error) {
	if len(raw) > MaxInputBytes {
		return nil, chain.Rule(chain.ErrTooLarge, "a transition's input of %d bytes, at most %d are allowed", len(raw), MaxInputBytes)
	}
	r := chain.NewReader(raw)
	in := &Input{ChainID: r.Hash(), Epoch: r.U64(), Random: r.Hash(), Old: readAssignment(r), Members: readIDs(r, chain.MaxValidators)}
	in.Stalled = r.Shards()
	in.Held = readIDs(r, maxSeatings*chain.MaxValidators)
	in.SwapPermille, in.BatchSize = int(r.U16()), int(r.U16())
	if err := r.Close(); err != nil {
		return nil, err
	}
	if err := in.Check(); err != nil {
		return nil, err
	}
	return in, nil
}

// places is one more than the highest place of a validator in it.
func (in *Input) places() int {
	return max(in.Old.places(), places(in.Members), places(in.Held))
}

// batchSize is k of a shard that has at least s seats throughout.
func (in *Input) batchSize(s int) int {
	return max(1, min(in.BatchSize, bits.Len(uint(s))-1))
}
