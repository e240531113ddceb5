package atomix

import (
	"slices"

	"ios/chain"
)

// With three shards or more, an answer may come to a shard before that has the
// transaction open, and is not listened to if it is a no, or does not come with the
// transaction. Whoever gave the answer tells it again when the other one's yes
// shows that this may have been so.

// lateYes are the answers of other shards in a new block to what an earlier one
// told them without the transaction.
func (r *Relay) lateYes(rep *Report) (late []reminder) {
	for _, h := range rep.Heard {
		it := r.items[h.ID]
		if it == nil || h.All || it.told == rep.Height || r.vouches(it, h.Shard) {
			continue
		}
		i := slices.IndexFunc(late, func(l reminder) bool { return l.dest == h.Shard })
		if i < 0 {
			i, late = len(late), append(late, reminder{dest: h.Shard})
		}
		late[i].told.add(it.told, h.ID)
	}
	return late
}

// reminder is what to tell a shard once more.
type reminder struct {
	dest chain.ShardID
	told batches
}

// remind tells what lateYes found.
func (r *Relay) remind(late []reminder) {
	for _, l := range late {
		for i := range l.told {
			_, draw := r.turn(l.told[i].height, l.dest)
			r.show(r.contact(l.dest, draw), l.dest, &l.told[i], false)
		}
	}
}

// contradict shows our no to who brings its shard's yes.
func (r *Relay) contradict(from chain.ValidatorID, b *chain.Bundle) {
	if !r.members.has(from, b.Header.Shard) {
		return // it hands on what others brought
	}
	var told batches
	for i := range b.Segment.Entries {
		e := &b.Segment.Entries[i]
		if e.Outcome != chain.Accepted {
			continue
		}
		if st, known := r.cfg.Status(e.ID); known && st.Outcome == chain.Rejected {
			told.add(st.Told, e.ID)
		}
	}
	for i := range told {
		r.show(from, b.Header.Shard, &told[i], false)
	}
}

// contradictWaiting does so to those who brought a yes before a new block of ours
// said no.
func (r *Relay) contradictWaiting(rep *Report) {
	if len(r.inbox.waiting) == 0 {
		return
	}
	var done []*incoming
	for _, c := range rep.Closed {
		if c.Outcome != chain.Rejected {
			continue
		}
		for _, w := range r.inbox.waiting[c.ID] {
			if !w.in.own && !slices.Contains(done, w.in) {
				done = append(done, w.in)
				r.contradict(w.in.from, w.in.bundle)
			}
		}
	}
}
