package simnet

import (
	"errors"
	"time"

	"ios/atomix"
	"ios/chain"
	"ios/chain/cosi"
	"ios/internal/sm"
)

// firstClient is the first simulated node that is no validator.
const firstClient sm.NodeID = 1000

// clients is how many of them there are.
const clients = 12

// client brings one transaction to its end after the other.
type client struct {
	peers [][]chain.ValidatorID // by shard, whom it asks
	terms []chain.Term          // of the committees that they were
	tx    *chain.Tx             // nil while it has nothing to do, or has vanished
	first int
	past  []verdict
}

// verdict is what a client believes about a transaction.
type verdict struct {
	tx   *chain.Tx
	done atomix.Done
}

// idle stands for a client that is not there.
type idle struct{}

// Step implements sm.Machine.
func (idle) Step(time.Time, sm.Event) []sm.Effect { return nil }

func (n *Net) buildClient(i int, now time.Time) (sm.Machine, []sm.Effect) {
	if i >= len(n.clients) || n.clients[i].tx == nil {
		return idle{}, nil
	}
	c := n.clients[i]
	c.peers, c.terms = nil, nil
	var boards []*cosi.Committee
	var sizes []int
	for s := range n.judge.chains {
		b := n.current(chain.ShardID(s))
		c.peers, c.terms = append(c.peers, b.Members), append(c.terms, b.Term)
		boards, sizes = append(boards, b.Cosi), append(sizes, len(b.Members))
	}
	t, err := atomix.NewTransfer(atomix.TransferConfig{
		Params: n.params, Tx: c.tx, Committees: boards, Members: sizes, Terms: n,
		Timeout: time.Second, MaxInterval: 2 * time.Second, First: c.first,
	})
	if err != nil {
		n.fail("client %d: %w", i, err)
		return idle{}, nil
	}
	return t, t.Step(now, atomix.StartTransfer{})
}

// engage gives a client a transaction.
func (n *Net) engage(i int, t *chain.Tx) {
	id := firstClient + sm.NodeID(i)
	n.sim.Crash(id)
	n.clients[i].tx, n.clients[i].first = t, n.intn(100)
	n.sim.Restart(id)
}

// vanish stops a client for ever, or until it gets something else to do.
func (n *Net) vanish(i int) {
	n.sim.Crash(firstClient + sm.NodeID(i))
	n.clients[i].tx = nil
}

func (n *Net) heard(i int, value any) {
	c := n.clients[i]
	switch v := value.(type) {
	case atomix.Done:
		if c.tx != nil {
			c.past = append(c.past, verdict{c.tx, v})
			n.stats.Verdicts++
			c.tx = nil
		}
	case atomix.Liar:
		if who := c.peers[v.Shard][v.Member]; n.honest(who) {
			n.fail("a client calls honest validator %d a liar: %w", who, v.Err)
		}
	}
}

// serveClient is the way to a validator's API and back.
func (n *Net) serveClient(i int, e sm.Effect) (time.Duration, sm.Event) {
	delay := n.below(30 * time.Millisecond)
	if n.chance(n.plan.Faults.Loss / 2) {
		return 0, nil
	}
	id := firstClient + sm.NodeID(i)
	switch e := e.(type) {
	case atomix.Ask:
		return delay, n.ask(n.asks(i, e.Peer), n.clients[i].tx, e)
	case atomix.SubmitTx:
		m := n.asks(i, e.Peer)
		said := atomix.Submitted{Peer: e.Peer}
		said.Err = n.submit(m, e.Tx.Raw, func(errs []error) {
			s := atomix.Submitted{Peer: e.Peer, Refused: errs[0] != nil, Err: errs[0]}
			n.sim.After(delay, func() { n.sim.Do(id, s) })
		})
		if said.Err == nil {
			return 0, nil
		}
		said.Refused = !errors.Is(said.Err, errNoAnswer)
		return delay, said
	case atomix.FetchBundle:
		m := n.asks(i, e.Peer)
		said := atomix.Fetched{Peer: e.Peer, Dest: e.Dest, Err: errNoAnswer}
		if n.up(m) {
			said.Bundle, said.Err = n.bundle(m, n.clients[i].tx.ID, e.Dest)
		}
		return delay, said
	case atomix.Carry:
		m := n.asks(i, e.Peer)
		said := atomix.Carried{Peer: e.Peer, Err: errNoAnswer}
		if n.up(m) {
			said.Err = n.carry(m, e.Bundle)
		}
		return delay, said
	}
	n.fail("a client asks for a %T", e)
	return 0, nil
}

// asks is whom a client asks.
func (n *Net) asks(i int, p atomix.Peer) *post {
	return n.members[n.clients[i].peers[p.Shard][p.Member]].there(p.Shard)
}

// refresh has the clients look again at who is who, when a committee has changed:
// nothing of a transfer is lost with a client that starts anew.
func (n *Net) refresh(shard chain.ShardID) {
	for i, c := range n.clients {
		tx := c.tx
		if tx == nil {
			continue
		}
		n.sim.After(n.below(time.Second), func() {
			if c.tx == tx && c.terms[shard] != n.judge.chains[shard].term() {
				n.engage(i, tx)
			}
		})
	}
}

func (n *Net) ask(m *post, t *chain.Tx, e atomix.Ask) atomix.Asked {
	said := atomix.Asked{Peer: e.Peer, Err: errNoAnswer}
	if n.up(m) {
		said.Claim, said.Reason, said.Proof, said.Err = n.outcome(m, t.ID)
	}
	if m.hostil != nil && m.hostil.does(Lies) {
		switch n.intn(4) {
		case 0:
			return atomix.Asked{Peer: e.Peer, Claim: atomix.ClaimPending}
		case 1:
			return atomix.Asked{Peer: e.Peer, Claim: atomix.ClaimSkipped, Reason: "a lie"}
		case 2:
			return atomix.Asked{Peer: e.Peer}
		case 3:
			if said.Proof != nil {
				said.Proof.Entry.Outcome = chain.Outcome(1 + n.intn(4))
			}
		}
	}
	return said
}

// judgeClients compares what clients believe with what became of it. Who was
// refused may be surprised: somebody else may have submitted it again.
func (n *Net) judgeClients() {
	for i, c := range n.clients {
		for _, v := range c.past {
			f := n.judge.fateOf(v.tx)
			committed := f.outcomes[f.involved[0]] == chain.Committed
			switch {
			case committed == (v.done.Verdict == atomix.TransferCommit):
			case v.done.Verdict == atomix.TransferRefuse:
				n.stats.Surprises++
			default:
				n.fail("client %d heard verdict %d (%s) of %s, whose outcomes are %v", i, v.done.Verdict, v.done.Reason, v.tx.ID.Short(), f.outcomes)
			}
		}
	}
}
