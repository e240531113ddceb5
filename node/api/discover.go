package api

import (
	"context"
	"fmt"
	"sync"
	"time"

	"ios/chain"
)

// Health is what one endpoint says of itself, or why it says nothing.
type Health struct {
	Endpoint
	Status *Status // nil if it did not answer
	Err    error
}

// Statuses asks all endpoints at a time, by shard and place. An endpoint that
// serves another chain or shard than the network's view has it, is a fault.
func (n *Network) Statuses(ctx context.Context) []Health {
	var all []*member
	for _, members := range n.shards {
		all = append(all, members...)
	}
	out := make([]Health, len(all))
	each(len(all), func(i int) {
		m := all[i]
		st, err := m.Client.Status(ctx)
		if err == nil {
			err = n.belongs(m, st)
		}
		if ctx.Err() == nil {
			n.mark(m, err)
		}
		out[i] = Health{Endpoint: m.Endpoint, Status: st, Err: err}
	})
	return out
}

func (n *Network) belongs(m *member, st *Status) error {
	switch {
	case st.ChainID != n.chainID:
		return &Error{Kind: chain.ErrWrongChain, Text: fmt.Sprintf("it serves chain %s, this is %s", st.ChainID.Short(), n.chainID.Short()), Next: NextStep(chain.ErrWrongChain), Endpoint: m.URL}
	case st.Shard != m.Shard || st.Validator != m.ID:
		return &Error{Kind: chain.ErrWrongShard, Text: fmt.Sprintf("it is validator %d of shard %d, validator %d of shard %d was expected", st.Validator, st.Shard, m.ID, m.Shard), Next: "correct the endpoint's URL", Endpoint: m.URL}
	}
	return nil
}

// asking bounds how many endpoints are asked at a time.
const asking = 32

// each runs f for 0 to n-1, some at a time.
func each(n int, f func(int)) {
	var wait sync.WaitGroup
	slots := make(chan struct{}, asking)
	for i := range n {
		slots <- struct{}{}
		wait.Go(func() {
			f(i)
			<-slots
		})
	}
	wait.Wait()
}

// Discover makes the view of a network from nothing but URLs: it asks each
// who it is. The error says which did not answer as they should; the network
// is usable without them, unless it is nil.
func Discover(ctx context.Context, g *chain.Genesis, urls []string) (*Network, error) {
	n := &Network{genesis: g, chainID: g.ID(), now: time.Now, shards: make([][]*member, g.Shards)}
	found := make([]*member, len(urls))
	faults := make([]error, len(urls))
	each(len(urls), func(i int) {
		c := NewClient(urls[i], ClientConfig{Attempts: 1})
		m := &member{Endpoint: Endpoint{URL: urls[i], Client: c}}
		st, err := c.Status(ctx)
		if err == nil {
			m.ID, m.Name, m.Shard = st.Validator, st.Name, st.Shard
			err = n.belongs(m, st)
		}
		if err == nil && (int(st.Shard) >= g.Shards || int(st.Validator) >= len(g.Validators)) {
			err = &Error{Kind: chain.ErrWrongChain, Text: "it names a shard or a place that the genesis does not have", Endpoint: urls[i]}
		}
		if err != nil {
			c.Close()
			faults[i] = err
			return
		}
		found[i] = m
	})
	fail := &ShardError{}
	seen := make(map[chain.ValidatorID]string)
	for i, m := range found {
		if m != nil && seen[m.ID] != "" {
			// One validator in two places would count as two that say the same.
			faults[i] = &Error{Kind: ErrRequest, Text: "it is the same validator as " + seen[m.ID], Next: "leave one of the two out", Endpoint: urls[i]}
			m.Client.Close()
			m = nil
		}
		if m == nil {
			fail.Faults, fail.Names = append(fail.Faults, faults[i]), append(fail.Names, urls[i])
			continue
		}
		n.shards[m.Shard], seen[m.ID] = append(n.shards[m.Shard], m), m.URL
	}
	if len(fail.Faults) == len(urls) {
		return nil, fmt.Errorf("none of the %d endpoints can be used: %w", len(urls), fail)
	}
	if len(fail.Faults) > 0 {
		return n, fmt.Errorf("some endpoints cannot be used: %w", fail)
	}
	return n, nil
}
