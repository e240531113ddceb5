package simnet

import (
	"crypto/sha256"
	"errors"
	"time"

	"ios/chain"
)

// traffic has clients pay at random times.
func (n *Net) traffic(payments int, over time.Duration) {
	for range payments {
		n.sim.After(n.below(over), n.pay)
	}
}

// take takes a coin out of the purse of a shard, or only looks at it.
func (n *Net) take(shard int, keep bool) (c coin, ok bool) {
	p := n.purse[shard]
	if len(p) == 0 {
		return c, false
	}
	i := n.intn(len(p))
	c = p[i]
	if !keep {
		p[i] = p[len(p)-1]
		n.purse[shard] = p[:len(p)-1]
	}
	return c, true
}

// payment makes a transaction of 1 to 3 coins of up to 3 shards for owners in up
// to 3 shards. Some coins stay in the purse, and are spent twice.
func (n *Net) payment(keep bool) (*chain.Tx, []coin) {
	shards := len(n.purse)
	home := n.intn(shards)
	var spend []coin
	var sum uint64
	for range 1 + n.intn(3) {
		s := home
		if n.chance(0.4) {
			s = n.intn(shards)
		}
		c, ok := n.take(s, keep)
		if !ok || hasCoin(spend, c) {
			continue
		}
		spend = append(spend, c)
		sum += c.amount
	}
	if len(spend) == 0 || sum < 10 {
		return nil, nil
	}
	t := &chain.Tx{Expiry: n.expiry()}
	for _, c := range spend {
		t.Inputs = append(t.Inputs, chain.Input{OutPoint: c.OutPoint, Owner: c.owner.addr, Amount: c.amount})
	}
	outs := 1 + uint64(n.intn(3))
	left := sum - 1 - uint64(n.intn(3)) // the fee
	for i := range outs {
		s := home
		if n.chance(0.5) {
			s = n.intn(shards)
		}
		amount := left / outs
		if i == 0 {
			amount += left % outs
		}
		t.Outputs = append(t.Outputs, chain.Output{Owner: n.wallets[s][n.intn(walletsPerShard)].addr, Amount: amount})
	}
	return n.sign(t, spend), spend
}

// expiry is an epoch that nothing lives to see the end of: what is open when its
// transaction expires needs state blocks to be closed.
func (n *Net) expiry() uint64 {
	last := uint64(epoch + n.plan.Epochs)
	return max(last, epoch+uint64(n.intn(3)))
}

func hasCoin(list []coin, c coin) bool {
	for _, o := range list {
		if o.OutPoint == c.OutPoint {
			return true
		}
	}
	return false
}

// pay is one client's payment.
func (n *Net) pay() {
	t, spend := n.payment(n.chance(0.3))
	if t == nil {
		return
	}
	n.stats.Submitted++
	switch k := n.intn(10); {
	case n.plan.Alone:
		in := n.params.InputShards(t)
		for _, s := range in.List() {
			n.insist(s, t)
		}
	case k < 4:
		n.byTransfer(t)
	case k < 8:
		n.byHand(t)
	default:
		if n.chance(0.5) {
			n.byHand(t)
		}
		n.garbage(t, spend)
	}
}

// byTransfer has a client bring the payment to its end, which often vanishes on
// the way. Another one may take over.
func (n *Net) byTransfer(t *chain.Tx) {
	i := n.intn(len(n.clients))
	n.engage(i, t)
	if n.chance(0.5) {
		n.sim.After(n.below(2*time.Second), func() {
			if n.clients[i].tx == t {
				n.vanish(i)
			}
		})
	}
	if n.chance(0.3) {
		n.sim.After(n.below(4*time.Second), func() { n.engage(n.intn(len(n.clients)), t) })
	}
}

// byHand submits the payment to some members of some input shards, and does not
// look back.
func (n *Net) byHand(t *chain.Tx) {
	in := n.params.InputShards(t)
	for _, s := range in.List() {
		for range n.intn(3) {
			n.sim.After(n.below(time.Second), func() { n.post(s, t.Raw) })
		}
	}
}

// insist submits a payment to one validator after the other until one accepts it.
func (n *Net) insist(s chain.ShardID, t *chain.Tx) {
	list := n.seats(s)
	p := n.members[list[n.intn(len(list))]].there(s)
	again := func() { n.sim.After(50*time.Millisecond, func() { n.insist(s, t) }) }
	err := n.submit(p, t.Raw, func(errs []error) {
		if errs[0] != nil && !errors.Is(errs[0], chain.ErrSpent) {
			again()
		}
	})
	if err != nil {
		again()
	}
}

func (n *Net) post(s chain.ShardID, raw []byte) {
	list := n.seats(s)
	m := n.members[list[n.intn(len(list))]].there(s)
	_ = n.submit(m, raw, nil) // what comes of it, the judge sees
}

// garbage submits what must not have an effect, or only one of two.
func (n *Net) garbage(t *chain.Tx, spend []coin) {
	in := n.params.InputShards(t)
	s := in.List()[0]
	bad := *t
	bad.Inputs = append([]chain.Input(nil), t.Inputs...)
	bad.Outputs = append([]chain.Output(nil), t.Outputs...)
	bad.Witnesses = append([]chain.Witness(nil), t.Witnesses...)
	switch n.intn(7) {
	case 0: // a claim above the coin
		bad.Inputs[0].Amount += 1000
		bad.Outputs[0].Amount += 1000
		n.sign(&bad, spend)
	case 1: // nobody's signature
		bad.Witnesses[0].Signature[n.intn(64)] ^= 1
		n.params.Seal(&bad)
	case 2: // a witness too few
		bad.Witnesses = bad.Witnesses[1:]
		n.params.Seal(&bad)
	case 3: // an output that never was
		bad.Inputs[0].Tx = sha256.Sum256(t.ID[:])
		n.sign(&bad, spend)
	case 4: // from nothing
		bad.Outputs[0].Amount += 5000
		n.sign(&bad, spend)
	case 5: // double spend, at two members at once
		bad.Outputs[0].Owner = n.wallets[n.intn(len(n.wallets))][n.intn(walletsPerShard)].addr
		n.sign(&bad, spend)
		n.post(s, t.Raw)
	case 6: // to a shard that has nothing to do with it
		s = chain.ShardID(n.intn(len(n.plan.Sizes)))
	}
	n.post(s, bad.Raw)
	if n.chance(0.2) {
		raw := append([]byte(nil), bad.Raw...)
		raw[n.intn(len(raw))] ^= byte(1 + n.intn(255))
		n.post(s, raw)
	}
}

// tellClients gives clients the coins that are theirs now.
func (j *judge) tellClients(f *fate, shard chain.ShardID, o chain.Outcome) {
	switch o {
	case chain.Committed:
		for i := range f.tx.Outputs {
			out := &f.tx.Outputs[i]
			if out.Owner.Shard(j.params.Shards) == shard {
				if w := j.walletOf(out.Owner); w != nil && out.Amount > 10 {
					j.purse[shard] = append(j.purse[shard], coin{chain.OutPoint{Tx: f.tx.ID, Index: uint32(i)}, w, out.Amount})
				}
			}
		}
	case chain.Aborted:
		for i := range f.tx.Inputs {
			in := &f.tx.Inputs[i]
			if in.Owner.Shard(j.params.Shards) == shard {
				if w := j.walletOf(in.Owner); w != nil {
					j.purse[shard] = append(j.purse[shard], coin{in.OutPoint, w, in.Amount})
				}
			}
		}
	}
}
