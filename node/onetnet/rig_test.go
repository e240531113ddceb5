package onetnet

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"testing"
	"time"
)

// dialAs connects to a node as the owner of a secret, without the transport and
// with any change to what TLS shows. It returns once the node has accepted, or
// why it did not.
func dialAs(secret []byte, change func(*tls.Config), to *node) (*tls.Conn, error) {
	id, err := parseIdentity(secret)
	if err != nil {
		return nil, err
	}
	certificate, err := id.certificate()
	if err != nil {
		return nil, err
	}
	cfg := tlsConfig(certificate, fmt.Sprintf("%s%x", protocolName, to.cfg.Chain), nil)
	cfg.VerifyConnection = nil
	if change != nil {
		change(cfg)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	raw, err := new(net.Dialer).DialContext(ctx, "tcp", to.Address())
	if err != nil {
		return nil, err
	}
	c := tls.Client(raw, cfg)
	if err := c.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, err
	}
	c.SetDeadline(time.Now().Add(patience))
	var first [frameHeader + 1]byte
	if _, err := io.ReadFull(c, first[:]); err != nil {
		raw.Close()
		return nil, fmt.Errorf("not accepted: %w", err)
	}
	return c, nil
}

// silentPeer listens with a validator's identity, accepts what comes as the
// transport would and then does nothing, not even read.
func silentPeer(t *testing.T, cfg Config) {
	t.Helper()
	id, err := parseIdentity(cfg.Secret)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := id.certificate()
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		t.Fatal(err)
	}
	protocol := fmt.Sprintf("%s%x", protocolName, cfg.Chain)
	var open []net.Conn
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			raw, err := l.Accept()
			if err != nil {
				return
			}
			open = append(open, raw)
			raw.SetDeadline(time.Now().Add(patience))
			c := tls.Server(raw, tlsConfig(cert, protocol, func(publicKey) error { return nil }))
			if c.Handshake() == nil {
				writeHeartbeat(c)
			}
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
		for _, c := range open {
			c.Close()
		}
	})
}

// frame is a frame with any body.
func frame(kind byte, body ...byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(1+len(body)))
	return append(append(b, kind), body...)
}

// batchOf is the frame of one batch.
func batchOf(t *testing.T, messages ...string) []byte {
	t.Helper()
	var items []item
	for _, m := range messages {
		items = append(items, item{parts: [][]byte{[]byte(m)}, size: len(m)})
	}
	return encodeWith(t, func(w io.Writer) error { return writeBatch(w, items) })
}

func encodeWith(t testing.TB, encode func(io.Writer) error) []byte {
	t.Helper()
	var b sliceWriter
	w := bufio.NewWriterSize(&b, 16)
	if err := encode(w); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return b
}

type sliceWriter []byte

func (b *sliceWriter) Write(p []byte) (int, error) {
	*b = append(*b, p...)
	return len(p), nil
}
