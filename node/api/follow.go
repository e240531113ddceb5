package api

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"ios/chain"
	"ios/node/api/ledgerpb"
)

// Follow says what a subscriber wants.
type Follow struct {
	From    uint64 // first height; 0 for what comes from now on
	Summary bool   // without the outcomes
	// Lost is told why a stream broke, before it is opened again; may be nil.
	Lost func(error)
}

// Follow calls f with every final block from the height on, in order, each
// once, and with heartbeats between them. When the stream breaks it goes on
// where it stopped, again and again, until f returns an error, the endpoint
// refuses for good (ErrPruned), or ctx ends; that is what it returns.
func (c *Client) Follow(ctx context.Context, want Follow, f func(Event) error) error {
	wait := firstBackoff
	for {
		got, err := c.stream(ctx, &want, f)
		var stop *stopped
		switch {
		case errors.As(err, &stop):
			return stop.err
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, ErrPruned) || errors.Is(err, ErrRequest):
			return err
		}
		if want.Lost != nil {
			want.Lost(err)
		}
		if got {
			wait = firstBackoff
		}
		if err := sleep(ctx, wait); err != nil {
			return err
		}
		wait = min(2*wait, lastBackoff)
	}
}

// stopped is the error of the caller's function.
type stopped struct{ err error }

func (s *stopped) Error() string { return s.err.Error() }

// stream reads one stream to its end and moves want.From along.
func (c *Client) stream(ctx context.Context, want *Follow, f func(Event) error) (got bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var silent atomic.Bool
	dog := time.AfterFunc(c.watchdog, func() { silent.Store(true); cancel() })
	defer dog.Stop()
	s, err := c.calls.Events(ctx, &ledgerpb.EventsRequest{From: want.From, Summary: want.Summary, Shard: c.shard})
	if err != nil {
		return false, clientError(c.url, err)
	}
	defer s.Close()
	for s.Receive() {
		dog.Reset(c.watchdog)
		ev, err := eventFromWire(s.Msg())
		if err != nil {
			return got, err
		}
		if ev, err = follows(want, ev); err != nil {
			return got, err
		}
		got = true
		if err := f(ev); err != nil {
			return got, &stopped{err}
		}
		// While f is at work the server may be waiting for us.
		dog.Reset(c.watchdog)
	}
	if silent.Load() {
		return got, &Error{Kind: ErrUnreachable, Text: "no sign of life for " + c.watchdog.String(), Next: NextStep(ErrUnreachable), Endpoint: c.url}
	}
	if err := s.Err(); err != nil {
		return got, clientError(c.url, err)
	}
	return got, &Error{Kind: ErrUnreachable, Text: "the stream ended", Next: NextStep(ErrUnreachable), Endpoint: c.url}
}

func eventFromWire(m *ledgerpb.EventsResponse) (Event, error) {
	switch e := m.Event.(type) {
	case *ledgerpb.EventsResponse_Block:
		b, err := blockEventFromWire(e.Block)
		if err != nil {
			return Event{}, err
		}
		return Event{Block: b, Tip: b.Height}, nil
	case *ledgerpb.EventsResponse_Heartbeat:
		return Event{Tip: e.Heartbeat.Height}, nil
	}
	return Event{}, chain.Rule(chain.ErrEncoding, "an event of an unknown kind")
}

// follows checks that the events are in order and notes where to go on. The
// first heartbeat of a stream "from now" fixes where it began.
func follows(want *Follow, ev Event) (Event, error) {
	switch {
	case ev.Block == nil && want.From == 0:
		want.From = ev.Tip + 1
	case ev.Block == nil:
	case want.From != 0 && ev.Block.Height != want.From:
		return ev, chain.Rule(chain.ErrEncoding, "the event of block %d came, %d was next", ev.Block.Height, want.From)
	default:
		want.From = ev.Block.Height + 1
	}
	return ev, nil
}
