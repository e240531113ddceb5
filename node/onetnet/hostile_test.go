package onetnet

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"ios/internal/sm"
)

// Whoever is not in the registry is refused, and so is who copies what the
// registry and the wire show of somebody who is.
func TestStrangersAreRefused(t *testing.T) {
	nodes := mesh(t, 2)
	target, copied := nodes[0], nodes[1]
	target.start(t)
	secret, _, err := GenerateIdentity()
	if err != nil {
		t.Fatal(err)
	}
	copiedCert := func(c *tls.Config) {
		id, err := parseIdentity(copied.cfg.Secret)
		if err != nil {
			t.Fatal(err)
		}
		cert, err := id.certificate()
		if err != nil {
			t.Fatal(err)
		}
		cert.PrivateKey = c.Certificates[0].PrivateKey
		c.Certificates = []tls.Certificate{cert}
	}
	refused := target.Refusals().Connections
	for name, try := range map[string]struct {
		secret []byte
		change func(*tls.Config)
	}{
		"an identity that nobody knows":                 {secret, nil},
		"a validator's certificate, without its secret": {secret, copiedCert},
		"no certificate":                                {copied.cfg.Secret, func(c *tls.Config) { c.Certificates = nil }},
		"a validator of another network": {copied.cfg.Secret, func(c *tls.Config) {
			c.NextProtos = []string{protocolName + "02"}
		}},
		"a validator that names no network": {copied.cfg.Secret, func(c *tls.Config) { c.NextProtos = nil }},
	} {
		if c, err := dialAs(try.secret, try.change, target); err == nil {
			c.Close()
			t.Errorf("accepted: %s", name)
		}
		refused++
		target.until(t, name+" is counted", func() bool { return target.Refusals().Connections == refused })
	}
	if target.stat(1).Connected {
		t.Error("the copied validator counts as connected")
	}
	c, err := dialAs(copied.cfg.Secret, nil, target)
	if err != nil {
		t.Fatalf("the validator itself is refused: %v", err)
	}
	c.Close()
}

// Whoever is refused for its genesis file or its key learns which of them it is.
func TestARefusalIsExplained(t *testing.T) {
	nodes := mesh(t, 2)
	nodes[0].start(t)
	secret, _, err := GenerateIdentity()
	if err != nil {
		t.Fatal(err)
	}
	_, err = dialAs(nodes[1].cfg.Secret, func(c *tls.Config) { c.NextProtos = []string{protocolName + "02"} }, nodes[0])
	if err == nil || !strings.Contains(explained(err).Error(), "another network or version") {
		t.Errorf("another network: %v", err)
	}
	_, err = dialAs(secret, nil, nodes[0])
	if err == nil || !strings.Contains(explained(err).Error(), "no validator with our key") {
		t.Errorf("an unknown key: %v", err)
	}
}

// A validator that runs under another's number and address is refused by both
// ends, for its key is not that other's.
func TestCopiedNumberIsRefused(t *testing.T) {
	nodes := mesh(t, 2)
	secret, public, err := GenerateIdentity()
	if err != nil {
		t.Fatal(err)
	}
	impostor := nodes[1]
	impostor.cfg.Secret = secret
	impostor.cfg.Peers = []Peer{nodes[0].cfg.Peers[0], {ID: 1, Public: public, Address: impostor.cfg.Listen}}
	nodes[0].start(t)
	impostor.start(t)
	impostor.Send(0, []byte("as number 1"))
	nodes[0].Send(1, []byte("to the real number 1"))
	nodes[0].until(t, "both ways failed", func() bool {
		return nodes[0].Refusals().Connections > 0 && strings.Contains(nodes[0].stat(1).LastError, "answers with the key")
	})
	if nodes[0].stat(1).Connected || impostor.stat(0).Connected || len(nodes[0].from(1)) > 0 || len(impostor.from(0)) > 0 {
		t.Error("the impostor got through")
	}
}

// A peer that breaks the format is cut off, for longer each time.
func TestGarbageIsPunished(t *testing.T) {
	bigChunk := append([]byte{0, 32, 0, 0, 0, 0, 0, 0}, make([]byte, maxChunk)...) // of 2 MiB
	for name, garbage := range map[string][]byte{
		"length 0":                   {0, 0, 0, 0, 1},
		"length above the bound":     {0, 16, 0, 1, kindBatch},
		"length of all ones":         {255, 255, 255, 255, kindBatch},
		"unknown kind":               frame(9),
		"heartbeat with a body":      frame(kindHeartbeat, 1),
		"batch without a count":      frame(kindBatch, 0, 0),
		"batch of nothing":           frame(kindBatch, 0, 0, 0, 0),
		"batch of too many":          frame(kindBatch, 255, 255, 255, 255, 0, 0, 0, 1, 7),
		"batch with an empty entry":  frame(kindBatch, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 2, 7, 7),
		"batch cut short":            frame(kindBatch, 0, 0, 0, 1, 0, 0, 0, 2, 7),
		"batch with a tail":          frame(kindBatch, 0, 0, 0, 1, 0, 0, 0, 1, 7, 7),
		"chunk without a header":     frame(kindChunk, 0, 1),
		"chunk of a small message":   frame(kindChunk, 0, 0, 0, 1, 0, 0, 0, 0, 7),
		"chunk of a huge message":    frame(kindChunk, 255, 0, 0, 0, 0, 0, 0, 0, 7),
		"chunk that is not full":     frame(kindChunk, 0, 32, 0, 0, 0, 0, 0, 0, 7),
		"chunk from the middle":      frame(kindChunk, 0, 32, 0, 0, 0, 16, 0, 0, 7),
		"heartbeat amid a message":   append(frame(kindChunk, bigChunk...), frame(kindHeartbeat)...),
		"another message's chunk":    append(frame(kindChunk, bigChunk...), frame(kindChunk, 0, 48, 0, 0, 0, 15, 255, 247, 7)...),
		"the same chunk once more":   append(frame(kindChunk, bigChunk...), frame(kindChunk, bigChunk...)...),
		"a good batch, then garbage": append(batchOf(t, "good"), frame(9)...),
	} {
		t.Run(name, func(t *testing.T) {
			nodes := mesh(t, 2)
			nd := nodes[0]
			nd.cfg.DropMin, nd.cfg.DropMax = time.Hour, 2*time.Hour
			nd.start(t)
			c, err := dialAs(nodes[1].cfg.Secret, nil, nd)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := c.Write(garbage); err != nil {
				t.Fatal(err)
			}
			if n, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, net.ErrClosed) {
				t.Fatalf("still connected: read %d bytes, %v", n, err)
			}
			nd.until(t, "it is banned", func() bool {
				s := nd.stat(1)
				return time.Until(s.RefusedUntil) > 50*time.Minute && !s.Connected
			})
			if s := nd.stat(1); !strings.Contains(s.LastError, ErrMalformed.Error()) {
				t.Errorf("after garbage: %+v", s)
			}
			if again, err := dialAs(nodes[1].cfg.Secret, nil, nd); err == nil {
				again.Close()
				t.Error("accepted during the ban")
			}
		})
	}
}

// Drop may be called by the handler. Bans end and grow.
func TestDropBansForAWhile(t *testing.T) {
	nodes := mesh(t, 3)
	a, b := nodes[0], nodes[1]
	a.cfg.DropMin, a.cfg.DropMax = 100*time.Millisecond, 400*time.Millisecond
	bad := errors.New("a bad proof")
	a.cfg.Handler = func(from sm.NodeID, m []byte) {
		a.handle(from, m)
		if string(m) == "bad" {
			a.Drop(from, bad)
		}
	}
	for _, nd := range nodes {
		nd.start(t)
	}
	var bans []time.Duration
	for round := 1; round <= 4; round++ {
		before := time.Now()
		b.Send(0, []byte("bad"))
		b.Send(0, []byte("worse"))
		a.until(t, "the peer is dropped", func() bool { return a.stat(1).RefusedUntil.After(before) })
		bans = append(bans, time.Until(a.stat(1).RefusedUntil))
		b.until(t, "the peer notices", func() bool { return b.stat(0).LastErrorAt.After(before) })
		a.Send(1, []byte("lost"))
		nodes[2].Send(0, []byte("unhurt"))
		a.until(t, "the others still come through", func() bool { return len(a.from(2)) == round })
		b.until(t, "it is forgiven", func() bool { return b.stat(0).Connected && time.Now().After(a.stat(1).RefusedUntil) })
	}
	for i, most := range []time.Duration{100, 200, 400, 400} {
		if bans[i] > most*time.Millisecond || i < 3 && bans[i] <= most*time.Millisecond/2 && i > 0 {
			t.Errorf("ban %d lasted %v, want up to %d ms", i, bans[i], most)
		}
	}
	if s := a.stat(1); s.Dropped == 0 {
		t.Errorf("what was sent during a ban is not counted: %+v", s)
	}
}

// A peer that accepts and never reads costs a bounded queue and nobody else
// anything.
func TestHungPeer(t *testing.T) {
	nodes := mesh(t, 3)
	a := nodes[0]
	a.cfg.QueueBytes, a.cfg.QueueMessages = MaxMessage, 600
	silentPeer(t, nodes[2].cfg)
	a.start(t)
	nodes[1].start(t)
	a.until(t, "the hung peer is connected", func() bool { return a.stat(2).Connected })
	const count, size = 400, 300_000
	m := numbered(0, size)
	start := time.Now()
	for range count {
		a.Send(2, m)
	}
	if d := time.Since(start); d > 2*time.Second {
		t.Errorf("sending to a hung peer took %v", d)
	}
	s := a.stat(2)
	if s.QueuedBytes > a.cfg.QueueBytes || s.QueuedMessages > a.cfg.QueueMessages || s.Dropped == 0 {
		t.Errorf("queue of the hung peer: %+v", s)
	}
	for i := range 50 {
		a.Send(1, numbered(i, 5000))
	}
	nodes[1].until(t, "the other peer has everything", func() bool { return len(nodes[1].from(0)) == 50 })
	before := s.Dropped
	for i := range 2000 { // more than the queue and the system's buffers hold
		a.Send(2, numbered(i, 20_000))
	}
	if s := a.stat(2); s.QueuedMessages > a.cfg.QueueMessages || s.Dropped < before+500 {
		t.Errorf("queue of the hung peer: %+v", s)
	}
	a.Drop(2, errors.New("it hangs"))
	if s := a.stat(2); s.QueuedMessages != 0 || s.QueuedBytes != 0 {
		t.Errorf("kept for a dropped peer: %+v", s)
	}
	start = time.Now()
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("closing took %v with a hung peer", d)
	}
}

// What the writer holds when its peer is dropped is lost with the queue.
func TestDropReachesTheWriter(t *testing.T) {
	nd := mesh(t, 2)[0]
	nd.start(t)
	nd.Drop(1, errors.New("it cheats"))
	nd.peer(1).settle([]item{{size: 10}, {size: 20}}, net.ErrClosed)
	if s := nd.stat(1); s.QueuedMessages != 0 || s.Dropped != 2 {
		t.Errorf("after the drop: %+v", s)
	}
}

// A hung peer is given up after the time for one frame and connected to again.
// What could not be written to it waits for the next connection.
func TestHungPeerIsGivenUp(t *testing.T) {
	nodes := mesh(t, 2)
	a := nodes[0]
	a.cfg.WriteTimeout = 50 * time.Millisecond
	silentPeer(t, nodes[1].cfg)
	a.start(t)
	a.until(t, "the hung peer is connected", func() bool { return a.stat(1).Connected })
	const count = 50
	for range count {
		a.Send(1, make([]byte, 1<<20))
	}
	var last time.Time
	for range 3 {
		a.until(t, "the connection was given up", func() bool {
			s := a.stat(1)
			return s.LastErrorAt.After(last) && strings.Contains(s.LastError, "timeout")
		})
		last = a.stat(1).LastErrorAt
		a.until(t, "it is connected again", func() bool { return a.stat(1).Connected })
	}
	// One may be in the writer's hands.
	if s := a.stat(1); s.Dropped > 0 || s.QueuedMessages+int(s.Sent) < count-1 {
		t.Errorf("of %d messages some are lost: %+v", count, s)
	}
}

// A peer that says nothing is disconnected after a while, and one that says
// nothing before it has proven who it is, too.
func TestSilentPeersAreDisconnected(t *testing.T) {
	nodes := mesh(t, 2)
	nd := nodes[0]
	nd.cfg.Heartbeat, nd.cfg.Silence, nd.cfg.DialTimeout = 40*time.Millisecond, 200*time.Millisecond, 200*time.Millisecond
	nd.start(t)
	c, err := dialAs(nodes[1].cfg.Secret, nil, nd)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	mute, err := net.Dial("tcp", nd.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	for _, conn := range []net.Conn{c, mute} {
		conn.SetDeadline(time.Now().Add(patience))
		if _, err := io.Copy(io.Discard, conn); errors.Is(err, net.ErrClosed) || isTimeout(err) {
			t.Errorf("not disconnected: %v", err)
		}
	}
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}

// A peer cannot have more than a few connections.
func TestConnectionsPerPeerAreBounded(t *testing.T) {
	nodes := mesh(t, 2)
	nd := nodes[0]
	nd.start(t)
	for range 10 {
		c, err := dialAs(nodes[1].cfg.Secret, nil, nd)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if got := nd.connections(1); got > maxConns {
			t.Errorf("%d connections with one peer", got)
		}
	}
}

// connections counts the open connections with a peer.
func (nd *node) connections(id sm.NodeID) int {
	p := nd.peer(id)
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.conns)
}

func (nd *node) peer(id sm.NodeID) *peer {
	nd.Net.mu.RLock()
	defer nd.Net.mu.RUnlock()
	return nd.byID[id]
}
