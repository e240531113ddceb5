package onetnet

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.dedis.ch/onet/v3/network"
)

const (
	// maxHandshakes bounds the connections that have not proven who they are.
	maxHandshakes = 256
	// maxConns bounds the connections with one peer. Two are normal when both
	// ends dialled at once.
	maxConns = 3
	// staleAfter is the age at which a peer's connection is closed when the peer
	// opens another: it would not have, were the old one alive.
	staleAfter = 5 * time.Second
)

var (
	errStranger = errors.New("the key belongs to no known validator")
	errClosed   = errors.New("onetnet: the transport is closed")
)

// host makes and accepts connections for onet's router: TCP, and TLS 1.3 with
// the identities themselves as the certificates' keys.
type host struct {
	*Net
	listener  net.Listener
	cert      tls.Certificate
	protocol  string
	slots     chan struct{}
	accepting sync.WaitGroup
	listening atomic.Bool
}

var _ network.Host = (*host)(nil)

// Listen accepts connections until Stop and passes on those of known peers.
func (h *host) Listen(fn func(network.Conn)) error {
	h.listening.Store(true)
	defer h.listening.Store(false)
	for {
		raw, err := h.listener.Accept()
		switch {
		case h.ctx.Err() != nil:
			if err == nil {
				raw.Close()
			}
			return nil
		case err != nil:
			h.strangers.warn(h.cfg.Log, "cannot accept connections; is the limit on open files too low?", err)
			if !pause(h.ctx, 50*time.Millisecond) {
				return nil
			}
			continue
		}
		select {
		case h.slots <- struct{}{}:
		default:
			raw.Close()
			h.refusedConns.Add(1)
			h.strangers.warn(h.cfg.Log, "refused a connection", fmt.Errorf("%d others are still in their handshake", maxHandshakes))
			continue
		}
		h.accepting.Add(1)
		go func() {
			defer h.accepting.Done()
			c, err := h.welcome(raw)
			<-h.slots
			if err != nil {
				raw.Close()
				if h.ctx.Err() == nil {
					h.refusedConns.Add(1)
					h.strangers.warn(h.cfg.Log, "refused a connection from "+raw.RemoteAddr().String(), err)
				}
				return
			}
			fn(c)
			c.peer.poke()
		}()
	}
}

// welcome identifies whoever connected and tells it that it is accepted.
func (h *host) welcome(raw net.Conn) (*conn, error) {
	ctx, cancel := context.WithTimeout(h.ctx, h.cfg.DialTimeout)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { raw.Close() })
	defer stop()
	secure := tls.Server(raw, tlsConfig(h.cert, h.protocol, func(key publicKey) error {
		_, err := h.admit(key)
		return err
	}))
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	key, err := provenKey(secure.ConnectionState())
	if err != nil {
		return nil, err
	}
	p, err := h.admit(key)
	if err != nil {
		return nil, err
	}
	c := newConn(h, p, raw, secure, false)
	if err := h.track(c); err != nil {
		return nil, err
	}
	if err := c.heartbeat(); err != nil {
		return nil, err
	}
	return c, nil
}

// admit returns the peer with the key, unless it is unknown or banned.
func (h *host) admit(key publicKey) (*peer, error) {
	h.mu.RLock()
	p := h.byKey[key]
	h.mu.RUnlock()
	if p == nil {
		return nil, fmt.Errorf("%w: %x", errStranger, key)
	}
	if err := p.banned(time.Now()); err != nil {
		return nil, err
	}
	return p, nil
}

// Connect dials a peer, proves both ends' identities and waits for the other
// end's first heartbeat: without it the other end has not accepted.
func (h *host) Connect(si *network.ServerIdentity) (network.Conn, error) {
	h.mu.RLock()
	p := h.byIdentity[si]
	h.mu.RUnlock()
	if p == nil {
		return nil, errStranger
	}
	if err := p.banned(time.Now()); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(p.ctx, h.cfg.DialTimeout)
	defer cancel()
	raw, err := new(net.Dialer).DialContext(ctx, "tcp", p.address)
	if err != nil {
		return nil, err
	}
	c, err := h.greet(ctx, p, raw)
	if err != nil {
		raw.Close()
		return nil, err
	}
	return c, nil
}

func (h *host) greet(ctx context.Context, p *peer, raw net.Conn) (*conn, error) {
	stop := context.AfterFunc(ctx, func() { raw.Close() })
	defer stop()
	secure := tls.Client(raw, tlsConfig(h.cert, h.protocol, func(key publicKey) error {
		if key != p.key {
			return fmt.Errorf("%s answers with the key %x, want %x", p.address, key, p.key)
		}
		return nil
	}))
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, explained(err)
	}
	c := newConn(h, p, raw, secure, true)
	kind, body, err := c.readFrame(h.cfg.DialTimeout)
	if err != nil {
		return nil, explained(fmt.Errorf("the other end did not accept: %w", err))
	}
	if _, err := c.accept(kind, body); err != nil || kind != kindHeartbeat {
		return nil, malformed("the first frame is of kind %d, want a heartbeat", kind)
	}
	if err := h.track(c); err != nil {
		return nil, err
	}
	return c, nil
}

// explained says what an operator cannot see in the alerts of TLS, which have no type.
func explained(err error) error {
	switch text := err.Error(); {
	case strings.HasSuffix(text, "tls: no application protocol"):
		return fmt.Errorf("it is of another network or version, compare the chain ids: %w", err)
	case strings.HasSuffix(text, "tls: bad certificate"):
		return fmt.Errorf("it knows no validator with our key in its epoch: %w", err)
	}
	return err
}

// track enters a connection in its peer's list, where Drop and Close find it,
// and closes those that it makes obsolete.
func (h *host) track(c *conn) error {
	p := c.peer
	p.mu.Lock()
	if p.ctx.Err() != nil {
		p.mu.Unlock()
		return errClosed
	}
	if err := p.bannedLocked(c.since); err != nil {
		p.mu.Unlock()
		return err
	}
	var obsolete []*conn
	for i, old := range p.conns {
		stale := !c.dialled && c.since.Sub(old.since) > staleAfter
		if stale || len(p.conns)-i >= maxConns {
			obsolete = append(obsolete, old)
		}
	}
	p.conns = append(p.conns, c)
	p.mu.Unlock()
	for _, old := range obsolete {
		old.close(errors.New("the peer connected again"))
	}
	return nil
}

// untrack removes a closed connection and plans the next attempt.
func (h *host) untrack(c *conn, reason error) {
	p := c.peer
	now := time.Now()
	p.mu.Lock()
	found := false
	for i := range p.conns {
		if p.conns[i] == c {
			p.conns = append(p.conns[:i:i], p.conns[i+1:]...)
			found = true
			break
		}
	}
	lost := found && len(p.conns) == 0 && p.ctx.Err() == nil
	if lost {
		if now.Sub(c.since) > h.cfg.RedialMax {
			p.failures = 0
		}
		p.planDial(now, reason)
	}
	p.mu.Unlock()
	if lost {
		p.connLog.info(p.log, "connection lost", reason)
	}
	p.poke()
}

// Stop ends Listen and every handshake.
func (h *host) Stop() error {
	h.cancel()
	err := h.listener.Close()
	h.accepting.Wait()
	return err
}

// Address returns where the host listens.
func (h *host) Address() network.Address {
	return network.NewTLSAddress(h.listener.Addr().String())
}

// Listening says whether Listen runs.
func (h *host) Listening() bool { return h.listening.Load() }

// pause waits and says whether it was not interrupted.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
