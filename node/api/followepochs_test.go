package api

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"ios/chain"
	"ios/chain/cosi"
	"ios/chain/cosi/cositest"
	"ios/node/epochs"
	"ios/node/epochs/epochstest"
	"ios/transepoch/identity"
)

// moving is a network of two shards with four validators each, that goes through
// epochs.
type moving struct {
	*Network
	servers []*rig
	chain   *epochstest.Chain
}

func newMoving(t *testing.T) *moving {
	t.Helper()
	scheme := cositest.New("api")
	g := &chain.Genesis{Name: "test", TestNetwork: true, Shards: 2, Policy: chain.DefaultPolicy()}
	g.Policy.EpochLength = time.Minute
	m := new(moving)
	secrets := make([]cosi.Secret, 8)
	for i := range secrets {
		var raw [cosi.SecretSize]byte
		raw[31] = byte(i + 1)
		var err error
		if secrets[i], err = cosi.ParseSecret(raw[:]); err != nil {
			t.Fatal(err)
		}
		key, err := scheme.Public(secrets[i])
		if err != nil {
			t.Fatal(err)
		}
		f := newFake()
		f.id = chain.ValidatorID(i)
		r := serveOn(t, f, Limits{})
		m.servers = append(m.servers, r)
		g.Validators = append(g.Validators, chain.Validator{Name: "v" + string(rune('0'+i)), API: r.URL(), Cosi: key, Signing: [32]byte{byte(i)}, Address: "127.0.0.1:1"})
	}
	book, err := identity.NewBook(g, scheme)
	if err != nil {
		t.Fatal(err)
	}
	m.chain = &epochstest.Chain{T: t, Scheme: scheme, Book: book, Secret: func(id chain.ValidatorID) cosi.Secret { return secrets[id] }}
	if m.Network, err = FollowNetwork(g, scheme, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	m.settle(t)
	return m
}

// settle puts the servers into the shards that the newest plan has them in.
func (m *moving) settle(t *testing.T) {
	t.Helper()
	plan, err := m.chain.Book.Plan(m.chain.Book.Current().Number)
	if err != nil {
		t.Fatal(err)
	}
	for s, members := range plan.New {
		for _, id := range members {
			f := m.servers[id].backend
			f.mu.Lock()
			f.shard, f.chainID = chain.ShardID(s), m.Genesis().ID()
			f.mu.Unlock()
		}
	}
}

// publish gives a record to all servers but some.
func (m *moving) publish(r *epochs.Record, except ...int) {
	for i, s := range m.servers {
		if !slices.Contains(except, i) {
			s.backend.mu.Lock()
			s.backend.epochs = append(s.backend.epochs, r)
			s.backend.mu.Unlock()
		}
	}
}

func (m *moving) ids(shard chain.ShardID) (list []chain.ValidatorID) {
	for _, e := range m.Endpoints(shard) {
		list = append(list, e.ID)
	}
	return list
}

// A client that finds nobody in a shard asks for the epochs since, and goes where
// the validators went.
func TestAClientFollowsTheEpochs(t *testing.T) {
	m := newMoving(t)
	before := m.ids(0)
	r := m.chain.Next(identity.Drawn)
	m.settle(t)
	m.publish(r, 0)
	plan, _ := m.chain.Book.Plan(2)
	come := slices.DeleteFunc(slices.Clone(plan.New[0]), func(id chain.ValidatorID) bool { return slices.Contains(before, id) })
	if len(come) == 0 {
		t.Fatal("nobody changes the shard; choose another seed")
	}
	var at []chain.ValidatorID
	err := m.Try(t.Context(), 0, func(ctx context.Context, e Endpoint) error {
		at = append(at, e.ID)
		if !slices.Contains(come, e.ID) { // the others are away
			return chain.Rule(chain.ErrWrongShard, "away")
		}
		_, err := e.Status(ctx)
		return err
	})
	if err != nil || !slices.Contains(come, at[len(at)-1]) {
		t.Fatal("asked", at, "of", m.ids(0), err)
	}
	for s := range plan.New {
		got := m.ids(chain.ShardID(s))
		for _, id := range append(slices.Clone(plan.New[s]), plan.Old[s]...) {
			if !slices.Contains(got, id) {
				t.Errorf("shard %d: validator %d is not among %v", s, id, got)
			}
		}
	}
	for _, h := range m.Statuses(t.Context()) {
		if h.Err != nil {
			t.Error(h.Name, h.Err)
		}
	}
	want := chain.Term{Epoch: 2, Batch: plan.Last(1)}
	if c, err := m.Committee(t.Context(), 1, want); err != nil || !slices.Equal(c.Members, plan.New[1]) {
		t.Error("the committee of the new term:", c, err)
	}
}

// What one validator says alone moves nobody, neither to an epoch that is none
// nor to believing that there is none.
func TestRecordsAreBelievedForTheirProofs(t *testing.T) {
	m := newMoving(t)
	good := m.chain.Next(identity.Drawn)
	forged := *good
	forged.Epoch = slices.Clone(good.Epoch)
	forged.Epoch[32+8+32+1]++ // the random value
	m.publish(&forged)
	if news, err := m.Refresh(t.Context()); news || err == nil {
		t.Error("a forged record:", news, err)
	}
	for _, s := range m.servers {
		s.backend.mu.Lock()
		s.backend.epochs = nil
		s.backend.mu.Unlock()
	}
	if news, err := m.Refresh(t.Context()); news || err != nil {
		t.Error("no record at all:", news, err)
	}
	m.publish(good, 3) // one is behind
	for range 10 {
		if _, err := m.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if m.follow.book.Number() != 2 {
		t.Error("one that is behind holds a client up")
	}
	if _, err := m.Committee(t.Context(), 0, chain.Term{Epoch: 9}); !errors.Is(err, chain.ErrNotReady) {
		t.Error("a term that nobody knows:", err)
	}
}
