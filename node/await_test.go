package node

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"ios/chain"
	"ios/chain/cosi"
	"ios/node/api"
	"ios/node/config"
	"ios/node/epochs"
	"ios/node/epochs/epochstest"
	"ios/transepoch/identity"
)

// archive is a validator that has records of epochs, and nothing else.
type archive struct {
	api.Backend
	mu      sync.Mutex
	records []*epochs.Record // from the second epoch on
}

func (a *archive) add(r *epochs.Record) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.records = append(a.records, r)
}

func (a *archive) Epoch(_ context.Context, number uint64) (*epochs.Record, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if number >= uint64(len(a.records))+2 {
		return nil, chain.Rule(api.ErrNotYet, "later")
	}
	return a.records[number-2], nil
}

// A validator that was down for epochs hears of them from whoever serves clients, also
// if none of its peers is left, and of more while it is not in step.
func TestWhoComesBackAsksForEpochs(t *testing.T) {
	var archives [3]archive
	g := &chain.Genesis{Name: "later", TestNetwork: true, Shards: 1, Policy: chain.DefaultPolicy()}
	g.Policy.EpochLength = time.Second
	g.Allocations = []chain.Output{{Amount: 1}}
	var keys []*config.Keys
	for i := range 4 {
		url := ""
		if i < len(archives) {
			server, err := api.NewServer(api.Config{Listen: "127.0.0.1:0", Backend: &archives[i]})
			if err != nil {
				t.Fatal(err)
			}
			defer server.Close(context.Background())
			url = server.URL()
		}
		keys = append(keys, must(config.NewKeys()))
		g.Validators = append(g.Validators, *must(keys[i].Validator(fmt.Sprint("v", i), fmt.Sprint("127.0.0.1:", 20000+i), url)))
	}
	if err := identity.CheckGenesis(g, cosi.BLS{}); err != nil {
		t.Fatal(err)
	}
	book := must(identity.NewBook(g, cosi.BLS{}))
	book.KeepHistory(epochs.History)
	maker := &epochstest.Chain{T: t, Scheme: cosi.BLS{}, Book: book, Secret: func(id chain.ValidatorID) cosi.Secret { return keys[id].Cosi }}
	for range 3 { // the first archive has none
		archives[1].add(maker.Next(identity.Void))
	}
	archives[2].records = archives[1].records[:1]

	log := logrus.New()
	log.SetOutput(io.Discard)
	n, err := Open(Config{
		Genesis: g, Keys: must(config.NewKeyring(keys[3])), DataDir: filepath.Join(t.TempDir(), "data"), Log: log, Version: "test",
		Node: &config.Node{Name: "v3", API: "127.0.0.1:0"}, Transport: newMemNet().join(3),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- n.Run(ctx) }()
	hears := func(number uint64) {
		t.Helper()
		for changed := n.net.book.Changed(); n.net.book.Number() < number; changed = n.net.book.Changed() {
			select {
			case <-changed:
			case <-time.After(time.Minute):
				t.Fatal("it knows only of epoch ", n.net.book.Number())
			}
		}
	}
	hears(4)
	archives[1].add(maker.Next(identity.Void)) // its peers are away: nobody else tells it
	hears(5)
	for e := uint64(2); e <= 5; e++ {
		if _, err := n.Epoch(ctx, e); err != nil {
			t.Errorf("epoch %d: %v", e, err)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
