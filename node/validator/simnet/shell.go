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
	request := e.(asked)
	p := request.post
	delay := n.below(8 * time.Millisecond)
	back := func(ev sm.Event) sm.Event { return to{p.shard, ev} }
	switch e := request.effect.(type) {
	case byzcoin.Check:
		pl, err := n.checkBody(archive{n, p.member}, e.Body)
		return delay, back(validator.Events{byzcoin.Checked{Hash: e.Body.Hash, Content: pl, Err: err}})
	case atomix.CheckProof:
		err := n.checkBundle(archive{n, p.member}, p.shard, e.Bundle)
		return delay, back(validator.Events{atomix.ProofChecked{Key: e.Key, Err: err}})
	case atomix.Recall:
		return delay, back(atomix.Recalled{Recall: e, Bundle: n.recall(p, &e)})
	case byzcoin.Serve:
		n.later(p, delay, func() { n.serve(p, &e) })
	case byzcoin.ReadBody:
		n.later(p, delay, func() { n.readBody(p, &e) })
	default:
		n.fail("%v asks for a %T", p, e)
	}
	return 0, nil
}

// later does something for a validator if it is not restarted meanwhile. A queue
// that is full drops it.
func (n *Net) later(p *post, delay time.Duration, do func()) {
	if n.chance(0.01) {
		return
	}
	life := p.life
	n.sim.After(delay, func() {
		if n.sim.Up(p.id) && p.life == life {
			do()
		}
	})
}

// logOf is the index over what is durable.
func (n *Net) logOf(p *post) *disk {
	if err := p.disk.open(p.shard, n.sim.Records(p.id)); err != nil {
		n.fail("%v: %w", p, err)
	}
	return &p.disk
}

func (n *Net) checkBody(known chain.Committees, b *chain.Body) (*chain.Payload, error) {
	pl, err := n.params.DecodePayload(b.Payload)
	if err != nil {
		return nil, err
	}
	if err := atomix.CheckPayload(n.params, pl, b.Shard, b.Epoch); err != nil {
		return nil, err
	}
	if n.plan.Sabotage.Hasty {
		pl.Turn = nil // the block's execution reads it from the payload
	}
	if n.plan.Sabotage.Blind {
		return pl, nil
	}
	for _, c := range atomix.Certificates(pl) {
		if c.Header.Epoch+1 < b.Epoch {
			continue // it has no effect
		}
		if err := checkCert(known, c); err != nil {
			return nil, err
		}
	}
	return pl, n.checkWitnesses(atomix.Signatures(n.params, pl, b.Shard, nil))
}

func (n *Net) checkBundle(known chain.Committees, shard chain.ShardID, b *chain.Bundle) error {
	if err := b.Check(n.params, shard); err != nil {
		return err
	}
	if n.plan.Sabotage.Blind {
		return nil
	}
	if err := checkCert(known, atomix.CertifiedBy(b)); err != nil {
		return err
	}
	return n.checkWitnesses(atomix.BundleSignatures(n.params, b, shard, nil))
}

func checkCert(known chain.Committees, c atomix.Certified) error {
	b, err := known.Committee(c.Header.Shard, c.Header.Term())
	if err != nil {
		return err
	}
	return c.Cert.Verify(b.Cosi, c.Header, c.Block)
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
func (n *Net) recall(p *post, e *atomix.Recall) *chain.Bundle {
	if n.chance(0.01) {
		return nil
	}
	b, o := n.logOf(p).block(e.Height)
	if b == nil {
		return nil
	}
	return atomix.BundleOf(b, o.Tree, e.ID, e.Dest)
}

// serve sends final blocks with their bodies.
func (n *Net) serve(p *post, e *byzcoin.Serve) {
	d := n.logOf(p)
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
			raw := d.bodies[bodyAt{b.Header.Term(), ref}]
			if raw == nil {
				n.fail("%v: body %d of %d is final and not in its log", p, ref.Number, ref.Author)
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
	if p.hostil != nil && p.hostil.does(BadSync) {
		blocks = blocks[len(blocks)-1:]
		bodies = append(bodies[:0], bodies[0])
	}
	reply, err := byzcoin.NewSyncReply(blocks, bodies)
	if err != nil {
		n.fail("%v: %w", p, err)
		return
	}
	n.sim.Inject(p.id, e.To, &mail{p.shard, validator.Agreement(chain.Term{}, reply)})
}

func (n *Net) readBody(p *post, e *byzcoin.ReadBody) {
	if raw := n.logOf(p).bodies[bodyAt{e.Term, e.Ref}]; raw != nil {
		b, err := chain.DecodeBody(raw)
		if err != nil {
			n.fail("%v: %w", p, err)
			return
		}
		n.sim.Inject(p.id, e.To, &mail{p.shard, validator.Agreement(e.Term, &byzcoin.Body{Body: b})})
	}
}
