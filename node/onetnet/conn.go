package onetnet

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"go.dedis.ch/onet/v3/network"
)

// bufferSize is one TLS record.
const bufferSize = 16 << 10

// Delivery is what a connection hands to onet's router: the messages of one
// frame, or one message that came in chunks. Its name is onet's key for it.
type Delivery struct {
	from     *conn
	messages [][]byte
}

// hello is what the writer sends through onet's router to have it connect.
type hello struct{}

var deliveryType = network.RegisterMessage(Delivery{})

// conn is an authenticated connection with one peer, as onet's router wants it.
type conn struct {
	host    *host
	peer    *peer
	raw     net.Conn // what TLS runs over
	tls     net.Conn
	dialled bool
	since   time.Time

	in         *bufio.Reader
	introduced bool
	partial    assembly

	writing  sync.Mutex
	out      *bufio.Writer
	lastSent atomic.Int64 // unix nanoseconds

	closing sync.Once
	closed  atomic.Bool
	rx, tx  atomic.Uint64
}

var _ network.Conn = (*conn)(nil)

func newConn(h *host, p *peer, raw, secure net.Conn, dialled bool) *conn {
	c := &conn{
		host: h, peer: p, raw: raw, tls: secure, dialled: dialled, since: time.Now(),
		in:  bufio.NewReaderSize(secure, bufferSize),
		out: bufio.NewWriterSize(secure, bufferSize),
	}
	c.lastSent.Store(c.since.UnixNano())
	return c
}

// Receive returns the next messages. The router expects a connection that it
// accepted to begin with the other end's identity: it gets the one that TLS has
// proven, whatever the other end says of itself.
func (c *conn) Receive() (*network.Envelope, error) {
	if !c.dialled && !c.introduced {
		c.introduced = true
		return &network.Envelope{MsgType: network.ServerIdentityType, Msg: c.peer.identity}, nil
	}
	for {
		kind, body, err := c.readFrame(c.host.cfg.Silence)
		if err == nil {
			var messages [][]byte
			messages, err = c.accept(kind, body)
			if err == nil && messages == nil {
				continue
			}
			if err == nil {
				return &network.Envelope{
					MsgType: deliveryType,
					Msg:     &Delivery{from: c, messages: messages},
					Size:    network.Size(len(body)),
				}, nil
			}
		}
		return nil, c.fail(err)
	}
}

// fail closes the connection for a reason and translates it for the router. A
// peer that broke the format is dropped.
func (c *conn) fail(err error) error {
	if errors.Is(err, ErrMalformed) {
		c.host.drop(c.peer, err)
	}
	c.close(err)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("%w: %v", network.ErrTimeout, err)
	case errors.Is(err, io.EOF):
		return fmt.Errorf("%w: %v", network.ErrEOF, err)
	}
	return fmt.Errorf("%w: %v", network.ErrClosed, err)
}

// readFrame reads one frame within the limit.
func (c *conn) readFrame(limit time.Duration) (kind byte, body []byte, err error) {
	if err := c.tls.SetReadDeadline(time.Now().Add(limit)); err != nil {
		return 0, nil, err
	}
	var h [frameHeader + 1]byte
	if _, err := io.ReadFull(c.in, h[:]); err != nil {
		return 0, nil, err
	}
	size := binary.BigEndian.Uint32(h[:])
	if size < 1 || size > MaxFrame {
		return 0, nil, malformed("frame of %d bytes, allowed are 1 to %d", size, MaxFrame)
	}
	if size > 1 {
		body = make([]byte, size-1)
		if _, err := io.ReadFull(c.in, body); err != nil {
			return 0, nil, err
		}
	}
	c.rx.Add(uint64(frameHeader + size))
	return h[frameHeader], body, nil
}

// accept returns the messages that a frame completes, if any.
func (c *conn) accept(kind byte, body []byte) ([][]byte, error) {
	now := time.Now()
	c.peer.note(now, frameHeader+1+len(body))
	if c.partial.open() && kind != kindChunk {
		return nil, malformed("kind %d amid a message in chunks", kind)
	}
	switch kind {
	case kindHeartbeat:
		if len(body) > 0 {
			return nil, malformed("heartbeat with %d bytes", len(body))
		}
		return nil, nil
	case kindBatch:
		return parseBatch(body)
	case kindChunk:
		message, err := c.partial.add(body, now, c.host.cfg.Silence)
		if message == nil {
			return nil, err
		}
		return [][]byte{message}, nil
	}
	return nil, malformed("kind %d", kind)
}

// Send is called by the router with our identity, which TLS has shown already,
// and with the hello that made it connect.
func (c *conn) Send(msg network.Message) (uint64, error) {
	switch msg.(type) {
	case *network.ServerIdentity:
		return 0, nil
	case *hello:
		return frameHeader + 1, c.heartbeat()
	}
	return 0, fmt.Errorf("onetnet: a connection cannot send a %T", msg)
}

// heartbeat sends an empty frame.
func (c *conn) heartbeat() error {
	return c.write(func() error {
		if err := c.extend(); err != nil {
			return err
		}
		c.tx.Add(frameHeader + 1)
		return writeHeartbeat(c.out)
	})
}

// deliver sends the items that queue.take returned.
func (c *conn) deliver(items []item) error {
	return c.write(func() error {
		for _, it := range items {
			c.tx.Add(uint64(it.size))
		}
		if items[0].size > maxWhole {
			return writeChunks(c.out, items[0], c.extend)
		}
		if err := c.extend(); err != nil {
			return err
		}
		return writeBatch(c.out, items)
	})
}

// extend gives the next frame its time.
func (c *conn) extend() error {
	return c.tls.SetWriteDeadline(time.Now().Add(c.host.cfg.WriteTimeout))
}

// write runs encode and flushes what it wrote. A connection that failed halfway
// through a frame is of no more use and is closed.
func (c *conn) write(encode func() error) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	err := encode()
	if err == nil {
		err = c.out.Flush()
	}
	if err != nil {
		err = fmt.Errorf("writing to %v: %w", c.raw.RemoteAddr(), err)
		c.close(err)
		return err
	}
	c.lastSent.Store(time.Now().UnixNano())
	return nil
}

// close ends the connection, once. It closes what TLS runs over, since TLS's own
// farewell could block on a peer that does not read.
func (c *conn) close(reason error) {
	c.closing.Do(func() {
		c.closed.Store(true)
		c.raw.Close()
		c.host.untrack(c, reason)
	})
}

// Close ends the connection.
func (c *conn) Close() error {
	c.close(net.ErrClosed)
	return nil
}

func (c *conn) Type() network.ConnType { return network.TLS }

func (c *conn) Remote() network.Address { return network.NewTLSAddress(c.raw.RemoteAddr().String()) }

func (c *conn) Local() network.Address { return network.NewTLSAddress(c.raw.LocalAddr().String()) }

// Rx returns how many bytes arrived in frames.
func (c *conn) Rx() uint64 { return c.rx.Load() }

// Tx returns how many bytes of messages and heartbeats were written.
func (c *conn) Tx() uint64 { return c.tx.Load() }
