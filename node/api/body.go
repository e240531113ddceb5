package api

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync/atomic"

	"ios/chain"
)

// gate bounds how many requests of a kind are served at a time.
type gate struct {
	name string
	max  int64
	now  atomic.Int64
}

func (g *gate) enter() error {
	if g.now.Add(1) > g.max {
		g.now.Add(-1)
		return chain.Rule(ErrBusy, "%d %s are being served, and no more are allowed at a time", g.max, g.name)
	}
	return nil
}

func (g *gate) leave() { g.now.Add(-1) }

// budget bounds the bytes of all bodies that are held at a time.
type budget struct {
	max  int64
	used atomic.Int64
}

func (b *budget) take(n int) error {
	if b.used.Add(int64(n)) > b.max {
		b.used.Add(-int64(n))
		return chain.Rule(ErrBusy, "requests of %d bytes are being served, and no more are allowed at a time", b.max)
	}
	return nil
}

func (b *budget) give(n int) { b.used.Add(-int64(n)) }

// smallBody is what a client gets a buffer of without having sent anything.
const smallBody = 4 << 10

// body is a request's body and what it holds of the budget.
type body struct {
	data  []byte
	taken int
}

// readBody reads a whole body of at most max bytes. It refuses a longer one
// without reading it. A client holds little more memory than it has sent.
func (s *Server) readBody(r *http.Request, max int) (b body, err error) {
	if r.ContentLength > int64(max) {
		return b, chain.Rule(chain.ErrTooLarge, "a request of %d bytes, at most %d are allowed", r.ContentLength, max)
	}
	size := smallBody
	if n := r.ContentLength; n >= 0 && n < smallBody {
		size = int(n)
	}
	if err := s.bytes.take(size); err != nil {
		return b, err
	}
	b.taken = size
	b.data = make([]byte, 0, size)
	for {
		if len(b.data) == cap(b.data) && int64(len(b.data)) != r.ContentLength {
			if err := s.grow(&b, r.ContentLength, max); err != nil {
				s.bytes.give(b.taken)
				return body{}, err
			}
		}
		n, err := r.Body.Read(b.data[len(b.data):cap(b.data)])
		b.data = b.data[:len(b.data)+n]
		switch {
		case len(b.data) > max:
			s.bytes.give(b.taken)
			return body{}, chain.Rule(chain.ErrTooLarge, "a request of more than %d bytes", max)
		case err == io.EOF, err == nil && int64(len(b.data)) == r.ContentLength:
			return b, nil
		case err != nil:
			s.bytes.give(b.taken)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				return body{}, chain.Rule(ErrRequest, "the body did not arrive within %v: %d bytes of it did", s.limits.Body, len(b.data))
			}
			return body{}, chain.Rule(ErrRequest, "the body broke off after %d bytes: %v", len(b.data), err)
		}
	}
}

// grow makes room for eight times what has arrived, or for what is announced.
// One byte above max is room enough to see that there are more.
func (s *Server) grow(b *body, announced int64, max int) error {
	size := min(8*cap(b.data), max+1)
	if announced >= 0 {
		size = min(size, int(announced))
	}
	if err := s.bytes.take(size - b.taken); err != nil {
		return err
	}
	b.taken = size
	b.data = append(make([]byte, 0, size), b.data...)
	return nil
}
