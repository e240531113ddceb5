package api

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"time"

	"connectrpc.com/connect"

	"ios/chain"
	"ios/node/api/ledgerpb"
	"ios/node/api/ledgerpb/ledgerpbconnect"
)

// ClientConfig says how a Client asks. The zero value will do.
type ClientConfig struct {
	// Timeout is how long one attempt may take; 35 s if zero.
	Timeout time.Duration
	// Attempts is how often a call is tried when the endpoint gives no answer
	// or is busy; 4 if zero. Every call may be repeated: reading changes
	// nothing, and what is submitted or carried twice is recorded once.
	Attempts int
	// HTTP is used if it is not nil.
	HTTP *http.Client
}

// Client talks to one validator. It is safe for use by many goroutines.
type Client struct {
	url      string
	cfg      ClientConfig
	http     *http.Client
	calls    ledgerpbconnect.LedgerClient
	own      *http.Transport // closed with the client
	shard    *uint32         // that requests name
	watchdog time.Duration   // silence after which a stream is given up
}

// maxAnswer bounds what a server may answer, an event included.
const maxAnswer = 64 << 20

// The waits between attempts.
const (
	firstBackoff = 50 * time.Millisecond
	lastBackoff  = time.Second
)

// NewClient makes a client of the validator at the base URL, such as
// "http://127.0.0.1:7700".
func NewClient(url string, cfg ClientConfig) *Client {
	if cfg.Timeout <= 0 {
		cfg.Timeout = 35 * time.Second
	}
	if cfg.Attempts <= 0 {
		cfg.Attempts = 4
	}
	c := &Client{url: strings.TrimRight(url, "/"), cfg: cfg, http: cfg.HTTP, watchdog: 30 * time.Second}
	if c.http == nil {
		c.own = &http.Transport{
			DialContext:         (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			MaxIdleConnsPerHost: 1024,
			IdleConnTimeout:     time.Minute,
			DisableCompression:  true,
		}
		c.http = &http.Client{Transport: c.own}
	}
	c.calls = ledgerpbconnect.NewLedgerClient(c.http, c.url,
		connect.WithAcceptCompression("gzip", nil, nil), connect.WithReadMaxBytes(maxAnswer))
	return c
}

// At is the client whose requests name a shard. Both share their connections.
func (c *Client) At(shard chain.ShardID) *Client {
	at := *c
	name := uint32(shard)
	at.shard = &name
	return &at
}

// URL is the endpoint.
func (c *Client) URL() string { return c.url }

// Close closes idle connections.
func (c *Client) Close() {
	if c.own != nil {
		c.own.CloseIdleConnections()
	}
}

// transient reports whether asking the same endpoint again may help.
func transient(err error) bool {
	for _, k := range []chain.ErrorKind{ErrUnreachable, ErrBusy, chain.ErrFull, chain.ErrNotReady} {
		if errors.Is(err, k) {
			return true
		}
	}
	return false
}

// call tries f until it succeeds, is refused for good, or the attempts or ctx
// end.
func call[T any](ctx context.Context, c *Client, f func(context.Context) (T, error)) (T, error) {
	wait := firstBackoff
	for attempt := 1; ; attempt++ {
		out, err := once(ctx, c, f)
		if err == nil || attempt >= c.cfg.Attempts || !transient(err) || ctx.Err() != nil {
			return out, err
		}
		// Clients that were refused together do not come back together.
		if sleep(ctx, wait/2+rand.N(wait/2)) != nil {
			return out, err
		}
		wait = min(2*wait, lastBackoff)
	}
}

func once[T any](ctx context.Context, c *Client, f func(context.Context) (T, error)) (T, error) {
	attempt, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	out, err := f(attempt)
	if err == nil {
		return out, nil
	}
	err = clientError(c.url, err)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		err = &Error{Kind: ErrUnreachable, Text: "no answer within " + c.cfg.Timeout.String(), Next: NextStep(ErrUnreachable), Endpoint: c.url}
	}
	return out, err
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Carry hands the encoded proof of another shard over.
func (c *Client) Carry(ctx context.Context, bundle []byte) error {
	_, err := call(ctx, c, func(ctx context.Context) (*ledgerpb.CarryResponse, error) {
		return c.calls.Carry(ctx, &ledgerpb.CarryRequest{Bundle: bundle})
	})
	return err
}

// CoinsPage lists up to max coins of the owner behind after, if not nil.
func (c *Client) CoinsPage(ctx context.Context, owner string, after *chain.OutPoint, max int) (CoinsPage, error) {
	req := &ledgerpb.CoinsRequest{Owner: owner, Max: uint32(max)}
	if after != nil {
		req.After = encodeCursor(*after)
	}
	return call(ctx, c, func(ctx context.Context) (CoinsPage, error) {
		m, err := c.calls.Coins(ctx, req)
		if err != nil {
			return CoinsPage{}, err
		}
		return coinsFromWire(m)
	})
}

// Coins lists the coins of the owner, at most limit of them, page by page. The
// height is that of the first page's state.
func (c *Client) Coins(ctx context.Context, owner string, limit int) (CoinsPage, error) {
	var all CoinsPage
	var after *chain.OutPoint
	for {
		page, err := c.CoinsPage(ctx, owner, after, min(limit-len(all.Coins), MaxCoinsPage))
		if err != nil {
			return all, err
		}
		if all.Height == 0 {
			all.Height = page.Height
		}
		if n := len(page.Coins); n > 0 {
			last := page.Coins[n-1].OutPoint
			if after != nil && last.Compare(*after) <= 0 {
				return all, &Error{Kind: chain.ErrEncoding, Text: "the pages of coins do not advance", Endpoint: c.url}
			}
			after = &last
		}
		all.Coins = append(all.Coins, page.Coins...)
		if all.Done = page.Done; all.Done || len(page.Coins) == 0 || len(all.Coins) >= limit {
			return all, nil
		}
	}
}

// Outcome asks what became of a transaction in the shard. The
// proof, if asked for, is not verified here.
func (c *Client) Outcome(ctx context.Context, id chain.TxID, proof bool) (Outcome, error) {
	return call(ctx, c, func(ctx context.Context) (Outcome, error) {
		m, err := c.calls.Outcome(ctx, &ledgerpb.OutcomeRequest{Id: id.String(), Proof: proof, Shard: c.shard})
		if err != nil {
			return Outcome{}, err
		}
		return outcomeFromWire(m)
	})
}

// Bundle fetches the encoded proof of the transaction's outcome for shard dest.
func (c *Client) Bundle(ctx context.Context, id chain.TxID, dest chain.ShardID) ([]byte, error) {
	m, err := call(ctx, c, func(ctx context.Context) (*ledgerpb.BundleResponse, error) {
		return c.calls.Bundle(ctx, &ledgerpb.BundleRequest{Id: id.String(), Dest: uint32(dest), Shard: c.shard})
	})
	return m.GetBundle(), err
}

// Tx fetches an encoded transaction. That it has the id is for the caller to
// check.
func (c *Client) Tx(ctx context.Context, id chain.TxID) ([]byte, error) {
	m, err := call(ctx, c, func(ctx context.Context) (*ledgerpb.TxResponse, error) {
		return c.calls.Tx(ctx, &ledgerpb.TxRequest{Id: id.String(), Shard: c.shard})
	})
	return m.GetTransaction(), err
}

// Block fetches an encoded final block.
func (c *Client) Block(ctx context.Context, height uint64) ([]byte, error) {
	m, err := call(ctx, c, func(ctx context.Context) (*ledgerpb.BlockResponse, error) {
		return c.calls.Block(ctx, &ledgerpb.BlockRequest{Height: height, Shard: c.shard})
	})
	return m.GetBlock(), err
}

// Status asks who the validator is and how it is in the shard.
func (c *Client) Status(ctx context.Context) (*Status, error) {
	return call(ctx, c, func(ctx context.Context) (*Status, error) {
		m, err := c.calls.Status(ctx, &ledgerpb.StatusRequest{Shard: c.shard})
		if err != nil {
			return nil, err
		}
		return statusFromWire(m)
	})
}
