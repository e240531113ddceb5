package atomix

import (
	"slices"
	"time"

	"ios/chain"
)

// job is to get a shard's answers to what a block told it.
type job struct {
	height  uint64
	segment int // of the block; only of a job in Relay.told
	dest    chain.ShardID
	told    []chain.Entry // a segment of the block, or what is left of it
	attempt int
	sent    bool // to the member to
	to      chain.ValidatorID
	at      time.Time // when it was told, if it was
}

// maxTold bounds the segments that we may have told to nobody.
const maxTold = 128

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
	late := r.lateYes(rep)
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
	r.recent.add(ev.Block, rep, r.cfg.Shard)
	r.contradictWaiting(rep)
	r.settleInbox(rep)
	if r.rank(ev.Block) == 0 {
		r.remind(late)
	}
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

// rank is how many members come before us in telling of a block, -1 without a
// seat. The first is the leader who has just made the block's certificate: nobody is
// as surely alive.
func (r *Relay) rank(block *chain.Block) int {
	if r.seat < 0 {
		return -1
	}
	n := uint64(len(r.own()))
	lead := int((block.Cert.View%n + uint64(r.lead)) % n)
	return (r.seat - lead + int(n)) % int(n)
}

// announce tells a shard of a new block's segment, if it is our turn, and begins
// to watch for the answers.
func (r *Relay) announce(block *chain.Block, segment int, dest chain.ShardID, told []chain.Entry) {
	height := block.Header.Height
	j := &job{height: height, segment: segment, dest: dest, told: told}
	rank := r.rank(block)
	if rank < 0 {
		return
	}
	if rank == 0 {
		r.tell(j)
		r.told = append(r.told, j)
		if n := len(r.told) - maxTold; n > 0 {
			r.told = slices.Delete(r.told, 0, n)
		}
	}
	if r.firstPending(j) >= 0 {
		r.schedule(r.now.Add(time.Duration(rank+1)*r.cfg.Patience), j, nil)
	}
}

// tell sends a job's segment.
func (r *Relay) tell(j *job) {
	if b := r.recent.segment(j.height, j.segment); b != nil {
		_, draw := r.turn(j.height, j.dest)
		j.sent, j.to, j.at = true, r.contact(j.dest, draw), r.now
		r.send(j.to, j.dest, &BundleMsg{r.withTxs(b, nil)})
	}
}

// tellOthers tells what was told of late to who does not surely have a seat: it
// may have left, and then nobody knows of it for as long as the patience lasts.
func (r *Relay) tellOthers() {
	r.told = slices.DeleteFunc(r.told, func(j *job) bool {
		return j.attempt > 0 || r.now.Sub(j.at) >= r.cfg.Patience
	})
	for _, j := range r.told {
		if !slices.Contains(r.members.now[j.dest], j.to) {
			r.tell(j)
		}
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
	list := r.members.now[j.dest]
	if j.attempt > len(list) { // in the end, who comes or goes
		list = r.members.all(j.dest)
	}
	to := r.choose(list, draw+rank+j.attempt)
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
