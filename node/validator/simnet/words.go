package simnet

import (
	"time"

	"ios/chain"
	"ios/internal/sim"
	"ios/internal/sm"
	"ios/pob/byzcoin"
)

// words is what an honest validator has said in all its lives. It is bound by
// it, whatever happened to its disk since: what it says must be durable.
type words struct {
	votes  map[vote]chain.Hash
	acks   map[bodyAt]chain.Hash // by author and number
	joined map[chain.Term]uint64 // the highest view that it asked for
}

// vote is where a validator may speak for one block only. Phase 0 is its own
// proposal.
type vote struct {
	term         chain.Term
	height, view uint64
	phase        chain.Phase
}

// listen looks at everything that leaves an honest validator.
func (n *Net) listen(m *member) sim.Filter {
	all := map[chain.ShardID]*words{}
	return func(_ time.Time, to sm.NodeID, msg sm.Message) []sim.Parcel {
		l := msg.(*mail)
		tagged, ok := l.Msg.(*byzcoin.Tagged)
		if !ok {
			return sim.Pass(to, msg)
		}
		w := all[l.Shard]
		if w == nil {
			w = &words{votes: map[vote]chain.Hash{}, acks: map[bodyAt]chain.Hash{}, joined: map[chain.Term]uint64{}}
			all[l.Shard] = w
		}
		term := tagged.Term
		b := n.board(l.Shard, term)
		switch inner := tagged.Msg.(type) {
		case *byzcoin.Share:
			if seat := b.Seat(m.id); seat >= 0 && inner.Votes.Mask.Has(seat) {
				n.votes(m, w, b, vote{term, inner.Height, inner.View, inner.Phase}, inner.Block)
			}
		case *byzcoin.Proposal:
			if n.leaderAt(b, inner.View) == m.id {
				n.votes(m, w, b, vote{term, inner.Header.Height, inner.View, 0}, inner.Header.Hash())
			}
		case *byzcoin.ViewChange:
			w.joined[term] = max(w.joined[term], inner.Change.View)
		case *byzcoin.Acks:
			for _, r := range inner.Refs {
				at := bodyAt{term, chain.BodyRef{Author: r.Author, Number: r.Number}}
				if old, ok := w.acks[at]; ok && old != r.Hash {
					n.fail("honest validator %d acks two bodies %d of validator %d", m.id, r.Number, r.Author)
				}
				w.acks[at] = r.Hash
			}
		}
		return sim.Pass(to, msg)
	}
}

func (n *Net) votes(m *member, w *words, b *chain.Committee, at vote, block chain.Hash) {
	old, again := w.votes[at]
	switch {
	case again && old != block:
		n.fail("honest validator %d speaks for two blocks at height %d in view %d, phase %d", m.id, at.height, at.view, at.phase)
	case at.phase == 0 && m.life > 1, len(b.Members) > n.plan.Policy.TreeAbove:
		// What it signed before may leave later: a proposal that was only stored when
		// it crashed, and what an inner node of a tree gathers.
	case !again && at.view < w.joined[at.term]:
		n.fail("honest validator %d speaks for a block in view %d after it asked for view %d", m.id, at.view, w.joined[at.term])
	}
	w.votes[at] = block
}
