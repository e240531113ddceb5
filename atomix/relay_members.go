package atomix

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"time"

	"ios/chain"
)

// CommitteesChanged is the event of new committees, in the form of
// [RelayConfig].Committees. That of a shard may be nil: it is as before. The own
// one may be without ourselves; the relay then answers, and hands on what comes.
// Others, by shard too, may have a seat there in the meantime, or no longer.
type CommitteesChanged struct {
	Committees, Others [][]chain.ValidatorID
	// Anew says that the own shard goes on to another term, maybe with the same
	// members: bodies that the last one left undone are in no block.
	Anew bool
}

// members are the validators of all shards, as far as this one knows.
type members struct {
	now    [][]chain.ValidatorID
	before [][]chain.ValidatorID // what now was, for each shard, when it last changed
	others [][]chain.ValidatorID // who comes or goes; nil if nobody
}

func checkCommittees(p *chain.Params, committees [][]chain.ValidatorID) error {
	if len(committees) != p.Shards {
		return fmt.Errorf("atomix: committees for %d shards, there are %d", len(committees), p.Shards)
	}
	for s, list := range committees {
		if len(list) == 0 {
			return fmt.Errorf("atomix: shard %d has no members", s)
		}
		for i, v := range list {
			if slices.Contains(list[:i], v) {
				return fmt.Errorf("atomix: validator %d has two seats in shard %d", v, s)
			}
		}
	}
	return nil
}

// has reports whether a validator is in a shard, or was before the last change.
// A validator may be in two shards, and need not learn of changes when we do.
func (m *members) has(v chain.ValidatorID, s chain.ShardID) bool {
	return int(s) < len(m.now) && (slices.Contains(m.now[s], v) || slices.Contains(m.before[s], v) || slices.Contains(m.coming(s), v))
}

func (m *members) coming(s chain.ShardID) []chain.ValidatorID {
	if m.others == nil {
		return nil
	}
	return m.others[s]
}

// all are the members of a shard and who comes or goes.
func (m *members) all(s chain.ShardID) []chain.ValidatorID {
	return slices.Concat(m.now[s], m.coming(s))
}

func (m *members) set(s int, list []chain.ValidatorID) {
	if len(list) > 0 && !slices.Equal(list, m.now[s]) {
		m.before[s], m.now[s] = m.now[s], slices.Clone(list)
	}
}

// own are the members of our shard, by seat.
func (r *Relay) own() []chain.ValidatorID { return r.members.now[r.cfg.Shard] }

// settled are the members of our shard that had a seat before the last change, or
// all if none had: who comes in need not know of its seat yet.
func (r *Relay) settled() []chain.ValidatorID {
	var list []chain.ValidatorID
	for _, v := range r.own() {
		if slices.Contains(r.members.before[r.cfg.Shard], v) {
			list = append(list, v)
		}
	}
	if list == nil {
		return r.own()
	}
	return list
}

// committeesChanged takes new members. Who has got a seat takes up what is open.
func (r *Relay) committeesChanged(ev *CommitteesChanged) {
	if n := len(r.members.now); len(ev.Committees) != n || ev.Others != nil && len(ev.Others) != n {
		return
	}
	own := r.own()
	for s, list := range ev.Committees {
		r.members.set(s, list)
	}
	r.members.others = ev.Others
	had := r.seat >= 0
	if r.seat = slices.Index(r.own(), r.cfg.Self); r.seat >= 0 && !had {
		r.takeUp()
	}
	if ev.Anew || !slices.Equal(own, r.own()) {
		r.offerAgain()
	}
	r.tellOthers()
	r.checkAgain()
}

// peer is the account of a validator.
func (r *Relay) peer(v chain.ValidatorID) *peer {
	p := r.peers[v]
	if p == nil {
		p = &peer{tokens: maxTokens}
		r.peers[v] = p
	}
	return p
}

// takeUp begins to watch everything that is open.
func (r *Relay) takeUp() {
	type place struct {
		height uint64
		dest   chain.ShardID
	}
	jobs := make(map[place]*job)
	ids := slices.SortedFunc(maps.Keys(r.items), func(a, b chain.TxID) int { return bytes.Compare(a[:], b[:]) })
	for _, id := range ids {
		it := r.items[id]
		for d := range chain.ShardID(r.cfg.Params.Shards) {
			if d == r.cfg.Shard || !it.lacks(d) {
				continue
			}
			p := place{it.told, d}
			j := jobs[p]
			if j == nil || len(j.told) == MaxQuery {
				j = &job{height: it.told, dest: d}
				jobs[p] = j
				rank, draw := r.turn(it.told, d)
				spread := r.cfg.Patience / 64 * time.Duration(draw%64)
				r.schedule(r.now.Add(time.Duration(rank)*r.cfg.Patience+spread), j, nil)
			}
			j.told = append(j.told, chain.Entry{ID: id, Outcome: chain.Accepted})
		}
	}
}
