package atomix

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"ios/chain"
	"ios/chain/cosi"
	"ios/internal/sim"
	"ios/internal/sm"
)

// firstClient is a simulated node that is no validator.
const firstClient sm.NodeID = 1000

// client is what a client's machine said.
type client struct {
	tx       *chain.Tx
	done     *Done
	decisive *Decisive
	progress []Progress
	liars    map[Peer]error
}

func (c *client) hear(value any) {
	switch v := value.(type) {
	case Done:
		c.done = &v
	case Decisive:
		c.decisive = &v
	case Progress:
		c.progress = append(c.progress, v)
	case Liar:
		c.liars[v.Peer] = v.Err
	}
}

// idle stands for a client that is not there.
type idle struct{}

func (idle) Step(time.Time, sm.Event) []sm.Effect { return nil }

func (n *relayNet) buildClient(v sm.NodeID, now time.Time) (sm.Machine, []sm.Effect) {
	c := n.clients[v]
	if c == nil {
		return idle{}, nil
	}
	cfg := TransferConfig{Params: n.params, Tx: c.tx, First: int(v - firstClient)}
	for _, l := range n.shards {
		cfg.Committees, cfg.Members = append(cfg.Committees, l.committee), append(cfg.Members, perShard)
	}
	t, err := NewTransfer(cfg)
	if err != nil {
		n.Fatal(err)
	}
	return t, t.Step(now, StartTransfer{})
}

// start lets a client, 0 or 1, bring a transaction to its end.
func (n *relayNet) start(i int, tx *chain.Tx) *client {
	v := firstClient + sm.NodeID(i)
	c := &client{tx: tx, liars: map[Peer]error{}}
	n.clients[v] = c
	n.net.Crash(v)
	n.net.Restart(v)
	return c
}

// answerClient is a validator's API.
func (n *relayNet) answerClient(e sm.Effect) sm.Event {
	switch e := e.(type) {
	case Ask:
		if !n.net.Up(n.members(e.Shard)[e.Member]) {
			return Asked{Peer: e.Peer, Err: errors.New("connection refused")}
		}
		truth := n.tell(e.Peer)
		if n.lie != nil {
			return n.lie(truth)
		}
		return truth
	case SubmitTx:
		l := n.shards[e.Shard]
		err := errors.Join(n.params.CheckTx(e.Tx, n.epoch), verifyWitnesses([]*chain.Tx{e.Tx}), l.state.Validate(e.Tx, n.epoch))
		if err == nil {
			n.submit(e.Shard, e.Tx)
		}
		return Submitted{Peer: e.Peer, Refused: err != nil, Err: err}
	case FetchBundle:
		l := n.shards[e.Shard]
		id := n.anyTx(e.Peer)
		st, ok := l.state.Status(id)
		if !ok {
			return Fetched{Peer: e.Peer, Dest: e.Dest, Err: errors.New("not found")}
		}
		f := l.finals[st.Told-1]
		return Fetched{Peer: e.Peer, Dest: e.Dest, Bundle: BundleOf(f.block, f.report.Tree, id, e.Dest)}
	case Carry:
		if err := n.shards[e.Shard].checkBundle(e.Bundle); err != nil {
			return Carried{e.Peer, err}
		}
		n.net.Do(n.members(e.Shard)[e.Member], CarryIn{Bundle: e.Bundle})
		return Carried{Peer: e.Peer}
	}
	n.Fatalf("effect %T", e)
	return nil
}

// anyTx is the transaction that the clients are about; the tests have one.
func (n *relayNet) anyTx(Peer) chain.TxID { return n.clients[firstClient].tx.ID }

func (n *relayNet) tell(p Peer) Asked {
	l, id := n.shards[p.Shard], n.anyTx(p)
	for h := len(l.finals); h > 0; h-- {
		if proof := ProofOf(l.finals[h-1].block, l.finals[h-1].report.Tree, id); proof != nil {
			return Asked{Peer: p, Claim: ClaimRecorded, Proof: proof}
		}
	}
	for h := len(l.finals); h > 0; h-- {
		for _, s := range l.finals[h-1].report.Skipped {
			if s.ID == id {
				return Asked{Peer: p, Claim: ClaimSkipped, Reason: s.Reason.String()}
			}
		}
	}
	for _, t := range n.offered[p.Shard] {
		if t.ID == id {
			return Asked{Peer: p, Claim: ClaimPending}
		}
	}
	return Asked{Peer: p}
}

func (n *relayNet) finish(c *client, limit time.Duration, want Verdict) {
	n.Helper()
	if !n.net.RunUntil(func() bool { return c.done != nil }, limit) {
		n.Fatalf("the client is not done after %v: %+v %v", n.net.Elapsed(), c, n.net.Err())
	}
	if c.done.Verdict != want {
		n.Fatalf("the client's verdict is %+v", c.done)
	}
	n.agree(c.tx)
}

func TestAClientTransfersWithinAShard(t *testing.T) {
	w := newWorld(t, 2, 100)
	n := newRelayNet(w, 1, calm)
	bob := w.wallet(0)
	c := n.start(0, w.tx([]coin{w.coin(0, 0)}, pay{bob, 99}))
	n.finish(c, time.Second, TransferCommit)
	w.shards[0].expectBalance(bob, 99)
}

func TestAClientTransfersAcrossShards(t *testing.T) {
	w := newWorld(t, 4, 100)
	n := newRelayNet(w, 1, calm)
	c := n.start(0, w.tx([]coin{w.coin(0, 0), w.coin(1, 0)}, pay{w.wallet(2), 150}, pay{w.wallet(0), 49}))
	n.finish(c, 5*time.Second, TransferCommit)
	if c.decisive == nil || c.decisive.Verdict != TransferCommit || len(c.liars) > 0 {
		t.Fatalf("%+v", c)
	}
}

// No validator reaches another shard: the client carries every proof.
func TestAClientCarriesTheProofsAlone(t *testing.T) {
	w := newWorld(t, 4, 100)
	n := newRelayNet(w, 1, calm)
	n.net.Partition(n.members(0), n.members(1), n.members(2), n.members(3))
	c := n.start(0, w.tx([]coin{w.coin(0, 0), w.coin(1, 0)}, pay{w.wallet(2), 150}, pay{w.wallet(3), 49}))
	n.finish(c, time.Minute, TransferCommit)

	n = newRelayNet(newWorld(t, 2, 100), 1, calm)
	n.net.Partition(n.members(0), n.members(1))
	a, b := n.coin(0, 0), n.coin(1, 0)
	tx := n.tx([]coin{a, b}, pay{n.wallet(0), 199})
	n.submit(0, tx)
	n.submit(1, n.tx([]coin{b}, pay{n.wallet(1), 99}))
	n.net.RunFor(3 * interval)
	c = n.start(0, tx)
	n.finish(c, time.Minute, TransferAbort)
	n.shards[0].expectBalance(a.owner, 100)
}

func TestAClientIsToldOfARefusal(t *testing.T) {
	w := newWorld(t, 2, 100)
	n := newRelayNet(w, 1, calm)
	a := w.coin(0, 0)
	n.submit(0, w.tx([]coin{a}, pay{w.wallet(0), 99}))
	n.net.RunFor(2 * interval)
	c := n.start(0, w.tx([]coin{a}, pay{w.wallet(1), 99}))
	n.finish(c, 10*time.Second, TransferRefuse)
	if c.done.Reason == "" {
		t.Error("without a reason")
	}
	w.audit()
}

// The client vanishes after every number of steps. What it had submitted comes
// to an end, and another client finds out from the transaction alone.
func TestAClientThatVanishes(t *testing.T) {
	finished := false
	for steps := 1; !finished; steps++ {
		w := newWorld(t, 2, 100)
		n := newRelayNet(w, uint64(steps), calm)
		tx := w.tx([]coin{w.coin(0, 0)}, pay{w.wallet(1), 99})
		c := n.start(0, tx)
		n.net.RunFor(time.Duration(steps) * 10 * time.Millisecond)
		finished = c.done != nil
		n.net.Crash(firstClient)
		n.settle(20*patience, tx)
		again := n.start(1, tx)
		n.finish(again, 20*time.Second, TransferCommit)
	}
}

// One member of each shard lies in every way that a client could believe.
func TestALyingMemberMovesNothing(t *testing.T) {
	for name, lie := range map[string]func(n *relayNet, truth Asked) Asked{
		"nothing known": func(_ *relayNet, truth Asked) Asked { return Asked{Peer: truth.Peer} },
		"pending":       func(_ *relayNet, truth Asked) Asked { return Asked{Peer: truth.Peer, Claim: ClaimPending} },
		"skipped": func(_ *relayNet, truth Asked) Asked {
			return Asked{Peer: truth.Peer, Claim: ClaimSkipped, Reason: "lie"}
		},
		"no proof": func(_ *relayNet, truth Asked) Asked { return Asked{Peer: truth.Peer, Claim: ClaimRecorded} },
		"another transaction": func(n *relayNet, truth Asked) Asked {
			other := n.shards[truth.Shard].finals[0]
			e := other.report.Outcomes[0]
			return Asked{Peer: truth.Peer, Claim: ClaimRecorded, Proof: ProofOf(other.block, other.report.Tree, e.ID)}
		},
		"another outcome": func(n *relayNet, truth Asked) Asked {
			if truth.Proof == nil {
				return truth
			}
			forged := *truth.Proof
			forged.Entry.Outcome = chain.Aborted
			return Asked{Peer: truth.Peer, Claim: ClaimRecorded, Proof: &forged}
		},
		"its own committee": func(n *relayNet, truth Asked) Asked {
			tree := chain.OutcomeTree{{Dest: 0, Entries: []chain.Entry{{ID: n.anyTx(truth.Peer), Outcome: chain.Aborted}}}}
			b := &chain.Block{Header: chain.Header{Chain: n.params.ChainID, Shard: truth.Shard, Height: 9, Outcomes: tree.Root()}}
			b.Cert = n.shards[1-truth.Shard].certify(&b.Header)
			return Asked{Peer: truth.Peer, Claim: ClaimRecorded, Proof: tree.Proof(b, 0, 0)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			for liar := range perShard {
				w := newWorld(t, 2, 100, 100)
				n := newRelayNet(w, 1, calm)
				for s, l := range w.shards {
					c := w.coin(chain.ShardID(s), 1)
					l.submit(w.tx([]coin{c}, pay{c.owner, 99}))
				}
				n.lie = func(truth Asked) Asked {
					if truth.Member == liar {
						return lie(n, truth)
					}
					return truth
				}
				c := n.start(0, w.tx([]coin{w.coin(0, 0)}, pay{w.wallet(1), 99}))
				n.finish(c, time.Minute, TransferCommit)
				for p := range c.liars {
					if p.Member != liar {
						t.Errorf("%v is called a liar: %v", p, c.liars[p])
					}
				}
			}
		})
	}
}

func TestDeadMembersAreSkipped(t *testing.T) {
	w := newWorld(t, 2, 100)
	n := newRelayNet(w, 1, calm)
	for _, v := range []sm.NodeID{0, 1, 5} {
		n.net.Crash(v)
	}
	c := n.start(0, w.tx([]coin{w.coin(0, 0)}, pay{w.wallet(1), 99}))
	n.finish(c, time.Minute, TransferCommit)
}

// A client that asked a shard in vain for long asks it soon when another has an outcome.
func TestNewsOfOneShardHastenTheOthers(t *testing.T) {
	w := newWorld(t, 2, 100)
	n := newRelayNet(w, 1, calm)
	for _, v := range n.members(0) {
		n.net.Crash(v)
	}
	c := n.start(0, w.tx([]coin{w.coin(0, 0)}, pay{w.wallet(1), 99}))
	n.net.RunFor(20 * time.Second)
	for _, v := range n.members(0) {
		n.net.Restart(v)
	}
	heard := func() bool { return len(c.progress) > 0 && c.progress[len(c.progress)-1].Outcome != 0 }
	if !n.net.RunUntil(heard, 20*time.Second) {
		t.Fatalf("the client hears nothing: %+v %v", c, n.net.Err())
	}
	n.finish(c, 10*interval, TransferCommit)
}

func TestTransfersUnderRandomFaults(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			w := newWorld(t, 4, 100, 100)
			n := newRelayNet(w, seed, sim.Mix(seed))
			a, b := w.coin(0, 0), w.coin(1, 0)
			tx := w.tx([]coin{a, b}, pay{w.wallet(2), 199})
			if seed%2 == 1 {
				n.net.After(time.Duration(n.net.Random().IntN(500))*time.Millisecond, func() {
					n.submit(1, w.tx([]coin{b}, pay{w.wallet(1), 99}))
				})
			}
			c := n.start(0, tx)
			if !n.net.RunUntil(func() bool { return c.done != nil }, 10*time.Minute) {
				t.Fatalf("%+v %v", c, n.net.Err())
			}
			n.settle(10*time.Minute, tx)
			st, _ := w.shards[0].state.Status(tx.ID)
			if (st.Outcome == chain.Committed) != (c.done.Verdict == TransferCommit) {
				t.Fatalf("recorded %v, the client was told %+v", st.Outcome, c.done)
			}
		})
	}
}

func TestNewTransferWantsAllCommittees(t *testing.T) {
	w := newWorld(t, 2, 100)
	tx := w.tx([]coin{w.coin(0, 0)}, pay{w.wallet(1), 99})
	for _, cfg := range []TransferConfig{
		{Params: w.params, Tx: &chain.Tx{}},
		{Params: w.params, Tx: tx},
		{Params: w.params, Tx: tx, Committees: make([]*cosi.Committee, 2), Members: []int{1, 1}},
		{Params: w.params, Tx: tx, Committees: []*cosi.Committee{w.shards[0].committee, w.shards[1].committee}, Members: []int{1, 0}},
	} {
		if _, err := NewTransfer(cfg); err == nil {
			t.Errorf("%+v is accepted", cfg)
		}
	}
}
