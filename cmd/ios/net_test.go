package main

import (
	"context"
	"errors"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"ios/chain"
	"ios/chain/sig"
	"ios/node/api"
	"ios/node/devnet"
)

// hesitant is not ready for some time.
type hesitant struct {
	api.Backend
	unready atomic.Int32
	never   error
}

func (h *hesitant) Registered(context.Context, sig.PublicKey) (api.Registered, error) {
	if h.never != nil {
		return api.Registered{}, h.never
	}
	if h.unready.Add(-1) >= 0 {
		return api.Registered{}, chain.Rule(chain.ErrNotReady, "an epoch begins")
	}
	return api.Registered{Known: true}, nil
}

// When an epoch begins nobody may be ready for a moment: a command waits, and does
// not where waiting is of no use.
func TestACommandWaitsForAMoment(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "net")
	d, err := devnet.Create(dir, devnet.Options{Name: "net", Shards: 1, Validators: 1, Policy: devnet.Policy(time.Minute), LogLevel: "info"})
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := d.Homes[0].Load()
	if err != nil {
		t.Fatal(err)
	}
	h := new(hesitant)
	h.unready.Store(3)
	server, err := api.NewServer(api.Config{Listen: cfg.API, Backend: h})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close(t.Context())
	n, err := openNetAt(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer n.api.Close()
	ask := func() error {
		return n.anybody(t.Context(), func(ctx context.Context, e api.Endpoint) error {
			_, err := e.Registered(ctx, sig.PublicKey{})
			return err
		})
	}
	if err := ask(); err != nil || h.unready.Load() >= 0 {
		t.Error(err)
	}
	h.never = chain.Rule(api.ErrNotFound, "it never will be")
	began := time.Now()
	if err := ask(); !errors.Is(err, api.ErrNotFound) || time.Since(began) > momentPatience/2 {
		t.Error("a refusal is waited for:", err)
	}
}
