package simnet

import (
	"bytes"
	"errors"
	"time"

	"ios/atomix"
	"ios/chain"
	"ios/node/validator"
)

// call is a client's submission to one validator.
type call struct {
	txs  []chain.Tx
	good []int // those that passed the static rules
	errs []error
	done func([]error)
}

// submit is the API's Submit. done gets a refusal or nil for each transaction;
// it is never called if the validator is lost in between. An error says that
// nothing was taken.
func (n *Net) submit(m *post, raw []byte, done func([]error)) error {
	if !n.up(m) {
		return errNoAnswer
	}
	if !m.ready {
		return chain.Rule(chain.ErrNotReady, "validator %d is not in step with its committee", m.id)
	}
	txs, err := n.params.DecodeTxs(bytes.Clone(raw), 64)
	if err != nil {
		return err
	}
	c := &call{txs: txs, errs: make([]error, len(txs)), done: done}
	for i := range txs {
		if c.errs[i] = n.checkTx(m, &txs[i]); c.errs[i] == nil {
			c.good = append(c.good, i)
		}
	}
	good := make([]chain.Tx, len(c.good))
	for j, i := range c.good {
		good[j] = txs[i]
	}
	if len(good) == 0 {
		c.end(n)
		return nil
	}
	life := m.life
	n.sim.After(n.below(8*time.Millisecond), func() {
		if n.sim.Up(m.id) && m.life == life {
			n.sim.Do(m.id, to{m.shard, validator.Events{validator.Submit{Txs: good, Tag: c}}})
		}
	})
	return nil
}

func (n *Net) checkTx(p *post, t *chain.Tx) error {
	if err := n.params.CheckTx(t, p.core.Term().Epoch); err != nil {
		return err
	}
	if in := n.params.InputShards(t); !in.Has(p.shard) {
		return chain.Rule(chain.ErrWrongShard, "no input is in shard %d", p.shard)
	}
	return n.checkWitnesses([]*chain.Tx{t})
}

// answered is what node.submitting makes of the machine's answer.
func (c *call) answered(n *Net, m *post, refusals []validator.Refusal) {
	d := n.logOf(m)
	for _, r := range refusals {
		i := c.good[r.Index]
		c.errs[i] = n.explain(m.shard, d, &c.txs[i], r.Err)
	}
	for i := range c.txs {
		if c.errs[i] == nil && m.hostil == nil {
			n.judge.accepted(m, &c.txs[i])
		}
	}
	c.end(n)
}

// explain is node.explain: it finds out what became of an unknown input.
func (n *Net) explain(shard chain.ShardID, d *disk, t *chain.Tx, err error) error {
	switch {
	case errors.Is(err, chain.ErrDecided):
		return nil
	case !errors.Is(err, chain.ErrUnknown):
		return err
	case len(d.ids[t.ID]) > 0:
		return nil
	}
	for i := range t.Inputs {
		in := &t.Inputs[i]
		if in.Owner.Shard(n.params.Shards) == shard && len(d.ids[in.Tx]) > 0 {
			return chain.Rule(chain.ErrSpent, "output %d of %s was spent; choose other coins", in.Index, in.Tx.Short())
		}
	}
	return err
}

func (c *call) end(n *Net) {
	for _, err := range c.errs {
		if err != nil {
			n.stats.Refused++
		}
	}
	if c.done != nil {
		c.done(c.errs)
	}
}

// outcome is the API's Outcome.
func (n *Net) outcome(m *post, id chain.TxID) (claim atomix.Claim, reason string, proof *chain.OutcomeProof, err error) {
	d := n.logOf(m)
	heights := d.ids[id]
	if st, cross := m.core.State().Status(id); cross {
		if heights = []uint64{st.Told}; st.Closed != 0 && st.Closed != st.Told {
			heights = []uint64{st.Closed, st.Told}
		}
	}
	for _, h := range heights {
		b, o := d.block(h)
		if b == nil {
			return 0, "", nil, errNoAnswer // not durable yet
		}
		if p := atomix.ProofOf(b, o.Tree, id); p != nil {
			proof, err = chain.DecodeOutcomeProof(p.AppendTo(nil))
			return atomix.ClaimRecorded, "", proof, err
		}
	}
	if m.core.Pending(id) {
		return atomix.ClaimPending, "", nil, nil
	}
	if why, ok := m.skipped[id]; ok {
		return atomix.ClaimSkipped, why.Text(), nil, nil
	}
	return atomix.ClaimUnknown, "", nil, nil
}

// bundle is the API's Bundle.
func (n *Net) bundle(m *post, id chain.TxID, dest chain.ShardID) (*chain.Bundle, error) {
	st, cross := m.core.State().Status(id)
	if !cross {
		return nil, errNoAnswer
	}
	b, o := n.logOf(m).block(st.Told)
	if b == nil {
		return nil, errNoAnswer
	}
	found := atomix.BundleOf(b, o.Tree, id, dest)
	if found == nil {
		return nil, errNoAnswer
	}
	if t, ok := m.core.State().OpenTx(id); ok {
		found.Txs = []chain.Tx{*t}
	}
	return n.params.DecodeBundle(bytes.Clone(found.Encode()))
}

// carry is the API's Carry.
func (n *Net) carry(m *post, b *chain.Bundle) error {
	if !m.ready {
		return chain.Rule(chain.ErrNotReady, "validator %d is not in step with its committee", m.id)
	}
	copied, err := n.params.DecodeBundle(bytes.Clone(b.AppendTo(nil)))
	if err != nil {
		return err
	}
	if err := n.checkBundle(archive{n, m.member}, m.shard, copied); err != nil {
		return err
	}
	n.later(m, n.below(5*time.Millisecond), func() { n.sim.Do(m.id, to{m.shard, atomix.CarryIn{Bundle: copied}}) })
	return nil
}
