package wallet

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"ios/atomix"
	"ios/chain"
	"ios/internal/sm"
	"ios/node/api"
)

// Progress is news of one shard.
type Progress = atomix.Progress

// Result is how a transfer ended.
type Result struct {
	ID      chain.TxID
	Verdict string // committed, aborted or refused
	Reason  string
	Shards  map[chain.ShardID]Progress // the last news of each
}

// Hear is told what happens while a transfer goes on; nil functions are left
// out. They are called one at a time.
type Hear struct {
	Progress func(Progress)
	// Decisive: the end is certain, though not everything is closed yet.
	Decisive func(verdict, reason string)
	// Liar: a validator's claim does not verify.
	Liar func(validator string, err error)
}

// Track brings a transaction to its end: it asks all involved shards, submits
// it to those that do not know it, and carries the proofs that they lack. It
// may be called at any time, any number of times, and on any machine. When ctx
// ends first nothing is lost: what is locked goes on without the client.
func (r *Remote) Track(ctx context.Context, t *chain.Tx, hear Hear) (Result, error) {
	for {
		moved := r.Net.Moved()
		d := &driver{
			remote: r, hear: hear, moved: moved,
			events: make(chan sm.Event), timers: make(map[sm.TimerKey]time.Time),
			result: Result{ID: t.ID, Shards: make(map[chain.ShardID]Progress)},
		}
		err := d.drive(ctx, t)
		if errors.Is(err, errMoved) {
			continue // others are to be asked now
		}
		return d.result, err
	}
}

// errMoved ends a driver when another epoch has begun.
var errMoved = errors.New("another epoch has begun")

func (d *driver) drive(ctx context.Context, t *chain.Tx) error {
	m, err := d.machine(t, rand.IntN(1<<16))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	d.ctx = ctx
	defer d.requests.Wait()
	defer cancel()
	return d.run(m, t)
}

// machine is the client's machine for a transaction. Validators are known to it
// by their places, so whom the driver asks does not change.
func (d *driver) machine(t *chain.Tx, first int) (*atomix.Transfer, error) {
	r := d.remote
	cfg := atomix.TransferConfig{
		Params: r.Params, Tx: t, Terms: r.Net.Committees(), First: first,
		Interval: r.timing.interval, MaxInterval: r.timing.maxInterval, Timeout: r.timing.timeout,
	}
	for s := range chain.ShardID(r.Params.Shards) {
		endpoints := r.Net.Endpoints(s)
		c, err := r.Net.Newest(s)
		if err != nil {
			return nil, err
		}
		d.endpoints = append(d.endpoints, endpoints)
		cfg.Members = append(cfg.Members, len(endpoints))
		cfg.Committees = append(cfg.Committees, c.Cosi)
	}
	return atomix.NewTransfer(cfg)
}

// driver runs one machine: it makes its requests and keeps its timers.
type driver struct {
	remote    *Remote
	endpoints [][]api.Endpoint // by shard
	moved     <-chan struct{}
	ctx       context.Context
	hear      Hear
	events    chan sm.Event // answers
	timers    map[sm.TimerKey]time.Time
	requests  sync.WaitGroup
	result    Result
	done      bool
}

func (d *driver) run(m *atomix.Transfer, t *chain.Tx) error {
	d.perform(m.Step(time.Now(), atomix.StartTransfer{}), t)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for !d.done {
		key, at := d.nearest()
		timer.Reset(time.Until(at))
		var ev sm.Event
		select {
		case ev = <-d.events:
		case <-timer.C:
			if time.Now().Before(at) {
				continue
			}
			delete(d.timers, key)
			ev = sm.Fire{Key: key}
		case <-d.moved:
			return errMoved
		case <-d.ctx.Done():
			return d.ctx.Err()
		}
		d.perform(m.Step(time.Now(), ev), t)
	}
	return nil
}

// nearest is the timer that comes first; there is one as long as the machine
// is not done, and an hour will do if there is none.
func (d *driver) nearest() (first sm.TimerKey, at time.Time) {
	at = time.Now().Add(time.Hour)
	for k, t := range d.timers {
		if t.Before(at) || t.Equal(at) && k.N < first.N {
			first, at = k, t
		}
	}
	return first, at
}

func (d *driver) perform(effects []sm.Effect, t *chain.Tx) {
	for _, e := range effects {
		switch e := e.(type) {
		case sm.SetTimer:
			d.timers[e.Key] = e.At
		case sm.CancelTimer:
			delete(d.timers, e.Key)
		case sm.Deliver:
			d.deliver(e.Value)
		case atomix.Ask:
			d.request(e.Peer, func(ctx context.Context, p api.Endpoint) sm.Event { return d.ask(ctx, p, e, t) })
		case atomix.SubmitTx:
			d.request(e.Peer, func(ctx context.Context, p api.Endpoint) sm.Event { return submit(ctx, p, e) })
		case atomix.FetchBundle:
			d.request(e.Peer, func(ctx context.Context, p api.Endpoint) sm.Event { return d.fetch(ctx, p, e, t) })
		case atomix.Carry:
			d.request(e.Peer, func(ctx context.Context, p api.Endpoint) sm.Event {
				return atomix.Carried{Peer: e.Peer, Err: p.Carry(ctx, e.Bundle.Encode())}
			})
		}
	}
}

// requestTime bounds a request that the machine has long given up.
const requestTime = time.Minute

// request asks a peer off the loop. The machine asks one at a time in each
// shard, so there are few.
func (d *driver) request(peer atomix.Peer, f func(context.Context, api.Endpoint) sm.Event) {
	endpoint := d.endpoints[peer.Shard][peer.Member]
	d.requests.Go(func() {
		ctx, cancel := context.WithTimeout(d.ctx, requestTime)
		defer cancel()
		ev := f(ctx, endpoint)
		select {
		case d.events <- ev:
		case <-d.ctx.Done():
		}
	})
}

func (d *driver) ask(ctx context.Context, p api.Endpoint, e atomix.Ask, t *chain.Tx) sm.Event {
	o, err := p.Outcome(ctx, t.ID, true)
	if err != nil {
		return atomix.Asked{Peer: e.Peer, Err: err}
	}
	ev := atomix.Asked{Peer: e.Peer, Reason: o.Reason}
	switch {
	case o.State.Recorded():
		ev.Claim = atomix.ClaimRecorded
		// A proof that is none is left out: the machine takes that for a lie.
		ev.Proof, _ = chain.DecodeOutcomeProof(o.Proof)
		if ev.Proof != nil {
			// The machine knows only what is known when it looks.
			_, _ = d.remote.Net.Committee(ctx, p.Shard, ev.Proof.Header.Term())
		}
	case o.State == api.StatePending:
		ev.Claim = atomix.ClaimPending
	case o.State == api.StateSkipped:
		ev.Claim = atomix.ClaimSkipped
	}
	return ev
}

func submit(ctx context.Context, p api.Endpoint, e atomix.SubmitTx) sm.Event {
	res, err := p.Submit(ctx, e.Tx.Raw)
	ev := atomix.Submitted{Peer: e.Peer, Err: err}
	if err == nil && len(res.Refused) > 0 {
		ev.Err = res.Refused[0].Err()
	}
	ev.Refused = ev.Err != nil && refusal(ev.Err)
	return ev
}

// refusal reports whether the validator judged the transaction, rather than
// being unable to take any. One that has left the shard takes none of it.
func refusal(err error) bool {
	for _, k := range []chain.ErrorKind{
		api.ErrUnreachable, api.ErrBusy, api.ErrStopping, api.ErrInternal, chain.ErrNotReady, chain.ErrWrongShard,
	} {
		if errors.Is(err, k) {
			return false
		}
	}
	return contextError(err) == nil
}

func contextError(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

func (d *driver) fetch(ctx context.Context, p api.Endpoint, e atomix.FetchBundle, t *chain.Tx) sm.Event {
	raw, err := p.Bundle(ctx, t.ID, e.Dest)
	ev := atomix.Fetched{Peer: e.Peer, Dest: e.Dest, Err: err}
	if err == nil {
		if ev.Bundle, ev.Err = d.remote.Params.DecodeBundle(raw); ev.Err == nil {
			_, _ = d.remote.Net.Committee(ctx, p.Shard, ev.Bundle.Header.Term())
		}
	}
	return ev
}

func verdictName(v atomix.Verdict) string {
	switch v {
	case atomix.TransferCommit:
		return VerdictCommitted
	case atomix.TransferAbort:
		return VerdictAborted
	case atomix.TransferRefuse:
		return VerdictRefused
	}
	return VerdictOpen
}

func (d *driver) deliver(value any) {
	switch v := value.(type) {
	case atomix.Progress:
		d.result.Shards[v.Shard] = v
		if d.hear.Progress != nil {
			d.hear.Progress(v)
		}
	case atomix.Decisive:
		if d.hear.Decisive != nil {
			d.hear.Decisive(verdictName(v.Verdict), v.Reason)
		}
	case atomix.Done:
		d.result.Verdict, d.result.Reason, d.done = verdictName(v.Verdict), v.Reason, true
	case atomix.Liar:
		if d.hear.Liar != nil {
			d.hear.Liar(d.endpoints[v.Shard][v.Member].Name, v.Err)
		}
	}
}
