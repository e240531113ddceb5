package wallet

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"ios/chain"
	"ios/chain/cosi"
	"ios/chain/sig"
	"ios/node/api"
)

// Remote is a chain as seen over its validators' client API. It believes them
// no outcome without a proof.
type Remote struct {
	Genesis *chain.Genesis
	Params  *chain.Params
	Net     *api.Network

	timing timing
}

// timing is how a transfer asks; zero values stand for the machine's own.
type timing struct{ interval, maxInterval, timeout time.Duration }

// NewRemote makes a Remote of a genesis that was checked. URLs, by validator,
// take precedence over the endpoints that the genesis names.
func NewRemote(g *chain.Genesis, urls map[chain.ValidatorID]string) (*Remote, error) {
	return newRemote(g, urls, cosi.BLS{})
}

func newRemote(g *chain.Genesis, urls map[chain.ValidatorID]string, scheme cosi.Scheme) (*Remote, error) {
	net, err := api.FollowNetwork(g, scheme, urls)
	if err != nil {
		return nil, err
	}
	return &Remote{Genesis: g, Params: g.Params(), Net: net}, nil
}

// Close closes idle connections.
func (r *Remote) Close() { r.Net.Close() }

// FetchTx gets a transaction from whichever shard knows it. ErrUnknownTx: all
// shards answered and none knows it.
func (r *Remote) FetchTx(ctx context.Context, id chain.TxID) (*chain.Tx, error) {
	type answer struct {
		tx  *chain.Tx
		err error
	}
	answers := make([]answer, r.Genesis.Shards)
	var wait sync.WaitGroup
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for s := range answers {
		wait.Go(func() {
			tx, err := r.fetchFrom(ctx, chain.ShardID(s), id)
			if answers[s] = (answer{tx, err}); tx != nil {
				cancel() // one is enough
			}
		})
	}
	wait.Wait()
	var faults []error
	for _, a := range answers {
		switch {
		case a.tx != nil:
			return a.tx, nil
		case !errors.Is(a.err, api.ErrNotFound):
			faults = append(faults, a.err)
		}
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("looking for transaction %s: %w", id, errors.Join(faults...))
	}
	return nil, chain.Rule(ErrUnknownTx, "no shard knows transaction %s; check the id, or track it where it was sent", id)
}

func (r *Remote) fetchFrom(ctx context.Context, shard chain.ShardID, id chain.TxID) (tx *chain.Tx, err error) {
	err = r.Net.Try(ctx, shard, func(ctx context.Context, e api.Endpoint) error {
		raw, err := e.Tx(ctx, id)
		if err != nil {
			return err
		}
		t, err := r.Params.DecodeTx(raw)
		if err != nil || t.ID != id {
			return chain.Rule(chain.ErrEncoding, "%s sent something else for transaction %s", e.Name, id)
		}
		if err := r.genuine(t); err != nil {
			return chain.Rule(chain.ErrEncoding, "%s sent transaction %s not as it was signed: %v", e.Name, id, err)
		}
		tx = t
		return nil
	})
	return tx, err
}

// genuine checks what the id of a transaction does not cover. A shard that only
// gets outputs does not check witnesses, so that even an honest validator may
// have others than the owners'.
func (r *Remote) genuine(t *chain.Tx) error {
	if err := r.Params.CheckTx(t, t.Expiry); err != nil {
		return err
	}
	for i := range t.Witnesses {
		w := &t.Witnesses[i]
		if !sig.Verify((*sig.PublicKey)(&w.PublicKey), chain.SignedBytes(t.ID), &w.Signature) {
			return chain.Rule(chain.ErrSignature, "witness %d does not verify", i)
		}
	}
	return nil
}

// Epoch is the lowest epoch that the shards report; transactions that expire
// counted from it are good everywhere.
func (r *Remote) Epoch(ctx context.Context, shards []chain.ShardID) (uint64, error) {
	lowest := ^uint64(0)
	for _, s := range shards {
		err := r.Net.Try(ctx, s, func(ctx context.Context, e api.Endpoint) error {
			st, err := e.Status(ctx)
			if err != nil {
				return err
			}
			if st.ChainID != r.Params.ChainID {
				return chain.Rule(chain.ErrWrongChain, "%s serves chain %s, this is %s", e.Name, st.ChainID.Short(), r.Params.ChainID.Short())
			}
			lowest = min(lowest, st.Epoch)
			return nil
		})
		if err != nil {
			return 0, fmt.Errorf("asking shard %d for its epoch: %w", s, err)
		}
	}
	return lowest, nil
}

// ShardOutcome is what became of a transaction in one shard.
type ShardOutcome struct {
	Shard   chain.ShardID `json:"shard"`
	State   string        `json:"state"`  // as api.State names it, or "unreachable"
	Proven  bool          `json:"proven"` // a certificate of the shard's committee shows it
	Height  uint64        `json:"height,omitempty"`
	Time    time.Time     `json:"time,omitzero"` // by the validator's clock
	Reason  string        `json:"reason,omitempty"`
	Outcome chain.Outcome `json:"-"` // zero unless proven
}

// Outcomes asks every involved shard once, and moves nothing.
func (r *Remote) Outcomes(ctx context.Context, t *chain.Tx) []ShardOutcome {
	involved := r.Params.Involved(t)
	list := involved.List()
	out := make([]ShardOutcome, len(list))
	var wait sync.WaitGroup
	for i, s := range list {
		wait.Go(func() { out[i] = r.outcome(ctx, s, t.ID) })
	}
	wait.Wait()
	return out
}

// outcome asks a shard's validators until one tells a recorded outcome with its
// proof; else it is the most that one said.
func (r *Remote) outcome(ctx context.Context, shard chain.ShardID, id chain.TxID) ShardOutcome {
	best := ShardOutcome{Shard: shard, State: unreachable}
	rank := -1
	err := r.Net.Try(ctx, shard, func(ctx context.Context, e api.Endpoint) error {
		o, err := e.Outcome(ctx, id, true)
		if err != nil {
			return err
		}
		found := ShardOutcome{Shard: shard, State: o.State.String(), Height: o.Height, Time: o.Time, Reason: o.Reason}
		if o.State.Recorded() {
			proof, err := r.proof(ctx, shard, id, &o)
			if unprovable(err) {
				found.Reason = err.Error()
				if int(o.State) > rank {
					best, rank = found, int(o.State)
				}
				return chain.Rule(api.ErrNotFound, "%v", err) // another proof may do
			}
			if err != nil {
				return chain.Rule(chain.ErrEncoding, "%s claims an outcome that it does not prove: %v", e.Name, err)
			}
			found.Proven, found.Outcome, found.Height = true, proof.Entry.Outcome, proof.Header.Height
			found.State = api.StateOf(found.Outcome).String()
			best, rank = found, int(o.State)
			return nil
		}
		if int(o.State) > rank {
			best, rank = found, int(o.State)
		}
		return chain.Rule(api.ErrNotFound, "nothing is recorded") // the next one may know more
	})
	if rank < 0 && err != nil {
		best.Reason = err.Error()
	}
	return best
}

const unreachable = "unreachable"

// unprovable reports whether a proof cannot be judged: its term is not known, or
// not any more.
func unprovable(err error) bool {
	return errors.Is(err, chain.ErrNotReady) || errors.Is(err, chain.ErrExpired)
}

// proof decodes and verifies the proof of an outcome.
func (r *Remote) proof(ctx context.Context, shard chain.ShardID, id chain.TxID, o *api.Outcome) (*chain.OutcomeProof, error) {
	p, err := chain.DecodeOutcomeProof(o.Proof)
	if err != nil {
		return nil, err
	}
	if p.Entry.ID != id {
		return nil, chain.Rule(chain.ErrProof, "it is for transaction %s", p.Entry.ID.Short())
	}
	by, err := r.Net.Committee(ctx, shard, p.Header.Term())
	if err != nil {
		return nil, err
	}
	return p, p.Verify(r.Params, shard, by.Cosi)
}

// submit hands a transaction to the first validator of the shard that takes it.
func (r *Remote) submit(ctx context.Context, shard chain.ShardID, t *chain.Tx) error {
	return r.Net.Try(ctx, shard, func(ctx context.Context, e api.Endpoint) error {
		res, err := e.Submit(ctx, t.Raw)
		if err == nil && len(res.Refused) > 0 {
			err = res.Refused[0].Err()
		}
		if errors.Is(err, chain.ErrDecided) {
			return nil // it was here before
		}
		return err
	})
}
