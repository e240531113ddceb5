package onetnet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.dedis.ch/onet/v3/network"

	"ios/internal/sm"
)

// protocolName is the version of the wire format. With the chain id it is what
// both ends must agree on for a handshake to succeed.
const protocolName = "ios-net/1/"

// Net carries messages between this validator and its peers.
type Net struct {
	cfg    Config
	id     *identity
	ctx    context.Context
	cancel context.CancelFunc
	host   *host
	router *network.Router
	served chan struct{} // closed when the router has stopped listening

	strangers    limiter
	refusedConns atomic.Uint64
	refusedSends atomic.Uint64
	changing     sync.Mutex // held by SetPeers and Close from start to end

	mu         sync.RWMutex
	closed     bool
	byID       map[sm.NodeID]*peer
	byKey      map[publicKey]*peer
	byIdentity map[*network.ServerIdentity]*peer
}

// New listens on the configured address and starts to connect to the peers.
func New(cfg Config) (*Net, error) {
	cfg = cfg.withDefaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	id, err := parseIdentity(cfg.Secret)
	if err != nil {
		return nil, err
	}
	cert, err := id.certificate()
	if err != nil {
		return nil, err
	}
	n := &Net{
		cfg: cfg, id: id, served: make(chan struct{}),
		byID:       make(map[sm.NodeID]*peer),
		byKey:      make(map[publicKey]*peer),
		byIdentity: make(map[*network.ServerIdentity]*peer),
	}
	if err := n.checkPeers(cfg.Peers); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("onetnet: cannot listen on %s: %w; stop the program that uses it or configure another address", cfg.Listen, err)
	}
	bridgeLogs(cfg.Log)
	n.ctx, n.cancel = context.WithCancel(context.Background())
	n.host = &host{
		Net: n, listener: listener, cert: cert,
		protocol: fmt.Sprintf("%s%x", protocolName, cfg.Chain),
		slots:    make(chan struct{}, maxHandshakes),
	}
	own := network.NewServerIdentity(id.point, n.host.Address())
	n.router = network.NewRouter(own, n.host)
	n.router.Quiet = true
	n.router.RegisterProcessorFunc(deliveryType, func(e *network.Envelope) error {
		d, ok := e.Msg.(*Delivery)
		if !ok {
			return fmt.Errorf("delivery of a %T", e.Msg)
		}
		n.deliver(d)
		return nil
	})
	go func() {
		defer close(n.served)
		n.router.Start()
	}()
	if err := n.SetPeers(cfg.Peers); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	return n, nil
}

// Address returns where the transport listens.
func (n *Net) Address() string { return n.host.listener.Addr().String() }

// checkPeers refuses a list in which the identities are not clear.
func (n *Net) checkPeers(peers []Peer) error {
	ids := make(map[sm.NodeID]bool)
	keys := make(map[publicKey]sm.NodeID)
	for _, q := range peers {
		_, key, err := parsePublic(q.Public)
		if err != nil {
			return fmt.Errorf("onetnet: validator %d: %w", q.ID, err)
		}
		if ids[q.ID] {
			return fmt.Errorf("onetnet: validator %d is listed twice", q.ID)
		}
		if other, ok := keys[key]; ok {
			return fmt.Errorf("onetnet: validators %d and %d have one identity %x", other, q.ID, key)
		}
		if (q.ID == n.cfg.Self) != (key == n.id.public) {
			return fmt.Errorf("onetnet: validator %d is listed with the identity %x, but validator %d, whose secret is configured, has %x; check the secret against the registry",
				q.ID, key, n.cfg.Self, n.id.public)
		}
		if _, _, err := net.SplitHostPort(q.Address); err != nil {
			return fmt.Errorf("onetnet: validator %d: address %q: %w", q.ID, q.Address, err)
		}
		ids[q.ID], keys[key] = true, q.ID
	}
	return nil
}

// SetPeers replaces the list of peers: those no longer listed, or listed with
// another identity or address, are disconnected and lose their queues; those
// unchanged notice nothing.
func (n *Net) SetPeers(peers []Peer) error {
	if err := n.checkPeers(peers); err != nil {
		return err
	}
	n.changing.Lock()
	defer n.changing.Unlock()
	listed := make(map[sm.NodeID]Peer, len(peers))
	for _, q := range peers {
		if q.ID != n.cfg.Self {
			listed[q.ID] = q
		}
	}
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		return errClosed
	}
	var gone []*peer
	for id, p := range n.byID {
		if q, ok := listed[id]; ok && p.key == publicKey(q.Public) && p.address == q.Address {
			delete(listed, id)
			continue
		}
		n.forget(p)
		gone = append(gone, p)
	}
	for _, q := range listed {
		p := n.newPeer(q)
		n.byID[p.id], n.byKey[p.key], n.byIdentity[p.identity] = p, p, p
		go n.write(p)
	}
	n.mu.Unlock()
	for _, p := range gone {
		<-p.done
	}
	return nil
}

// newPeer makes a peer whose writer is to be started.
func (n *Net) newPeer(q Peer) *peer {
	point, key, err := parsePublic(q.Public)
	if err != nil {
		panic(err) // checkPeers has passed it
	}
	p := &peer{
		id: q.ID, key: key, address: q.Address, cfg: &n.cfg,
		identity: network.NewServerIdentity(point, network.NewTLSAddress(q.Address)),
		dials:    n.cfg.Self < q.ID,
		log:      n.cfg.Log.WithField("peer", q.ID),
		wake:     make(chan struct{}, 1),
		done:     make(chan struct{}),
		queue:    queue{maxBytes: n.cfg.QueueBytes, maxItems: n.cfg.QueueMessages},
	}
	p.ctx, p.cancel = context.WithCancel(n.ctx)
	if !p.dials {
		p.nextDial = time.Now().Add(graceDials * n.cfg.RedialMin)
	}
	return p
}

// forget removes a peer and closes its connections. The caller holds n.mu.
func (n *Net) forget(p *peer) {
	delete(n.byID, p.id)
	delete(n.byKey, p.key)
	delete(n.byIdentity, p.identity)
	p.mu.Lock()
	p.cancel() // under the lock, so that no connection is tracked after it
	conns := slices.Clone(p.conns)
	p.mu.Unlock()
	for _, c := range conns {
		c.close(errClosed)
	}
}

// Send queues one message, the concatenation of the payload's slices, which
// must not change afterwards. It never blocks. Messages to one peer are sent in
// order; nothing tells whether they arrive. When the peer's queue is full the
// oldest messages in it give way, which is counted in Stats and logged.
func (n *Net) Send(to sm.NodeID, payload ...[]byte) {
	it := item{parts: slices.Clone(payload)}
	for _, part := range payload {
		it.size += len(part)
	}
	n.mu.RLock()
	p := n.byID[to]
	n.mu.RUnlock()
	if p == nil || it.size == 0 || it.size > MaxMessage {
		n.refuse(to, it.size)
		return
	}
	lost, err := p.enqueue(it, time.Now())
	if lost > 0 {
		p.dropLog.warnCount(p.log, "messages for a validator were dropped", err, lost)
	}
	p.poke()
}

// refuse counts and logs a message that cannot be sent at all.
func (n *Net) refuse(to sm.NodeID, size int) {
	n.refusedSends.Add(1)
	err := fmt.Errorf("validator %d is not a peer", to)
	switch {
	case to == n.cfg.Self:
		err = errSelf
	case size == 0 || size > MaxMessage:
		err = fmt.Errorf("%d bytes for validator %d, allowed are 1 to %d", size, to, MaxMessage)
	}
	n.strangers.warn(n.cfg.Log, "refused to send a message", err)
}

// Drop disconnects a peer that misbehaved and refuses its traffic for a while:
// DropMin at first, twice as long each time it happens again soon, at most
// DropMax. What is queued for it is lost. During a ban it does nothing.
func (n *Net) Drop(id sm.NodeID, reason error) {
	n.mu.RLock()
	p := n.byID[id]
	n.mu.RUnlock()
	if p != nil {
		n.drop(p, reason)
	}
}

func (n *Net) drop(p *peer, reason error) {
	if reason == nil {
		reason = errors.New("no reason given")
	}
	d, conns, ok := p.ban(time.Now(), reason)
	if !ok {
		return
	}
	p.log.WithError(reason).WithField("for", d).Warn("a validator misbehaved and is refused for a while")
	for _, c := range conns {
		c.close(reason)
	}
}

// Close disconnects everybody and waits until nothing of the transport runs. A
// handler that does not return holds it up.
func (n *Net) Close() error {
	n.changing.Lock()
	defer n.changing.Unlock()
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		return nil
	}
	n.closed = true
	peers := make([]*peer, 0, len(n.byID))
	for _, p := range n.byID {
		peers = append(peers, p)
	}
	for _, p := range peers {
		n.forget(p)
	}
	n.mu.Unlock()
	err := n.router.Stop()
	<-n.served
	for _, p := range peers {
		<-p.done
	}
	if err != nil {
		return fmt.Errorf("onetnet: closing %s: %w", n.Address(), err)
	}
	return nil
}
