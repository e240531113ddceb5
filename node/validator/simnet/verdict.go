package simnet

import (
	"bytes"
	"fmt"
	"strings"

	"ios/chain"
)

// settled reports whether everything came to an end.
func (n *Net) settled() bool {
	if n.judge.unkept > 0 || n.err != nil {
		return false
	}
	if len(n.plans) <= n.plan.Epochs || !n.through() {
		return false
	}
	for _, m := range n.posts() {
		if m.hostil != nil {
			continue
		}
		if !n.up(m) || !m.ready && n.seat(m) >= 0 || m.height != uint64(len(n.judge.chains[m.shard].hashes)) {
			return false
		}
		if txs, _, _ := m.core.Queue(); txs > 0 || m.core.State().Executing() {
			return false
		}
	}
	for i := range n.judge.chains {
		if n.judge.chains[i].state.Supply().Open > 0 {
			return false
		}
	}
	return true
}

// posts are all places of validators in shards.
func (n *Net) posts() (list []*post) {
	for _, m := range n.members {
		list = append(list, m.posts...)
	}
	return list
}

// stuck says what did not come to an end.
func (n *Net) stuck() error {
	var b strings.Builder
	if n.judge.unkept > 0 {
		fmt.Fprint(&b, "invariant 7: ")
	}
	fmt.Fprintf(&b, "%v after the faults ended not everything has come to an end: %d transactions that were accepted are in no final block", n.sim.Elapsed()-n.plan.Until, n.judge.unkept)
	for i := range n.judge.chains {
		c := &n.judge.chains[i]
		fmt.Fprintf(&b, "\nshard %d: height %d, term %v, %d open", i, len(c.hashes), c.term(), c.state.Supply().Open)
		for _, o := range c.state.OpenRecords() {
			fmt.Fprintf(&b, "\n  %s is open since height %d, expiry %d, entered at %d; outcomes by shard %v", o.Tx.ID.Short(), o.Told, o.Tx.Expiry, c.transition.Entered, n.judge.fateOf(o.Tx).outcomes)
		}
	}
	for _, m := range n.posts() {
		if !n.up(m) {
			fmt.Fprintf(&b, "\nvalidator %d of shard %d is down", m.id, m.shard)
			continue
		}
		txs, _, _ := m.core.Queue()
		kind := "honest"
		if m.hostil != nil {
			kind = "hostile (" + m.hostil.vices.String() + ")"
		}
		t := m.core.Transition()
		fmt.Fprintf(&b, "\nvalidator %d of shard %d: %s, height %d, term %v (epoch %d known), seat %d, ready %v, %d queued, batch %d of %d, absent %v, joining %v %s", m.id, m.shard, kind, m.height, m.core.Term(), m.known, m.core.Seat(), m.ready, txs, t.Batch, t.Last, t.Absent, t.Joining, t.Reason)
	}
	for p, by := range n.judge.promises {
		if !n.judge.chains[p.shard].done[p.id] {
			fmt.Fprintf(&b, "\n%s was accepted in shard %d by validator %d", p.id.Short(), p.shard, by)
		}
	}
	return fmt.Errorf("%s", b.String())
}

// judgeEnd checks what must hold when nothing is open.
func (n *Net) judgeEnd() {
	for i := range n.judge.chains {
		c := &n.judge.chains[i]
		if err := c.state.Audit(); err != nil {
			n.fail("invariant 3: %w", err)
		}
	}
	n.sameLedgers()
	n.judge.nothingBetween()
	n.judge.recount()
	n.judge.allOrNone()
	n.judge.kept()
	n.judgeClients()
}

// sameLedgers wants every honest validator to have the judge's ledger.
func (n *Net) sameLedgers() {
	want := make([][]byte, len(n.judge.chains))
	for i := range n.judge.chains {
		var buf bytes.Buffer
		if err := n.judge.chains[i].state.WriteSnapshot(&buf); err != nil {
			n.fail("%w", err)
		}
		want[i] = buf.Bytes()
	}
	for _, m := range n.posts() {
		if m.hostil != nil {
			continue
		}
		if m.core.State().Executing() {
			n.fail("validator %d still executes a block", m.id)
			continue
		}
		if err := m.core.State().Audit(); err != nil {
			n.fail("invariant 3: validator %d: %w", m.id, err)
		}
		var buf bytes.Buffer
		if err := m.core.State().WriteSnapshot(&buf); err != nil {
			n.fail("validator %d: %w", m.id, err)
		} else if !bytes.Equal(buf.Bytes(), want[m.shard]) {
			n.fail("invariant 2: validator %d has another ledger than others at height %d", m.id, m.height)
		}
	}
}

// nothingBetween wants what is between the shards to come to nothing.
func (j *judge) nothingBetween() {
	net := map[uint64]int64{}
	for i := range j.chains {
		sp := j.chains[i].state.Supply()
		for _, b := range sp.Between {
			net[b.Expiry] += int64(b.Net.Lo)
		}
	}
	for x, sum := range net {
		if sum != 0 {
			j.fail("invariant 3: nothing is open, and %d is between the shards for expiry %d", sum, x)
		}
	}
}

// recount compares the coins with those of all committed transactions.
func (j *judge) recount() {
	left := map[chain.OutPoint]chain.Output{}
	tx := chain.AllocationTx(j.params.ChainID)
	for i, a := range j.allocations {
		left[chain.OutPoint{Tx: tx, Index: uint32(i)}] = a
	}
	var fees uint64
	for _, f := range j.order {
		if f.outcomes[f.involved[0]] != chain.Committed {
			continue
		}
		fees += f.tx.Fee()
		for i := range f.tx.Outputs {
			left[chain.OutPoint{Tx: f.tx.ID, Index: uint32(i)}] = f.tx.Outputs[i]
		}
	}
	for _, f := range j.order {
		if f.outcomes[f.involved[0]] == chain.Committed {
			for i := range f.tx.Inputs {
				if _, ok := left[f.tx.Inputs[i].OutPoint]; !ok {
					j.fail("invariant 3: %s spends an output that is not there or spent twice", f.tx.ID.Short())
				}
				delete(left, f.tx.Inputs[i].OutPoint)
			}
		}
	}
	var value, counted uint64
	for i := range j.chains {
		c := &j.chains[i]
		counted += c.state.Supply().Fees
		for e := range c.state.Coins().Sorted() {
			if out, ok := left[e.OutPoint]; !ok || out.Owner != e.Owner || out.Amount != e.Amount {
				j.fail("invariant 3: shard %d has a coin of %d that no transaction gives", i, e.Amount)
			}
			delete(left, e.OutPoint)
			value += e.Amount
		}
	}
	if len(left) > 0 || counted != fees || value+fees != j.supply {
		j.fail("invariant 3: %d coins are missing, coins of %d and fees of %d (%d by recount) of a supply of %d", len(left), value, counted, fees, j.supply)
	}
}

// allOrNone wants every transaction to have come to one end in all its shards.
func (j *judge) allOrNone() {
	for _, f := range j.order {
		yes, no := 0, 0
		for _, s := range f.involved {
			switch f.outcomes[s] {
			case chain.Committed:
				yes++
			case chain.Accepted:
				j.fail("invariant 4: %s is still open in shard %d", f.tx.ID.Short(), s)
			default:
				no++
			}
		}
		switch {
		case yes > 0 && no > 0:
			j.fail("invariant 4: %s is committed in %d of its shards %v: %v", f.tx.ID.Short(), yes, f.involved, f.outcomes)
		case yes > 0:
			j.stats.Committed++
			if len(f.involved) > 1 {
				j.stats.Cross++
			}
		case f.outcomes[f.involved[0]] != 0:
			j.stats.Aborted++
		}
	}
}

// kept wants every promise to have been kept.
func (j *judge) kept() {
	for _, f := range j.order {
		for _, s := range f.involved {
			by, promised := j.promises[promise{s, f.tx.ID}]
			if !promised || f.outcomes[s] != 0 {
				continue
			}
			if !j.chains[s].done[f.tx.ID] {
				j.fail("invariant 7: %s was accepted by validator %d and is in no final block of shard %d", f.tx.ID.Short(), by, s)
			} else if !j.excuse(f, s) {
				j.fail("invariant 7: %s was accepted by validator %d, and shard %d skipped it although its inputs were there", f.tx.ID.Short(), by, s)
			}
		}
	}
}
