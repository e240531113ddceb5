package validator

import (
	"errors"
	"slices"
	"testing"
	"time"

	"ios/atomix"
	"ios/chain"
	"ios/chain/cosi"
	"ios/chain/cosi/cositest"
	"ios/chain/sig"
	"ios/internal/sm"
	"ios/pob/byzcoin"
	"ios/transepoch"
)

// hermit is a Core that is a shard of its own.
type hermit struct {
	t       *testing.T
	core    *Core
	key     *sig.Key
	now     time.Time
	timers  map[sm.TimerKey]time.Time
	records []sm.Persist
	values  []any // delivered
	plans   map[uint64]*transepoch.Plan
	limits  Limits
}

var hermitParams = chain.NewParams(chain.Hash{1}, chain.PrefixTest, 1, 1)

func newHermit(t *testing.T) *hermit {
	seed := [32]byte{7}
	key, err := sig.FromSeed(seed[:])
	if err != nil {
		t.Fatal(err)
	}
	h := &hermit{t: t, key: key, now: time.Unix(1000, 0), plans: map[uint64]*transepoch.Plan{}, limits: DefaultLimits()}
	h.plan(1)
	h.start(nil)
	return h
}

func (h *hermit) plan(epoch uint64) *transepoch.Plan {
	p, err := transepoch.Unchanged(hermitParams.ChainID, epoch, transepoch.Assignment{{0}}, chain.Shards{})
	if err != nil {
		h.t.Fatal(err)
	}
	h.plans[epoch] = p
	return p
}

// Committee implements chain.Committees.
func (h *hermit) Committee(shard chain.ShardID, term chain.Term) (*chain.Committee, error) {
	if h.plans[term.Epoch] == nil {
		return nil, chain.Rule(chain.ErrNotReady, "epoch %d", term.Epoch)
	}
	scheme := cositest.New("hermit")
	pub, err := scheme.Public(cositest.Secret(0))
	if err != nil {
		return nil, err
	}
	board, err := scheme.NewCommittee([]cosi.PublicKey{pub})
	return &chain.Committee{Shard: shard, Term: term, Members: []chain.ValidatorID{0}, Signing: []sig.PublicKey{h.key.Public()}, Cosi: board}, err
}

func (h *hermit) voice(signing sig.PublicKey) (byzcoin.Voice, bool) {
	scheme := cositest.New("hermit")
	vote, err := scheme.Public(cositest.Secret(0))
	if err != nil {
		h.t.Fatal(err)
	}
	v := byzcoin.Voice{Key: h.key, Vote: vote, Cosign: func(msg []byte) (cosi.Signature, error) { return scheme.Sign(cositest.Secret(0), msg) }}
	return v.Only(signing)
}

// start makes the Core, from the records of an earlier one or its snapshot.
func (h *hermit) start(saved []byte) {
	state := atomix.NewState(hermitParams, 0, [16]byte{})
	if err := state.Genesis([]chain.Output{{Owner: h.owner(), Amount: 100}, {Owner: h.owner(), Amount: 100}}); err != nil {
		h.t.Fatal(err)
	}
	core, err := New(Config{
		Params: hermitParams, Committees: [][]chain.ValidatorID{{0}}, Term: chain.Term{Epoch: 1}, State: state, Saved: saved,
		Agreement: byzcoin.ChainConfig{ChainID: hermitParams.ChainID, Committees: h, Voice: h.voice},
		Plan:      func(e uint64) *transepoch.Plan { return h.plans[e] }, Patience: time.Second, BatchDeadline: time.Second, Limits: h.limits,
	}, slices.Values(h.records))
	if err != nil {
		h.t.Fatal(err)
	}
	h.core, h.timers = core, map[sm.TimerKey]time.Time{}
	h.step(Start{})
}

func (h *hermit) owner() chain.Address {
	public := [32]byte(h.key.Public())
	return chain.AddressOf(&public)
}

func (h *hermit) step(ev sm.Event) {
	for _, e := range h.core.Step(h.now, ev) {
		switch e := e.(type) {
		case sm.SetTimer:
			h.timers[e.Key] = e.At
		case sm.CancelTimer:
			delete(h.timers, e.Key)
		case sm.Persist:
			h.records = append(h.records, e)
		case sm.Deliver:
			h.values = append(h.values, e.Value)
		}
	}
}

// pass lets time pass.
func (h *hermit) pass(d time.Duration) {
	for end := h.now.Add(d); ; {
		next, at := sm.TimerKey{}, end
		for key, when := range h.timers {
			if when.Before(at) {
				next, at = key, when
			}
		}
		if h.now = at; !at.Before(end) {
			return
		}
		delete(h.timers, next)
		h.step(sm.Fire{Key: next})
	}
}

// tx spends a coin of the genesis.
func (h *hermit) tx(coin uint32, expiry uint64) chain.Tx {
	t := chain.Tx{
		Expiry:    expiry,
		Inputs:    []chain.Input{{OutPoint: chain.OutPoint{Tx: chain.AllocationTx(hermitParams.ChainID), Index: coin}, Owner: h.owner(), Amount: 100}},
		Outputs:   []chain.Output{{Owner: h.owner(), Amount: 99}},
		Witnesses: []chain.Witness{{PublicKey: h.key.Public()}},
	}
	hermitParams.Seal(&t)
	return t
}

// answered is the answer to a submission.
func (h *hermit) answered(tag string) (a Answer, ok bool) {
	for _, v := range h.values {
		if v, is := v.(Answer); is && v.Tag == tag {
			if ok {
				h.t.Fatalf("%s is answered twice", tag)
			}
			a, ok = v, true
		}
	}
	return a, ok
}

func (h *hermit) enter(epoch uint64) {
	h.step(EpochKnown{h.plan(epoch), chain.Hash{byte(epoch)}})
	h.pass(time.Second)
	if got := h.core.Term(); got != (chain.Term{Epoch: epoch}) {
		h.t.Fatalf("the shard is in term %v, want epoch %d", got, epoch)
	}
}

// What expires in the queue is refused when the shard enters an epoch: in a body
// of that epoch it would be its author's fault.
func TestTheQueueExpiresWithItsEpoch(t *testing.T) {
	h := newHermit(t)
	h.core.cfg.Limits.Bodies = 0 // nothing gets into a body
	h.step(Submit{Txs: []chain.Tx{h.tx(0, 1), h.tx(1, 2)}, Tag: "a"})
	h.enter(2)
	if _, ok := h.answered("a"); ok {
		t.Fatal("answered with one still in the queue")
	}
	h.core.cfg.Limits.Bodies = 8
	h.step(Submit{Txs: []chain.Tx{h.tx(0, 1)}, Tag: "b"})
	if a, _ := h.answered("b"); len(a.Refusals) != 1 || !errors.Is(a.Refusals[0].Err, chain.ErrExpired) {
		t.Fatalf("a transaction of epoch 1 in epoch 2: %+v", a)
	}
	h.pass(time.Second)
	a, ok := h.answered("a")
	if !ok || len(a.Refusals) != 1 || a.Refusals[0].Index != 0 || !errors.Is(a.Refusals[0].Err, chain.ErrExpired) {
		t.Fatalf("%+v", a)
	}
}

// A restart comes back to the term, from the log and from a snapshot.
func TestARestartComesBackToTheTerm(t *testing.T) {
	h := newHermit(t)
	h.enter(2)
	h.step(Submit{Txs: []chain.Tx{h.tx(0, 3)}, Tag: "early"})
	h.pass(time.Second)
	h.enter(5) // epochs may be left out
	point, state := h.core.Point(), h.core.Transition().State
	h.start(nil)
	h.pass(time.Second)
	if got := h.core.Transition(); h.core.Point() != point || got.Epoch != 5 || got.Entered != state.Entered || !got.Plan {
		t.Fatalf("after the restart %+v at %v, before %+v at %v", got, h.core.Point(), state, point)
	}
	delete(h.plans, 5)
	h.start(nil)
	if got := h.core.Transition(); h.core.Point() != point || got.Plan || got.Reason == "" {
		t.Fatalf("without the epoch block %+v at %v", got, h.core.Point())
	}
	h.step(EpochKnown{h.plan(5), chain.Hash{5}})
	h.pass(time.Second)
	h.step(Submit{Txs: []chain.Tx{h.tx(1, 6)}, Tag: "late"})
	h.pass(time.Second)
	if a, ok := h.answered("late"); !ok || len(a.Refusals) > 0 || h.core.Point().Height != point.Height+1 {
		t.Fatalf("%+v at %v", a, h.core.Point())
	}
}

// Transactions wait for company as long as they would without the proofs of other
// shards that come meanwhile and go into bodies at once.
func TestProofsNeitherWaitNorMakeOthersWait(t *testing.T) {
	h := newHermit(t)
	h.core.cfg.Gather = 10 * time.Millisecond
	h.step(Submit{Txs: []chain.Tx{h.tx(0, 1)}, Tag: "a"})
	waiting := func() (txs, bundles, bodies int) {
		return h.core.pool.txs.len(), h.core.pool.bundles.len(), len(h.core.pool.bodies)
	}
	prove := func() {
		h.core.pool.addBundle(&chain.Bundle{Header: chain.Header{Epoch: 1}, Raw: []byte{1}})
		h.step(Events{})
	}
	prove() // the next block is due a while after the first
	h.step(Submit{Txs: []chain.Tx{h.tx(1, 1)}, Tag: "b"})
	h.pass(5 * time.Millisecond)
	prove()
	if txs, bundles, bodies := waiting(); txs != 1 || bundles != 0 || bodies != 2 {
		t.Fatalf("%d transactions and %d bundles wait, %d bodies are under way", txs, bundles, bodies)
	}
	h.pass(6 * time.Millisecond)
	if txs, _, bodies := waiting(); txs != 0 || bodies != 3 {
		t.Fatalf("after its time %d transaction waits, %d bodies are under way", txs, bodies)
	}
}
