package atomix

import (
	"time"

	"ios/chain"
)

// job is to get a shard's answers to what a block told it.
type job struct {
	height  uint64
	dest    chain.ShardID
	told    []chain.Entry // a segment of the block, or what is left of it
	attempt int
	sent    bool // to the member to
	to      chain.ValidatorID
}

// maxBackoff bounds how much rarer later questions become.
const maxBackoff = 3 // 2^3 times

func (r *Relay) decided(ev *Decided) {
	rep := ev.Report
	r.lead = ev.Lead
	for i := range rep.Opened {
		r.open(&rep.Opened[i])
	}
	for _, id := range rep.Retold {
		if it := r.items[id]; it != nil {
			it.told = rep.Height
		}
	}
	for _, h := range rep.Heard {
		if it := r.items[h.ID]; it != nil {
			it.yes.Add(h.Shard)
			if h.All {
				it.yes = it.involved
			}
		}
	}
	for i := range rep.Closed {
		delete(r.items, rep.Closed[i].ID)
	}
	r.settleInbox(rep)
	r.recent.add(ev.Block, rep, r.cfg.Shard)
	for i := range rep.Tree {
		switch dest := rep.Tree[i].Dest; dest {
		case r.cfg.Shard:
		case chain.IdentityShard:
			r.tellRegistry(r.recent.segment(rep.Height, i))
		default:
			r.announce(ev.Block, i, dest, rep.Tree[i].Entries)
		}
	}
}

func (r *Relay) open(o *Opened) {
	r.items[o.Tx.ID] = &item{
		tx: o.Tx, told: o.Told, yes: o.Yes,
		involved: r.cfg.Params.Involved(o.Tx), inputs: r.cfg.Params.InputShards(o.Tx),
	}
}

// announce tells a shard of a new block's segment, if it is our turn, and begins
// to watch for the answers. The first turn is that of the leader who has just
// made the block's certificate: nobody is as surely alive.
func (r *Relay) announce(block *chain.Block, segment int, dest chain.ShardID, told []chain.Entry) {
	height := block.Header.Height
	j := &job{height: height, dest: dest, told: told}
	if r.seat < 0 {
		return
	}
	n := uint64(len(r.own()))
	lead := int((block.Cert.View%n + uint64(r.lead)) % n)
	rank := (r.seat - lead + int(n)) % int(n)
	if rank == 0 {
		if b := r.recent.segment(height, segment); b != nil {
			_, draw := r.turn(height, dest)
			j.sent, j.to = true, r.contact(dest, draw)
			r.send(j.to, dest, &BundleMsg{r.withTxs(b, nil)})
		}
	}
	if r.firstPending(j) >= 0 {
		r.schedule(r.now.Add(time.Duration(rank+1)*r.cfg.Patience), j, nil)
	}
}

// restored takes up what was open before a restart.
func (r *Relay) restored(open []Opened) {
	for i := range open {
		r.open(&open[i])
	}
	if r.seat >= 0 {
		r.takeUp()
		r.remindRegistry()
	}
}

// firstPending is the place of the first transaction of a job without an answer,
// or -1.
func (r *Relay) firstPending(j *job) int {
	for i := range j.told {
		if it := r.items[j.told[i].ID]; it != nil && it.lacks(j.dest) {
			return i
		}
	}
	return -1
}

// pursue asks another member of the shard for the answers that are missing.
func (r *Relay) pursue(j *job) {
	first := r.firstPending(j)
	if first < 0 || r.seat < 0 {
		return
	}
	j.told = j.told[first:]
	var ids []chain.TxID
	for i := range j.told {
		if it := r.items[j.told[i].ID]; it != nil && it.lacks(j.dest) && len(ids) < MaxQuery {
			ids = append(ids, j.told[i].ID)
		}
	}
	rank, draw := r.turn(j.height, j.dest)
	if j.sent {
		r.peer(j.to).slowUntil = r.now.Add(slowFor * r.cfg.Patience)
	}
	j.attempt++
	to := r.choose(r.members.all(j.dest), draw+rank+j.attempt)
	j.sent, j.to = true, to
	r.peer(to).asked = min(r.peer(to).asked+len(ids), maxAsked)
	r.send(to, j.dest, &QueryMsg{ids})
	wait := time.Duration(len(r.own())) * r.cfg.Patience
	r.schedule(r.now.Add(wait<<min(j.attempt-1, maxBackoff)), j, nil)
}

// withTxs is the bundle with the open transactions of its entries that its
// destination may need: all of them, or those in only.
func (r *Relay) withTxs(b *chain.Bundle, only map[chain.TxID]bool) *chain.Bundle {
	full := &chain.Bundle{Header: b.Header, Cert: b.Cert, Place: b.Place, Segment: b.Segment}
	for i := range b.Segment.Entries {
		id := b.Segment.Entries[i].ID
		if it := r.items[id]; it != nil && (only == nil || only[id]) && r.vouches(it, b.Segment.Dest) {
			if full.Txs == nil { // where one is wanted, nearly all are
				full.Txs = make([]chain.Tx, 0, len(b.Segment.Entries)-i)
			}
			full.Txs = append(full.Txs, *it.tx)
		}
	}
	return full
}

// vouches reports whether the witnesses of an open transaction need not be
// doubted where it goes: this shard checked them, or the destination does not
// have to.
func (r *Relay) vouches(it *item, dest chain.ShardID) bool {
	return it.inputs.Has(r.cfg.Shard) || !it.inputs.Has(dest)
}
