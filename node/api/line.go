package api

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"

	"ios/node/api/ledgerpb"
)

// Line is a connection of its own to one validator, for a client that submits
// one thing after the other. A submission over it costs a third of one by an
// http.Client, which hands each between three goroutines. It is for one
// goroutine. A Client's attempts and waits are not made: what fails is the
// caller's to repeat.
type Line struct {
	c    *Client
	head []byte // of a request, up to the length of its body
	host string

	conn   net.Conn
	read   *bufio.Reader
	buf    []byte
	forget func() bool
}

// Line makes a line. It connects when it is first used.
func (c *Client) Line() (*Line, error) {
	u, err := url.Parse(c.url)
	if err != nil || u.Scheme != "http" || u.Port() == "" {
		return nil, &Error{Kind: ErrRequest, Text: "a line needs an endpoint of the form http://host:port", Endpoint: c.url}
	}
	head := fmt.Sprintf("POST %s%s HTTP/1.1\r\nHost: %s\r\nContent-Type: %s\r\nContent-Length: ", u.Path, SubmitPath, u.Host, typeBinary)
	return &Line{c: c, head: []byte(head), host: u.Host}, nil
}

// Submit submits encoded transactions, as [Client.Submit] does. The connection
// is closed when ctx ends.
func (l *Line) Submit(ctx context.Context, raw []byte) (SubmitResult, error) {
	kept := l.conn != nil
	res, sent, err := l.submit(ctx, raw)
	if err != nil && kept && !sent { // the server has closed it while it was idle
		res, _, err = l.submit(ctx, raw)
	}
	return res, err
}

// submit reports as well whether any answer, if only a part, came.
func (l *Line) submit(ctx context.Context, raw []byte) (res SubmitResult, answered bool, err error) {
	if l.conn == nil {
		if err := l.dial(ctx); err != nil {
			return res, false, clientError(l.c.url, err)
		}
	}
	l.conn.SetDeadline(time.Now().Add(l.c.cfg.Timeout))
	l.buf = strconv.AppendInt(append(l.buf[:0], l.head...), int64(len(raw)), 10)
	l.buf = append(append(l.buf, "\r\n\r\n"...), raw...)
	if _, err = l.conn.Write(l.buf); err == nil {
		_, err = l.read.Peek(1)
	}
	if err != nil {
		l.Close()
		return res, false, clientError(l.c.url, err)
	}
	res, err = l.answer()
	return res, true, err
}

func (l *Line) answer() (SubmitResult, error) {
	h, err := http.ReadResponse(l.read, nil)
	if err != nil {
		l.Close()
		return SubmitResult{}, clientError(l.c.url, err)
	}
	body, err := io.ReadAll(io.LimitReader(h.Body, longestAnswer))
	if err != nil || h.Close || len(body) == longestAnswer {
		l.Close()
	}
	switch {
	case err != nil:
		return SubmitResult{}, clientError(l.c.url, err)
	case h.StatusCode != http.StatusOK:
		return SubmitResult{}, l.c.plainFault(h, body)
	}
	var m ledgerpb.SubmitResponse
	if err := proto.Unmarshal(body, &m); err != nil {
		return SubmitResult{}, fmt.Errorf("the answer is no SubmitResponse: %w", err)
	}
	return refusalsFromWire(&m), nil
}

func (l *Line) dial(ctx context.Context) error {
	conn, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "tcp", l.host)
	if err != nil {
		return err
	}
	l.conn, l.read = conn, bufio.NewReader(conn)
	l.forget = context.AfterFunc(ctx, func() { conn.Close() })
	return nil
}

// Close closes the connection; the next submission makes another.
func (l *Line) Close() {
	if l.conn != nil {
		l.forget()
		l.conn.Close()
		l.conn = nil
	}
}
