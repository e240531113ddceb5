package api

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"ios/chain"
)

// two is a network of two shards with two validators each, and its servers.
func two(t *testing.T) (*Network, []*rig) {
	t.Helper()
	g := &chain.Genesis{Name: "test", TestNetwork: true, Shards: 2}
	var rigs []*rig
	shards := make([][]chain.ValidatorID, 2)
	for i := range 4 {
		f := newFake()
		f.shard, f.id = chain.ShardID(i%2), chain.ValidatorID(i)
		r := serveOn(t, f, Limits{})
		rigs = append(rigs, r)
		g.Validators = append(g.Validators, chain.Validator{Name: "v" + string(rune('0'+i)), API: r.URL()})
		shards[i%2] = append(shards[i%2], chain.ValidatorID(i))
	}
	for _, r := range rigs {
		r.backend.chainID = g.ID()
	}
	n, err := NewNetwork(g, shards, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	return n, rigs
}

func submitOne(n *Network, ctx context.Context, shard chain.ShardID) (name string, err error) {
	err = n.Try(ctx, shard, func(ctx context.Context, e Endpoint) error {
		name = e.Name
		_, err := e.Submit(ctx, []byte{1})
		return err
	})
	return name, err
}

func TestADeadValidatorIsPassedOver(t *testing.T) {
	n, rigs := two(t)
	rigs[1].Close(t.Context())
	for range 2 {
		if name, err := submitOne(n, t.Context(), 1); err != nil || name != "v3" {
			t.Fatalf("%s, %v", name, err)
		}
	}
	for _, m := range n.shards[1] {
		if passed := m.penalty(time.Now()) > 0; passed != (m.Name == "v1") {
			t.Fatalf("%s is passed over: %v", m.Name, passed)
		}
	}
	rigs[3].Close(t.Context())
	_, err := submitOne(n, t.Context(), 1)
	if !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), "v1:") || !strings.Contains(err.Error(), "v3:") || strings.Count(err.Error(), "check that") != 1 {
		t.Fatalf("the names of the dead: %v", err)
	}
	if _, err := submitOne(n, t.Context(), 0); err != nil {
		t.Fatalf("the other shard: %v", err)
	}
	if _, err := submitOne(n, t.Context(), 7); !errors.Is(err, ErrUnreachable) {
		t.Fatalf("a shard that does not exist: %v", err)
	}
}

func TestARefusalForGoodIsNotShoppedAround(t *testing.T) {
	n, rigs := two(t)
	for _, r := range rigs {
		r.backend.refusal = chain.Rule(chain.ErrFee, "the fee is 0")
	}
	if _, err := submitOne(n, t.Context(), 0); !errors.Is(err, chain.ErrFee) {
		t.Fatal(err)
	}
	if rigs[0].backend.submits != 1 || rigs[2].backend.submits != 0 {
		t.Fatalf("%d and %d submissions", rigs[0].backend.submits, rigs[2].backend.submits)
	}
}

func TestWhatOneDoesNotHaveAnotherMay(t *testing.T) {
	n, rigs := two(t)
	id := chain.TxID{5}
	fetch := func() (raw []byte, err error) {
		err = n.Try(t.Context(), 0, func(ctx context.Context, e Endpoint) error {
			raw, err = e.Tx(ctx, id)
			return err
		})
		return raw, err
	}
	if _, err := fetch(); !errors.Is(err, ErrNotFound) {
		t.Fatal(err)
	}
	rigs[2].backend.txs[id] = []byte("here")
	if raw, err := fetch(); err != nil || string(raw) != "here" {
		t.Fatalf("%q, %v", raw, err)
	}
}

func TestStatusesNameWhoIsNotWhoItShouldBe(t *testing.T) {
	n, rigs := two(t)
	rigs[0].backend.chainID = chain.Hash{9}
	rigs[1].backend.shard = 0
	rigs[2].Close(t.Context())
	kinds := map[string]chain.ErrorKind{"v0": chain.ErrWrongChain, "v1": chain.ErrWrongShard, "v2": ErrUnreachable, "v3": ""}
	for _, h := range n.Statuses(t.Context()) {
		if want := kinds[h.Name]; want == "" && h.Err != nil || want != "" && !errors.Is(h.Err, want) {
			t.Errorf("%s: %v, %q is wanted", h.Name, h.Err, want)
		}
	}
}
