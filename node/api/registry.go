package api

import (
	"context"
	"slices"
	"time"

	"ios/chain"
	"ios/chain/sig"
	"ios/drp"
	"ios/node/api/ledgerpb"
	"ios/transepoch/identity"
)

// Registry is what a validator knows of the identity chain. All calls are as those
// of Backend. ErrNotFound: the network has none. ErrNotReady: not at the moment.
type Registry interface {
	// Transcript is the beacon's run that the record of an epoch names. ErrNotFound:
	// the epoch has none. ErrNotYet beyond the current epoch.
	Transcript(ctx context.Context, epoch uint64) ([]byte, error)
	// Enroll has orders recorded, and returns when they are final: at which height,
	// and for each why it had no effect.
	Enroll(ctx context.Context, orders []identity.Op) (height uint64, reasons []identity.Reason, err error)
	// Registered is what the registry has of the validator with a signing key, and of
	// the credit of a key.
	Registered(ctx context.Context, key sig.PublicKey) (Registered, error)
}

// Registered is a validator in the registry.
type Registered struct {
	Known   bool              `json:"known"` // of the rest only Credit, Epoch and Seeded count if not
	ID      chain.ValidatorID `json:"id"`
	Name    string            `json:"name"`
	Stake   uint64            `json:"stake"`
	Orders  uint64            `json:"orders"`  // that it gave
	Member  bool              `json:"member"`  // of the current epoch
	Waiting bool              `json:"waiting"` // to become one
	Leaving bool              `json:"leaving"`
	Gone    bool              `json:"gone"`
	Epoch   uint64            `json:"epoch"`  // the current one
	Seeded  bool              `json:"seeded"` // the next one's members are fixed
	Payouts []Payout          `json:"payouts,omitempty"`
	Credit  uint64            `json:"credit,omitempty"` // of the key, known or not, to pay stakes with

	Key      sig.PublicKey `json:"-"` // the signing key that counts now, or will
	Rotation sig.PublicKey `json:"-"` // what replaces it; zero if nothing does
}

// Shed reports whether the validator was left out for its absence.
func (r *Registered) Shed() bool { return !r.Member && !r.Waiting && !r.Leaving && !r.Gone }

// Payout is stake that comes back.
type Payout struct {
	Amount uint64 `json:"amount"`
	Due    uint64 `json:"due"` // epoch
}

// Coming is how the making of the next epoch is.
type Coming struct {
	Epoch   uint64    `json:"epoch"` // the current one
	Phase   string    `json:"phase"`
	Due     time.Time `json:"due,omitzero"` // when the next one is to be prepared
	View    uint64    `json:"view"`
	Round   uint64    `json:"round"`
	Leader  string    `json:"leader,omitempty"`
	Reason  string    `json:"reason"`
	Awaited []string  `json:"awaited,omitempty"`
	Table   []Part    `json:"table,omitempty"` // of whom this validator asks, or has asked if the epoch is void
}

// Part is a participant in a run of the beacon.
type Part struct {
	Name  string `json:"name"`
	Group int    `json:"group"`
	State string `json:"state"` // dealt, late, invalid, absent or equivocal
}

// maxOrders bounds the encoded orders of a request.
const maxOrders = 64 << 10

func (h *handler) Transcript(ctx context.Context, req *ledgerpb.TranscriptRequest) (*ledgerpb.TranscriptResponse, error) {
	raw, err := h.s.backend.Transcript(ctx, req.Epoch)
	if err != nil {
		return nil, h.fail(ctx, err)
	}
	return &ledgerpb.TranscriptResponse{Transcript: raw}, nil
}

func (h *handler) Enroll(ctx context.Context, req *ledgerpb.EnrollRequest) (*ledgerpb.EnrollResponse, error) {
	if len(req.Orders) > maxOrders {
		return nil, wireError(chain.Rule(ErrRequest, "orders of %d bytes, at most %d are wanted", len(req.Orders), maxOrders))
	}
	p, err := identity.DecodePayload(slices.Clone(req.Orders))
	if err != nil {
		return nil, wireError(err)
	}
	height, reasons, err := h.s.backend.Enroll(ctx, p.Ops)
	if err != nil {
		return nil, h.fail(ctx, err)
	}
	m := &ledgerpb.EnrollResponse{Height: height}
	for _, why := range reasons {
		m.Reasons = append(m.Reasons, string(why))
	}
	return m, nil
}

func (h *handler) Registered(ctx context.Context, req *ledgerpb.RegisteredRequest) (*ledgerpb.RegisteredResponse, error) {
	var key sig.PublicKey
	if len(req.Signing) != len(key) {
		return nil, wireError(chain.Rule(ErrRequest, "a signing key of %d bytes, %d are wanted", len(req.Signing), len(key)))
	}
	copy(key[:], req.Signing)
	r, err := h.s.backend.Registered(ctx, key)
	if err != nil {
		return nil, h.fail(ctx, err)
	}
	m := &ledgerpb.RegisteredResponse{
		Known: r.Known, Id: uint32(r.ID), Name: r.Name, Stake: r.Stake, Orders: r.Orders, Member: r.Member, Waiting: r.Waiting,
		Leaving: r.Leaving, Gone: r.Gone, Epoch: r.Epoch, Seeded: r.Seeded, Credit: r.Credit, Key: r.Key[:],
	}
	if r.Rotation != (sig.PublicKey{}) {
		m.Rotation = r.Rotation[:]
	}
	for _, p := range r.Payouts {
		m.Payouts = append(m.Payouts, &ledgerpb.Payout{Amount: p.Amount, Due: p.Due})
	}
	return m, nil
}

// Transcript fetches the beacon's run for an epoch. It is not verified here.
func (c *Client) Transcript(ctx context.Context, epoch uint64) ([]byte, error) {
	m, err := call(ctx, c, func(ctx context.Context) (*ledgerpb.TranscriptResponse, error) {
		return c.calls.Transcript(ctx, &ledgerpb.TranscriptRequest{Epoch: epoch})
	})
	if err == nil && len(m.Transcript) > drp.MaxTranscript {
		err = &Error{Kind: chain.ErrTooLarge, Text: "a transcript that is longer than any", Next: "ask another validator", Endpoint: c.url}
	}
	return m.GetTranscript(), err
}

// Enroll puts orders up and waits until they are final.
func (c *Client) Enroll(ctx context.Context, orders ...identity.Op) (height uint64, reasons []identity.Reason, err error) {
	raw := (&identity.Payload{Ops: orders}).AppendTo(nil)
	m, err := call(ctx, c, func(ctx context.Context) (*ledgerpb.EnrollResponse, error) {
		return c.calls.Enroll(ctx, &ledgerpb.EnrollRequest{Orders: raw})
	})
	if err != nil {
		return 0, nil, err
	}
	if len(m.Reasons) != len(orders) {
		return 0, nil, &Error{Kind: chain.ErrEncoding, Text: "another number of answers than of orders", Next: "ask another validator", Endpoint: c.url}
	}
	for _, why := range m.Reasons {
		reasons = append(reasons, identity.Reason(clip(why)))
	}
	return m.Height, reasons, nil
}

// Registered asks what the registry has of a validator.
func (c *Client) Registered(ctx context.Context, key sig.PublicKey) (Registered, error) {
	m, err := call(ctx, c, func(ctx context.Context) (*ledgerpb.RegisteredResponse, error) {
		return c.calls.Registered(ctx, &ledgerpb.RegisteredRequest{Signing: key[:]})
	})
	if err != nil {
		return Registered{}, err
	}
	if m.Id >= chain.MaxPlaces {
		return Registered{}, &Error{Kind: chain.ErrEncoding, Text: "a validator that cannot be", Next: "ask another validator", Endpoint: c.url}
	}
	r := Registered{
		Known: m.Known, ID: chain.ValidatorID(m.Id), Name: clip(m.Name), Stake: m.Stake, Orders: m.Orders, Member: m.Member, Waiting: m.Waiting,
		Leaving: m.Leaving, Gone: m.Gone, Epoch: m.Epoch, Seeded: m.Seeded, Credit: m.Credit,
	}
	copy(r.Key[:], m.Key)
	copy(r.Rotation[:], m.Rotation)
	for _, p := range m.Payouts {
		r.Payouts = append(r.Payouts, Payout{Amount: p.Amount, Due: p.Due})
	}
	return r, nil
}

func comingToWire(c *Coming) *ledgerpb.Coming {
	if c == nil {
		return nil
	}
	m := &ledgerpb.Coming{
		Epoch: c.Epoch, Phase: c.Phase, Due: unixNano(c.Due), View: c.View, Round: c.Round, Leader: c.Leader,
		Reason: c.Reason, Awaited: c.Awaited,
	}
	for _, p := range c.Table {
		m.Table = append(m.Table, &ledgerpb.Part{Name: p.Name, Group: uint32(p.Group), State: p.State})
	}
	return m
}

func comingFromWire(m *ledgerpb.Coming) *Coming {
	if m == nil {
		return nil
	}
	c := &Coming{
		Epoch: m.Epoch, Phase: m.Phase, Due: fromUnixNano(m.Due), View: m.View, Round: m.Round, Leader: m.Leader,
		Reason: m.Reason, Awaited: m.Awaited,
	}
	for _, p := range m.Table {
		c.Table = append(c.Table, Part{Name: p.Name, Group: int(p.Group), State: p.State})
	}
	return c
}
