package node

import (
	"sync"

	"ios/chain"
	"ios/internal/sm"
	"ios/pob/byzcoin"
)

// reader answers what needs the log, off the loop: old blocks for validators
// that were away, and what old blocks decided.
type reader struct {
	jobs chan func()
	done sync.WaitGroup
}

// readQueue bounds the requests that wait. Who asks asks again.
const readQueue = 256

func newReader() *reader {
	r := &reader{jobs: make(chan func(), readQueue)}
	r.done.Go(func() {
		for job := range r.jobs {
			job()
		}
	})
	return r
}

func (r *reader) close() {
	close(r.jobs)
	r.done.Wait()
}

// do queues a request. With a full queue it is dropped, and false is returned.
func (r *reader) do(job func()) bool {
	select {
	case r.jobs <- job:
		return true
	default:
		return false
	}
}

func (r *runner) reply(to chain.ValidatorID, term chain.Term, msg sm.Message) {
	r.node.wire.Send(to, chainHead(r.chain), r.owner.agreement(term, msg).AppendTo(nil))
}

// serve sends final blocks with their bodies, as many as are there and fit.
func (r *runner) serve(e byzcoin.Serve) {
	if e.Headers {
		r.serveHeaders(e)
		return
	}
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
		r.log.Errorf("blocks %d and up for %s: %v", e.From, r.node.net.name(e.To), err)
		return
	}
	r.reply(e.To, chain.Term{}, reply)
}

func (r *runner) serveHeaders(e byzcoin.Serve) {
	reply := &byzcoin.Headers{List: make([]chain.Header, e.Count)}
	for i := range reply.List {
		h, err := r.disk.header(e.From + uint64(i))
		if err != nil {
			r.log.Errorf("headers %d and up for %s: %v", e.From, r.node.net.name(e.To), err)
			return
		}
		reply.List[i] = h
	}
	r.reply(e.To, chain.Term{}, reply)
}

// readHeader tells the machine of a block of its own.
func (r *runner) readHeader(e byzcoin.ReadHeader) {
	h, err := r.disk.header(e.Height)
	if err != nil {
		r.log.Errorf("header %d, which the record of an epoch names: %v", e.Height, err)
		return
	}
	r.post(byzcoin.HeaderRead{Height: e.Height, Hash: h.Hash()})
}

func (r *runner) blockWithBodies(height uint64) (raw []byte, bodies [][]byte, size int, err error) {
	b, raw, err := r.disk.block(height)
	if err != nil {
		return nil, nil, 0, err
	}
	size = len(raw)
	for _, ref := range b.Refs {
		body, err := r.disk.body(b.Header.Term(), ref)
		if err != nil {
			return nil, nil, 0, err
		}
		bodies, size = append(bodies, body.Raw), size+len(body.Raw)
	}
	return raw, bodies, size, nil
}

func (r *runner) serveBody(e byzcoin.ReadBody) {
	if b, err := r.disk.body(e.Term, e.Ref); err == nil {
		r.reply(e.To, e.Term, &byzcoin.Body{Body: b})
	}
}
