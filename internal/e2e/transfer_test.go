package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	"ios/atomix"
	"ios/chain"
	"ios/chain/cosi"
	"ios/chain/sig"
	"ios/eds"
	"ios/internal/sm"
	"ios/node/api"
	"ios/node/faucet"
)

// client runs the client's machine of a transfer against real validators, one
// call after the other, and dies after a number of them.
type client struct {
	n       *network
	tx      chain.TxID
	machine *atomix.Transfer
	calls   int          // made
	life    int          // calls after which it is killed
	steps   []string     // what it did
	verdict *atomix.Done // nil if it was killed before
	answers []sm.Event   // not yet consumed
	timers  map[uint64]time.Time
}

func newClient(t *testing.T, n *network, tx *chain.Tx, life int) *client {
	t.Helper()
	board, err := eds.Committees(n.Genesis, cosi.BLS{})
	if err != nil {
		t.Fatal(err)
	}
	counts, committees := make([]int, len(board)), make([]*cosi.Committee, len(board))
	for s, c := range board {
		counts[s], committees[s] = len(c.Members), c.Cosi
	}
	m, err := atomix.NewTransfer(atomix.TransferConfig{Params: n.params, Tx: tx, Committees: committees, Members: counts, MaxInterval: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return &client{n: n, tx: tx.ID, machine: m, life: life, timers: make(map[uint64]time.Time)}
}

// run returns when the transfer is decided or the client is killed.
func (c *client) run(t *testing.T) {
	t.Helper()
	c.answers = []sm.Event{atomix.StartTransfer{}}
	deadline := time.Now().Add(time.Minute)
	for c.verdict == nil {
		if time.Now().After(deadline) {
			t.Fatalf("the client did not finish within a minute; it did %v", c.steps)
		}
		if len(c.answers) == 0 {
			c.answers = append(c.answers, c.nextTimer())
		}
		ev := c.answers[0]
		c.answers = c.answers[1:]
		for _, e := range c.machine.Step(time.Now(), ev) {
			if !c.carryOut(e) {
				return
			}
		}
	}
}

// nextTimer waits for the earliest timer.
func (c *client) nextTimer() sm.Event {
	first := uint64(0)
	for n, at := range c.timers {
		if old, ok := c.timers[first]; !ok || at.Before(old) {
			first = n
		}
	}
	time.Sleep(time.Until(c.timers[first]))
	delete(c.timers, first)
	return sm.Fire{Key: sm.TimerKey{Kind: 1, N: first}}
}

// carryOut does one effect. It is false when the client was killed at it.
func (c *client) carryOut(e sm.Effect) bool {
	switch e := e.(type) {
	case sm.SetTimer:
		c.timers[e.Key.N] = e.At
		return true
	case sm.CancelTimer:
		delete(c.timers, e.Key.N)
		return true
	case sm.Deliver:
		if d, ok := e.Value.(atomix.Done); ok {
			c.verdict = &d
		}
		return true
	}
	if c.calls == c.life {
		return false
	}
	c.calls++
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	c.answers = append(c.answers, c.call(ctx, e))
	return true
}

func (c *client) call(ctx context.Context, e sm.Effect) sm.Event {
	at := func(p atomix.Peer) api.Endpoint { return c.n.api.Endpoints(p.Shard)[p.Member] }
	step := func(what string, p atomix.Peer) { c.steps = append(c.steps, fmt.Sprintf("%s %d", what, p.Shard)) }
	switch e := e.(type) {
	case atomix.Ask:
		step("ask", e.Peer)
		return c.ask(ctx, e.Peer, at(e.Peer))
	case atomix.SubmitTx:
		step("submit", e.Peer)
		res, err := at(e.Peer).Submit(ctx, e.Tx.Raw)
		if err == nil && len(res.Refused) > 0 {
			return atomix.Submitted{Peer: e.Peer, Refused: true, Err: res.Refused[0].Err()}
		}
		return atomix.Submitted{Peer: e.Peer, Err: err}
	case atomix.FetchBundle:
		step("fetch", e.Peer)
		raw, err := at(e.Peer).Bundle(ctx, c.tx, e.Dest)
		var b *chain.Bundle
		if err == nil {
			b, err = c.n.params.DecodeBundle(raw)
		}
		return atomix.Fetched{Peer: e.Peer, Dest: e.Dest, Bundle: b, Err: err}
	case atomix.Carry:
		step("carry", e.Peer)
		return atomix.Carried{Peer: e.Peer, Err: at(e.Peer).Carry(ctx, e.Bundle.Encode())}
	}
	panic(fmt.Sprintf("an effect of type %T", e))
}

func (c *client) ask(ctx context.Context, p atomix.Peer, e api.Endpoint) sm.Event {
	a := atomix.Asked{Peer: p}
	out, err := e.Outcome(ctx, c.tx, true)
	if err != nil {
		a.Err = err
		return a
	}
	a.Reason = out.Reason
	switch {
	case out.State.Recorded():
		a.Claim = atomix.ClaimRecorded
		a.Proof, a.Err = chain.DecodeOutcomeProof(out.Proof)
	case out.State == api.StatePending:
		a.Claim = atomix.ClaimPending
	case out.State == api.StateSkipped:
		a.Claim = atomix.ClaimSkipped
	}
	return a
}

// give pays amounts of the faucet to owners in a shard and waits until all its
// validators have them.
func (n *network) give(t *testing.T, shard chain.ShardID, outputs []chain.Output) (coins []chain.Input) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	keys, err := n.Faucet()
	if err != nil {
		t.Fatal(err)
	}
	f := &faucet.Faucet{Keys: keys, Network: n.api, Params: n.params}
	all, err := f.Coins(ctx, shard)
	if err != nil {
		t.Fatal(err)
	}
	tx, _, err := f.Build(shard, firstEpoch, all, outputs)
	if err != nil {
		t.Fatal(err)
	}
	n.submit(t, shard, tx)
	for i := range outputs {
		coins = append(coins, outputOf(tx, i))
	}
	return coins
}

// submit submits a transaction of one shard and waits until all its validators
// have committed it.
func (n *network) submit(t *testing.T, shard chain.ShardID, tx *chain.Tx) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	err := n.api.Try(ctx, shard, func(ctx context.Context, e api.Endpoint) error {
		res, err := e.Submit(ctx, tx.Raw)
		if err == nil && len(res.Refused) > 0 {
			err = res.Refused[0].Err()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range n.api.Endpoints(shard) {
		await(t, 20*time.Second, func() string {
			if out, err := e.Outcome(ctx, tx.ID, false); err != nil || out.State != api.StateCommitted {
				return fmt.Sprintf("%s says that %s is %v (%v)", e.Name, tx.ID.Short(), out.State, err)
			}
			return ""
		})
	}
}

// pair is a transfer with an input in each of two shards, which swap their
// places, and the keys that own it all.
type pair struct {
	keys [2]*sig.Key
	tx   *chain.Tx
	sum  uint64
}

// pairs funds transfers. With spent, each input in shard 1 is spent otherwise
// before, so that they must abort.
func (n *network) pairs(t *testing.T, name string, count int, spent bool) []*pair {
	t.Helper()
	list := make([]*pair, count)
	var outputs [2][]chain.Output
	for i := range list {
		list[i] = &pair{sum: 3000}
		for s := range chain.ShardID(2) {
			list[i].keys[s] = keyIn(fmt.Sprintf("%s %d", name, i), s, 2)
			outputs[s] = append(outputs[s], chain.Output{Owner: addressOf(list[i].keys[s]), Amount: 1000 * (1 + uint64(s))})
		}
	}
	coins := [2][]chain.Input{n.give(t, 0, outputs[0]), n.give(t, 1, outputs[1])}
	for i, p := range list {
		p.tx = &chain.Tx{
			Expiry: firstEpoch + chain.ExpiryAhead, Inputs: []chain.Input{coins[0][i], coins[1][i]},
			Outputs: []chain.Output{{Owner: addressOf(p.keys[1]), Amount: 1000}, {Owner: addressOf(p.keys[0]), Amount: 2000}},
		}
		n.params.Seal(p.tx)
		for _, k := range p.keys {
			p.tx.Witnesses = append(p.tx.Witnesses, chain.Witness{PublicKey: k.Public(), Signature: k.Sign(chain.SignedBytes(p.tx.ID))})
		}
		n.params.Seal(p.tx)
		if spent {
			n.submit(t, 1, pay(n.params, coins[1][i], p.keys[1], addressOf(p.keys[1])))
		}
	}
	return list
}

// settledPair is what became of a transfer: why it is not settled, or "", and
// whether it was committed.
func (n *network) settledPair(ctx context.Context, p *pair) (missing string, committed bool) {
	var states [2]api.State
	sum := uint64(0)
	for s := range chain.ShardID(2) {
		err := n.api.Try(ctx, s, func(ctx context.Context, e api.Endpoint) error {
			out, err := e.Outcome(ctx, p.tx.ID, false)
			if err != nil {
				return err
			}
			states[s] = out.State
			page, err := e.Coins(ctx, addressOf(p.keys[s]).Text(n.params.Prefix), 10)
			for _, c := range page.Coins {
				sum += c.Amount
			}
			return err
		})
		if err != nil {
			return err.Error(), false
		}
	}
	committed = states[0] == api.StateCommitted && states[1] == api.StateCommitted
	closed := committed || states[0] != api.StateAccepted && states[0] != api.StateCommitted && states[1] != api.StateAccepted && states[1] != api.StateCommitted
	if !closed || sum != p.sum || states[0] == api.StatePending || states[1] == api.StatePending {
		return fmt.Sprintf("the transfer is %v in shard 0 and %v in shard 1, its owners have %d of %d", states[0], states[1], sum, p.sum), false
	}
	return "", committed
}

// maxLife is after how many calls a client is killed at the most. What comes
// later repeats itself.
const maxLife = 12

// The client of a transfer across shards is killed after each of its calls in
// turn: what it leaves is committed or returned by the shards themselves.
func TestAClientIsKilledAtEachStep(t *testing.T) {
	t.Parallel()
	n := startNetwork(t, 2, 8)
	for _, spent := range []bool{false, true} {
		probe := n.pairs(t, fmt.Sprint("probe", spent), 1, spent)[0]
		c := newClient(t, n, probe.tx, 1000)
		begin := time.Now()
		c.run(t)
		want := atomix.TransferCommit
		if spent {
			want = atomix.TransferAbort
		}
		if c.verdict.Verdict != want && !(spent && c.verdict.Verdict == atomix.TransferRefuse) {
			t.Fatalf("a whole transfer ended with %+v after %v", c.verdict, c.steps)
		}
		t.Logf("spent meanwhile %v: %+v after %v, %d calls: %v", spent, *c.verdict, time.Since(begin).Round(time.Millisecond), c.calls, c.steps)

		list := n.pairs(t, fmt.Sprint("killed", spent), min(c.calls, maxLife)+1, spent)
		begin = time.Now()
		for life, p := range list {
			newClient(t, n, p.tx, life).run(t)
		}
		commits := 0
		for life, p := range list {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			await(t, time.Minute-time.Since(begin), func() string {
				missing, committed := n.settledPair(ctx, p)
				if missing != "" {
					return fmt.Sprintf("%s; its client was killed after %v", missing, c.steps[:min(life, len(c.steps))])
				}
				if committed {
					commits++
				}
				return ""
			})
			cancel()
		}
		if spent && commits > 0 || !spent && commits == 0 {
			t.Errorf("spent meanwhile %v: %d of %d transfers were committed", spent, commits, len(list))
		}
		t.Logf("spent meanwhile %v: killed at %d steps, %d committed, all settled within %v", spent, len(list), commits, time.Since(begin).Round(time.Millisecond))
	}
}
