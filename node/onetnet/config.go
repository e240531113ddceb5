package onetnet

import (
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/sirupsen/logrus"

	"ios/internal/sm"
)

// Peer is another validator as the registry knows it.
type Peer struct {
	ID sm.NodeID
	// Public is the validator's network identity: the canonical encoding of an
	// Ed25519 point, 32 bytes. It is what a connection must prove.
	Public []byte
	// Address is where the validator listens, "host:port".
	Address string
}

// Config holds everything a [Net] needs. Zero durations and bounds mean the
// defaults written beside them.
type Config struct {
	// Self is this validator's own place in the registry.
	Self sm.NodeID
	// Secret is the scalar of this validator's identity, 32 bytes.
	Secret []byte
	// Chain is the id of the network. Nodes of different chains never connect.
	Chain [32]byte
	// Listen is the one address to listen on, "127.0.0.1:7000". Port 0 takes
	// any free port; see Net.Address.
	Listen string
	// Peers are the validators to talk to. An entry for Self is skipped.
	Peers []Peer
	// Log gets what an operator should know; nil discards it.
	Log logrus.FieldLogger
	// Handler gets every message, in the order in which its sender sent it over
	// one connection. It runs in the connection's goroutine: while it runs
	// nothing else is read from that connection, so it must hand off at once.
	// It owns the payload. It may call every method but Close and SetPeers.
	Handler func(from sm.NodeID, payload []byte)

	QueueBytes    int           // unsent bytes kept per peer; 64 MiB, at least MaxMessage
	QueueMessages int           // unsent messages kept per peer; 16,384
	Heartbeat     time.Duration // a connection idle this long carries a heartbeat; 5 s
	Silence       time.Duration // a connection that brought nothing this long is closed; 60 s
	WriteTimeout  time.Duration // for one frame, at most MaxFrame bytes; 20 s
	DialTimeout   time.Duration // for connecting, handshake included; 5 s
	RedialMin     time.Duration // pause after the first failure to connect; 100 ms
	RedialMax     time.Duration // pause after many failures; 5 s
	DropMin       time.Duration // a peer's first ban by Drop; 1 s, doubling with each
	DropMax       time.Duration // a peer's longest ban; 5 min
}

// withDefaults returns the configuration with every zero bound filled in.
func (c Config) withDefaults() Config {
	setInt := func(p *int, v int) {
		if *p == 0 {
			*p = v
		}
	}
	setDuration := func(p *time.Duration, v time.Duration) {
		if *p == 0 {
			*p = v
		}
	}
	setInt(&c.QueueBytes, 64<<20)
	setInt(&c.QueueMessages, 16384)
	setDuration(&c.Heartbeat, 5*time.Second)
	setDuration(&c.Silence, time.Minute)
	setDuration(&c.WriteTimeout, 20*time.Second)
	setDuration(&c.DialTimeout, 5*time.Second)
	setDuration(&c.RedialMin, 100*time.Millisecond)
	setDuration(&c.RedialMax, 5*time.Second)
	setDuration(&c.DropMin, time.Second)
	setDuration(&c.DropMax, 5*time.Minute)
	if c.Log == nil {
		quiet := logrus.New()
		quiet.SetOutput(io.Discard)
		c.Log = quiet
	}
	return c
}

// check reports the first thing that is wrong with a filled-in configuration.
func (c Config) check() error {
	if c.Handler == nil {
		return errors.New("onetnet: no handler for incoming messages is configured")
	}
	if c.QueueBytes < MaxMessage || c.QueueMessages < 1 {
		return fmt.Errorf("onetnet: a queue of %d bytes and %d messages cannot hold one message of %d bytes; raise the bounds",
			c.QueueBytes, c.QueueMessages, MaxMessage)
	}
	for _, d := range []time.Duration{c.Heartbeat, c.Silence, c.WriteTimeout, c.DialTimeout, c.RedialMin, c.RedialMax, c.DropMin, c.DropMax} {
		if d < 0 {
			return fmt.Errorf("onetnet: negative duration %v in the configuration", d)
		}
	}
	if c.Silence < 2*c.Heartbeat {
		return fmt.Errorf("onetnet: connections are closed after %v of silence, which two heartbeats %v apart cannot prevent; raise Silence",
			c.Silence, c.Heartbeat)
	}
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		return fmt.Errorf("onetnet: listen address %q: %w; write it as host:port", c.Listen, err)
	}
	return nil
}
