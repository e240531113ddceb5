package node

import (
	"slices"
	"sync"
	"sync/atomic"

	"ios/chain"
)

// roster is the chains that run here, in the order in which they came. Any
// goroutine may read it.
type roster struct {
	changes sync.Mutex // held while a chain comes or goes
	up      bool       // the transport is there, and the node does not stop; under changes
	chains  atomic.Pointer[[]*runner]

	mu   sync.Mutex
	errs []error // of chains that ended
}

func (r *roster) init() { r.chains.Store(new([]*runner)) }

func (r *roster) runners() []*runner { return *r.chains.Load() }

// runner is the one of a chain, or nil.
func (r *roster) runner(id chain.ShardID) *runner {
	for _, x := range r.runners() {
		if x.chain == id {
			return x
		}
	}
	return nil
}

// members are the shards that run here.
func (r *roster) members() (list []*member) {
	for _, x := range r.runners() {
		if m, ok := x.owner.(*member); ok {
			list = append(list, m)
		}
	}
	return list
}

// member is the one of a shard, or nil.
func (r *roster) member(shard chain.ShardID) *member {
	if x := r.runner(shard); x != nil {
		m, _ := x.owner.(*member)
		return m
	}
	return nil
}

// newest is the shard that came last, or nil.
func (r *roster) newest() *member {
	list := r.runners()
	for i := len(list) - 1; i >= 0; i-- {
		if m, ok := list[i].owner.(*member); ok {
			return m
		}
	}
	return nil
}

// add and remove are called with changes held.
func (r *roster) add(x *runner) {
	list := append(slices.Clone(r.runners()), x)
	r.chains.Store(&list)
}

func (r *roster) remove(x *runner) {
	list := slices.Clone(r.runners())
	list = slices.DeleteFunc(list, func(y *runner) bool { return x == y })
	r.chains.Store(&list)
}

func (r *roster) failed(err error) {
	r.mu.Lock()
	r.errs = append(r.errs, err)
	r.mu.Unlock()
}
