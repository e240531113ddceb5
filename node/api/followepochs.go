package api

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"ios/chain"
	"ios/chain/cosi"
	"ios/node/epochs"
)

// following is a network's part that keeps up with the epochs.
type following struct {
	book *epochs.Book // nil: there is one epoch for ever

	mu      sync.Mutex // held by who refreshes
	pace    sync.Mutex
	last    time.Time // when a refresh began
	closed  bool
	stop    context.CancelFunc
	ctx     context.Context
	running sync.WaitGroup
}

// refreshEvery is how often a network in use asks for another epoch.
const refreshEvery = 3 * time.Second

// witnesses is how many endpoints have to know of no newer epoch until it is
// believed that there is none: one may be behind, or lie.
const witnesses = 2

// FollowNetwork makes the view of a network from its genesis. It goes from epoch
// to epoch by the records that validators send, which are believed for their
// proofs only, so that it knows who is in which shard, and who has signed what.
// URLs, by validator, take precedence over those of the registry. The scheme is
// cosi.BLS{} but for tests.
func FollowNetwork(g *chain.Genesis, scheme cosi.Scheme, urls map[chain.ValidatorID]string) (*Network, error) {
	book, err := epochs.NewBook(g, scheme)
	if err != nil {
		return nil, err
	}
	n := newNetwork(g, urls)
	n.follow.book = book
	n.follow.ctx, n.follow.stop = context.WithCancel(context.Background())
	return n, n.regroup()
}

// Committees knows who signs in which term, however long ago: nothing else shows
// yet what a shard did in epochs before the last, though somebody may have got hold
// of the keys of then. A network that does not follow the epochs has none: nil.
func (n *Network) Committees() chain.Committees {
	if n.follow.book == nil {
		return nil
	}
	return n.follow.book.Ever()
}

// Committee is that of a term. If the term is not known, endpoints are asked for
// the epochs since.
func (n *Network) Committee(ctx context.Context, shard chain.ShardID, term chain.Term) (*chain.Committee, error) {
	known := n.Committees()
	if known == nil {
		return nil, chain.Rule(chain.ErrNotReady, "this view of the network does not follow the epochs")
	}
	c, err := known.Committee(shard, term)
	if errors.Is(err, chain.ErrNotReady) {
		if _, e := n.Refresh(ctx); e != nil {
			return nil, e
		}
		c, err = known.Committee(shard, term)
	}
	return c, err
}

// Newest is the committee that a shard begins the current epoch with.
func (n *Network) Newest(shard chain.ShardID) (*chain.Committee, error) {
	if n.follow.book == nil {
		return nil, chain.Rule(chain.ErrNotReady, "this view of the network does not follow the epochs")
	}
	book := n.follow.book.Snapshot()
	plan, err := book.ShardPlan(shard)
	if err != nil {
		return nil, err
	}
	return book.Committee(shard, chain.Term{Epoch: plan.Epoch})
}

// Moved is closed when there is another epoch than now; nil if there never is.
func (n *Network) Moved() <-chan struct{} {
	if n.follow.book == nil {
		return nil
	}
	return n.follow.book.Changed()
}

// epoch is that whose validators are asked.
func (n *Network) epoch() uint64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.grouped
}

// endless reports whether the first epoch never ends.
func (n *Network) endless() bool {
	return n.follow.book == nil || n.genesis.Policy.EpochLength == 0
}

// keepUp asks for another epoch in the background, every few seconds.
func (n *Network) keepUp() {
	f := &n.follow
	if n.endless() {
		return
	}
	f.pace.Lock()
	defer f.pace.Unlock()
	if now := n.now(); !f.closed && now.Sub(f.last) >= refreshEvery {
		f.last = now
		f.running.Go(func() { n.Refresh(f.ctx) })
	}
}

func (f *following) close() {
	f.pace.Lock()
	f.closed = true
	f.pace.Unlock()
	if f.stop != nil {
		f.stop()
	}
	f.running.Wait()
}

// Refresh asks for the epochs since the last one that is known. It reports
// whether there were any; an error says that nobody could be asked.
func (n *Network) Refresh(ctx context.Context) (news bool, err error) {
	f := &n.follow
	if n.endless() {
		return false, nil
	}
	before := f.book.Number()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.book.Number() > before {
		return true, nil // somebody else has just done it
	}
	fail := &ShardError{}
	agree := 0
	for _, m := range n.anyone() {
		found := f.book.Number()
		err := m.Epochs(ctx, found+1, func(r *epochs.Record) error {
			_, err := f.book.Add(r)
			return err
		})
		switch {
		case ctx.Err() != nil:
			return false, ctx.Err()
		case err != nil:
			fail.Faults, fail.Names = append(fail.Faults, err), append(fail.Names, m.Name)
			continue
		}
		if f.book.Number() > found {
			agree = 0
		}
		if agree++; agree == witnesses {
			break
		}
	}
	if f.book.Number() > before {
		return true, n.regroup()
	}
	if agree == 0 {
		return false, fail
	}
	return false, nil
}

// anyone is an endpoint of each validator, in an order drawn anew, those that
// failed lately at the end.
func (n *Network) anyone() (list []Endpoint) {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := n.now()
	var well, ill []Endpoint
	seen := make(map[string]bool)
	for _, members := range n.shards {
		for _, m := range members {
			switch {
			case seen[m.URL]:
			case m.penalty(now) == 0:
				well = append(well, m.Endpoint)
			default:
				ill = append(ill, m.Endpoint)
			}
			seen[m.URL] = true
		}
	}
	for _, l := range [][]Endpoint{well, ill} {
		rand.Shuffle(len(l), func(i, j int) { l[i], l[j] = l[j], l[i] })
	}
	return append(well, ill...)
}

// regroup puts the validators of the current epoch into their shards.
func (n *Network) regroup() error {
	book := n.follow.book.Snapshot()
	n.mu.Lock()
	defer n.mu.Unlock()
	old := n.shards
	n.grouped = book.Current().Number
	n.shards = make([][]*member, n.genesis.Shards)
	for s := range chain.ShardID(n.genesis.Shards) {
		seats, leaving, err := epochs.Seats(book, s)
		if err != nil {
			return err
		}
		for i, id := range seats {
			v, ok := epochs.Who(book, s, id)
			if !ok {
				continue
			}
			m := n.add(s, id, &v.Validator)
			if m == nil {
				continue
			}
			m.leaves = i >= len(seats)-leaving
			for _, before := range old[s] {
				if before.ID == m.ID && before.URL == m.URL {
					m.until = before.until
				}
			}
		}
	}
	n.dropConns()
	return nil
}

// dropConns forgets the clients of validators that are gone.
func (n *Network) dropConns() {
	used := make(map[string]bool)
	for _, members := range n.shards {
		for _, m := range members {
			used[m.URL] = true
		}
	}
	for url, c := range n.conns {
		if !used[url] {
			c.Close()
			delete(n.conns, url)
		}
	}
}
