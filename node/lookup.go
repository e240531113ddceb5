package node

import (
	"context"
	"time"

	"ios/atomix"
	"ios/chain"
	"ios/node/api"
	"ios/node/validator"
)

func unixTime(ns int64) time.Time { return time.Unix(0, ns) }

// place is where a shard recorded a transaction.
type place struct {
	block    *chain.Block
	outcomes *validator.Outcomes
	proof    *chain.OutcomeProof
}

// known is what the machine knows of a transaction without reading the log.
type known struct {
	pending bool
	tx      *chain.Tx // while it is open
	status  atomix.Status
	cross   bool   // status holds
	height  uint64 // of the state that was asked
}

func (m *member) known(ctx context.Context, id chain.TxID) (k known, err error) {
	err = m.ask(ctx, func() {
		k.pending = m.core.Pending(id)
		k.tx, _ = m.core.State().OpenTx(id)
		k.status, k.cross = m.core.State().Status(id)
		k.height = m.core.State().Height()
	})
	if err == nil && !k.pending && !k.cross {
		// If it is recorded, only the indexes tell.
		err = m.indexed(ctx, k.height)
	}
	return k, err
}

// heights are the blocks that may have recorded the transaction, the best first.
func (m *member) heights(k known, id chain.TxID) ([]uint64, error) {
	if k.cross {
		if k.status.Closed != 0 && k.status.Closed != k.status.Told {
			return []uint64{k.status.Closed, k.status.Told}, nil
		}
		return []uint64{k.status.Told}, nil
	}
	return m.disk.ids.Find(id)
}

// find reads where the transaction was recorded; nil if it was not.
func (m *member) find(k known, id chain.TxID) (*place, error) {
	heights, err := m.heights(k, id)
	if err != nil {
		return nil, kinds(err)
	}
	for _, h := range heights {
		if h > m.disk.tip.Load() {
			continue // final, and about to be on disk
		}
		b, _, err := m.disk.block(h)
		if err != nil {
			return nil, kinds(err)
		}
		o, err := m.outcomes(h)
		if err != nil {
			return nil, kinds(err)
		}
		if proof := atomix.ProofOf(b, o.Tree, id); proof != nil {
			return &place{b, o, proof}, nil
		}
	}
	return nil, nil
}

// Outcome implements api.Shard.
func (m *member) Outcome(ctx context.Context, id chain.TxID, proof bool) (out api.Outcome, err error) {
	k, err := m.known(ctx, id)
	if err != nil {
		return out, err
	}
	p, err := m.find(k, id)
	if err != nil {
		return out, err
	}
	switch {
	case p != nil:
		out.State = api.StateOf(p.proof.Entry.Outcome)
		out.Height, out.Time = p.outcomes.Height, unixTime(p.outcomes.Time)
		if proof {
			out.Proof = p.proof.AppendTo(nil)
		}
		if out.State == api.StateRejected {
			out.Reason = "an input was not there when another shard's lock came: it was spent meanwhile, or never existed"
		}
		if out.State == api.StateAborted {
			out.Reason = "another shard rejected it; the inputs are back"
		}
	case k.pending, k.cross:
		out.State = api.StatePending
	default:
		s, ok := m.skipped.find(id)
		if !ok {
			return out, nil
		}
		out.State, out.Height, out.Reason = api.StateSkipped, s.height, s.reason.Text()
	}
	if t, err := m.tx(k, p, id); err == nil && t != nil {
		in := m.node.net.params.Involved(t)
		out.Involved = in.List()
	}
	return out, nil
}

// tx finds the transaction itself: it is open, or in a body of the block that
// recorded it, alone or in another shard's bundle.
func (m *member) tx(k known, p *place, id chain.TxID) (*chain.Tx, error) {
	if k.tx != nil {
		return k.tx, nil
	}
	blocks := []*chain.Block{}
	if p != nil {
		blocks = append(blocks, p.block)
	}
	if k.cross && p != nil && k.status.Told != p.block.Header.Height {
		if b, _, err := m.disk.block(k.status.Told); err == nil {
			blocks = append(blocks, b)
		}
	}
	for _, b := range blocks {
		for _, ref := range b.Refs {
			body, err := m.disk.body(b.Header.Term(), ref)
			if err != nil {
				return nil, kinds(err)
			}
			if t := m.txIn(body, id); t != nil {
				return t, nil
			}
		}
	}
	return nil, nil
}

func (m *member) txIn(body *chain.Body, id chain.TxID) *chain.Tx {
	pl, err := m.node.net.params.DecodePayload(body.Payload)
	if err != nil {
		return nil
	}
	for i := range pl.Txs {
		if pl.Txs[i].ID == id {
			return &pl.Txs[i]
		}
	}
	for _, b := range pl.Bundles {
		for i := range b.Txs {
			if b.Txs[i].ID == id {
				return &b.Txs[i]
			}
		}
	}
	return nil
}

// Tx implements api.Shard.
func (m *member) Tx(ctx context.Context, id chain.TxID) ([]byte, error) {
	var queued []byte
	k, err := m.known(ctx, id)
	if err == nil && k.pending {
		err = m.ask(ctx, func() { queued = m.core.Queued(id) })
	}
	if err != nil {
		return nil, err
	}
	if queued != nil {
		return queued, nil
	}
	p, err := m.find(k, id)
	if err != nil {
		return nil, err
	}
	t, err := m.tx(k, p, id)
	if err != nil {
		return nil, err
	}
	if t == nil {
		return nil, chain.Rule(api.ErrNotFound, "transaction %s is not recorded in shard %d", id.Short(), m.chain)
	}
	return t.Raw, nil
}

// Bundle implements api.Shard.
func (m *member) Bundle(ctx context.Context, id chain.TxID, dest chain.ShardID) ([]byte, error) {
	k, err := m.known(ctx, id)
	if err != nil {
		return nil, err
	}
	if k.cross {
		b, _, err := m.disk.block(k.status.Told)
		if err != nil {
			return nil, kinds(err)
		}
		o, err := m.outcomes(k.status.Told)
		if err != nil {
			return nil, kinds(err)
		}
		if bundle := atomix.BundleOf(b, o.Tree, id, dest); bundle != nil {
			m.showTx(bundle, k.tx, dest)
			return bundle.Encode(), nil
		}
	}
	return nil, chain.Rule(api.ErrNotFound, "nothing is recorded for shard %d of transaction %s", dest, id.Short())
}

// showTx puts an open transaction into its bundle, for a shard that never heard
// of it. Where only outputs are the witnesses were not checked, so a shard that
// holds inputs must get it from another one.
func (m *member) showTx(b *chain.Bundle, t *chain.Tx, dest chain.ShardID) {
	if t == nil {
		return
	}
	if in := m.node.net.params.InputShards(t); in.Has(m.chain) || !in.Has(dest) {
		b.Txs = []chain.Tx{*t}
	}
}
