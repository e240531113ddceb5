package atomix

import (
	"container/heap"
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	"ios/chain"
	"ios/internal/sm"
)

// Relay is the machine by which a validator carries outcomes between its shard
// and the others. Nothing in it needs a client: what is open in the shard's
// state drives it, so it goes on after a restart.
//
// A final block's outcomes for another shard are sent by one member, the leader
// who made the block final, to one member there. All members watch what stays open:
// after a while, one after the other, they ask members of the shard that has not
// answered; the answer is the proof, or that nothing is known there, and then
// the own proof is sent with the transaction.
type Relay struct {
	cfg     RelayConfig
	seat    int // -1: we have none, and only answer
	members members

	items   map[chain.TxID]*item
	recent  recent
	agenda  agenda
	told    []*job // what we told last, see tellOthers
	seq     uint64
	timer   time.Time // what the timer is set to
	inbox   inbox
	peers   map[chain.ValidatorID]*peer
	heard   map[chain.ShardID]chain.ValidatorID // who last sent a good bundle
	recalls int                                 // that were not answered yet
	lead    int                                 // see Decided

	now time.Time
	out []sm.Effect
}

// item is a transaction that is open in the own shard.
type item struct {
	tx       *chain.Tx
	involved chain.Shards
	inputs   chain.Shards
	yes      chain.Shards
	told     uint64
}

// lacks reports whether the answer of a shard is missing.
func (it *item) lacks(s chain.ShardID) bool { return it.involved.Has(s) && !it.yes.Has(s) }

// NewRelay makes a relay.
func NewRelay(cfg RelayConfig) (*Relay, error) {
	if err := checkCommittees(cfg.Params, cfg.Committees); err != nil {
		return nil, err
	}
	switch {
	case int(cfg.Shard) >= cfg.Params.Shards:
		return nil, fmt.Errorf("atomix: shard %d of %d", cfg.Shard, cfg.Params.Shards)
	case cfg.Patience <= 0:
		return nil, fmt.Errorf("atomix: the relay's patience is %v, more than nothing is wanted", cfg.Patience)
	case cfg.Status == nil:
		return nil, fmt.Errorf("atomix: the relay has no ledger to ask")
	}
	r := &Relay{
		cfg: cfg, seat: slices.Index(cfg.Committees[cfg.Shard], cfg.Self),
		members: members{now: slices.Clone(cfg.Committees), before: make([][]chain.ValidatorID, len(cfg.Committees))},
		items:   make(map[chain.TxID]*item),
		peers:   make(map[chain.ValidatorID]*peer),
		heard:   make(map[chain.ShardID]chain.ValidatorID),
	}
	r.recent.init()
	r.inbox.init()
	return r, nil
}

// Step implements sm.Machine.
func (r *Relay) Step(now time.Time, ev sm.Event) []sm.Effect {
	r.now, r.out = now, nil
	switch ev := ev.(type) {
	case Decided:
		r.decided(&ev)
	case Restored:
		r.restored(ev.Open)
	case CommitteesChanged:
		r.committeesChanged(&ev)
	case sm.Receive:
		if l, ok := ev.Msg.(*Letter); ok {
			r.receive(ev.From, l)
		}
	case ProofChecked:
		r.proofChecked(ev.Key, ev.Err)
	case CarryIn:
		r.carryIn(ev)
	case Recalled:
		r.recalled(&ev)
	case sm.Fire:
		r.timer = time.Time{}
		r.due()
	}
	r.setTimer()
	return r.out
}

func (r *Relay) receive(from chain.ValidatorID, l *Letter) {
	if from == r.cfg.Self || !r.members.has(from, l.From) {
		return
	}
	shard := l.From
	switch msg := l.Msg.(type) {
	case *BundleMsg:
		r.receiveBundle(from, shard, msg.Bundle)
	case *QueryMsg:
		r.query(from, shard, msg.IDs)
	case *UnknownMsg:
		r.unknown(from, shard, msg.IDs)
	}
}

func (r *Relay) emit(e sm.Effect) { r.out = append(r.out, e) }

func (r *Relay) send(to chain.ValidatorID, shard chain.ShardID, msg sm.Message) {
	r.emit(sm.Send{To: []sm.NodeID{to}, Msg: &Letter{From: r.cfg.Shard, To: shard, Msg: msg}})
}

func (r *Relay) blame(who chain.ValidatorID, err error) {
	r.emit(sm.Deliver{Value: Misbehaviour{who, err}})
}

// turn is how many members have to be silent before it is ours to tell dest of
// the block at the height, and draw a number that all of us share.
func (r *Relay) turn(height uint64, dest chain.ShardID) (rank, draw int) {
	buf := append(make([]byte, 0, 32), "ios/relay-turn/v1"...)
	buf = be.AppendUint16(buf, uint16(r.cfg.Shard))
	buf = be.AppendUint16(buf, uint16(dest))
	buf = be.AppendUint64(buf, height)
	h := sha256.Sum256(buf)
	draw = int(be.Uint32(h[:]) >> 1)
	n := len(r.own())
	return (r.seat + draw) % n, draw
}

// slowFor is for how many times the patience a member is passed over through
// which an answer was missed.
const slowFor = 32

func (r *Relay) slow(v chain.ValidatorID) bool { return r.now.Before(r.peer(v).slowUntil) }

// contact is the member of dest to tell first: who last sent us something good,
// or else the one that the draw falls on.
func (r *Relay) contact(dest chain.ShardID, draw int) chain.ValidatorID {
	if v, ok := r.heard[dest]; ok && slices.Contains(r.members.now[dest], v) && !r.slow(v) {
		return v
	}
	return r.choose(r.members.now[dest], draw)
}

// choose takes the one of a shard's members that the draw falls on, or the next
// one that is not slow. It is not ourselves, though we may be a member there, too.
func (r *Relay) choose(list []chain.ValidatorID, draw int) chain.ValidatorID {
	for i := range list {
		if v := list[(draw+i)%len(list)]; v != r.cfg.Self && !r.slow(v) {
			return v
		}
	}
	return list[draw%len(list)]
}

// appointment is something to do at a time.
type appointment struct {
	at  time.Time
	seq uint64 // breaks ties, so that runs repeat
	job *job
	in  *incoming
}

type agenda []appointment

func (a agenda) Len() int { return len(a) }
func (a agenda) Less(i, j int) bool {
	if a[i].at.Equal(a[j].at) {
		return a[i].seq < a[j].seq
	}
	return a[i].at.Before(a[j].at)
}
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(x any)   { *a = append(*a, x.(appointment)) }
func (a *agenda) Pop() any {
	last := len(*a) - 1
	x := (*a)[last]
	(*a)[last] = appointment{}
	*a = (*a)[:last]
	return x
}

func (r *Relay) schedule(at time.Time, j *job, in *incoming) {
	r.seq++
	heap.Push(&r.agenda, appointment{at, r.seq, j, in})
}

// due does what is due.
func (r *Relay) due() {
	for len(r.agenda) > 0 && !r.agenda[0].at.After(r.now) {
		a := heap.Pop(&r.agenda).(appointment)
		if a.job != nil {
			r.pursue(a.job)
		} else {
			r.overdue(a.in)
		}
	}
}

var relayTimer = sm.TimerKey{Kind: 1}

func (r *Relay) setTimer() {
	if len(r.agenda) == 0 || r.agenda[0].at.Equal(r.timer) {
		return // a timer too early finds nothing due
	}
	r.timer = r.agenda[0].at
	r.emit(sm.SetTimer{Key: relayTimer, At: r.timer})
}
