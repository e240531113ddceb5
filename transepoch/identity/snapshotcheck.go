package identity

import (
	"math/bits"

	"ios/chain"
	"ios/drp"
)

// complete computes what a snapshot leaves out.
func (l *ledger) complete(b *Book) error {
	if d := l.seed; d != nil {
		c, err := drp.DecodeChoice(d.raw)
		if err != nil {
			return err
		}
		d.ref.View, d.ref.Choice = c.View, c.Hash()
		d.groups = drp.Groups(b.Beacon(), c.View)
	}
	members := len(b.Validators())
	for i := range l.silence {
		q := &l.silence[i]
		for _, some := range q.by {
			q.count += bits.OnesCount8(some)
		}
		if spare := 8*len(q.by) - members; q.count == 0 || q.by[len(q.by)-1]>>(8-spare) != 0 {
			return chain.Rule(ErrSnapshot, "who says that server %d is silent is nobody, or no member", q.server)
		}
	}
	return nil
}

// check refuses what no sequence of blocks leads to, as far as an execution could
// trip over it.
func (l *ledger) check(b *Book) error {
	fail := func(format string, args ...any) error { return chain.Rule(ErrSnapshot, format, args...) }
	cur := b.Current()
	var total uint64
	add := func(n uint64) bool {
		sum, carry := bits.Add64(total, n, 0)
		total = sum
		return carry == 0
	}
	ok := true
	for _, e := range l.entries {
		ok = ok && add(e.now.Stake)
		if member := find(cur.Members, e.id) >= 0; member != e.in || e.gone && (e.in || !e.leave) {
			return fail("validator %d cannot be registered like that", e.id)
		}
	}
	for i := range l.payouts {
		p := &l.payouts[i]
		ok = ok && add(p.Amount)
		if p.Number > l.paidNo || p.Due <= cur.Number || int(p.ID) >= len(l.entries) {
			return fail("payout %d cannot be outstanding", p.Number)
		}
	}
	for i := range l.due {
		d := &l.due[i]
		ok = ok && add(d.Amount)
		if d.Number > l.paidNo || d.Due > cur.Number || d.To.Credit {
			return fail("payout %d cannot be on its way to a shard", d.Number)
		}
	}
	for i := range l.answers {
		if a := &l.answers[i]; a.told > cur.Number || int(a.shard) >= b.genesis.Shards {
			return fail("an answer to %s of a later epoch, or to no shard", a.tx.Short())
		}
	}
	for i := range l.credits {
		ok = ok && add(l.credits[i].amount)
	}
	if !ok || total-l.between != b.genesis.Staked() || total > b.genesis.Supply() {
		return fail("the funds are %d, of which %d came from shards; the genesis had %d at stake", total, int64(l.between), b.genesis.Staked())
	}
	if n := len(l.entries); len(cur.Members) > 0 && int(cur.Members[len(cur.Members)-1].ID) >= n {
		return fail("epoch %d has members that are not registered", cur.Number)
	}
	for _, seats := range b.current().plan.New {
		for _, id := range seats {
			if int(id) >= len(l.entries) {
				return fail("validator %d has a seat and is not registered", id)
			}
		}
	}
	if len(l.bases) != b.genesis.Shards {
		return fail("it has %d shards, %d are wanted", len(l.bases), b.genesis.Shards)
	}
	if len(l.silence) > 0 && l.seed == nil {
		return fail("servers are silent before there is a seed")
	}
	if l.seed == nil {
		return nil
	}
	return l.seed.frozen.check(len(l.entries), b.genesis.Shards, l.seed.ref.Height <= l.height)
}

func (f *frozen) check(registered, shards int, past bool) error {
	fail := func(format string, args ...any) error { return chain.Rule(ErrSnapshot, format, args...) }
	for _, list := range [][]chain.ValidatorID{f.members, f.joined, f.left, f.shed} {
		for _, id := range list {
			if int(id) >= registered {
				return fail("validator %d is frozen and not registered", id)
			}
		}
	}
	for _, t := range f.rotated {
		if int(t.id) >= registered {
			return fail("validator %d rotates and is not registered", t.id)
		}
	}
	for _, s := range f.stalled.List() {
		if int(s) >= shards {
			return fail("shard %d is stalled, there are %d", s, shards)
		}
	}
	if len(f.bases) != shards || len(f.members) == 0 || !past {
		return fail("no seed block leaves this")
	}
	return nil
}
