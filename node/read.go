package node

import (
	"sync"

	"ios/atomix"
	"ios/chain"
	"ios/internal/sm"
	"ios/node/validator"
	"ios/pob/byzcoin"
)

// reader answers what needs the log, off the loop: old blocks for validators
// that were away, and proofs of what old blocks decided.
type reader struct {
	node     *Node
	requests chan sm.Effect
	done     sync.WaitGroup
}

// readQueue bounds the requests that wait. Who asks asks again.
const readQueue = 256

func newReader(n *Node) *reader {
	r := &reader{node: n, requests: make(chan sm.Effect, readQueue)}
	r.done.Add(1)
	go r.run()
	return r
}

func (r *reader) close() {
	close(r.requests)
	r.done.Wait()
}

// request queues what the machine asks for; with a full queue it is dropped,
// except that a recall is answered at once with nothing.
func (r *reader) request(e sm.Effect) {
	select {
	case r.requests <- e:
	default:
		if e, ok := e.(atomix.Recall); ok {
			go r.node.post(atomix.Recalled{Recall: e})
		}
	}
}

func (r *reader) run() {
	defer r.done.Done()
	for e := range r.requests {
		switch e := e.(type) {
		case byzcoin.Serve:
			r.serve(e)
		case byzcoin.ReadBody:
			r.body(e)
		case atomix.Recall:
			r.node.post(atomix.Recalled{Recall: e, Bundle: r.recall(e)})
		}
	}
}

func (r *reader) send(to chain.ValidatorID, term chain.Term, msg sm.Message) {
	r.node.wire.Send(to, validator.Agreement(term, msg).AppendTo(nil))
}

// serve sends final blocks with their bodies, as many as are there and fit.
func (r *reader) serve(e byzcoin.Serve) {
	var blocks [][]byte
	var bodies [][][]byte
	size := 0
	for h := e.From; h < e.From+uint64(e.Count); h++ {
		raw, parts, n, err := r.blockWithBodies(h)
		if err != nil || (size+n > e.MaxBytes && len(blocks) > 0) {
			break
		}
		blocks, bodies, size = append(blocks, raw), append(bodies, parts), size+n
	}
	if len(blocks) == 0 {
		return
	}
	reply, err := byzcoin.NewSyncReply(blocks, bodies)
	if err != nil {
		r.node.log.Errorf("blocks %d and up for %s: %v", e.From, r.node.net.name(e.To), err)
		return
	}
	r.send(e.To, chain.Term{}, reply)
}

func (r *reader) blockWithBodies(height uint64) (raw []byte, bodies [][]byte, size int, err error) {
	b, raw, err := r.node.disk.block(height)
	if err != nil {
		return nil, nil, 0, err
	}
	size = len(raw)
	for _, ref := range b.Refs {
		body, err := r.node.disk.body(b.Header.Term(), ref)
		if err != nil {
			return nil, nil, 0, err
		}
		bodies, size = append(bodies, body.Raw), size+len(body.Raw)
	}
	return raw, bodies, size, nil
}

func (r *reader) body(e byzcoin.ReadBody) {
	if b, err := r.node.disk.body(e.Term, e.Ref); err == nil {
		r.send(e.To, e.Term, &byzcoin.Body{Body: b})
	}
}

// recall is the bundle that an old block gives to another shard, or nil.
func (r *reader) recall(e atomix.Recall) *chain.Bundle {
	b, _, err := r.node.disk.block(e.Height)
	if err != nil {
		return nil
	}
	o, err := r.node.disk.outcomes(e.Height)
	if err != nil {
		return nil
	}
	return atomix.BundleOf(b, o.Tree, e.ID, e.Dest)
}
