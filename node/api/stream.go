package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"ios/chain"
	"ios/node/api/ledgerpb"
)

// Publish gives the event of a shard's new final block to the subscribers. It
// never blocks. Blocks come in order; after a gap subscribers get what lies in it
// from the backend.
func (s *Server) Publish(shard chain.ShardID, ev *BlockEvent) {
	s.windows.of(shard, &s.limits).publish(ev)
}

// Forget drops what was published of a shard that the backend no longer has, and ends
// its streams: whoever follows it goes on elsewhere at once.
func (s *Server) Forget(shard chain.ShardID) { s.windows.drop(shard) }

// outbound is one message of a stream: a frame, or a heartbeat.
type outbound struct {
	frame     *frame
	summary   bool
	heartbeat *ledgerpb.EventsResponse
}

// frameCodec is a codec of connect that copies a frame's encoding instead of
// making it again for each subscriber.
type frameCodec struct{ name string }

func (c frameCodec) Name() string { return c.name }

func (c frameCodec) Marshal(m any) ([]byte, error) { return c.MarshalAppend(nil, m) }

// MarshalAppend is what connect prefers: the copy goes into its pooled buffer.
func (c frameCodec) MarshalAppend(dst []byte, m any) ([]byte, error) {
	json := c.name == "json"
	switch m := m.(type) {
	case *outbound:
		if m.frame != nil {
			raw, err := m.frame.encoded(m.summary, json)
			return append(dst, raw...), err
		}
		return c.MarshalAppend(dst, m.heartbeat)
	case proto.Message:
		if json {
			return protojson.MarshalOptions{}.MarshalAppend(dst, m)
		}
		return proto.MarshalOptions{}.MarshalAppend(dst, m)
	}
	return nil, chain.Rule(ErrInternal, "a message of type %T", m)
}

func (c frameCodec) Unmarshal(data []byte, m any) error {
	req, ok := m.(proto.Message)
	switch {
	case !ok:
		return chain.Rule(ErrInternal, "a message of type %T", m)
	case c.name == "json":
		return protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(data, req)
	}
	return proto.Unmarshal(data, req)
}

// subscriber is one stream: a height, and no buffer.
type subscriber struct {
	s       *Server
	shard   Shard
	window  *window
	stream  *connect.ServerStream[outbound]
	next    uint64
	summary bool
	live    bool // has caught up once
	wait    *time.Timer
	writer  writer
}

// events serves one stream until the client leaves, is too slow, or the server
// stops.
func (s *Server) events(ctx context.Context, req *connect.Request[ledgerpb.EventsRequest], stream *connect.ServerStream[outbound]) error {
	shard, err := s.shard(req.Msg.Shard)
	if err != nil {
		return wireError(err)
	}
	sub := &subscriber{
		s: s, shard: shard, window: s.windows.of(shard.ID(), &s.limits), stream: stream,
		next: req.Msg.From, summary: req.Msg.Summary,
	}
	if sub.next == 0 {
		tip, err := sub.tip(ctx)
		if err != nil {
			return wireError(err)
		}
		sub.next, sub.live = tip+1, true
	}
	sub.writer = writerOf(ctx)
	sub.wait = time.NewTimer(s.limits.Heartbeat)
	defer sub.wait.Stop()
	s.metrics.streams.Inc()
	defer s.metrics.streams.Dec()
	err = sub.run(ctx)
	sub.writer.deadline(time.Now().Add(s.limits.Write)) // for the end of the stream
	if kind, text := describe(err); kind == ErrSlow {
		s.metrics.slow.Inc()
		s.quiet.warn(string(kind), hostOnly(req.Peer().Addr), "event stream cut off: "+text)
	}
	return wireError(err)
}

// tip is the last final height.
func (b *subscriber) tip(ctx context.Context) (uint64, error) {
	if v := b.window.at(0); v.tip > 0 {
		return v.tip, nil
	}
	st, err := b.shard.Status(ctx)
	if err != nil {
		return 0, err
	}
	return st.Height, nil
}

// run sends events until there is an error, which is never nil.
func (b *subscriber) run(ctx context.Context) error {
	tip, err := b.tip(ctx)
	if err != nil {
		return err
	}
	// The client learns at once that it is connected, and where the end is.
	if err := b.heartbeat(ctx, tip); err != nil {
		return err
	}
	for {
		v, err := b.fetch(ctx)
		if err != nil {
			return err
		}
		if v.frame == nil {
			if err := b.pause(ctx, v); err != nil {
				return err
			}
			continue
		}
		if err := b.send(ctx, &outbound{frame: v.frame, summary: b.summary}); err != nil {
			return err
		}
		b.next++
	}
}

// fetch gets the next frame from the window or the backend. No frame and no
// error means that it has to wait.
func (b *subscriber) fetch(ctx context.Context) (view, error) {
	v := b.window.at(b.next)
	switch {
	case v.above:
		b.live = true
		return v, nil
	case v.frame != nil:
		return v, nil
	case b.live && v.tip > 0 && b.next >= v.start:
		return v, chain.Rule(ErrSlow, "the next event for it is block %d, and block %d is final already", b.next, v.tip)
	}
	select {
	case b.s.replays <- struct{}{}:
		defer func() { <-b.s.replays }()
	case <-ctx.Done():
		return v, ctx.Err()
	case <-b.s.stopping:
		return v, errStopping
	}
	ev, err := b.shard.BlockEvent(ctx, b.next)
	switch {
	case err == nil:
		v.frame = &frame{block: ev}
	case errors.Is(err, ErrNotYet):
		v.tip, err = b.tip(ctx)
		return v, err
	default:
		return v, err
	}
	return v, nil
}

// pause waits for a block, and sends a heartbeat if it takes long.
func (b *subscriber) pause(ctx context.Context, v view) error {
	b.wait.Reset(b.s.limits.Heartbeat)
	select {
	case <-v.more:
		return nil
	case <-b.window.gone:
		return chain.Rule(chain.ErrWrongShard, "the validator has left shard %d", b.shard.ID())
	case <-b.wait.C:
		id := b.shard.ID() // it may have been left just as the stream began
		if _, err := b.s.backend.Shard(&id); err != nil {
			return err
		}
		return b.heartbeat(ctx, v.tip)
	case <-ctx.Done():
		return ctx.Err()
	case <-b.s.stopping:
		return errStopping
	}
}

func (b *subscriber) heartbeat(ctx context.Context, tip uint64) error {
	return b.send(ctx, &outbound{heartbeat: &ledgerpb.EventsResponse{Event: &ledgerpb.EventsResponse_Heartbeat{
		Heartbeat: &ledgerpb.Heartbeat{Height: tip, Time: b.s.quiet.now().UnixNano()},
	}}})
}

// send writes one message. A client that does not take it in time is cut off.
func (b *subscriber) send(ctx context.Context, m *outbound) error {
	start := time.Now()
	b.writer.deadline(start.Add(b.s.limits.Write))
	err := b.stream.Send(m)
	if err == nil {
		// HTTP/2 would end the stream at the deadline, written to or not.
		b.writer.deadline(time.Time{})
	} else if time.Since(start) >= b.s.limits.Write {
		return chain.Rule(ErrSlow, "it did not take one event within %v", b.s.limits.Write)
	}
	return err
}

// writer is where a stream goes.
type writer struct{ *http.ResponseController }

func writerOf(ctx context.Context) writer {
	c, _ := ctx.Value(controllerKey{}).(*http.ResponseController)
	return writer{c}
}

// deadline is for what is written to the client.
func (w writer) deadline(t time.Time) {
	if w.ResponseController != nil {
		w.SetWriteDeadline(t)
	}
}

type controllerKey struct{}

// withController lets the stream set its own write deadlines.
func withController(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := context.WithValue(r.Context(), controllerKey{}, http.NewResponseController(w))
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}
