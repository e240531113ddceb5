package simnet

import (
	"crypto/sha256"
	"time"

	"ios/atomix"
	"ios/chain"
	"ios/chain/sig"
	"ios/internal/sm"
	"ios/node/validator"
	"ios/pob/byzcoin"
)

// answer is the part of the shell: it checks what a machine wants checked, and
// reads what it wants from the log.
func (n *Net) answer(id sm.NodeID, e sm.Effect) (time.Duration, sm.Event) {
	if id >= firstClient {
		return n.serveClient(int(id-firstClient), e)
	}
	m := n.members[id]
	delay := n.below(8 * time.Millisecond)
	switch e := e.(type) {
	case byzcoin.Check:
		pl, err := n.checkBody(m.shard, e.Body.Payload)
		return delay, validator.Events{byzcoin.Checked{Hash: e.Body.Hash, Content: pl, Err: err}}
	case atomix.CheckProof:
		return delay, validator.Events{atomix.ProofChecked{Key: e.Key, Err: n.checkBundle(m.shard, e.Bundle)}}
	case atomix.Recall:
		return delay, atomix.Recalled{Recall: e, Bundle: n.recall(m, &e)}
	case byzcoin.Serve:
		n.later(m, delay, func() { n.serve(m, &e) })
	case byzcoin.ReadBody:
		n.later(m, delay, func() { n.readBody(m, &e) })
	default:
		n.fail("validator %d asks for a %T", id, e)
	}
	return 0, nil
}

// later does something for a validator if it is not restarted meanwhile. A queue
// that is full drops it.
func (n *Net) later(m *member, delay time.Duration, do func()) {
	if n.chance(0.01) {
		return
	}
	life := m.life
	n.sim.After(delay, func() {
		if n.sim.Up(m.id) && m.life == life {
			do()
		}
	})
}

// logOf is the index over what is durable.
func (n *Net) logOf(m *member) *disk {
	if err := m.disk.open(n.sim.Records(m.id)); err != nil {
		n.fail("validator %d: %w", m.id, err)
	}
	return &m.disk
}

func (n *Net) checkBody(shard chain.ShardID, raw []byte) (*chain.Payload, error) {
	pl, err := n.params.DecodePayload(raw)
	if err != nil {
		return nil, err
	}
	if err := atomix.CheckPayload(n.params, pl, shard, epoch); err != nil {
		return nil, err
	}
	if n.plan.Sabotage.Blind {
		return pl, nil
	}
	for _, c := range atomix.Certificates(pl) {
		if err := n.checkCert(c); err != nil {
			return nil, err
		}
	}
	return pl, n.checkWitnesses(atomix.Signatures(n.params, pl, shard, nil))
}

func (n *Net) checkBundle(shard chain.ShardID, b *chain.Bundle) error {
	if err := atomix.CheckBundle(n.params, b, shard); err != nil {
		return err
	}
	if n.plan.Sabotage.Blind {
		return nil
	}
	if err := n.checkCert(atomix.CertifiedBy(b)); err != nil {
		return err
	}
	return n.checkWitnesses(atomix.BundleSignatures(n.params, b, shard, nil))
}

func (n *Net) checkCert(c atomix.Certified) error {
	if int(c.Header.Shard) >= len(n.boards) {
		return chain.Rule(chain.ErrWrongShard, "a certificate of shard %d, which does not exist", c.Header.Shard)
	}
	return c.Cert.Verify(n.boards[c.Header.Shard], c.Header, c.Block)
}

func (n *Net) checkWitnesses(txs []*chain.Tx) error {
	for _, t := range txs {
		for i := range t.Witnesses {
			if !n.verify(&t.Witnesses[i], t.ID) {
				return chain.Rule(chain.ErrSignature, "witness %d of %s does not verify", i, t.ID.Short())
			}
		}
	}
	return nil
}

// verify checks a signature, each only once in a run.
func (n *Net) verify(w *chain.Witness, id chain.TxID) bool {
	buf := append(append(append(make([]byte, 0, 128), w.PublicKey[:]...), w.Signature[:]...), id[:]...)
	key := sha256.Sum256(buf)
	ok, known := n.signatures[key]
	if !known {
		public := sig.PublicKey(w.PublicKey)
		ok = sig.Verify(&public, chain.SignedBytes(id), &w.Signature)
		n.signatures[key] = ok
	}
	return ok
}

// recall is the bundle that an old block gives to another shard.
func (n *Net) recall(m *member, e *atomix.Recall) *chain.Bundle {
	if n.chance(0.01) {
		return nil
	}
	b, o := n.logOf(m).block(e.Height)
	if b == nil {
		return nil
	}
	return atomix.BundleOf(b, o.Tree, e.ID, e.Dest)
}

// serve sends final blocks with their bodies.
func (n *Net) serve(m *member, e *byzcoin.Serve) {
	d := n.logOf(m)
	var blocks [][]byte
	var bodies [][][]byte
	size := 0
	for h := e.From; h < e.From+uint64(e.Count); h++ {
		b, _ := d.block(h)
		if b == nil {
			break
		}
		part := len(d.blocks[h])
		var list [][]byte
		for _, ref := range b.Refs {
			raw := d.bodies[ref]
			if raw == nil {
				n.fail("validator %d: body %d of %d is final and not in its log", m.id, ref.Number, ref.Author)
				return
			}
			list = append(list, raw)
			part += len(raw)
		}
		if size+part > e.MaxBytes && len(blocks) > 0 {
			break
		}
		blocks, bodies, size = append(blocks, d.blocks[h]), append(bodies, list), size+part
	}
	if len(blocks) == 0 {
		return
	}
	if m.hostil != nil && m.hostil.does(BadSync) {
		blocks = blocks[len(blocks)-1:]
		bodies = append(bodies[:0], bodies[0])
	}
	reply, err := byzcoin.NewSyncReply(blocks, bodies)
	if err != nil {
		n.fail("validator %d: %w", m.id, err)
		return
	}
	n.sim.Inject(m.id, e.To, validator.Agreement(term, reply))
}

func (n *Net) readBody(m *member, e *byzcoin.ReadBody) {
	if raw := n.logOf(m).bodies[e.Ref]; raw != nil {
		b, err := chain.DecodeBody(raw)
		if err != nil {
			n.fail("validator %d: %w", m.id, err)
			return
		}
		n.sim.Inject(m.id, e.To, validator.Agreement(e.Term, &byzcoin.Body{Body: b}))
	}
}
