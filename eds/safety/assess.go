package safety

import (
	"errors"
	"fmt"
	"math/bits"
	"strings"

	"ios/chain"
	"ios/chain/cosi"
)

// ErrUnsafe is the kind of a plan that misses its bound.
const ErrUnsafe chain.ErrorKind = "unsafe"

// Plan is a network whose safety is in question.
type Plan struct {
	Validators int
	Shards     int
	// ByzantineShare is the largest share of all validators that may be
	// Byzantine, below 1/3.
	ByzantineShare float64
	// Leavers is how many seats of each shard change hands in an epoch, all of
	// them if it is more.
	Leavers int
	// GroupSize is the least number of servers in a group of the beacon, 0 for
	// one group of all.
	GroupSize int
	// Bound is the largest probability of failure in an epoch, of the shards and
	// of the beacon.
	Bound float64
}

// Report is how likely a plan's parts fail. Probabilities are of an epoch unless
// it says otherwise.
type Report struct {
	Validators int     `json:"validators"`
	Byzantine  int     `json:"byzantine"` // of the validators
	Bound      float64 `json:"bound"`

	Shards    int     `json:"shards"`
	ShardSize int     `json:"shard_size"` // of the smallest shard
	Faults    int     `json:"faults"`     // that it tolerates
	Shard     float64 `json:"shard"`      // one committee, of the worse size
	Binomial  float64 `json:"shard_binomial"`
	Epoch     float64 `json:"epoch"` // any committee of any shard

	Likely    int     `json:"likely"`     // Byzantine members of the smallest shard
	BatchSize int     `json:"batch_size"` // in the smallest shard
	Batches   int     `json:"batches"`    // of the smallest shard
	Swap      float64 `json:"swap"`       // some shard cannot spare its newcomers

	Groups    int     `json:"groups"`
	GroupSize int     `json:"group_size"` // of the smallest group
	Threshold int     `json:"threshold"`  // of it
	Withheld  float64 `json:"withheld"`   // some group can withhold the output
}

func (p *Plan) check() error {
	switch {
	case p.Validators < 1 || p.Validators > chain.MaxValidators:
		return fmt.Errorf("validators: from 1 to %d are wanted, not %d", chain.MaxValidators, p.Validators)
	case p.Shards < 1 || p.Shards > chain.MaxShards || p.Shards > p.Validators:
		return fmt.Errorf("shards: from 1 to %d, and no more than validators, are wanted, not %d", chain.MaxShards, p.Shards)
	case !(p.ByzantineShare >= 0 && p.ByzantineShare < 1./3):
		return fmt.Errorf("Byzantine share: from 0 to less than 1/3 is wanted, not %v; above that no size is safe", p.ByzantineShare)
	case !(p.Bound > 0 && p.Bound < 1):
		return fmt.Errorf("bound: a probability between 0 and 1 is wanted, not %v", p.Bound)
	case p.GroupSize < 0 || p.GroupSize > p.Validators:
		return fmt.Errorf("group size: at most the %d validators, or 0 for one group of all, is wanted, not %d", p.Validators, p.GroupSize)
	case p.Leavers < 0 || p.Leavers > chain.MaxValidators:
		return fmt.Errorf("leavers: from 0 to %d are wanted, not %d", chain.MaxValidators, p.Leavers)
	}
	return nil
}

// Assess computes how safe a plan is. If it misses the bound the error is of
// kind [ErrUnsafe] and says what misses it and which size would not; the
// report is complete all the same. Other errors are numbers that make no sense.
func Assess(p Plan) (Report, error) {
	if err := p.check(); err != nil {
		return Report{}, err
	}
	r := p.report()
	var faults []string
	if r.Epoch > p.Bound {
		faults = append(faults, p.shardFault(&r))
	}
	if r.Withheld > p.Bound {
		faults = append(faults, p.beaconFault(&r))
	}
	if faults != nil {
		return r, chain.Rule(ErrUnsafe, "%s", strings.Join(faults, "; "))
	}
	return r, nil
}

// Meets reports whether a plan meets its bound, like [Assess], without saying what
// would.
func Meets(p Plan) bool {
	if p.check() != nil {
		return false
	}
	withheld := Withheld(p.Validators, Byzantine(p.Validators, p.ByzantineShare), Groups(p.Validators, p.GroupSize))
	return p.epoch(p.parts()...) <= p.Bound && withheld <= p.Bound
}

func (p *Plan) report() Report {
	r := Report{Validators: p.Validators, Byzantine: Byzantine(p.Validators, p.ByzantineShare), Bound: p.Bound, Shards: p.Shards}
	p.shards(&r)
	sizes := Groups(p.Validators, p.GroupSize)
	r.Groups, r.GroupSize = len(sizes), sizes[len(sizes)-1]
	r.Threshold = Threshold(r.GroupSize)
	r.Withheld = Withheld(r.Validators, r.Byzantine, sizes)
	return r
}

// part is a number of shards of one size.
type part struct{ size, count int }

// parts are the plan's shards, which differ by one member at most, the smaller
// first.
func (p *Plan) parts() []part {
	size, larger := p.Validators/p.Shards, p.Validators%p.Shards
	parts := []part{{size, p.Shards - larger}}
	if larger > 0 {
		parts = append(parts, part{size + 1, larger})
	}
	return parts
}

// batches says how the leavers of one shard of a size leave, among so many shards.
func (p *Plan) batches(size, shards, byzantine int) (likely, k, count int) {
	likely = Likely(p.Validators, byzantine, size, p.Bound/float64(shards))
	k = BatchSize(size, cosi.Faults(size), likely)
	return likely, k, (min(p.Leavers, size) + k - 1) / k
}

// epoch is the probability that any committee of any of the parts has too many
// Byzantine members.
func (p *Plan) epoch(parts ...part) (sum float64) {
	shards := 0
	for _, s := range parts {
		shards += s.count
	}
	byz := Byzantine(p.Validators, p.ByzantineShare)
	for _, s := range parts {
		committees := 1
		if p.Leavers > 0 {
			_, _, batches := p.batches(s.size, shards, byz)
			committees += batches
		}
		sum += float64(Shard(p.Validators, byz, s.size) * float64(s.count*committees))
	}
	return min(Redrawn(sum, p.Validators, byz), 1)
}

// shards fills in what concerns the shards.
func (p *Plan) shards(r *Report) {
	n, parts := r.Validators, p.parts()
	r.ShardSize, r.Faults = parts[0].size, cosi.Faults(parts[0].size)
	r.Likely, r.BatchSize, r.Batches = p.batches(r.ShardSize, p.Shards, r.Byzantine)
	r.Epoch = p.epoch(parts...)
	for _, s := range parts {
		if shard := Shard(n, r.Byzantine, s.size); shard >= r.Shard {
			r.Shard, r.Binomial = shard, Binomial(p.ByzantineShare, s.size, cosi.Faults(s.size))
		}
		if p.Leavers > 0 {
			_, k, _ := p.batches(s.size, p.Shards, r.Byzantine)
			r.Swap += float64(Swap(n, r.Byzantine, s.size, min(k, p.Leavers)) * float64(s.count))
		}
	}
	r.Swap = min(r.Swap, 1)
}

// Redrawn is the probability of a failure that is possible whenever a Byzantine
// leader has an assignment drawn again.
func Redrawn(p float64, n, byzantine int) float64 {
	return p / (1 - float64(byzantine)/float64(n))
}

var errNone = errors.New("no size is safe")

// SmallestShard is the smallest size of shards that meets the plan's bound when
// all of its validators are cut into shards of that size. Of the sizes with one
// f, 3f+1 is the safest and the only one looked at.
func SmallestShard(p Plan) (int, error) {
	if err := p.check(); err != nil {
		return 0, err
	}
	for size := 1; size <= p.Validators; size += 3 {
		if shards := p.Validators / size; shards <= chain.MaxShards && p.epoch(part{size, shards}) <= p.Bound {
			return size, nil
		}
	}
	return 0, errNone
}

// MostShards is the largest power of two of shards that the plan's validators
// can form within its bound, 0 if there is none.
func MostShards(p Plan) int {
	if p.check() != nil {
		return 0
	}
	for shards := 1 << (bits.Len(uint(min(p.Validators, chain.MaxShards))) - 1); shards > 0; shards /= 2 {
		q := p
		q.Shards = shards
		if q.epoch(q.parts()...) <= p.Bound {
			return shards
		}
	}
	return 0
}

// FewestValidators is how many validators, more than the plan has, its number of
// shards needs for its bound, 0 if there is none up to [chain.MaxValidators].
func FewestValidators(p Plan) int {
	if p.check() != nil {
		return 0
	}
	for size := (p.Validators/p.Shards+2)/3*3 + 1; size*p.Shards <= chain.MaxValidators; size += 3 {
		q := p
		q.Validators = size * p.Shards
		q.GroupSize = 0
		if q.check() == nil && q.epoch(q.parts()...) <= p.Bound {
			return q.Validators
		}
	}
	return 0
}

func (p *Plan) shardFault(r *Report) string {
	text := fmt.Sprintf("%d shards of %d: some committee has more than %d Byzantine members with probability %.3g in an epoch, above the bound of %.3g",
		r.Shards, r.ShardSize, r.Faults, r.Epoch, r.Bound)
	if most := MostShards(*p); most > 0 {
		text += fmt.Sprintf("; %d validators can form at most %d shards, of %d", p.Validators, most, p.Validators/most)
	}
	if few := FewestValidators(*p); few > 0 {
		text += fmt.Sprintf("; %d shards want %d validators, %d each", p.Shards, few, few/p.Shards)
	}
	return text
}

// SmallestGroup is the smallest size of the beacon's groups that meets the
// plan's bound. The number of validators, for one group of all, always does.
func SmallestGroup(p Plan) int {
	byz := Byzantine(p.Validators, p.ByzantineShare)
	for size := 1; size < p.Validators; size++ {
		groups := Groups(p.Validators, size)
		if len(groups) == 1 {
			break
		}
		if Withheld(p.Validators, byz, groups) <= p.Bound {
			return size
		}
	}
	return p.Validators
}

func (p *Plan) beaconFault(r *Report) string {
	return fmt.Sprintf("beacon of %d groups of %d: some group can withhold the output with probability %.3g, above the bound of %.3g; the smallest group size that meets it is %d of %d validators",
		r.Groups, r.GroupSize, r.Withheld, r.Bound, SmallestGroup(*p), p.Validators)
}
