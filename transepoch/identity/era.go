package identity

import (
	"fmt"
	"slices"

	"ios/chain"
	"ios/chain/cosi"
	"ios/chain/sig"
	"ios/transepoch"
)

// era is a record with what follows from it. It does not change.
type era struct {
	rec  *Epoch
	hash chain.Hash
	plan *transepoch.Plan
	all  []Member        // members and outgoing, ascending
	keys *cosi.Committee // of all, to derive others from
	own  *chain.Committee
}

// newEra makes the era of a record that was checked. Keys that an earlier era has
// need not be parsed again.
func newEra(rec *Epoch, before *era, scheme cosi.Scheme) (*era, error) {
	e := &era{rec: rec, hash: rec.Hash()}
	var err error
	if e.plan, err = rec.Plan(); err != nil {
		return nil, err
	}
	e.all = append(slices.Clone(rec.Members), rec.Outgoing...)
	slices.SortFunc(e.all, func(a, b Member) int { return int(a.ID) - int(b.ID) })
	keys := make([]cosi.PublicKey, len(e.all))
	for i := range e.all {
		keys[i] = e.all[i].Cosi
	}
	parse := scheme.NewCommittee
	if before != nil {
		parse = before.keys.Derive
	}
	if e.keys, err = parse(keys); err != nil {
		return nil, chain.Rule(ErrEpoch, "the keys of epoch %d: %v", rec.Number, err)
	}
	e.own, err = e.committee(chain.IdentityShard, 0)
	return e, err
}

// committee is that of a term which the era has.
func (e *era) committee(shard chain.ShardID, batch uint32) (*chain.Committee, error) {
	members := ids(e.rec.Members)
	if shard != chain.IdentityShard {
		var err error
		if members, err = e.plan.Committee(shard, batch); err != nil {
			return nil, err
		}
	}
	c := &chain.Committee{Shard: shard, Term: chain.Term{Epoch: e.rec.Number, Batch: batch}, Members: members}
	keys := make([]cosi.PublicKey, len(members))
	for i, id := range members {
		at := find(e.all, id)
		if at < 0 {
			return nil, chain.Rule(ErrEpoch, "validator %d has a seat in epoch %d and no keys", id, e.rec.Number)
		}
		c.Signing = append(c.Signing, e.all[at].Signing)
		keys[i] = e.all[at].Cosi
	}
	var err error
	if c.Cosi, err = e.keys.Derive(keys); err != nil {
		return nil, fmt.Errorf("the committee of shard %d in term %v: %w", shard, c.Term, err)
	}
	return c, nil
}

// signing is a validator's key for messages in the era.
func (e *era) signing(id chain.ValidatorID) (key sig.PublicKey, ok bool) {
	if i := find(e.all, id); i >= 0 {
		return e.all[i].Signing, true
	}
	return key, false
}
