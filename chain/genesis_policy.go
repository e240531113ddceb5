package chain

import "time"

// Policy is what the network has agreed on.
type Policy struct {
	// BlockInterval is the longest time between blocks of a shard that has work
	// and a live leader. A leader is replaced within three of them.
	BlockInterval time.Duration
	// BlockGap is the shortest time between two proposals, in which work gathers.
	BlockGap time.Duration
	// Delta is the assumed bound on the network's delay. Safety never depends on it.
	Delta time.Duration
	// BodyQuota is how many bodies of one author a block may hold.
	BodyQuota int
	// MinFee is the least fee of a transaction in base units.
	MinFee uint64

	// EpochLength is how old an epoch gets before the next one is prepared; 0 is
	// one epoch that never ends.
	EpochLength time.Duration
	// GroupSize is the least number of validators in a group of the random
	// beacon; 0 is one group of all, which up to 16 validators form in any case.
	GroupSize int
	// SwapPermille is the part of each shard's seats, in thousandths, whose
	// holders change in every epoch.
	SwapPermille int
	// Byzantine is the share of the validators, in thousandths, that the sizes of
	// shards and groups are computed for.
	Byzantine int
	// Bound is the failure probability of an epoch that sizes must meet, as the
	// number n of 10^-n.
	Bound int
	// MinStake is the least stake of a validator in base units.
	MinStake uint64
	// UnbondEpochs is how many epochs after it took effect stake that was taken
	// back is paid out.
	UnbondEpochs int
	// AbsentEpochs is for how many epochs in a row a validator may show no sign of
	// life before it leaves the frozen set.
	AbsentEpochs int
	// Churn is the most validators, in thousandths but at least one, that come
	// and go in an epoch.
	Churn int
	// BatchDeadline is how long a batch of swaps waits for those that come in.
	BatchDeadline time.Duration
}

// DefaultPolicy suits validators that are within tens of milliseconds of each
// other.
func DefaultPolicy() Policy {
	return Policy{
		BlockInterval: 500 * time.Millisecond, BlockGap: 50 * time.Millisecond,
		Delta: 500 * time.Millisecond, BodyQuota: 8,
		SwapPermille: 334, Byzantine: 250, Bound: 6,
		UnbondEpochs: 4, AbsentEpochs: 3, Churn: 100, BatchDeadline: 30 * time.Second,
	}
}

// MaxBound is the largest Policy.Bound.
const MaxBound = 18

func (p *Policy) check() error {
	fail := func(format string, args ...any) error { return Rule(ErrGenesis, "policy: "+format, args...) }
	switch {
	case p.BlockGap < time.Millisecond || p.BlockInterval < 2*p.BlockGap || p.BlockInterval > time.Hour:
		return fail("block_gap of at least 1ms and block_interval of at least twice that and at most 1h are wanted, not %v and %v", p.BlockGap, p.BlockInterval)
	case p.Delta < time.Millisecond || p.Delta > time.Hour:
		return fail("delta from 1ms to 1h is wanted, not %v", p.Delta)
	case p.BodyQuota < 1 || p.BodyQuota > 1024:
		return fail("body_quota from 1 to 1024 is wanted, not %d", p.BodyQuota)
	case p.EpochLength != 0 && (p.EpochLength < p.BlockInterval || p.EpochLength > 365*24*time.Hour):
		return fail("epoch_length from block_interval to a year, or 0 for one epoch that never ends, is wanted, not %v", p.EpochLength)
	case p.GroupSize < 0 || p.GroupSize > MaxValidators:
		return fail("group_size from 0 to %d is wanted, not %d", MaxValidators, p.GroupSize)
	case p.SwapPermille < 0 || p.SwapPermille > 1000:
		return fail("swap_permille from 0 to 1000 is wanted, not %d", p.SwapPermille)
	case p.Byzantine < 0 || p.Byzantine > 333:
		return fail("byzantine_permille from 0 to 333 is wanted, not %d", p.Byzantine)
	case p.Bound < 1 || p.Bound > MaxBound:
		return fail("bound from 1 to %d, the number n of a probability of 10^-n, is wanted, not %d", MaxBound, p.Bound)
	case p.UnbondEpochs < 2 || p.UnbondEpochs > 1<<20:
		// Certificates of an epoch convince until the end of the next.
		return fail("unbond_epochs from 2 to %d is wanted, not %d", 1<<20, p.UnbondEpochs)
	case p.AbsentEpochs < 1 || p.AbsentEpochs > 1<<20:
		return fail("absent_epochs from 1 to %d is wanted, not %d", 1<<20, p.AbsentEpochs)
	case p.Churn < 1 || p.Churn > 1000:
		return fail("churn_permille from 1 to 1000 is wanted, not %d", p.Churn)
	case p.BatchDeadline < time.Millisecond || p.BatchDeadline > 24*time.Hour:
		return fail("batch_deadline from 1ms to 24h is wanted, not %v", p.BatchDeadline)
	}
	return nil
}

func (p *Policy) appendTo(dst []byte) []byte {
	for _, n := range []uint64{
		uint64(p.BlockInterval), uint64(p.BlockGap), uint64(p.Delta), uint64(p.BodyQuota), p.MinFee,
		uint64(p.EpochLength), uint64(p.GroupSize), uint64(p.SwapPermille), uint64(p.Byzantine), uint64(p.Bound),
		p.MinStake, uint64(p.UnbondEpochs), uint64(p.AbsentEpochs), uint64(p.Churn), uint64(p.BatchDeadline),
	} {
		dst = be.AppendUint64(dst, n)
	}
	return dst
}
