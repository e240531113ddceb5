package atomix

import (
	"errors"
	"testing"
	"time"

	"ios/chain"
	"ios/internal/sm"
)

// one is a relay alone, whose effects are looked at one by one: validator 4 of
// shard 1, whose ledger is w.shards[1]; validators 0 to 3 are shard 0.
type one struct {
	t   *testing.T
	w   *world
	r   *Relay
	now time.Time
}

func newOne(t *testing.T, w *world) *one {
	n := &relayNet{world: w}
	var committees [][]chain.ValidatorID
	for s := range w.shards {
		committees = append(committees, n.members(chain.ShardID(s)))
	}
	r, err := NewRelay(RelayConfig{Params: w.params, Self: 4, Shard: 1, Committees: committees, Patience: patience,
		Status: w.shards[1].state.Status})
	if err != nil {
		t.Fatal(err)
	}
	return &one{t, w, r, time.Unix(1000, 0)}
}

// step gives the effects without timers.
func (o *one) step(ev sm.Event) (effects []sm.Effect) {
	for _, e := range o.r.Step(o.now, ev) {
		if _, timer := e.(sm.SetTimer); !timer {
			effects = append(effects, e)
		}
	}
	return effects
}

func (o *one) receive(from chain.ValidatorID, m sm.Message) []sm.Effect {
	l := &Letter{From: chain.ShardID(from / perShard), Msg: m}
	msg, err := DecodeMessage(o.w.params, l.AppendTo(nil))
	if err != nil {
		o.t.Fatal(err)
	}
	return o.step(sm.Receive{From: from, Msg: msg})
}

// content is what a message says.
func content(s sm.Send) sm.Message { return s.Msg.(*Letter).Msg }

// wait lets time pass and the timer fire.
func (o *one) wait(d time.Duration) []sm.Effect {
	o.now = o.now.Add(d)
	return o.step(sm.Fire{Key: relayTimer})
}

// only is the only effect, of type E.
func only[E any](t *testing.T, effects []sm.Effect) (e E) {
	t.Helper()
	if len(effects) != 1 {
		t.Fatalf("effects %v, one %T is wanted", effects, e)
	}
	e, ok := effects[0].(E)
	if !ok {
		t.Fatalf("effect %T %v, a %T is wanted", effects[0], effects[0], e)
	}
	return e
}

func (o *one) nothing(effects []sm.Effect) {
	o.t.Helper()
	if len(effects) > 0 {
		o.t.Fatalf("effects %T %v, none is wanted", effects[0], effects)
	}
}

// transfers locks n transfers from shard 0 to shard 1, a block each.
func transfers(t *testing.T, n int) (*world, []*chain.Bundle) {
	amounts := make([]uint64, n)
	for i := range amounts {
		amounts[i] = 100
	}
	w := newWorld(t, 2, amounts...)
	var proofs []*chain.Bundle
	for i := range n {
		tx := w.tx([]coin{w.coin(0, i)}, pay{w.wallet(1), 99})
		w.shards[0].submit(tx)
		proofs = append(proofs, w.shards[0].bundle(tx.ID, 1))
	}
	return w, proofs
}

func TestABundleIsCheckedAndSubmittedOnce(t *testing.T) {
	w, proofs := transfers(t, 1)
	o := newOne(t, w)
	other := *proofs[0] // the same block by a certificate of other members
	other.Cert.View++
	first := only[CheckProof](t, o.receive(0, &BundleMsg{proofs[0]}))
	o.nothing(o.receive(0, &BundleMsg{proofs[0]}))
	second := only[CheckProof](t, o.receive(1, &BundleMsg{&other})) // the first may be bad
	only[sm.Deliver](t, o.step(ProofChecked{first.Key, nil}))
	o.nothing(o.step(ProofChecked{second.Key, nil}))
	o.nothing(o.step(ProofChecked{first.Key, nil}))
	o.nothing(o.receive(2, &BundleMsg{&other}))
	o.nothing(o.step(CarryIn{Bundle: &other}))
	f := w.shards[1].carry(proofs[0])
	o.step(Decided{Block: f.block, Report: f.report})
	o.nothing(o.receive(1, &BundleMsg{&other}))
	if len(o.r.inbox.bundles)+len(o.r.inbox.waiting)+o.r.inbox.bytes != 0 {
		t.Fatalf("%+v is kept", o.r.inbox)
	}
}

func TestABadBundleGivesWayToAGoodOne(t *testing.T) {
	w, proofs := transfers(t, 1)
	o := newOne(t, w)
	bad := *proofs[0]
	bad.Cert.View++
	check := only[CheckProof](t, o.receive(0, &BundleMsg{&bad}))
	d := only[sm.Deliver](t, o.step(ProofChecked{check.Key, errors.New("bad")}))
	if m, ok := d.Value.(Misbehaviour); !ok || m.Who != 0 {
		t.Fatalf("%+v", d)
	}
	check = only[CheckProof](t, o.receive(1, &BundleMsg{proofs[0]}))
	for i := range maxUnready { // nobody's fault
		o.nothing(o.step(ProofChecked{check.Key, chain.Rule(chain.ErrNotReady, "of an epoch to come")}))
		check = only[CheckProof](t, o.wait(patience/16<<i))
	}
	only[sm.Deliver](t, o.step(ProofChecked{check.Key, nil}))
}

// What can never be checked is forgotten.
func TestAnUnreadyBundleIsForgotten(t *testing.T) {
	w, proofs := transfers(t, 1)
	o := newOne(t, w)
	check := only[CheckProof](t, o.receive(0, &BundleMsg{proofs[0]}))
	unready := ProofChecked{check.Key, chain.Rule(chain.ErrNotReady, "of an epoch that never comes")}
	o.nothing(o.step(unready))
	for i := range maxUnready {
		only[CheckProof](t, o.wait(patience/16<<i))
		o.nothing(o.step(unready))
	}
	o.nothing(o.wait(patience / 16 << maxUnready))
	if n := len(o.r.inbox.bundles); n != 0 || o.r.peer(0).unchecked != 0 {
		t.Fatalf("%d bundles are kept, %d count for their sender", n, o.r.peer(0).unchecked)
	}
}

// They must not keep others out: of each peer a few are kept, and few in all.
func TestFewUnreadyBundlesAreKept(t *testing.T) {
	w, proofs := transfers(t, maxUnreadyPeer+2)
	o := newOne(t, w)
	unready := func(from chain.ValidatorID, b *chain.Bundle) {
		check := only[CheckProof](t, o.receive(from, &BundleMsg{b}))
		for _, e := range o.step(ProofChecked{check.Key, chain.Rule(chain.ErrNotReady, "of an epoch to come")}) {
			if _, timer := e.(sm.SetTimer); !timer {
				t.Fatalf("%+v", e)
			}
		}
	}
	for _, b := range proofs[:maxUnreadyPeer+1] {
		unready(0, b)
	}
	if n := len(o.r.inbox.bundles); n != maxUnreadyPeer || o.r.peer(0).unchecked != maxUnreadyPeer {
		t.Fatalf("%d of one peer are kept", n)
	}
	o.r.inbox.unready.bundles = maxUnreadyKept
	unready(1, proofs[maxUnreadyPeer+1])
	o.r.inbox.unready.bundles = maxUnreadyPeer
	if n := len(o.r.inbox.bundles); n != maxUnreadyPeer {
		t.Fatalf("%d are kept", n)
	}
	for range 2 * (maxUnready + 1) {
		o.wait(time.Hour)
	}
	if u := o.r.inbox.unready; u.bundles != 0 || u.bytes != 0 || o.r.peer(0).unready != 0 {
		t.Fatalf("%+v is left of nothing", u)
	}
}

func TestAPeerHasABoundedNumberOfUncheckedBundles(t *testing.T) {
	w, proofs := transfers(t, maxUnchecked+2)
	o := newOne(t, w)
	for i, b := range proofs[:maxUnchecked+1] {
		if got := len(o.receive(0, &BundleMsg{b})); (got == 1) != (i < maxUnchecked) {
			t.Fatalf("%d effects of bundle %d", got, i)
		}
	}
	only[CheckProof](t, o.receive(1, &BundleMsg{proofs[maxUnchecked]})) // others are heard
	o.wait(8 * patience)                                                // the answers got lost
	only[CheckProof](t, o.receive(0, &BundleMsg{proofs[maxUnchecked+1]}))
}

func TestTheInboxIsBounded(t *testing.T) {
	w, proofs := transfers(t, 2)
	o := newOne(t, w)
	o.r.inbox.bytes = maxIncomingBytes - len(proofs[0].Encode()) + 1
	o.nothing(o.receive(0, &BundleMsg{proofs[0]}))
	o.nothing(o.step(CarryIn{Bundle: proofs[0]}))
	o.r.inbox.bytes = 0
	for i := range maxIncoming {
		o.r.inbox.bundles[chain.Hash{byte(i), byte(i >> 8)}] = nil
	}
	o.nothing(o.receive(0, &BundleMsg{proofs[0]}))
}

func TestABundleThatNoBlockTakesUpIsHandedOver(t *testing.T) {
	w, proofs := transfers(t, 1)
	o := newOne(t, w)
	only[sm.Deliver](t, o.step(CarryIn{Bundle: proofs[0]}))
	if s := only[sm.Send](t, o.wait(4*patience)); s.To[0] != 5 {
		t.Fatal(s.To)
	}
	only[sm.Deliver](t, o.wait(8*patience))
	if s := only[sm.Send](t, o.wait(16*patience)); s.To[0] != 6 {
		t.Fatal(s.To)
	}
	o.nothing(o.wait(32 * patience))
	if len(o.r.inbox.bundles)+len(o.r.inbox.waiting)+len(o.r.agenda) != 0 {
		t.Fatal("it is still kept")
	}
	// The colleague checks it as if it came from anybody.
	o = newOne(t, w)
	check := only[CheckProof](t, o.receive(6, &BundleMsg{proofs[0]}))
	only[sm.Deliver](t, o.step(ProofChecked{check.Key, nil}))
	only[sm.Send](t, o.wait(4*patience))
	o.nothing(o.wait(4 * patience)) // when the check would have been overdue
	only[sm.Deliver](t, o.wait(4*patience))
}

// What is dropped must not stay in memory until its turn on the agenda comes:
// the inbox's bound would count for nothing.
func TestADroppedBundleIsLetGo(t *testing.T) {
	w, proofs := transfers(t, 2)
	o := newOne(t, w)
	check := only[CheckProof](t, o.receive(0, &BundleMsg{proofs[0]}))
	o.step(ProofChecked{check.Key, errors.New("bad")})
	check = only[CheckProof](t, o.receive(1, &BundleMsg{proofs[1]}))
	only[sm.Deliver](t, o.step(ProofChecked{check.Key, nil}))
	f := w.shards[1].carry(proofs[1])
	o.step(Decided{Block: f.block, Report: f.report})
	for _, a := range o.r.agenda {
		if a.in != nil && a.in.bundle != nil {
			t.Fatalf("the bundle of block %d is kept", a.in.bundle.Header.Height)
		}
	}
	o.wait(100 * patience)
	if len(o.r.agenda) != 0 {
		t.Fatalf("%d appointments are left", len(o.r.agenda))
	}
}

func TestWhatIsClosedIsForgotten(t *testing.T) {
	w := newWorld(t, 2, 100)
	tx := w.tx([]coin{w.coin(1, 0)}, pay{w.wallet(0), 99})
	o := newOne(t, w)
	f := w.shards[1].submit(tx)
	o.step(Decided{Block: f.block, Report: f.report})
	w.shards[0].carry(w.shards[1].bundle(tx.ID, 0))
	f = w.shards[1].carry(w.shards[0].bundle(tx.ID, 1))
	o.step(Decided{Block: f.block, Report: f.report})
	o.wait(100 * patience)
	if len(o.r.items)+len(o.r.agenda) != 0 {
		t.Fatal("it is still watched")
	}
}

func TestOnlyMembersOfItsShardBringABundle(t *testing.T) {
	w := newWorld(t, 4, 100)
	tx := w.tx([]coin{w.coin(0, 0)}, pay{w.wallet(1), 99})
	w.shards[0].submit(tx)
	o := newOne(t, w)
	b := &BundleMsg{w.shards[0].bundle(tx.ID, 1)}
	if d := only[sm.Deliver](t, o.receive(8, b)); d.Value.(Misbehaviour).Who != 8 {
		t.Fatal(d)
	}
	o.nothing(o.receive(99, b)) // not a validator
	o.nothing(o.receive(4, b))  // our own name
}

// A validator that asks gets what its own shard was told, and little of it when
// it asks too much.
func TestQueriesAreAnsweredWithinBounds(t *testing.T) {
	w, proofs := transfers(t, 2)
	o := newOne(t, w)
	f := w.shards[1].carry(proofs[0])
	o.step(Decided{Block: f.block, Report: f.report})
	id, unknown := proofs[0].Txs[0].ID, proofs[1].Txs[0].ID
	q := &QueryMsg{[]chain.TxID{id, unknown}}
	effects := o.receive(0, q)
	if len(effects) != 2 {
		t.Fatal(effects)
	}
	b := content(effects[0].(sm.Send)).(*BundleMsg).Bundle
	if e := b.Segment.Entries[0]; e.ID != id || e.Outcome != chain.Committed || b.Segment.Dest != 0 {
		t.Fatalf("%+v", b)
	}
	if u := content(effects[1].(sm.Send)).(*UnknownMsg); len(u.IDs) != 1 || u.IDs[0] != unknown {
		t.Fatalf("%+v", u)
	}
	o.nothing(o.receive(5, q)) // our own shard knows
	sent := 0
	for range 500 {
		sent += len(o.receive(1, &QueryMsg{[]chain.TxID{unknown}}))
	}
	if sent != maxTokens {
		t.Fatalf("%d answers at once", sent)
	}
	o.now = o.now.Add(time.Second)
	if len(o.receive(1, q)) == 0 {
		t.Fatal("it is never heard again")
	}
}

// Old blocks are recalled from the log, a bounded number at a time.
func TestOldOutcomesAreRecalled(t *testing.T) {
	w, proofs := transfers(t, 1)
	f := w.shards[1].carry(proofs[0])
	o := newOne(t, w) // it did not see the block
	id := proofs[0].Txs[0].ID
	recall := only[Recall](t, o.receive(0, &QueryMsg{[]chain.TxID{id}}))
	if recall.ID != id || recall.Height != 1 || recall.Dest != 0 || recall.To != 0 || recall.Push {
		t.Fatalf("%+v", recall)
	}
	s := only[sm.Send](t, o.step(Recalled{recall, BundleOf(f.block, f.report.Tree, id, 0)}))
	if s.To[0] != 0 || content(s).(*BundleMsg).Bundle.Segment.Entries[0].ID != id {
		t.Fatalf("%+v", s)
	}
	only[Recall](t, o.receive(1, &QueryMsg{[]chain.TxID{id}}))
	o.nothing(o.step(Recalled{recall, nil}))
	o.r.recalls = maxRecalls
	o.nothing(o.receive(2, &QueryMsg{[]chain.TxID{id}}))
}

// A shard that answered is not asked again, and a peer that calls unknown what it
// was not asked for gets nothing.
func TestOnlyMissingAnswersAreAskedFor(t *testing.T) {
	w := newWorld(t, 4, 100)
	tx := w.tx([]coin{w.coin(1, 0)}, pay{w.wallet(0), 50}, pay{w.wallet(2), 49})
	o := newOne(t, w)
	f := w.shards[1].submit(tx)
	o.step(Decided{Block: f.block, Report: f.report})
	o.nothing(o.receive(0, &UnknownMsg{[]chain.TxID{tx.ID}}))
	w.shards[0].carry(w.shards[1].bundle(tx.ID, 0))
	f = w.shards[1].carry(w.shards[0].bundle(tx.ID, 1))
	o.step(Decided{Block: f.block, Report: f.report})
	var asked chain.ValidatorID
	for range 8 * perShard {
		for _, e := range o.wait(patience) {
			s := e.(sm.Send)
			if q, ok := content(s).(*QueryMsg); !ok || q.IDs[0] != tx.ID || s.To[0] < 8 || s.To[0] > 11 {
				t.Fatalf("%+v %+v", s, s.Msg)
			}
			asked = s.To[0]
		}
	}
	s := only[sm.Send](t, o.receive(asked, &UnknownMsg{[]chain.TxID{tx.ID}}))
	if b := content(s).(*BundleMsg).Bundle; s.To[0] != asked || len(b.Txs) != 1 {
		t.Fatalf("%+v", s)
	}
}

func TestTheMemoryOfRecentBlocksIsBounded(t *testing.T) {
	var c recent
	c.init()
	s, bodies := manyCoins(1000, 1000, [2]chain.ShardID{1, 0})
	s.Execute(&chain.Header{Epoch: 1, Height: 1}, bodies)
	rep := s.Report()
	const blocks = maxRecent/1000 + 50
	for h := uint64(1); h <= blocks; h++ {
		c.add(&chain.Block{Header: chain.Header{Height: h}}, rep, 0)
	}
	if c.held > maxRecent || c.has(50) || !c.has(blocks) || !c.has(51) || c.has(blocks+1) {
		t.Fatalf("%d entries from %d", c.held, c.from)
	}
	if len(c.showing(blocks, 1, map[chain.TxID]bool{rep.Tree[1].Entries[3].ID: true})) != 1 || c.segment(blocks, 1) == nil {
		t.Fatal("what is kept is not found")
	}
}

func TestNewRelayWantsASoundConfiguration(t *testing.T) {
	w := newWorld(t, 2, 100)
	status := w.shards[0].state.Status
	good := RelayConfig{Params: w.params, Self: 1, Shard: 0, Committees: [][]chain.ValidatorID{{0, 1}, {2, 3}}, Patience: 1, Status: status}
	if _, err := NewRelay(good); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(c *RelayConfig){
		"shard":        func(c *RelayConfig) { c.Shard = 2 },
		"one shard":    func(c *RelayConfig) { c.Committees = c.Committees[:1] },
		"no patience":  func(c *RelayConfig) { c.Patience = 0 },
		"no ledger":    func(c *RelayConfig) { c.Status = nil },
		"empty shard":  func(c *RelayConfig) { c.Committees = [][]chain.ValidatorID{{0, 1}, {}} },
		"double seats": func(c *RelayConfig) { c.Committees = [][]chain.ValidatorID{{0, 1}, {2, 2}} },
	} {
		c := good
		if spoil(&c); func() error { _, err := NewRelay(c); return err }() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
