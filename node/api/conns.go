package api

import (
	"container/list"
	"context"
	"net"
	"net/http"
	"sync"
)

// conns is a listener with at most max open connections. When one more comes,
// the oldest connection that has never completed a request makes room, else the
// one that is idle for longest, else the new one is closed. So half-open
// requests push each other out, and a client at work is never disturbed.
type conns struct {
	net.Listener
	max    int
	report func(reason, host, text string)

	mu       sync.Mutex
	open     int
	unproven *list.List // of *conn, oldest first
	idle     *list.List // of *conn, longest idle first
	refused  func()
}

// conn is a connection and how far its client has got.
type conn struct {
	net.Conn
	all    *conns
	place  *list.Element // in one of the lists, or nil while a request is served
	in     *list.List
	active int // requests whose body has arrived and that are not answered
	closed bool
}

func newConns(l net.Listener, max int, report func(reason, host, text string), refused func()) *conns {
	return &conns{Listener: l, max: max, report: report, refused: refused, unproven: list.New(), idle: list.New()}
}

// Accept waits for a connection that there is room for.
func (c *conns) Accept() (net.Conn, error) {
	for {
		raw, err := c.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if n := c.admit(raw); n != nil {
			return n, nil
		}
		c.refused()
		c.report("connections", hostOf(raw.RemoteAddr()), "all connections are in use by requests that are being served: a new one is refused")
		raw.Close()
	}
}

func (c *conns) admit(raw net.Conn) *conn {
	c.mu.Lock()
	var victim *conn
	if c.open >= c.max {
		for _, l := range []*list.List{c.unproven, c.idle} {
			if e := l.Front(); e != nil {
				victim = e.Value.(*conn)
				break
			}
		}
		if victim == nil {
			c.mu.Unlock()
			return nil
		}
		c.forget(victim)
	}
	n := &conn{Conn: raw, all: c}
	c.open++
	n.put(c.unproven)
	c.mu.Unlock()
	if victim != nil {
		c.refused()
		c.report("connections", hostOf(victim.RemoteAddr()), "too many connections: those without a request are closed, oldest first")
		victim.Conn.Close()
	}
	return n
}

// forget takes n out of the books. The caller holds the lock.
func (c *conns) forget(n *conn) {
	if !n.closed {
		n.closed = true
		c.open--
		n.put(nil)
	}
}

// put moves n to the end of l. The caller holds the lock.
func (n *conn) put(l *list.List) {
	if n.in != nil {
		n.in.Remove(n.place)
	}
	n.in, n.place = l, nil
	if l != nil {
		n.place = l.PushBack(n)
	}
}

// Close closes the connection and makes room.
func (n *conn) Close() error {
	n.all.mu.Lock()
	n.all.forget(n)
	n.all.mu.Unlock()
	return n.Conn.Close()
}

// begin marks that a whole request has arrived on n.
func (n *conn) begin() {
	n.all.mu.Lock()
	if n.active++; n.active == 1 && !n.closed {
		n.put(nil)
	}
	n.all.mu.Unlock()
}

// end marks that the request is answered.
func (n *conn) end() {
	n.all.mu.Lock()
	if n.active--; n.active == 0 && !n.closed {
		n.put(n.all.idle)
	}
	n.all.mu.Unlock()
}

// openNow is the number of open connections.
func (c *conns) openNow() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open
}

type connKey struct{}

// connContext lets handlers find the connection of their request.
func connContext(ctx context.Context, n net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, n)
}

func connOf(r *http.Request) *conn {
	n, _ := r.Context().Value(connKey{}).(*conn)
	return n
}

func hostOf(a net.Addr) string { return hostOnly(a.String()) }

// hostOnly leaves the port out.
func hostOnly(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return host
}
