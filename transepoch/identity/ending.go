package identity

import (
	"math/bits"
	"slices"

	"ios/chain"
	"ios/chain/cosi"
	"ios/drp/pvss"
)

// ending is how the current epoch ends.
type ending struct {
	void       bool
	random     chain.Hash
	transcript chain.Hash
	silent     []chain.ValidatorID // ascending
}

// silence is who says that a server of the beacon is silent: a bit for each
// member, by its place among them.
type silence struct {
	server chain.ValidatorID
	by     []byte
	count  int
}

func (x *execution) quorum() int { return cosi.Quorum(len(x.cur.rec.Members)) }

// seeded checks what ops that end the epoch have in common: a seed of an earlier
// block, and no end yet.
func (x *execution) seeded(epoch uint64) Reason {
	switch {
	case epoch != x.cur.rec.Number+1:
		return ReasonEpoch
	case x.l.seed == nil || x.l.seed.ref.Height >= x.height:
		return ReasonUnseeded
	case x.l.ending != nil:
		return ReasonEnded
	}
	return Done
}

func (x *execution) applyOutput(op *Output) Reason {
	if why := x.seeded(op.Epoch); why != Done {
		return why
	}
	x.l.ending = &ending{random: op.Random, transcript: HashTranscript(transcript(x.l.seed.raw, op.Rest))}
	return Done
}

func (x *execution) applySilent(op *Silent, author chain.ValidatorID) Reason {
	seat := find(x.cur.rec.Members, author)
	switch why := x.seeded(op.Epoch); {
	case why != Done:
		return why
	case seat < 0:
		return ReasonUnknown
	case int(op.Group) >= len(x.l.seed.groups) || len(op.IDs) == 0:
		return ReasonWrong
	}
	group := x.l.seed.groups[op.Group]
	for _, id := range op.IDs {
		if !slices.Contains(group, id) {
			return ReasonWrong
		}
	}
	// Byzantine servers may show each member other shares, so that all lack too
	// many of a group and no two the same: what counts is who lacks too many.
	fresh := false
	for _, id := range op.IDs {
		fresh = x.l.hear(id, seat, len(x.cur.rec.Members)) || fresh
	}
	if !fresh {
		return Done
	}
	count := 0
	for _, is := range x.l.robbed(len(x.cur.rec.Members)) {
		if is {
			count++
		}
	}
	if count >= x.quorum() {
		x.l.ending = &ending{void: true}
		for i := range x.l.silence {
			if s := &x.l.silence[i]; s.count >= x.quorum() {
				x.l.ending.silent = append(x.l.ending.silent, s.server)
			}
		}
	}
	return Done
}

// robbed says of each member, by its place, whether it lacks the shares of so many
// servers of one group that it cannot open the group's secrets.
func (l *ledger) robbed(members int) []bool {
	robbed, lacks := make([]bool, members), make([]int, members)
	for _, group := range l.seed.groups {
		clear(lacks)
		for _, id := range group {
			i, ok := l.findSilence(id)
			if !ok {
				continue
			}
			for at, some := range l.silence[i].by {
				for ; some != 0; some &= some - 1 {
					lacks[8*at+bits.TrailingZeros8(some)]++
				}
			}
		}
		for seat, n := range lacks {
			robbed[seat] = robbed[seat] || n > len(group)-pvss.Threshold(len(group))
		}
	}
	return robbed
}

func (l *ledger) findSilence(server chain.ValidatorID) (int, bool) {
	return slices.BinarySearchFunc(l.silence, server, func(s silence, id chain.ValidatorID) int { return int(s.server) - int(id) })
}

// hear counts that a member lacks a server's shares, and reports whether it had
// not said so before.
func (l *ledger) hear(server chain.ValidatorID, seat, members int) bool {
	i, ok := l.findSilence(server)
	if !ok {
		l.silence = slices.Insert(l.silence, i, silence{server: server, by: make([]byte, (members+7)/8)})
	}
	s := &l.silence[i]
	bit := byte(1) << (seat % 8)
	if s.by[seat/8]&bit != 0 {
		return false
	}
	s.by = slices.Clone(s.by) // the final state has the same
	s.by[seat/8] |= bit
	s.count++
	return true
}

// endEpoch makes the next record and brings the registry to where it begins.
func (x *execution) endEpoch() {
	end, d, cur := x.l.ending, x.l.seed, x.cur.rec
	rec := &Epoch{
		Chain: cur.Chain, Number: cur.Number + 1, Previous: x.cur.hash, Course: Void,
		Random: VoidRandom(cur.Chain, cur.Number+1, cur.Random), Seed: d.ref,
		Old: x.cur.plan.New, Stalled: d.frozen.stalled, SwapPermille: cur.SwapPermille, Silent: end.silent,
	}
	x.shards(rec)
	for id, e := range x.l.entries {
		if e.in {
			x.l.edit(chain.ValidatorID(id)).endEpoch()
		}
	}
	if !end.void {
		rec.Random, rec.Transcript = end.random, end.transcript
		x.draw(rec)
	}
	if rec.Course != Drawn {
		x.keep(rec)
	}
	x.payOut(rec)
	for i := range rec.Members { // stakes changed, too
		rec.Members[i].Stake = x.l.entries[rec.Members[i].ID].now.Stake
	}
	rec.Funds = x.l.funds()
	x.l.seed, x.l.silence, x.l.ending = nil, nil, nil
	x.report.Epoch = rec
	x.tell(chain.IdentityShard, rec.Hash(), chain.Committed)
}

func (e *entry) endEpoch() {
	if e.missed++; e.alive {
		e.missed = 0
	}
	e.alive = false
}

// shards says where each shard stands, and who may still vote in the stalled
// ones.
func (x *execution) shards(rec *Epoch) {
	for j, s := range x.cur.rec.Shards {
		shard := chain.ShardID(j)
		if rec.Stalled.Has(shard) {
			rec.Held = append(rec.Held, x.book.era(s.Plan).plan.Outgoing(shard)...)
		} else {
			s.Plan = rec.Number
		}
		s.Base = x.l.seed.frozen.bases[j]
		rec.Shards = append(rec.Shards, s)
	}
	slices.Sort(rec.Held)
}

// draw makes the record one that swaps validators, and tells the registry. If
// there is no plan, nothing changes and the record is one that keeps them.
func (x *execution) draw(rec *Epoch) {
	f := x.l.seed.frozen
	next := *rec
	next.Course = Drawn
	next.Members, next.Outgoing = x.membersOf(f), x.outgoing(rec, f)
	next.Joined, next.Left, next.Shed = f.joined, f.left, f.shed
	next.BatchSize = batchSize(&x.book.genesis.Policy, len(next.Members), len(next.Shards))
	if _, err := next.Plan(); err != nil {
		rec.Course = Kept
		return
	}
	*rec = next
	for _, r := range f.rotated {
		e := x.l.edit(r.id)
		e.now = f.keysOf(e)
		if e.next != nil && *e.next == *r.to { // not rotated anew since
			e.next = nil
		}
	}
	for _, id := range f.joined {
		e := x.l.edit(id)
		e.in, e.missed = true, 0
	}
	for _, id := range f.left {
		x.l.edit(id).in = false
	}
	for _, id := range f.shed {
		e := x.l.edit(id)
		e.in, e.wants, e.missed = false, false, 0
	}
}

// outgoing is who has a seat in a shard that moves, and is no member any more.
func (x *execution) outgoing(rec *Epoch, f *frozen) (list []Member) {
	for j, seats := range rec.Old {
		for _, id := range seats {
			if _, member := slices.BinarySearch(f.members, id); !member && !rec.Stalled.Has(chain.ShardID(j)) {
				list = append(list, Member{id, f.keysOf(x.l.entries[id])})
			}
		}
	}
	slices.SortFunc(list, func(a, b Member) int { return int(a.ID) - int(b.ID) })
	return slices.CompactFunc(list, func(a, b Member) bool { return a.ID == b.ID })
}

// keep lets everybody stay, with the keys that they have.
func (x *execution) keep(rec *Epoch) {
	f := &frozen{members: ids(x.cur.rec.Members)}
	rec.Members, rec.Outgoing = x.membersOf(f), x.outgoing(rec, f)
	rec.BatchSize = x.cur.rec.BatchSize
}

// payOut lets those go who left, and pays what is due.
func (x *execution) payOut(rec *Epoch) {
	for id, e := range x.l.entries {
		if !e.leave || e.in || e.gone {
			continue
		}
		e = x.l.edit(chain.ValidatorID(id))
		e.gone, e.wants, e.next = true, false, nil
		if e.now.Stake > 0 {
			x.l.payLater(e.id, e.now.Stake, e.to, rec.Number+uint64(x.book.genesis.Policy.UnbondEpochs))
		}
		e.now.Stake = 0
	}
	x.l.payouts = slices.DeleteFunc(x.l.payouts, func(p Payout) bool {
		if p.Due > rec.Number {
			return false
		}
		rec.Payouts = append(rec.Payouts, p)
		if p.To.Credit {
			x.l.addCredit(p.To.Owner, p.Amount)
		} else {
			x.l.addDue(newDue(x.book.params, p))
		}
		return true
	})
	x.tellDue()
	x.forgetAnswers(rec)
}
