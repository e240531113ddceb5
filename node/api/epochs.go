package api

import (
	"context"
	"errors"
	"time"

	"connectrpc.com/connect"

	"ios/chain"
	"ios/node/api/ledgerpb"
	"ios/node/epochs"
)

// Epochs serves the records from an epoch on. Each is read when the client has
// taken the one before.
func (s *Server) epochs(ctx context.Context, req *connect.Request[ledgerpb.EpochsRequest], stream *connect.ServerStream[ledgerpb.EpochsResponse]) error {
	if req.Msg.From < 2 {
		return wireError(chain.Rule(ErrRequest, "records begin with epoch 2; epoch 1 follows from the genesis"))
	}
	w := writerOf(ctx)
	for n := req.Msg.From; ; n++ {
		r, err := s.backend.Epoch(ctx, n)
		switch {
		case errors.Is(err, ErrNotYet):
			return nil
		case err != nil:
			return wireError(err)
		}
		select {
		case <-s.stopping:
			return wireError(errStopping)
		default:
		}
		w.deadline(time.Now().Add(s.limits.Write))
		if err := stream.Send(&ledgerpb.EpochsResponse{Number: r.Number, Epoch: r.Epoch, Proof: r.Proof}); err != nil {
			return err
		}
	}
}

// Epochs calls f with the records of the epochs from one on, up to the current
// one. They are not verified here. Who cannot tell the next one at the moment is
// asked again for it, as often as for anything else.
func (c *Client) Epochs(ctx context.Context, from uint64, f func(*epochs.Record) error) error {
	var own error // of f
	_, err := call(ctx, c, func(ctx context.Context) (struct{}, error) {
		err := c.epochs(ctx, from, func(r *epochs.Record) error {
			from++
			own = f(r)
			return own
		})
		if own != nil {
			err = nil
		}
		return struct{}{}, err
	})
	return errors.Join(own, err)
}

func (c *Client) epochs(ctx context.Context, from uint64, f func(*epochs.Record) error) error {
	stream, err := c.calls.Epochs(ctx, &ledgerpb.EpochsRequest{From: from})
	if err != nil {
		return err
	}
	defer stream.Close()
	for next := from; stream.Receive(); next++ {
		m := stream.Msg()
		if m.Number != next {
			return &Error{Kind: chain.ErrEncoding, Text: "the records of epochs do not follow each other", Next: "ask another validator", Endpoint: c.url}
		}
		if err := f(&epochs.Record{Number: m.Number, Epoch: m.Epoch, Proof: m.Proof}); err != nil {
			return err
		}
	}
	return stream.Err()
}
