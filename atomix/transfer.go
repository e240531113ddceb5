package atomix

import (
	"errors"
	"fmt"
	"time"

	"ios/chain"
	"ios/chain/cosi"
	"ios/internal/sm"
)

// Transfer is the machine by which a client brings one transaction to its end,
// within a shard or across. It needs nothing but the transaction: it first asks
// all involved shards what they know, so it can be started again at any moment
// and on any machine.
//
// Only proofs count. A validator that says less than it knows, or nothing, costs
// time: the next question goes to another one. What cannot be proven, that a
// shard refuses a transaction or does not know it, is believed when so many
// members say it that one of them is honest.
type Transfer struct {
	cfg      TransferConfig
	involved []chain.ShardID
	inputs   chain.Shards
	registry bool // the identity chain answers, too: a shard that commits has heard it
	views    map[chain.ShardID]*view

	decisive Verdict
	done     bool
	now      time.Time
	out      []sm.Effect
}

// view is what a client knows of one shard, and what it is doing about it.
type view struct {
	shard   chain.ShardID
	members int

	outcome chain.Outcome // proven
	claim   Claim
	reason  string
	refused map[int]string // what members said against it
	denied  map[int]bool   // members that know nothing recorded
	sent    bool           // a member took it
	waited  int            // answers since then
	took    map[int]bool   // members that took it and brought it nowhere yet

	doing    activity
	peer     Peer // whom it is waiting for
	next     int  // the member to ask next
	source   int  // the involved shard to fetch a proof from next
	liars    map[int]bool
	quiet    int // questions since something was new
	failures int // in a row
}

type activity uint8

const (
	resting activity = iota
	asking
	submitting
	fetching
	carrying
)

// NewTransfer makes a machine for a transaction that CheckTx passes.
func NewTransfer(cfg TransferConfig) (*Transfer, error) {
	if len(cfg.Tx.Inputs) == 0 || cfg.Tx.ID.IsZero() {
		return nil, fmt.Errorf("atomix: a transfer needs a sealed transaction with inputs")
	}
	if cfg.Interval <= 0 {
		cfg.Interval = DefaultInterval
	}
	if cfg.MaxInterval < cfg.Interval {
		cfg.MaxInterval = max(cfg.Interval, DefaultMaxInterval)
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = DefaultTimeout
	}
	involved := cfg.Params.Involved(cfg.Tx)
	t := &Transfer{
		cfg: cfg, involved: involved.List(), inputs: cfg.Params.InputShards(cfg.Tx),
		registry: involved.Has(chain.IdentityShard), views: make(map[chain.ShardID]*view),
	}
	for _, s := range t.involved {
		if int(s) >= len(cfg.Committees) || int(s) >= len(cfg.Members) || cfg.Committees[s] == nil || cfg.Members[s] < 1 {
			return nil, fmt.Errorf("atomix: transaction %s involves shard %d, of which no committee or no member is known", cfg.Tx.ID.Short(), s)
		}
		t.views[s] = &view{
			shard: s, members: cfg.Members[s], next: max(cfg.First, 0) % cfg.Members[s],
			refused: make(map[int]string), denied: make(map[int]bool), took: make(map[int]bool), liars: make(map[int]bool),
		}
	}
	return t, nil
}

// Step implements sm.Machine.
func (t *Transfer) Step(now time.Time, ev sm.Event) []sm.Effect {
	t.now, t.out = now, nil
	if t.done {
		return nil
	}
	switch ev := ev.(type) {
	case StartTransfer:
		for _, s := range t.involved {
			t.ask(t.views[s])
		}
	case Asked:
		t.asked(&ev)
	case Submitted:
		t.submitted(&ev)
	case Fetched:
		t.fetched(&ev)
	case Carried:
		t.carried(&ev)
	case sm.Fire:
		if v := t.views[chain.ShardID(ev.Key.N)]; v != nil && ev.Key.Kind == transferTimer && ev.Key.N <= chain.MaxShards {
			t.fire(v)
		}
	}
	return t.out
}

const transferTimer = 1

func (t *Transfer) emit(e sm.Effect)  { t.out = append(t.out, e) }
func (t *Transfer) deliver(value any) { t.emit(sm.Deliver{Value: value}) }

// after sets the shard's one timer.
func (t *Transfer) after(v *view, wait time.Duration) {
	t.emit(sm.SetTimer{Key: sm.TimerKey{Kind: transferTimer, N: uint64(v.shard)}, At: t.now.Add(wait)})
}

// begin notes what the shard's timer now limits.
func (t *Transfer) begin(v *view, what activity, peer Peer, request sm.Effect) {
	v.doing, v.peer = what, peer
	t.emit(request)
	t.after(v, t.cfg.Timeout)
}

// rest waits before the next question, longer each time that nothing was new.
func (t *Transfer) rest(v *view) {
	v.doing = resting
	wait := t.cfg.Interval << min(v.quiet, 16)
	t.after(v, min(wait, t.cfg.MaxInterval))
}

// ask asks the next member of the shard that has not lied.
func (t *Transfer) ask(v *view) {
	p := t.pick(v)
	t.begin(v, asking, p, Ask{p})
}

// pick goes round the members.
func (t *Transfer) pick(v *view) Peer {
	if len(v.liars) >= v.members {
		clear(v.liars) // there is nobody else
	}
	for v.liars[v.next] {
		v.next = (v.next + 1) % v.members
	}
	p := Peer{v.shard, v.next}
	v.next = (v.next + 1) % v.members
	return p
}

// fire is the end of a rest, or of the time for an answer.
func (t *Transfer) fire(v *view) {
	if v.doing == resting {
		t.ask(v)
		return
	}
	t.failed(v)
}

// failed goes to the next member at once, unless all have failed.
func (t *Transfer) failed(v *view) {
	if v.failures++; v.failures%v.members == 0 {
		v.quiet++
		t.rest(v)
		return
	}
	t.ask(v)
}

// waitsFor finds the view whose request a peer's answer belongs to.
func (t *Transfer) waitsFor(what activity, shard chain.ShardID, p Peer) *view {
	if v := t.views[shard]; v != nil && v.doing == what && v.peer == p {
		return v
	}
	return nil
}

// lied puts a peer last.
func (t *Transfer) lied(p Peer, err error) {
	if v := t.views[p.Shard]; v != nil {
		v.liars[p.Member] = true
	}
	t.deliver(Liar{p, err})
}

func (t *Transfer) asked(ev *Asked) {
	v := t.waitsFor(asking, ev.Shard, ev.Peer)
	if v == nil {
		return // too late
	}
	if ev.Err != nil {
		t.failed(v)
		return
	}
	if ev.Claim == ClaimRecorded {
		if err := t.checkProof(v, ev.Proof); errors.Is(err, chain.ErrNotReady) {
			t.failed(v) // of a term that is not known here yet
			return
		} else if err != nil {
			t.lied(ev.Peer, err)
			t.failed(v)
			return
		}
	}
	v.failures = 0
	t.learn(v, ev)
	if t.judge(); t.done {
		return
	}
	t.act(v)
}

func (t *Transfer) checkProof(v *view, p *chain.OutcomeProof) error {
	if p == nil {
		return chain.Rule(chain.ErrProof, "an outcome without a proof")
	}
	if p.Entry.ID != t.cfg.Tx.ID {
		return chain.Rule(chain.ErrProof, "a proof for %s, not for %s", p.Entry.ID.Short(), t.cfg.Tx.ID.Short())
	}
	committee, err := t.committee(v.shard, p.Header.Term())
	if err != nil {
		return err
	}
	return p.Verify(t.cfg.Params, v.shard, committee)
}

// committee is who has to have signed a header.
func (t *Transfer) committee(shard chain.ShardID, term chain.Term) (*cosi.Committee, error) {
	if t.cfg.Terms == nil {
		return t.cfg.Committees[shard], nil
	}
	c, err := t.cfg.Terms.Committee(shard, term)
	if err != nil {
		return nil, err
	}
	return c.Cosi, nil
}

// learn takes in an answer.
func (t *Transfer) learn(v *view, ev *Asked) {
	var height uint64
	v.waited++
	before, claim := v.outcome, v.claim
	if ev.Claim == ClaimRecorded {
		// Nothing is asked any more once the shard has closed it: nothing is
		// taken back here by a member that is behind.
		v.outcome, height = ev.Proof.Entry.Outcome, ev.Proof.Header.Height
		clear(v.denied)
	} else if v.outcome == 0 {
		v.denied[ev.Member] = true
	}
	if ev.Claim == ClaimSkipped && v.outcome == 0 {
		v.refused[ev.Member] = ev.Reason
	}
	if v.outcome == 0 || ev.Claim == ClaimRecorded {
		v.claim, v.reason = ev.Claim, ev.Reason
	}
	if v.outcome == before && v.claim == claim {
		v.quiet++
		return
	}
	v.quiet = 0
	t.deliver(Progress{Shard: v.shard, Claim: v.claim, Outcome: v.outcome, Height: height, Reason: v.reason})
	t.hasten()
}

// hasten has the shards asked soon about which long nothing was new: what happened in
// one is what another has done, or will do.
func (t *Transfer) hasten() {
	for _, s := range t.involved {
		if v := t.views[s]; v.quiet > 0 && v.outcome <= chain.Accepted {
			v.quiet = 0
			if v.doing == resting {
				t.rest(v)
			}
		}
	}
}

// act does what the shard lacks.
func (t *Transfer) act(v *view) {
	switch {
	case v.outcome > chain.Accepted: // it is done
		v.doing = resting
	case v.outcome == chain.Accepted || t.somewhereYes():
		// The shards bring each other the proofs. Only if that takes long, or does
		// not happen, the client does.
		if v.quiet == 0 || !t.fetch(v) {
			t.rest(v)
		}
	case t.inputs.Has(v.shard) && t.decisive == Open && t.unheard(v):
		// To the one that has just answered: who is asked and who is submitted to
		// must not be two halves of the committee.
		t.begin(v, submitting, v.peer, SubmitTx{v.peer, t.cfg.Tx})
	default:
		t.rest(v)
	}
}

// patienceOfSender is how many answers without an outcome may come after a
// member took the transaction before it is submitted again: that member may have
// lied, and no claim of others counts for more.
const patienceOfSender = 4

// unheard reports whether the transaction should be submitted to the shard.
func (t *Transfer) unheard(v *view) bool {
	return v.claim != ClaimPending && (!v.sent || v.waited >= patienceOfSender && !v.took[v.peer.Member])
}

// somewhereYes reports whether a shard is proven to stand for the transaction.
func (t *Transfer) somewhereYes() bool {
	for _, s := range t.involved {
		if t.views[s].outcome.Yes() {
			return true
		}
	}
	return false
}

func (t *Transfer) submitted(ev *Submitted) {
	v := t.waitsFor(submitting, ev.Shard, ev.Peer)
	if v == nil {
		return
	}
	again := errors.Is(ev.Err, chain.ErrFull) || errors.Is(ev.Err, chain.ErrNotReady)
	switch {
	case ev.Err == nil || ev.Refused && errors.Is(ev.Err, chain.ErrDecided):
		v.sent, v.waited, v.failures, v.quiet = true, 0, 0, 0
		if v.took[ev.Member] = true; len(v.took) == v.members {
			clear(v.took)
		}
		t.rest(v)
	case !ev.Refused:
		t.failed(v)
	case again:
		v.quiet++
		t.rest(v)
	default:
		v.refused[ev.Member] = ev.Err.Error()
		switch t.judge(); {
		case t.done:
		case errors.Is(ev.Err, chain.ErrUnknown) || errors.Is(ev.Err, chain.ErrLocked):
			// What is missing or held here may be there in a moment: the next member
			// is given the time to catch up with whoever showed us the inputs.
			v.quiet++
			t.rest(v)
		default:
			t.failed(v)
		}
	}
}
