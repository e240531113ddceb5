package identity

import (
	"cmp"
	"slices"

	"ios/chain"
	"ios/drp"
)

// seed is a seed that was executed. It does not change once its block is final.
type seed struct {
	ref     SeedRef     // Block is zero until the block is final
	raw     []byte      // the choice
	checked *drp.Choice // the same, if it was checked here
	frozen  *frozen
	groups  [][]chain.ValidatorID // of the beacon, in the view
}

// frozen is what a seed has fixed of the next epoch. It does not change.
type frozen struct {
	members            []chain.ValidatorID // ascending
	joined, left, shed []chain.ValidatorID // ascending
	rotated            []rotation          // by id
	bases              []Point
	stalled            chain.Shards
	hash               chain.Hash
}

// rotation is what a validator's entry becomes.
type rotation struct {
	id chain.ValidatorID
	to *chain.Validator
}

// freeze decides who is in the next frozen set, with which keys, and which shards
// the next epoch takes up.
func (x *execution) freeze() *frozen {
	f := &frozen{bases: slices.Clone(x.l.bases)}
	x.choose(f)
	for _, e := range x.l.entries {
		if e.next != nil {
			f.rotated = append(f.rotated, rotation{e.id, e.next})
		}
	}
	cur := x.cur.rec
	for j := range f.bases {
		plan := x.book.era(cur.Shards[j].Plan).plan
		shard := chain.ShardID(j)
		if f.bases[j].Term != (chain.Term{Epoch: plan.Epoch, Batch: plan.Last(shard)}) {
			f.stalled.Add(shard)
		}
	}
	f.hash = HashFrozen(cur.Number+1, x.membersOf(f))
	return f
}

// HashFrozen is how a seed names the frozen set of an epoch: by its validators with
// their keys, names and addresses. It leaves out their stakes, which may change
// until the epoch begins, so that the record of an epoch that is [Drawn] shows it,
// too.
func HashFrozen(epoch uint64, members []Member) chain.Hash {
	fixed := slices.Clone(members)
	for i := range fixed {
		fixed[i].Stake = 0
	}
	return tagged(tagFrozen, number(epoch), appendMembers(nil, fixed))
}

// choose applies the bound on comings and goings. Those who asked first come or
// go first.
func (x *execution) choose(f *frozen) {
	m := x.l.moving(&x.book.genesis.Policy)
	// As many leave as may without missing the policy's bound.
	for leavers := len(m.leave); ; leavers-- {
		set := x.book.move(&m, leavers)
		if leavers == 0 || x.book.bears(set.size) {
			f.left, f.shed, f.joined = pick(m.leave[:set.left]), pick(set.absent[:set.shed]), pick(m.join[:set.joined])
			break
		}
	}
	out := func(id chain.ValidatorID) bool {
		return slices.Contains(f.left, id) || slices.Contains(f.shed, id)
	}
	for _, e := range x.l.entries {
		if e.in && !out(e.id) || slices.Contains(f.joined, e.id) {
			f.members = append(f.members, e.id)
		}
	}
}

// moving is who may come and go, in the order of asking.
type moving struct {
	size                int
	leave, absent, join []*entry
}

func (l *ledger) moving(p *chain.Policy) (m moving) {
	for _, e := range l.entries {
		absent := e.missed >= uint32(p.AbsentEpochs) && !e.alive
		switch {
		case e.in && e.leave:
			m.leave = append(m.leave, e)
		case e.in && absent:
			m.absent = append(m.absent, e)
		case !e.in && e.wants && !e.leave:
			m.join = append(m.join, e)
		}
		if e.in {
			m.size++
		}
	}
	byAsking := func(a, b *entry) int { return cmp.Compare(a.asked, b.asked) }
	slices.SortFunc(m.leave, byAsking)
	slices.SortFunc(m.join, byAsking)
	return m
}

// moved is how many of them come and go.
type moved struct {
	size               int // of the next set
	left, shed, joined int
	absent             []*entry // of whom some are shed
}

// move lets at most so many leave, then those go who are absent, then newcomers
// come. Who would leave and has to stay goes all the same if it is absent.
func (b *Book) move(m *moving, leavers int) moved {
	p := &b.genesis.Policy
	room := max(1, m.size*p.Churn/permille)
	least := b.genesis.Shards
	if !b.genesis.TestNetwork {
		least *= 4
	}
	set := moved{size: m.size}
	take := func(most, change int, fits func(size int) bool) (n int) {
		for n < most && room > 0 && fits(set.size+change) {
			n, room, set.size = n+1, room-1, set.size+change
		}
		return n
	}
	// Fewer validators can be fewer groups, which are larger.
	chooses := func(size int) bool { return choiceSize(size, p.GroupSize) <= maxChoice }
	large := func(size int) bool { return size >= least && chooses(size) }
	set.left = take(leavers, -1, large)
	set.absent = slices.Clone(m.absent)
	for _, e := range m.leave[set.left:] {
		if e.missed >= uint32(p.AbsentEpochs) && !e.alive {
			set.absent = append(set.absent, e)
		}
	}
	set.shed = take(len(set.absent), -1, large)
	set.joined = take(len(m.join), 1, chooses)
	return set
}

func pick(list []*entry) (ids []chain.ValidatorID) {
	for _, e := range list {
		ids = append(ids, e.id)
	}
	slices.Sort(ids)
	return ids
}

// membersOf is the next frozen set with its keys and stakes as they are now.
func (x *execution) membersOf(f *frozen) []Member {
	list := make([]Member, len(f.members))
	for i, id := range f.members {
		list[i] = Member{id, f.keysOf(x.l.entries[id])}
	}
	return list
}

// keysOf is a registration as it will count.
func (f *frozen) keysOf(e *entry) chain.Validator {
	v := e.now
	i, ok := slices.BinarySearchFunc(f.rotated, e.id, func(r rotation, id chain.ValidatorID) int { return int(r.id) - int(id) })
	if ok {
		v = *f.rotated[i].to
		v.Stake = e.now.Stake
	}
	return v
}

// applySeed fixes the choice, the frozen set, and which shards go on.
func (x *execution) applySeed(op *Seed) Reason {
	switch {
	case x.book.genesis.Policy.EpochLength == 0:
		return ReasonEndless
	case op.Epoch != x.cur.rec.Number+1:
		return ReasonEpoch
	case x.l.seed != nil:
		return ReasonSeeded
	}
	c, err := drp.DecodeChoice(op.Choice)
	if err != nil {
		return ReasonWrong // no quorum acks such a body
	}
	hash := c.Hash()
	d := &seed{ref: SeedRef{Height: x.height, View: c.View, Choice: hash}, raw: slices.Clone(op.Choice), checked: op.checked, frozen: x.freeze()}
	d.groups = drp.Groups(x.cur.beacon(x.book.params, &x.book.genesis.Policy), c.View)
	x.l.seed = d
	x.report.seed = SeedID(x.cur.rec.Chain, op.Epoch, c.View, x.cur.hash, d.frozen.hash, hash)
	x.report.frozen = d.frozen.hash
	x.tell(chain.IdentityShard, x.report.seed, chain.Committed)
	return Done
}
