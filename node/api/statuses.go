package api

import (
	"context"
	"fmt"
	"sync"

	"ios/chain"
)

// Health is what one endpoint says of itself, or why it says nothing.
type Health struct {
	Endpoint
	Status *Status // nil if it did not answer
	Err    error
}

// Statuses asks all endpoints at a time, by shard and place, but for validators
// that are about to leave the shard. An endpoint that
// serves another chain or shard than the network's view has it, is a fault.
func (n *Network) Statuses(ctx context.Context) []Health {
	n.keepUp()
	var all []*member
	n.mu.Lock()
	for _, members := range n.shards {
		for _, m := range members {
			if !m.leaves {
				all = append(all, m)
			}
		}
	}
	n.mu.Unlock()
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
