package node

import (
	"ios/atomix"
	"ios/chain"
	"ios/internal/sm"
	"ios/pob/byzcoin"
)

// effect implements owner: it lets others do what would hold up the loop.
func (m *member) effect(e sm.Effect) {
	switch e := e.(type) {
	case byzcoin.Check:
		m.checkBody(e)
	case atomix.CheckProof:
		m.checkProof(e)
	case atomix.Recall:
		if !m.read.do(func() { m.post(atomix.Recalled{Recall: e, Bundle: m.recall(e)}) }) {
			go m.post(atomix.Recalled{Recall: e}) // it counts those that are not answered
		}
	}
}

// checkBody lets the checker decode and verify another member's body.
func (m *member) checkBody(e byzcoin.Check) {
	p := m.node.net.params
	var pl *chain.Payload
	m.node.check.put(checkJob{
		source: peerSource(e.Body.Author), size: len(e.Body.Raw),
		prepare: func(w *checkWork) (err error) {
			if pl, err = p.DecodePayload(e.Body.Payload); err != nil {
				return err
			}
			if err := atomix.CheckPayload(p, pl, m.chain, e.Body.Epoch); err != nil {
				return err
			}
			w.certs = atomix.Certificates(pl)
			w.txs(atomix.Signatures(p, pl, m.chain, make([]*chain.Tx, 0, len(pl.Txs))))
			return nil
		},
		done: func(bad []int, err error) {
			m.verdicts.add(byzcoin.Checked{Hash: e.Body.Hash, Content: pl, Err: badWitness(bad, err)}, 0)
		},
	}, false)
}

// checkProof lets the checker verify another shard's bundle.
func (m *member) checkProof(e atomix.CheckProof) {
	m.node.check.put(m.bundleJob(e.Bundle, peerSource(e.From), func(err error) {
		m.verdicts.add(atomix.ProofChecked{Key: e.Key, Err: err}, 0)
	}), false)
}

func (m *member) bundleJob(b *chain.Bundle, source string, done func(error)) checkJob {
	p := m.node.net.params
	return checkJob{
		source: source, size: len(b.Encode()),
		prepare: func(w *checkWork) error {
			if err := b.Check(p, m.chain); err != nil {
				return err
			}
			w.certs = []atomix.Certified{atomix.CertifiedBy(b)}
			w.txs(atomix.BundleSignatures(p, b, m.chain, nil))
			return nil
		},
		done: func(bad []int, err error) { done(badWitness(bad, err)) },
	}
}

// recall is the bundle that an old block gives to another shard, or nil.
func (m *member) recall(e atomix.Recall) *chain.Bundle {
	b, _, err := m.disk.block(e.Height)
	if err != nil {
		return nil
	}
	o, err := m.outcomes(e.Height)
	if err != nil {
		return nil
	}
	return atomix.BundleOf(b, o.Tree, e.ID, e.Dest)
}
