package node

import (
	"os"
	"path/filepath"
	"slices"
	"time"

	"ios/chain"
	"ios/node/council"
)

// A validator runs the shards in which it has a seat, or gets one in the current
// epoch. It joins a shard when the epoch begins that brings it in, and leaves when
// a batch has taken its seat, nothing that it was told to keep is unfinished, and a
// quorum of the next committee has answered from there.

// keepLeft is how long the data of a shard that was left stays: a validator that
// is drawn into it again soon has little to fetch.
const keepLeft = 2 * time.Minute

// move joins the shards that run elsewhere with a seat of ours.
func (n *Node) move() {
	w := n.net
	for s := range chain.ShardID(w.params.Shards) {
		seats, err := w.book.Seats(s)
		if err != nil || !slices.Contains(seats, w.self) || n.runner(s) != nil {
			continue
		}
		if _, err := os.Stat(filepath.Join(n.chainDir(s), leftMark)); err == nil && !n.comes(s) {
			continue // we have left it in this epoch
		}
		if err := n.Join(n.quit, s); err != nil && n.quit.Err() == nil {
			n.log.Errorf("%v", err)
		}
	}
}

// comes reports whether we have a seat in a shard at the end of its plan.
func (n *Node) comes(shard chain.ShardID) bool {
	plan, err := n.net.book.ShardPlan(shard)
	return err == nil && slices.Contains(plan.New[shard], n.net.self)
}

// maybeLeave leaves the shard when it has no use for us any more. It runs in the loop.
func (m *member) maybeLeave() {
	n := m.node
	if !n.net.ends() || !m.core.MayGo() || n.comes(m.chain) || !m.leaving.CompareAndSwap(false, true) {
		return
	}
	n.work.Go(func() {
		if err := n.Leave(m.chain, keepLeft); err != nil {
			if n.quit.Err() == nil {
				n.log.Errorf("%v", err)
			}
			m.leaving.Store(false)
		}
	})
}

// showEvery is how often the identity chain is told of a shard's blocks, besides
// the first of each term.
const showEvery = 2 * time.Second

// show tells the identity chain where the shard is. It runs in the loop.
func (m *member) show(b *chain.Block, now time.Time) {
	last := m.shownAt.Load()
	if last != nil && last.Header.Term() == b.Header.Term() && now.Sub(m.shown) < showEvery {
		return
	}
	m.shown = now
	at := &council.ShardAt{Header: b.Header, Cert: b.Cert}
	m.shownAt.Store(at)
	if a := m.node.assembly(); a != nil {
		go a.post(*at)
	}
}

// ends reports whether epochs end on this chain.
func (w *network) ends() bool { return w.genesis.Policy.EpochLength > 0 }
