package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	stdlog "log"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect"
	"github.com/sirupsen/logrus"

	"ios/chain"
	"ios/node/api/ledgerpb/ledgerpbconnect"
)

// Server serves the client API of one validator.
type Server struct {
	backend Backend
	prefix  string
	limits  Limits
	quiet   *quiet
	metrics *metrics
	conns   *conns
	http    *http.Server
	errors  *connect.ErrorWriter
	windows windows
	replays chan struct{} // a token for each old block that is fetched at a time

	bytes   budget
	waiting gate // requests whose body has not arrived
	submits gate

	stopping chan struct{} // closed when streams must end
	stopOnce sync.Once
	served   chan struct{} // closed when serving has ended
	err      error         // why, once served is closed
}

// submitBodyMax has room for a submission inside a Submit message of any
// codec: base64 in JSON takes a third more.
const submitBodyMax = MaxSubmitBytes + MaxSubmitBytes/3 + 1024

// NewServer listens and serves until Close. A taken port is an error that
// names it.
func NewServer(cfg Config) (*Server, error) {
	if cfg.Listen == "" {
		cfg.Listen = DefaultListen
	}
	if cfg.Log == nil {
		cfg.Log = logrus.StandardLogger()
	}
	l, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("client API: listening on %s: %w; free the port or configure another one", cfg.Listen, err)
	}
	limits := cfg.Limits.withDefaults()
	s := &Server{
		backend: cfg.Backend, prefix: cfg.Prefix, limits: limits,
		quiet:    newQuiet(cfg.Log),
		errors:   connect.NewErrorWriter(),
		replays:  make(chan struct{}, 2),
		bytes:    budget{max: limits.BodyBytes},
		waiting:  gate{name: "unfinished requests", max: int64(limits.Waiting)},
		submits:  gate{name: "submissions", max: int64(limits.Submits)},
		stopping: make(chan struct{}),
		served:   make(chan struct{}),
	}
	if s.metrics, err = newMetrics(cfg.Registry, s); err != nil {
		l.Close()
		return nil, fmt.Errorf("client API: %w", err)
	}
	s.conns = newConns(l, limits.Connections, s.quiet.warn, s.metrics.connsRefused.Inc)
	s.http = s.newHTTP()
	go s.serve()
	return s, nil
}

func (s *Server) newHTTP() *http.Server {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{
		Handler:           s.routes(),
		Protocols:         &protocols,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: 100},
		ReadHeaderTimeout: s.limits.Header,
		ReadTimeout:       s.limits.Body, // net/http lifts it once the body is there
		WriteTimeout:      s.limits.Submit + s.limits.Write,
		IdleTimeout:       s.limits.Idle,
		MaxHeaderBytes:    16 << 10,
		ConnContext:       connContext,
		ErrorLog:          stdlog.New(faults{s.quiet}, "", 0),
	}
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	l := s.limits
	reads := &gate{name: "reading calls", max: int64(l.Reads)}
	kinds := []struct {
		procedure string
		gate      *gate
		body      int
		timeout   time.Duration
	}{
		{ledgerpbconnect.LedgerSubmitProcedure, &s.submits, submitBodyMax, l.Submit},
		{ledgerpbconnect.LedgerCarryProcedure, &gate{name: "carried proofs", max: int64(l.Carries)}, submitBodyMax, l.Read},
		{ledgerpbconnect.LedgerCoinsProcedure, &gate{name: "lists of coins", max: int64(l.Coins)}, 4 << 10, l.Read},
		{ledgerpbconnect.LedgerOutcomeProcedure, reads, 4 << 10, l.Read},
		{ledgerpbconnect.LedgerBundleProcedure, reads, 4 << 10, l.Read},
		{ledgerpbconnect.LedgerTxProcedure, reads, 4 << 10, l.Read},
		{ledgerpbconnect.LedgerBlockProcedure, reads, 4 << 10, l.Read},
		{ledgerpbconnect.LedgerTranscriptProcedure, &gate{name: "transcripts", max: 4}, 4 << 10, l.Read},
		{ledgerpbconnect.LedgerEnrollProcedure, &gate{name: "orders", max: 64}, submitBodyMax, l.Submit},
		{ledgerpbconnect.LedgerRegisteredProcedure, reads, 4 << 10, l.Read},
		// Status has a gate of its own: it must answer when nothing else does.
		{ledgerpbconnect.LedgerStatusProcedure, &gate{name: "status calls", max: 64}, 4 << 10, l.Read},
	}
	options := []connect.HandlerOption{connect.WithCompression("gzip", nil, nil), connect.WithReadMaxBytes(submitBodyMax)}
	_, calls := ledgerpbconnect.NewLedgerHandler(&handler{s: s}, options...)
	for _, k := range kinds {
		mux.Handle(k.procedure, s.guard(k.procedure, k.gate, k.body, k.timeout, calls))
	}
	streams := &gate{name: "event streams", max: int64(l.Streams)}
	mux.Handle(ledgerpbconnect.LedgerEventsProcedure, s.guard(ledgerpbconnect.LedgerEventsProcedure, streams, 4<<10, 0, withController(s.eventsHandler(options))))
	books := &gate{name: "streams of epochs", max: 16}
	mux.Handle(ledgerpbconnect.LedgerEpochsProcedure, s.guard(ledgerpbconnect.LedgerEpochsProcedure, books, 4<<10, 0,
		withController(connect.NewServerStreamHandler(ledgerpbconnect.LedgerEpochsProcedure, s.epochs, options...))))
	mux.HandleFunc("POST "+SubmitPath, s.plainSubmit)
	mux.HandleFunc("GET /healthz", s.healthz)
	mux.HandleFunc("GET /readyz", s.readyz)
	mux.Handle("GET /metrics", s.metrics.handler())
	return mux
}

func (s *Server) serve() {
	defer close(s.served)
	if err := s.http.Serve(s.conns); !errors.Is(err, http.ErrServerClosed) {
		s.err = fmt.Errorf("client API on %s: %w", s.Addr(), err)
		s.quiet.log.WithError(s.err).Error("the client API has ended")
	}
}

// Addr is the address that the server listens on.
func (s *Server) Addr() string { return s.conns.Addr().String() }

// URL is the base URL for a Client on this machine.
func (s *Server) URL() string { return "http://" + s.Addr() }

// Done is closed when the server no longer serves; Err then says why, and is
// nil after Close.
func (s *Server) Done() <-chan struct{} { return s.served }

// Err is why the server ended, once Done is closed.
func (s *Server) Err() error {
	select {
	case <-s.served:
		return s.err
	default:
		return nil
	}
}

// Close ends the streams, lets the calls that are being served finish while
// ctx lasts, and closes everything.
func (s *Server) Close(ctx context.Context) error {
	s.stopOnce.Do(func() { close(s.stopping) })
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = s.http.Close()
	}
	<-s.served
	s.metrics.unregister()
	return err
}

// guard takes a request's whole body in before it enters the kind's gate, so
// that a client that dawdles takes no place from others.
func (s *Server) guard(procedure string, g *gate, max int, timeout time.Duration, next http.Handler) http.Handler {
	m := s.metrics.call(procedure)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		b, done, err := s.admit(r, g, max)
		if err != nil {
			m.refuse(err)
			s.note(remoteHost(r), err)
			if s.errors.IsSupported(r) {
				s.errors.Write(w, r, wireError(err))
			} else {
				writePlainError(w, err)
			}
			return
		}
		defer done()
		r.Body = &ready{Reader: bytes.NewReader(b.data)}
		if timeout > 0 {
			ctx, cancel := context.WithTimeout(r.Context(), timeout)
			defer cancel()
			r = r.WithContext(ctx)
		}
		next.ServeHTTP(w, r)
		m.done(start)
	})
}

// admit reads the body and enters the gate. The caller calls done at the end.
func (s *Server) admit(r *http.Request, g *gate, max int) (b body, done func(), err error) {
	if err := s.waiting.enter(); err != nil {
		return b, nil, err
	}
	b, err = s.readBody(r, max)
	s.waiting.leave()
	if err != nil {
		return b, nil, err
	}
	if err := g.enter(); err != nil {
		s.bytes.give(b.taken)
		return b, nil, err
	}
	c := connOf(r)
	if c != nil {
		c.begin()
	}
	return b, func() {
		if c != nil {
			c.end()
		}
		g.leave()
		s.bytes.give(b.taken)
	}, nil
}

func remoteHost(r *http.Request) string { return hostOnly(r.RemoteAddr) }

// ready is a body that has arrived.
type ready struct{ io.Reader }

func (*ready) Close() error { return nil }

// faults turns net/http's own complaints into log lines.
type faults struct{ q *quiet }

func (f faults) Write(p []byte) (int, error) {
	text := strings.TrimSpace(string(p))
	f.q.warn("http", "", text)
	return len(p), nil
}

var errStopping = chain.Rule(ErrStopping, "the validator is shutting down")
