package load

import (
	"sync"
	"time"

	"ios/chain"
	"ios/node/api"
)

// board is the validators of a shard as an epoch has them, and which of them
// failed lately.
type board struct {
	net   *api.Network
	shard chain.ShardID

	mu   sync.Mutex
	list []api.Endpoint
	read time.Time
	bad  map[string]time.Time // by URL: not asked before
}

const (
	// passOver is how long a validator that failed is not asked.
	passOver = 2 * time.Second
	// lookEvery is how often the board is read again.
	lookEvery = 200 * time.Millisecond
)

func newBoard(net *api.Network, shard chain.ShardID) *board {
	return &board{net: net, shard: shard, bad: make(map[string]time.Time)}
}

// look reads the list again if it is old. The caller holds the lock.
func (b *board) look(now time.Time) {
	if now.Sub(b.read) >= lookEvery {
		b.read = now
		if list := b.net.Endpoints(b.shard); len(list) > 0 {
			b.list = list
		}
	}
}

// good reports whether a validator belongs to the shard and did not fail lately.
func (b *board) good(url string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	b.look(now)
	for i := range b.list {
		if b.list[i].URL == url {
			return !now.Before(b.bad[url])
		}
	}
	return false
}

// pick is a validator for who is at a place among others, that did not fail
// lately if there is one.
func (b *board) pick(place int) *api.Endpoint {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	b.look(now)
	for i := range b.list {
		e := b.list[(place+i)%len(b.list)]
		if !now.Before(b.bad[e.URL]) {
			return &e
		}
	}
	e := b.list[place%len(b.list)]
	return &e
}

func (b *board) failed(url string) {
	b.mu.Lock()
	b.bad[url] = time.Now().Add(passOver)
	b.mu.Unlock()
}
