package load

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"ios/chain"
	"ios/node/api"
)

type heard chan uint64

func (h heard) block(_ chain.ShardID, ev *api.BlockEvent) { h <- ev.Height }

// comer is a validator that has none of the blocks yet.
type comer struct{ *fakeShard }

func (c comer) Shard(*chain.ShardID) (api.Shard, error) { return c, nil }

func (c comer) BlockEvent(context.Context, uint64) (*api.BlockEvent, error) {
	return nil, chain.Rule(api.ErrNotYet, "it is syncing")
}

// A validator that still fetches the blocks below is not followed: what is final
// would be heard of late, and transactions seem to take longer than they do.
func TestAStreamPassesOverWhoComesIn(t *testing.T) {
	w := newWorld(t, 1, vice{})
	quiet := logrus.New()
	quiet.SetOutput(io.Discard)
	comes := comer{&fakeShard{w: w, phase: api.PhaseSyncing}}
	server, err := api.NewServer(api.Config{Listen: "127.0.0.1:0", Backend: comes, Prefix: w.params.Prefix, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close(context.Background())
	g := &chain.Genesis{Name: "load", TestNetwork: true, Shards: 1, Policy: chain.DefaultPolicy(), Validators: make([]chain.Validator, 2)}
	net, err := api.NewNetwork(g, [][]chain.ValidatorID{{1, 0}}, map[chain.ValidatorID]string{0: w.shards[0].server.URL(), 1: server.URL()})
	if err != nil {
		t.Fatal(err)
	}
	defer net.Close()
	s, err := openStreams(t.Context(), net, []chain.ShardID{0})
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	h := make(heard, 1000)
	s.tell(h)
	deadline := time.After(10 * time.Second)
	for height := uint64(1); ; height++ {
		w.shards[0].server.Publish(0, &api.BlockEvent{Height: height, Time: time.Now(), Epoch: 1})
		select {
		case got := <-h:
			if got != 1 {
				t.Errorf("block %d came first", got)
			}
			return
		case <-time.After(5 * time.Millisecond):
		case <-deadline:
			t.Fatal("no block is heard of")
		}
	}
}
