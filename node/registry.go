package node

import (
	"context"
	"slices"
	"time"

	"ios/chain"
	"ios/chain/sig"
	"ios/drp"
	"ios/node/api"
	"ios/node/council"
	"ios/transepoch/identity"
)

// errEndless refuses what is about epochs in a network that has one only.
var errEndless = chain.Rule(api.ErrNotFound, "this network has one epoch that never ends, and no identity chain; a genesis with an epoch_length has")

// council is our part in the identity chain, or why there is none.
func (n *Node) council() (*assembly, error) {
	if c := n.assembly(); c != nil {
		return c, nil
	}
	return nil, errEndless
}

// Transcript implements api.Registry. It is put together of what the identity
// chain has: the choice, which the seed block ordered, and the opened shares in
// the block that ended the epoch before.
func (n *Node) Transcript(ctx context.Context, number uint64) ([]byte, error) {
	c, err := n.council()
	if err != nil {
		return nil, err
	}
	if number < 2 {
		return nil, chain.Rule(api.ErrNotFound, "epoch %d follows from the genesis and has no transcript", number)
	}
	r, err := n.Epoch(ctx, number)
	if err != nil {
		return nil, err
	}
	rec, err := identity.DecodeEpoch(r.Epoch)
	if err != nil {
		return nil, err
	}
	if rec.Transcript.IsZero() {
		return nil, chain.Rule(api.ErrNotFound, "epoch %d is %v and has no transcript", number, rec.Course)
	}
	proof, err := chain.DecodeOutcomeProof(r.Proof)
	if err != nil {
		return nil, err
	}
	if err := c.indexed(ctx, proof.Header.Height); err != nil {
		return nil, err
	}
	choice, err := c.choice(rec.Seed)
	if err != nil {
		return nil, err
	}
	return c.transcript(rec, proof.Header.Height, choice)
}

// indexPatience is how long a block that is final may take to be found.
const indexPatience = 3 * time.Second

// indexed waits until a block can be read: an epoch is known a moment before.
func (c *assembly) indexed(ctx context.Context, height uint64) error {
	ctx, cancel := context.WithTimeout(ctx, indexPatience)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for c.disk.tip.Load() < height {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return chain.Rule(chain.ErrNotReady, "block %d of the identity chain is not here yet; ask another validator", height)
		}
	}
	return nil
}

// ops calls f with the ops of a final block, until f is true.
func (c *assembly) ops(height uint64, f func(identity.Op) bool) (bool, error) {
	b, _, err := c.disk.block(height)
	if err != nil {
		return false, err
	}
	for _, ref := range b.Refs {
		body, err := c.disk.body(b.Header.Term(), ref)
		if err != nil {
			return false, err
		}
		p, err := identity.DecodePayload(body.Payload)
		if err != nil {
			continue // it counts for nothing
		}
		for _, op := range p.Ops {
			if f(op) {
				return true, nil
			}
		}
	}
	return false, nil
}

// choice is that of a seed.
func (c *assembly) choice(ref identity.SeedRef) (raw []byte, err error) {
	found, err := c.ops(ref.Height, func(op identity.Op) bool {
		s, ok := op.(*identity.Seed)
		if !ok {
			return false
		}
		choice, err := drp.DecodeChoice(s.Choice)
		if err != nil || choice.Hash() != ref.Choice {
			return false
		}
		raw = s.Choice
		return true
	})
	if err == nil && !found {
		err = chain.Rule(api.ErrNotFound, "block %d of the identity chain has no choice %s", ref.Height, ref.Choice.Short())
	}
	return raw, err
}

// transcript is the one that a record names, which the block at the height ordered.
func (c *assembly) transcript(rec *identity.Epoch, height uint64, choice []byte) (raw []byte, err error) {
	found, err := c.ops(height, func(op identity.Op) bool {
		o, ok := op.(*identity.Output)
		if !ok {
			return false
		}
		raw = o.Transcript(choice)
		return identity.HashTranscript(raw) == rec.Transcript
	})
	if err == nil && !found {
		err = chain.Rule(api.ErrNotFound, "block %d of the identity chain has no transcript %s", height, rec.Transcript.Short())
	}
	return raw, err
}

// Enroll implements api.Registry.
func (n *Node) Enroll(ctx context.Context, orders []identity.Op) (height uint64, reasons []identity.Reason, err error) {
	c, err := n.council()
	if err != nil {
		return 0, nil, err
	}
	answer, err := c.submit(orders)
	if err != nil {
		return 0, nil, err
	}
	var a council.Answer
	select {
	case a = <-answer:
	case <-c.done:
		return 0, nil, errStopping
	case <-ctx.Done():
		return 0, nil, ctx.Err()
	}
	if a.Err != nil {
		return 0, nil, a.Err
	}
	for _, r := range a.Results {
		reasons = append(reasons, r.Reason)
	}
	return a.Height, reasons, nil
}

// Registered implements api.Registry.
func (n *Node) Registered(ctx context.Context, key sig.PublicKey) (r api.Registered, err error) {
	c, err := n.council()
	if err != nil {
		return r, err
	}
	err = c.ask(ctx, func() { r = registered(c.core.State(), key) })
	return r, err
}

func registered(s *identity.State, key sig.PublicKey) api.Registered {
	r := api.Registered{Epoch: s.Book().Current().Number}
	_, r.Seeded = s.Seeded()
	r.Credit = s.Credit(chain.AddressOf((*[32]byte)(&key)))
	for id := range chain.ValidatorID(s.Registered()) {
		v, _ := s.Validator(id)
		if v.Validator.Signing != key && (v.Rotation == nil || v.Rotation.Signing != key) {
			continue
		}
		r.Key = v.Validator.Signing
		if v.Rotation != nil {
			r.Rotation = v.Rotation.Signing
		}
		r.Known, r.ID, r.Name, r.Stake = true, id, v.Validator.Name, v.Validator.Stake
		r.Orders, r.Member, r.Waiting, r.Leaving, r.Gone = v.Orders, v.Member, v.Waiting, v.Leaving, v.Gone
		for _, p := range s.Payouts() {
			if p.ID == id {
				r.Payouts = append(r.Payouts, api.Payout{Amount: p.Amount, Due: p.Due})
			}
		}
	}
	return r
}

// coming is how the next epoch is, nil if there is none.
func (n *Node) coming() *api.Coming {
	c := n.assembly()
	if c == nil {
		return nil
	}
	s := c.now()
	x := &api.Coming{Epoch: s.Epoch, Phase: s.Phase.String(), Due: s.Due, View: s.View, Round: s.Round, Reason: s.Reason}
	if s.Known {
		x.Leader = n.net.name(s.Leader)
	}
	x.Awaited = n.net.names(s.Awaited)
	for _, row := range c.table(&s) {
		x.Table = append(x.Table, api.Part{Name: n.net.name(row.Server), Group: int(row.Group), State: row.State.String()})
	}
	return x
}

// funds are what the registry accounts for, nil where there is none.
func (n *Node) funds() *api.Funds {
	c := n.assembly()
	if c == nil {
		return nil
	}
	return c.funds.Load()
}

// noteFunds takes note of the registry's funds. It runs in the loop.
func (a *assembly) noteFunds() {
	s := a.core.State()
	f := s.Funds()
	a.funds.Store(&api.Funds{
		Height: s.Height(), Staked: f.Staked, Unbonding: f.Unbonding, Credit: f.Credit, Due: f.Due, Between: int64(f.Between),
	})
}

func (w *network) names(ids []chain.ValidatorID) (list []string) {
	for _, id := range ids {
		list = append(list, w.name(id))
	}
	return list
}

// submit has ops recorded; the answer comes when they are final.
func (a *assembly) submit(ops []identity.Op) (<-chan council.Answer, error) {
	if !a.view.serving() {
		phase, reason := a.view.phaseAndReason()
		return nil, chain.Rule(chain.ErrNotReady, "the validator is %s: %s; use another one", phase, reason)
	}
	answer := make(chan council.Answer, 1)
	a.verdicts.add(council.Submit{Ops: ops, Tag: answer}, 0)
	a.verdicts.flush()
	return answer, nil
}

// table is that of the beacon's run, or of the one that has failed before.
func (a *assembly) table(s *council.Status) []drp.Row {
	if len(s.Table) > 0 {
		return s.Table
	}
	current := a.node.net.book.Current()
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.failed.of(current)
}

// now is how the next epoch is.
func (a *assembly) now() council.Status {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.status
	s.Table, s.Awaited = slices.Clone(s.Table), slices.Clone(s.Awaited)
	return s
}
