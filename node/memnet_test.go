package node

import (
	"bytes"
	"sync"

	"ios/chain"
	"ios/node/onetnet"
)

// memNet joins the nodes of one test process.
type memNet struct {
	mu    sync.Mutex
	ports map[chain.ValidatorID]*memPort
	cut   map[chain.ValidatorID]bool // loses all that it sends or should get
}

func newMemNet() *memNet {
	return &memNet{ports: make(map[chain.ValidatorID]*memPort), cut: make(map[chain.ValidatorID]bool)}
}

// join is a Config.Transport.
func (m *memNet) join(self chain.ValidatorID) func(Handler) (Transport, error) {
	return func(h Handler) (Transport, error) {
		p := &memPort{net: m, self: self, queue: make(chan memMessage, 1<<14), done: make(chan struct{})}
		m.mu.Lock()
		m.ports[self] = p
		m.mu.Unlock()
		go p.run(h)
		return p, nil
	}
}

func (m *memNet) setCut(id chain.ValidatorID, cut bool) {
	m.mu.Lock()
	m.cut[id] = cut
	m.mu.Unlock()
}

// memPort is a Transport.
type memPort struct {
	net     *memNet
	self    chain.ValidatorID
	queue   chan memMessage
	done    chan struct{}
	mu      sync.Mutex
	closed  bool
	dropped []chain.ValidatorID
}

type memMessage struct {
	from    chain.ValidatorID
	payload []byte
}

func (p *memPort) run(h Handler) {
	defer close(p.done)
	for m := range p.queue {
		h(m.from, m.payload)
	}
}

func (p *memPort) Send(to chain.ValidatorID, parts ...[]byte) {
	p.net.mu.Lock()
	dest := p.net.ports[to]
	lost := dest == nil || p.net.cut[p.self] || p.net.cut[to]
	p.net.mu.Unlock()
	if lost {
		return
	}
	dest.mu.Lock()
	defer dest.mu.Unlock()
	if dest.closed {
		return
	}
	select {
	case dest.queue <- memMessage{p.self, bytes.Join(parts, nil)}:
	default: // a full queue loses, as the real one does
	}
}

func (p *memPort) Drop(peer chain.ValidatorID, _ error) {
	p.mu.Lock()
	p.dropped = append(p.dropped, peer)
	p.mu.Unlock()
}

func (p *memPort) SetPeers([]onetnet.Peer) error { return nil }

func (p *memPort) Stats() []onetnet.PeerStat { return nil }

func (p *memPort) Close() error {
	p.mu.Lock()
	closed := p.closed
	p.closed = true
	if !closed {
		close(p.queue)
	}
	p.mu.Unlock()
	<-p.done
	return nil
}
