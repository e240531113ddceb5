package node

import (
	"fmt"
	"sync"
	"time"

	"ios/atomix"
	"ios/chain"
	"ios/chain/store"
	"ios/internal/sm"
	"ios/node/validator"
	"ios/pob/byzcoin"
)

// received is the transport's handler: it decodes off the loop.
func (n *Node) received(from chain.ValidatorID, payload []byte) {
	<-n.wired
	if err := n.inbox.count(from, time.Now()); err != nil {
		n.misbehaved(from, err, true)
		return
	}
	msg, err := validator.Decode(n.net.params, payload)
	if err != nil {
		n.misbehaved(from, fmt.Errorf("a message that does not decode: %w", err), true)
		return
	}
	if in, ok := n.inbox.take(from, msg, len(payload)); ok {
		n.post(in)
	}
}

// misbehaved logs what a peer did and, if it is bad enough, cuts it off.
func (n *Node) misbehaved(who chain.ValidatorID, reason error, drop bool) {
	n.view.faults.log(n.log.WithField("peer", n.net.name(who)), reason)
	if drop && who != n.net.self {
		n.wire.Drop(who, reason)
		n.inbox.cut(who)
	}
}

// apply carries out the effects of a step. Sends, and what is told to clients,
// wait for the records before them.
func (n *Node) apply(effects []sm.Effect) {
	var records []store.Record
	var after []func()
	for _, e := range effects {
		switch e := e.(type) {
		case sm.Persist:
			records = append(records, store.Record{Kind: e.Kind, Data: e.Data})
		case sm.Send:
			after = append(after, func() { n.send(e) })
		case sm.SetTimer:
			n.timers.set(e.Key, e.At)
		case sm.CancelTimer:
			n.timers.cancel(e.Key)
		case sm.Deliver:
			if f := n.delivered(e.Value); f != nil {
				after = append(after, f)
			}
		case byzcoin.Check:
			n.checkBody(e)
		case atomix.CheckProof:
			n.checkProof(e)
		default:
			n.read.request(e)
		}
	}
	if len(records) == 0 && len(after) == 0 {
		return
	}
	n.disk.append(records, func() {
		for _, f := range after {
			f()
		}
	})
}

// send encodes a message once for all its receivers. It runs on the log's
// goroutine, and messages do not change.
func (n *Node) send(e sm.Send) {
	payload := e.Msg.AppendTo(nil)
	for _, to := range e.To {
		n.wire.Send(to, payload)
	}
}

// eventBatch gathers what a round of the checker found, so that the machine
// consumes it in one step.
type eventBatch struct {
	node *Node
	mu   sync.Mutex
	list validator.Events
}

func (b *eventBatch) add(ev sm.Event) {
	b.mu.Lock()
	b.list = append(b.list, ev)
	b.mu.Unlock()
}

func (b *eventBatch) flush() {
	b.mu.Lock()
	list := b.list
	b.list = nil
	b.mu.Unlock()
	if len(list) > 0 {
		b.node.post(list)
	}
}

// checkBody lets the checker decode and verify another member's body.
func (n *Node) checkBody(e byzcoin.Check) {
	var pl *chain.Payload
	batch := n.view.batch.Load()
	n.check.put(checkJob{
		source: peerSource(e.Body.Author), size: len(e.Body.Raw),
		prepare: func(w *checkWork) (err error) {
			if pl, err = n.net.params.DecodePayload(e.Body.Payload); err != nil {
				return err
			}
			if err := atomix.CheckPayload(n.net.params, pl, n.net.shard, e.Body.Epoch); err != nil {
				return err
			}
			w.certs = atomix.Certificates(pl)
			for _, t := range atomix.Signatures(n.net.params, pl, n.net.shard, nil) {
				w.tx(t)
			}
			return nil
		},
		done: func(bad []int, err error) {
			batch.add(byzcoin.Checked{Hash: e.Body.Hash, Content: pl, Err: badWitness(bad, err)})
		},
	}, false)
}

// checkProof lets the checker verify another shard's bundle.
func (n *Node) checkProof(e atomix.CheckProof) {
	batch := n.view.batch.Load()
	n.check.put(n.bundleJob(e.Bundle, peerSource(e.From), func(err error) {
		batch.add(atomix.ProofChecked{Key: e.Key, Err: err})
	}), false)
}

func (n *Node) bundleJob(b *chain.Bundle, source string, done func(error)) checkJob {
	return checkJob{
		source: source, size: len(b.Encode()),
		prepare: func(w *checkWork) error {
			if err := atomix.CheckBundle(n.net.params, b, n.net.shard); err != nil {
				return err
			}
			w.certs = []atomix.Certified{atomix.CertifiedBy(b)}
			for _, t := range atomix.BundleSignatures(n.net.params, b, n.net.shard, nil) {
				w.tx(t)
			}
			return nil
		},
		done: func(bad []int, err error) { done(badWitness(bad, err)) },
	}
}

// delivered consumes what the machine delivers. What it returns is done once the
// records of the step are durable.
func (n *Node) delivered(value any) func() {
	switch v := value.(type) {
	case validator.Answer:
		return func() { v.Tag.(chan validator.Answer) <- v }
	case validator.Decided:
		return n.decided(v)
	case byzcoin.Status:
		n.view.agreement(v)
	case byzcoin.ViewChanged:
		n.log.WithField("view", v.View).Infof("the leader is now %s: %s", n.net.name(v.Leader), v.Reason)
		n.view.leader(v)
	case byzcoin.Misbehaviour:
		n.misbehaved(v.Who, fmt.Errorf("%s: %s", v.What, v.Cause), v.Drop)
	case atomix.Misbehaviour:
		n.misbehaved(v.Who, v.Reason, true)
	}
	return nil
}
