package api

import (
	"context"
	"encoding/binary"

	"connectrpc.com/connect"

	"ios/chain"
	"ios/node/api/ledgerpb"
	"ios/node/api/ledgerpb/ledgerpbconnect"
)

// handler translates connect's calls for the backend.
type handler struct {
	ledgerpbconnect.UnimplementedLedgerHandler
	s *Server
}

// fail logs what the validator should know of and makes it connect's.
func (h *handler) fail(ctx context.Context, err error) error {
	h.s.note(callHost(ctx), err)
	return wireError(err)
}

// callHost is the remote host of a call.
func callHost(ctx context.Context) string {
	if info, ok := connect.CallInfoForHandlerContext(ctx); ok {
		return hostOnly(info.Peer().Addr)
	}
	return ""
}

func (h *handler) Submit(ctx context.Context, req *ledgerpb.SubmitRequest) (*ledgerpb.SubmitResponse, error) {
	res, err := h.s.submit(ctx, callHost(ctx), req.Transactions)
	if err != nil {
		return nil, wireError(err)
	}
	return submitToWire(res), nil
}

func (h *handler) Carry(ctx context.Context, req *ledgerpb.CarryRequest) (*ledgerpb.CarryResponse, error) {
	if len(req.Bundle) == 0 || len(req.Bundle) > chain.MaxBodyBytes {
		return nil, wireError(chain.Rule(ErrRequest, "a bundle of %d bytes, 1 to %d are wanted", len(req.Bundle), chain.MaxBodyBytes))
	}
	if err := h.s.backend.Carry(ctx, req.Bundle); err != nil {
		return nil, h.fail(ctx, err)
	}
	return &ledgerpb.CarryResponse{}, nil
}

func (h *handler) Coins(ctx context.Context, req *ledgerpb.CoinsRequest) (*ledgerpb.CoinsResponse, error) {
	owner, err := chain.ParseAddress(h.s.prefix, clip(req.Owner))
	if err != nil {
		return nil, wireError(err)
	}
	after, err := decodeCursor(req.After)
	if err != nil {
		return nil, wireError(err)
	}
	max := MaxCoinsPage
	if req.Max > 0 && req.Max < MaxCoinsPage {
		max = int(req.Max)
	}
	page, err := h.s.backend.Coins(ctx, owner, after, max)
	if err != nil {
		return nil, h.fail(ctx, err)
	}
	return coinsToWire(&page), nil
}

func (h *handler) Outcome(ctx context.Context, req *ledgerpb.OutcomeRequest) (*ledgerpb.OutcomeResponse, error) {
	id, err := parseID(req.Id)
	if err != nil {
		return nil, wireError(err)
	}
	shard, err := h.s.shard(req.Shard)
	if err != nil {
		return nil, wireError(err)
	}
	out, err := shard.Outcome(ctx, id, req.Proof)
	if err != nil {
		return nil, h.fail(ctx, err)
	}
	return outcomeToWire(&out), nil
}

func (h *handler) Bundle(ctx context.Context, req *ledgerpb.BundleRequest) (*ledgerpb.BundleResponse, error) {
	id, err := parseID(req.Id)
	if err != nil {
		return nil, wireError(err)
	}
	if req.Dest >= chain.MaxShards {
		return nil, wireError(chain.Rule(ErrRequest, "there is no shard %d", req.Dest))
	}
	shard, err := h.s.shard(req.Shard)
	if err != nil {
		return nil, wireError(err)
	}
	raw, err := shard.Bundle(ctx, id, chain.ShardID(req.Dest))
	if err != nil {
		return nil, h.fail(ctx, err)
	}
	return &ledgerpb.BundleResponse{Bundle: raw}, nil
}

func (h *handler) Tx(ctx context.Context, req *ledgerpb.TxRequest) (*ledgerpb.TxResponse, error) {
	id, err := parseID(req.Id)
	if err != nil {
		return nil, wireError(err)
	}
	shard, err := h.s.shard(req.Shard)
	if err != nil {
		return nil, wireError(err)
	}
	raw, err := shard.Tx(ctx, id)
	if err != nil {
		return nil, h.fail(ctx, err)
	}
	return &ledgerpb.TxResponse{Transaction: raw}, nil
}

func (h *handler) Block(ctx context.Context, req *ledgerpb.BlockRequest) (*ledgerpb.BlockResponse, error) {
	shard, err := h.s.shard(req.Shard)
	if err != nil {
		return nil, wireError(err)
	}
	raw, err := shard.Block(ctx, req.Height)
	if err != nil {
		return nil, h.fail(ctx, err)
	}
	return &ledgerpb.BlockResponse{Block: raw}, nil
}

func (h *handler) Status(ctx context.Context, req *ledgerpb.StatusRequest) (*ledgerpb.StatusResponse, error) {
	var st *Status
	shard, err := h.s.shard(req.Shard)
	switch {
	case err == nil:
		st, err = shard.Status(ctx)
	case req.Shard != nil:
		return nil, wireError(err)
	default:
		st, err = h.s.backend.Status(ctx)
	}
	if err != nil {
		return nil, h.fail(ctx, err)
	}
	return statusToWire(st), nil
}

// shard finds the shard that a request names.
func (s *Server) shard(name *uint32) (Shard, error) {
	if name == nil {
		return s.backend.Shard(nil)
	}
	if *name > uint32(chain.IdentityShard) {
		return nil, chain.Rule(ErrRequest, "there is no shard %d", *name)
	}
	id := chain.ShardID(*name)
	return s.backend.Shard(&id)
}

// cursorSize is an encoded outpoint: it says where the next page begins.
const cursorSize = 32 + 4

func encodeCursor(o chain.OutPoint) []byte {
	return binary.BigEndian.AppendUint32(append(make([]byte, 0, cursorSize), o.Tx[:]...), o.Index)
}

func decodeCursor(b []byte) (*chain.OutPoint, error) {
	switch len(b) {
	case 0:
		return nil, nil
	case cursorSize:
		return &chain.OutPoint{Tx: chain.TxID(b[:32]), Index: binary.BigEndian.Uint32(b[32:])}, nil
	}
	return nil, chain.Rule(ErrRequest, "after: %d bytes, the \"next\" of the page before is wanted", len(b))
}

// clip keeps a hostile text out of error messages and logs.
func clip(s string) string {
	const longest = 128
	if len(s) > longest {
		return s[:longest] + "…"
	}
	return s
}

func parseID(s string) (chain.TxID, error) {
	id, err := chain.ParseHash(clip(s))
	if err != nil {
		return id, chain.Rule(ErrRequest, "id: %v", err)
	}
	return id, nil
}

var _ ledgerpbconnect.LedgerHandler = (*handler)(nil)

// eventsHandler serves the stream with events that are encoded once.
func (s *Server) eventsHandler(options []connect.HandlerOption) *connect.Handler {
	options = append([]connect.HandlerOption{
		connect.WithCodec(frameCodec{name: "proto"}), connect.WithCodec(frameCodec{name: "json"}),
	}, options...)
	return connect.NewServerStreamHandler(ledgerpbconnect.LedgerEventsProcedure, s.events, options...)
}
