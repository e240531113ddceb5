package atomix

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"testing"
	"time"

	"ios/chain"
	"ios/internal/sim"
	"ios/internal/sm"
)

const (
	perShard = 4
	patience = time.Second
	interval = 100 * time.Millisecond // between blocks
)

// relayNet is a world whose shards are linked by relays only: four validators a
// shard share its ledger, which turns what they submit into a block at once.
type relayNet struct {
	*world
	net     *sim.Network
	pending [][]*chain.Bundle // by shard
	offered [][]*chain.Tx
	blamed  map[chain.ValidatorID]error
	submits int
	clients map[sm.NodeID]*client
	// lie is what a validator tells a client in place of the truth.
	lie func(truth Asked) Asked
	// swallow hides what a shard's blocks would hear, as if no body with it came.
	swallow func(shard chain.ShardID, b *chain.Bundle) bool
}

func newRelayNet(w *world, seed uint64, faults sim.Faults) *relayNet {
	n := &relayNet{world: w, blamed: map[chain.ValidatorID]error{}, clients: map[sm.NodeID]*client{}}
	n.pending, n.offered = make([][]*chain.Bundle, len(w.shards)), make([][]*chain.Tx, len(w.shards))
	cfg := sim.Config{
		Seed: seed, Faults: faults,
		Factory: n.build,
		Decode:  func(raw []byte) (sm.Message, error) { return DecodeMessage(w.params, raw) },
		Answer:  n.answer, Delivered: n.delivered,
	}
	for s := range w.shards {
		cfg.Nodes = append(cfg.Nodes, n.members(chain.ShardID(s))...)
	}
	cfg.Nodes = append(cfg.Nodes, firstClient, firstClient+1)
	n.net = sim.New(cfg)
	n.net.After(interval, n.blocks)
	return n
}

func (n *relayNet) members(s chain.ShardID) (list []chain.ValidatorID) {
	for i := range perShard {
		list = append(list, chain.ValidatorID(int(s)*perShard+i))
	}
	return list
}

func (n *relayNet) ledgerOf(v chain.ValidatorID) *ledger { return n.shards[int(v)/perShard] }

func (n *relayNet) build(v sm.NodeID, now time.Time, _ []sm.Persist) (sm.Machine, []sm.Effect) {
	if v >= firstClient {
		return n.buildClient(v, now)
	}
	var committees [][]chain.ValidatorID
	for s := range n.shards {
		committees = append(committees, n.members(chain.ShardID(s)))
	}
	l := n.ledgerOf(v)
	r, err := NewRelay(RelayConfig{
		Params: n.params, Self: v, Shard: l.id, Committees: committees, Patience: patience,
		Status: func(id chain.TxID) (Status, bool) { return l.state.Status(id) },
	})
	if err != nil {
		n.Fatal(err)
	}
	return r, r.Step(now, Restored{Open: l.state.OpenRecords()})
}

// answer is the shell's part: checking off the machine, and the log.
func (n *relayNet) answer(v sm.NodeID, e sm.Effect) (time.Duration, sm.Event) {
	if v >= firstClient {
		return 5 * time.Millisecond, n.answerClient(e)
	}
	l := n.ledgerOf(v)
	switch e := e.(type) {
	case CheckProof:
		return time.Millisecond, ProofChecked{e.Key, l.checkBundle(e.Bundle)}
	case Recall:
		f := l.finals[e.Height-1]
		tree, _, err := DecodeReport(AppendReport(nil, f.report))
		if err != nil {
			n.Fatal(err)
		}
		return time.Millisecond, Recalled{e, BundleOf(f.block, tree, e.ID, e.Dest)}
	}
	n.Fatalf("effect %T", e)
	return 0, nil
}

func (l *ledger) checkBundle(b *chain.Bundle) error {
	return errors.Join(b.Check(l.w.params, l.id), l.w.verify(CertifiedBy(b)),
		verifyWitnesses(BundleSignatures(l.w.params, b, l.id, nil)))
}

func (n *relayNet) delivered(v sm.NodeID, value any) {
	if v >= firstClient {
		n.clients[v].hear(value)
		return
	}
	l := n.ledgerOf(v)
	switch value := value.(type) {
	case SubmitBundle:
		n.submits++
		if n.swallow == nil || !n.swallow(l.id, value.Bundle) {
			n.pending[l.id] = append(n.pending[l.id], value.Bundle)
		}
	case Misbehaviour:
		n.blamed[value.Who] = value.Reason
	}
}

// blocks makes a block in every shard that has something to order.
func (n *relayNet) blocks() {
	for i, l := range n.shards {
		if len(n.offered[i])+len(n.pending[i]) == 0 {
			continue
		}
		f, err := l.try(n.offered[i], n.pending[i])
		if err != nil {
			n.net.Fail(err)
			return
		}
		n.offered[i], n.pending[i] = nil, nil
		for _, v := range n.members(l.id) {
			n.net.Do(v, Decided{Block: f.block, Report: f.report})
		}
	}
	n.net.After(interval, n.blocks)
}

func (n *relayNet) submit(s chain.ShardID, txs ...*chain.Tx) {
	n.offered[s] = append(n.offered[s], txs...)
}

func (n *relayNet) nothingOpen() bool {
	for i, l := range n.shards {
		if l.state.Supply().Open > 0 || len(n.offered[i]) > 0 {
			return false
		}
	}
	return true
}

// settle runs until nothing is open anywhere, and checks that every transaction
// came to the same end in all its shards.
func (n *relayNet) settle(limit time.Duration, txs ...*chain.Tx) {
	n.Helper()
	if !n.net.RunUntil(n.nothingOpen, limit) {
		n.Fatalf("transfers are open after %v: %v", n.net.Elapsed(), n.net.Err())
	}
	n.net.RunFor(interval)
	n.agree(txs...)
}

// agree wants each transaction committed everywhere or nowhere.
func (w *world) agree(txs ...*chain.Tx) {
	w.Helper()
	for _, t := range txs {
		yes, no := 0, 0
		involved := w.params.Involved(t)
		for _, s := range involved.List() {
			if st, _ := w.shards[s].state.Status(t.ID); st.Outcome == chain.Committed {
				yes++
			} else {
				no++
			}
		}
		if yes > 0 && no > 0 {
			w.Fatalf("%s is committed in %d shards and not in %d", t.ID.Short(), yes, no)
		}
	}
	w.audit()
}

var calm = sim.Faults{MinDelay: time.Millisecond, MaxDelay: 10 * time.Millisecond}

func TestRelaysFinishATransferWithoutItsClient(t *testing.T) {
	w := newWorld(t, 4, 100)
	n := newRelayNet(w, 1, calm)
	tx := w.tx([]coin{w.coin(0, 0), w.coin(1, 0)}, pay{w.wallet(2), 120}, pay{w.wallet(3), 79})
	n.submit(0, tx) // and nowhere else
	n.settle(2*patience, tx)
	w.shards[3].expect(tx.ID, chain.Committed)
	if n.net.Elapsed() > 15*interval {
		t.Errorf("it took %v without any fault", n.net.Elapsed())
	}
	if n.submits > 12 {
		t.Errorf("%d bundles were submitted, each shard has 3 answers to hear", n.submits)
	}
	if len(n.blamed) > 0 {
		t.Error(n.blamed)
	}
}

func TestRelaysReturnTheFundsOfAnAbort(t *testing.T) {
	w := newWorld(t, 2, 100)
	n := newRelayNet(w, 1, calm)
	a, b := w.coin(0, 0), w.coin(1, 0)
	tx := w.tx([]coin{a, b}, pay{w.wallet(1), 199})
	n.submit(1, w.tx([]coin{b}, pay{w.wallet(1), 99}))
	n.submit(0, tx)
	n.settle(2*patience, tx)
	w.shards[0].expect(tx.ID, chain.Aborted)
	w.shards[0].expectBalance(a.owner, 100)
}

// The one whose turn it is sends nothing, and one member of each shard is down:
// the next ones take over.
func TestSilentMembersAreReplaced(t *testing.T) {
	w := newWorld(t, 2, 100, 100, 100, 100, 100, 100)
	n := newRelayNet(w, 1, calm)
	var txs []*chain.Tx
	for _, v := range []chain.ValidatorID{0, 5} {
		n.net.FilterOut(v, func(time.Time, sm.NodeID, sm.Message) []sim.Parcel { return nil })
	}
	n.net.Crash(1)
	n.net.Crash(6)
	for i := range 6 {
		tx := w.tx([]coin{w.coin(0, i)}, pay{w.wallet(1), 99})
		txs = append(txs, tx)
		n.submit(0, tx)
		n.net.RunFor(2 * interval) // other heights, other turns
	}
	n.settle(60*patience, txs...)
	w.shards[1].expect(txs[5].ID, chain.Committed)
}

func TestAShardCutOffForLongFindsOut(t *testing.T) {
	w := newWorld(t, 2, 100)
	n := newRelayNet(w, 1, calm)
	tx := w.tx([]coin{w.coin(0, 0)}, pay{w.wallet(1), 99})
	n.net.Partition(n.members(0), n.members(1))
	n.submit(0, tx)
	n.net.RunFor(10 * time.Minute)
	w.shards[1].expect(tx.ID, 0)
	n.net.Heal()
	n.settle(8*perShard*patience+10*time.Second, tx)
	w.shards[0].expect(tx.ID, chain.Committed)
}

// All validators restart after the lock and have nothing but their ledgers.
func TestRelaysGoOnAfterARestartOfAll(t *testing.T) {
	w := newWorld(t, 2, 100)
	n := newRelayNet(w, 1, calm)
	tx := w.tx([]coin{w.coin(0, 0)}, pay{w.wallet(1), 99})
	n.net.Partition(n.members(0), n.members(1))
	n.submit(0, tx)
	n.net.RunFor(time.Second)
	w.shards[0].expect(tx.ID, chain.Accepted)
	for v := range sm.NodeID(2 * perShard) {
		n.net.Crash(v)
	}
	n.net.Heal()
	for v := range sm.NodeID(2 * perShard) {
		n.net.Restart(v)
	}
	n.settle(20*patience, tx)
	w.shards[0].expect(tx.ID, chain.Committed)
}

// A commit that is kept from one shard comes through as soon as nobody stands in
// the way; until then its inputs stay locked and are not lost.
func TestACommitSuppressedTowardsOneShard(t *testing.T) {
	w := newWorld(t, 2, 100)
	n := newRelayNet(w, 1, calm)
	a := w.coin(0, 0)
	tx := w.tx([]coin{a}, pay{w.wallet(1), 99})
	dropped := 0
	n.swallow = func(s chain.ShardID, b *chain.Bundle) bool {
		if s == 0 {
			dropped++
		}
		return s == 0
	}
	n.submit(0, tx)
	n.net.RunFor(5 * time.Minute)
	w.shards[1].expect(tx.ID, chain.Committed)
	w.shards[0].expect(tx.ID, chain.Accepted)
	w.shards[0].expectBalance(a.owner, 0)
	if dropped < 3 {
		t.Fatalf("%d attempts in five minutes", dropped)
	}
	n.swallow = nil
	n.settle(8*perShard*patience+10*time.Second, tx)
	w.shards[0].expect(tx.ID, chain.Committed)
}

// A member of the destination calls everything unknown, and a hostile one of the
// source sends garbage: they are named, and nothing they say has an effect.
func TestHostilePeersAreNamed(t *testing.T) {
	w := newWorld(t, 2, 100, 100)
	n := newRelayNet(w, 1, calm)
	tx := w.tx([]coin{w.coin(0, 0)}, pay{w.wallet(1), 99})
	n.submit(0, tx)
	n.net.RunFor(2 * interval)
	good := w.shards[0].bundle(tx.ID, 1)
	liar := w.tx([]coin{w.coin(0, 1)}, pay{w.wallet(1), 99})
	tree := chain.OutcomeTree{{Dest: 1, Entries: []chain.Entry{{ID: liar.ID, Outcome: chain.Accepted}}}}
	forged := chain.Bundle{Header: good.Header, Cert: good.Cert, Place: good.Place, Segment: tree[0], Txs: []chain.Tx{*liar}}
	n.net.Inject(1, 4, &Letter{Msg: &BundleMsg{&forged}}) // a path that leads elsewhere
	// A header of its own making, whose path is right.
	block := &chain.Block{Header: good.Header, Cert: good.Cert}
	block.Header.Outcomes = tree.Root()
	n.net.Inject(2, 5, &Letter{Msg: &BundleMsg{tree.Bundle(block, 0, []chain.Tx{*liar})}})
	n.net.Inject(3, 6, &Letter{Msg: &BundleMsg{&chain.Bundle{Header: good.Header, Cert: good.Cert, Place: good.Place,
		Segment: chain.Segment{Dest: 0, Entries: good.Segment.Entries}}}}) // for another shard
	n.net.Inject(7, 6, &Letter{From: 1, Msg: &UnknownMsg{[]chain.TxID{tx.ID}}}) // nobody asked
	n.net.Inject(7, 2, &Letter{From: 1, Msg: &UnknownMsg{[]chain.TxID{tx.ID}}})
	n.settle(5*patience, tx)
	for _, who := range []chain.ValidatorID{1, 2, 3} {
		if n.blamed[who] == nil {
			t.Errorf("validator %d is not named", who)
		}
	}
	if len(n.blamed) != 3 {
		t.Error(n.blamed)
	}
	w.shards[1].expect(liar.ID, 0)
}

// Queries without end get a bounded number of answers.
func TestAFloodOfQueriesIsBounded(t *testing.T) {
	w := newWorld(t, 2, 100)
	n := newRelayNet(w, 1, calm)
	tx := w.tx([]coin{w.coin(0, 0)}, pay{w.wallet(1), 99})
	n.submit(0, tx)
	n.settle(2*patience, tx)
	answers := 0
	n.net.FilterOut(0, func(_ time.Time, to sm.NodeID, m sm.Message) []sim.Parcel {
		answers++
		return sim.Pass(to, m)
	})
	for range 1000 {
		n.net.Inject(4, 0, &Letter{From: 1, Msg: &QueryMsg{[]chain.TxID{tx.ID}}})
	}
	n.net.RunFor(time.Second)
	if answers == 0 || answers > maxTokens+2*tokensPerSec {
		t.Errorf("%d answers to 1,000 queries in a second", answers)
	}
}

// Random transfers under random faults: once the faults end, all is settled, and
// alike everywhere.
func TestRandomTransfersUnderRandomFaults(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			shards := 2 << (seed % 2)
			w := newWorld(t, shards, 100, 100, 100, 100, 100, 100)
			n := newRelayNet(w, seed, sim.Mix(seed))
			var all []sm.NodeID
			for v := range sm.NodeID(shards * perShard) {
				all = append(all, v)
			}
			n.net.Unleash(sim.Chaos{Until: 60 * time.Second, Nodes: all, Every: 3 * time.Second, Pause: 10 * time.Second}, calm)
			var txs []*chain.Tx
			rnd := n.net.Random()
			for range 40 {
				// Some inputs are in several transfers: only one of them can win.
				s, d := chain.ShardID(rnd.IntN(shards)), chain.ShardID(rnd.IntN(shards))
				spend := []coin{w.coin(s, rnd.IntN(6))}
				if rnd.IntN(2) == 0 {
					spend = append(spend, w.coin((s+1)%chain.ShardID(shards), rnd.IntN(6)))
				}
				tx := w.tx(spend, pay{w.wallet(d), 50}, pay{w.wallet(s), 40})
				txs = append(txs, tx)
				n.submit(s, tx)
				n.net.RunFor(time.Duration(rnd.IntN(2000)) * time.Millisecond)
			}
			n.settle(10*time.Minute, txs...)
			if len(n.blamed) > 0 {
				t.Errorf("honest validators are blamed: %v", n.blamed)
			}
		})
	}
}

func TestTheSameSeedGivesTheSameRun(t *testing.T) {
	run := func() [32]byte {
		w := newWorld(t, 2, 100, 100)
		n := newRelayNet(w, 7, sim.Mix(7))
		n.submit(0, w.tx([]coin{w.coin(0, 0), w.coin(1, 0)}, pay{w.wallet(1), 99}), w.tx([]coin{w.coin(0, 1)}, pay{w.wallet(1), 99}))
		n.net.RunFor(30 * time.Second)
		return n.net.Hash()
	}
	if run() != run() {
		t.Fatal("two runs of one seed differ")
	}
}

func FuzzDecodeMessage(f *testing.F) {
	w := newWorld(f, 2, 100)
	tx := w.tx([]coin{w.coin(0, 0)}, pay{w.wallet(1), 99})
	w.shards[0].submit(tx)
	id := chain.TxID(sha256.Sum256(nil))
	for _, m := range []sm.Message{&BundleMsg{w.shards[0].bundle(tx.ID, 1)}, &QueryMsg{[]chain.TxID{id}}, &UnknownMsg{[]chain.TxID{id, {}}}} {
		f.Add((&Letter{From: 1, Msg: m}).AppendTo(nil))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if m, err := DecodeMessage(w.params, raw); err == nil && !bytes.Equal(m.AppendTo(nil), raw) {
			t.Fatal("it encodes to something else")
		}
	})
}
