package api

import (
	"context"
	"errors"
	"testing"
	"time"

	"ios/chain"
)

// twice is a validator of shards 0 and 3, which joined 0 last.
func twice(t *testing.T, limits Limits) (r *rig, other *fake) {
	f, other := newFake(), newFake()
	other.shard = 3
	f.more = map[chain.ShardID]*fake{3: other}
	return serveOn(t, f, limits), other
}

func TestRequestsNameTheirShard(t *testing.T) {
	r, other := twice(t, Limits{})
	id := chain.TxID{1}
	other.txs[id] = []byte("there")
	other.block(0)
	c := r.client(t, ClientConfig{})
	for _, at := range []struct {
		c     *Client
		shard chain.ShardID
		there bool
	}{{c, 0, false}, {c.At(0), 0, false}, {c.At(3), 3, true}} {
		st, err := at.c.Status(t.Context())
		if err != nil || st.Shard != at.shard {
			t.Error("status of shard", at.shard, st, err)
		}
		if raw, err := at.c.Tx(t.Context(), id); (err == nil && string(raw) == "there") != at.there {
			t.Errorf("transaction in shard %d: %q %v", at.shard, raw, err)
		}
		if o, err := at.c.Outcome(t.Context(), id, true); err != nil || (o.State == StateCommitted) != at.there {
			t.Error("outcome in shard", at.shard, o, err)
		}
		if _, err := at.c.Block(t.Context(), 1); (err == nil) != at.there {
			t.Error("block in shard", at.shard, err)
		}
	}
	if _, err := c.At(7).Status(t.Context()); !errors.Is(err, chain.ErrWrongShard) {
		t.Error("a shard that it is not in:", err)
	}
	if _, err := c.At(7).Bundle(t.Context(), id, 1); !errors.Is(err, chain.ErrWrongShard) {
		t.Error("a shard that it is not in:", err)
	}
}

func TestEachShardHasItsEvents(t *testing.T) {
	r, other := twice(t, Limits{})
	for range 3 {
		r.Publish(0, r.backend.block(1))
	}
	r.Publish(3, other.block(5))
	c := r.client(t, ClientConfig{})
	if got := collect(t, c, Follow{From: 1}, 3); got[2].Recorded != 1 {
		t.Error(got[2].Recorded, "outcomes in shard 0")
	}
	if got := collect(t, c.At(3), Follow{From: 1}, 1); got[0].Recorded != 5 {
		t.Error(got[0].Recorded, "outcomes in shard 3")
	}
}

// A stream of a shard that the validator leaves ends at once, and says why.
func TestAStreamEndsWithItsShard(t *testing.T) {
	r, other := twice(t, Limits{Heartbeat: time.Hour})
	r.Publish(3, other.block(1))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	lost := make(chan error, 1)
	go r.client(t, ClientConfig{}).At(3).Follow(ctx, Follow{From: 1, Lost: func(err error) {
		select {
		case lost <- err:
		default:
		}
	}}, func(ev Event) error {
		if ev.Block != nil {
			r.backend.mu.Lock()
			delete(r.backend.more, 3)
			r.backend.mu.Unlock()
			r.Forget(3)
		}
		return nil
	})
	if err := <-lost; !errors.Is(err, chain.ErrWrongShard) {
		t.Error(err)
	}
}
