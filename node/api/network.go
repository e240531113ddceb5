package api

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"ios/chain"
)

// Endpoint is a validator that clients can ask.
type Endpoint struct {
	ID    chain.ValidatorID
	Name  string
	Shard chain.ShardID
	URL   string
	*Client
}

// Network is all endpoints of a chain, by shard. Whom a call fails with is
// passed over for a while, and named when none is left. One that follows the
// epochs knows who is in which shard now, see [FollowNetwork]. It is safe for use
// by many goroutines.
type Network struct {
	genesis *chain.Genesis
	chainID chain.Hash
	now     func() time.Time
	urls    map[chain.ValidatorID]string // in place of the registry's
	follow  following

	mu      sync.Mutex
	shards  [][]*member
	conns   map[string]*Client // by URL
	grouped uint64             // epoch that shards are of
}

// member is an endpoint and what is known of its health.
type member struct {
	Endpoint
	leaves bool      // it has no seat at the end of the epoch's transition
	until  time.Time // it is passed over before
}

// passOver is how long an endpoint that failed is asked last.
const passOver = 5 * time.Second

// NewNetwork makes the view of a network whose genesis names the endpoints, and
// whose shards have the same validators for ever. Shards lists the validators of
// each shard. Further URLs, by validator, take precedence over the genesis's.
func NewNetwork(g *chain.Genesis, shards [][]chain.ValidatorID, urls map[chain.ValidatorID]string) (*Network, error) {
	if len(shards) != g.Shards {
		return nil, fmt.Errorf("%d shards are assigned, the genesis has %d", len(shards), g.Shards)
	}
	n := newNetwork(g, urls)
	for s, ids := range shards {
		for _, id := range ids {
			if int(id) >= len(g.Validators) {
				return nil, fmt.Errorf("shard %d has validator %d, the genesis names %d", s, id, len(g.Validators))
			}
			n.add(chain.ShardID(s), id, &g.Validators[id])
		}
	}
	return n, nil
}

func newNetwork(g *chain.Genesis, urls map[chain.ValidatorID]string) *Network {
	return &Network{
		genesis: g, chainID: g.ID(), now: time.Now, urls: urls,
		shards: make([][]*member, g.Shards), conns: make(map[string]*Client),
	}
}

// add adds a validator to a shard, if it has an endpoint.
func (n *Network) add(shard chain.ShardID, id chain.ValidatorID, v *chain.Validator) *member {
	url := v.API
	if u, ok := n.urls[id]; ok {
		url = u
	}
	if url == "" {
		return nil
	}
	c := n.conns[url]
	if c == nil {
		c = NewClient(url, ClientConfig{Attempts: 1})
		n.conns[url] = c
	}
	m := &member{Endpoint: Endpoint{ID: id, Name: v.Name, Shard: shard, URL: url, Client: c.At(shard)}}
	n.shards[shard] = append(n.shards[shard], m)
	return m
}

// Genesis is the network's genesis.
func (n *Network) Genesis() *chain.Genesis { return n.genesis }

// Close ends what goes on in the background and closes idle connections.
func (n *Network) Close() {
	n.follow.close()
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range n.conns {
		c.Close()
	}
}

// Endpoints are those of a shard, in a fixed order within an epoch.
func (n *Network) Endpoints(shard chain.ShardID) []Endpoint {
	n.keepUp()
	n.mu.Lock()
	defer n.mu.Unlock()
	if int(shard) >= len(n.shards) {
		return nil
	}
	list := make([]Endpoint, len(n.shards[shard]))
	for i, m := range n.shards[shard] {
		list[i] = m.Endpoint
	}
	return list
}

// order is the members of a shard with those that failed lately at the end.
func (n *Network) order(shard chain.ShardID) []*member {
	n.mu.Lock()
	defer n.mu.Unlock()
	if int(shard) >= len(n.shards) {
		return nil
	}
	now := n.now()
	list := slices.Clone(n.shards[shard])
	slices.SortStableFunc(list, func(a, b *member) int {
		return a.penalty(now) - b.penalty(now)
	})
	return list
}

func (m *member) penalty(now time.Time) int {
	if m.until.After(now) {
		return 1
	}
	return 0
}

// mark notes how a call to m ended.
func (n *Network) mark(m *member, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err == nil {
		m.until = time.Time{}
		return
	}
	m.until = n.now().Add(passOver)
}

// ShardError is a call that no validator of a shard answered.
type ShardError struct {
	Shard  chain.ShardID
	Faults []error // one for each endpoint asked
	Names  []string
}

// Error names the validators and what each said, and one next step for all.
func (e *ShardError) Error() string {
	if len(e.Faults) == 0 {
		return fmt.Sprintf("%s: shard %d has no endpoint; name one in the genesis file or the configuration", ErrUnreachable, e.Shard)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: no validator of shard %d answers", ErrUnreachable, e.Shard)
	for i := range e.Faults {
		fmt.Fprintf(&b, "; %s: %s", e.Names[i], brief(e.Faults[i]))
	}
	return b.String() + "; check that they run, and see their status for what they wait for"
}

// brief is an error without the next step and the endpoint, which is named already.
func brief(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return string(e.Kind) + ": " + e.Text
	}
	return err.Error()
}

// Unwrap lets errors.Is find ErrUnreachable and the single faults.
func (e *ShardError) Unwrap() []error { return append([]error{ErrUnreachable}, e.Faults...) }

// Try calls f with the shard's endpoints, one after the other, until one
// succeeds or refuses for a reason that others would give, too. What those that
// answer do not have (ErrNotFound, ErrNotYet, ErrPruned) is not there.
func (n *Network) Try(ctx context.Context, shard chain.ShardID, f func(context.Context, Endpoint) error) error {
	n.keepUp()
	epoch := n.epoch()
	err := n.try(ctx, shard, f)
	if moved(err) {
		// They may have changed their shards, or gone.
		if _, e := n.Refresh(ctx); e == nil && n.epoch() != epoch {
			err = n.try(ctx, shard, f)
		}
	}
	return err
}

// moved reports whether another epoch may be why nobody answered.
func moved(err error) bool {
	var fail *ShardError
	return errors.As(err, &fail)
}

func (n *Network) try(ctx context.Context, shard chain.ShardID, f func(context.Context, Endpoint) error) error {
	fail := &ShardError{Shard: shard}
	var missing error
	for _, m := range n.order(shard) {
		err := f(ctx, m.Endpoint)
		switch {
		case err == nil:
			n.mark(m, nil)
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case absent(err):
			n.mark(m, nil)
			missing = err
		case elsewhere(err):
			n.mark(m, err)
			fail.Faults, fail.Names = append(fail.Faults, err), append(fail.Names, m.Name)
		default:
			n.mark(m, nil)
			return err
		}
	}
	if missing != nil {
		return missing
	}
	return fail
}

// absent reports whether a validator that is well does not have what was asked
// for.
func absent(err error) bool {
	return errors.Is(err, ErrNotFound) || errors.Is(err, ErrNotYet) || errors.Is(err, ErrPruned)
}

// elsewhere reports whether another validator may do better.
func elsewhere(err error) bool {
	for _, k := range []chain.ErrorKind{ErrStopping, ErrInternal, chain.ErrWrongShard, chain.ErrWrongChain, chain.ErrEncoding} {
		if errors.Is(err, k) {
			return true
		}
	}
	return transient(err)
}
