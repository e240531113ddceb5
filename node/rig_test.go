package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"ios/chain"
	"ios/chain/cosi"
	"ios/chain/sig"
	"ios/eds"
	"ios/node/api"
	"ios/node/config"
	"ios/node/epochs"
	"ios/node/epochs/epochstest"
	"ios/transepoch/identity"
)

// rig is a network whose nodes run in the test's process.
type rig struct {
	t       *testing.T
	net     *memNet
	genesis *chain.Genesis
	params  *chain.Params
	keys    []*config.Keys
	rings   map[chain.ValidatorID]*config.Keyring // of those with more than one
	owners  []*sig.Key                            // one in each shard, with the allocations
	dirs    []string
	nodes   []*running
	members [][]chain.ValidatorID
	epochs  *epochstest.Chain
}

type running struct {
	node *Node
	stop context.CancelFunc
	err  chan error
}

const allocations, allocated = 20, 1000

func newRig(t *testing.T, shards, validators int, policy ...func(*chain.Policy)) *rig {
	t.Helper()
	r := &rig{t: t, net: newMemNet(), rings: map[chain.ValidatorID]*config.Keyring{}}
	p := chain.DefaultPolicy()
	for _, change := range policy {
		change(&p)
	}
	g := &chain.Genesis{Name: "rig", TestNetwork: true, Shards: shards, Seed: chain.Hash{7}, Policy: p}
	for i := range validators {
		k, err := config.NewKeys()
		if err != nil {
			t.Fatal(err)
		}
		v, err := k.Validator(fmt.Sprint("v", i), fmt.Sprint("127.0.0.1:", 20000+i), "")
		if err != nil {
			t.Fatal(err)
		}
		r.keys = append(r.keys, k)
		g.Validators = append(g.Validators, *v)
		r.dirs = append(r.dirs, filepath.Join(t.TempDir(), "data"))
	}
	r.owners = make([]*sig.Key, shards)
	for found := 0; found < shards; {
		k, err := sig.Generate(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if s := address(k).Shard(shards); r.owners[s] == nil {
			r.owners[s] = k
			found++
		}
	}
	for _, k := range r.owners {
		for range allocations {
			g.Allocations = append(g.Allocations, chain.Output{Owner: address(k), Amount: allocated})
		}
	}
	if err := identity.CheckGenesis(g, cosi.BLS{}); err != nil {
		t.Fatal(err)
	}
	r.genesis, r.params = g, g.Params()
	book, err := identity.NewBook(g, cosi.BLS{})
	if err != nil {
		t.Fatal(err)
	}
	book.KeepHistory(epochs.History)
	r.epochs = &epochstest.Chain{T: t, Scheme: cosi.BLS{}, Book: book, Secret: func(id chain.ValidatorID) cosi.Secret { return r.keys[id].Cosi }}
	r.members = eds.Assign(g.Seed, validators, shards)
	r.nodes = make([]*running, validators)
	t.Cleanup(func() {
		for i := range r.nodes {
			r.stop(chain.ValidatorID(i))
		}
	})
	for i := range r.nodes {
		r.start(chain.ValidatorID(i))
	}
	for i := range r.nodes {
		r.ready(chain.ValidatorID(i))
	}
	return r
}

func address(k *sig.Key) chain.Address {
	pub := [32]byte(k.Public())
	return chain.AddressOf(&pub)
}

func (r *rig) start(id chain.ValidatorID) {
	r.t.Helper()
	keys := r.rings[id]
	if keys == nil {
		keys = must(config.NewKeyring(r.keys[id]))
	}
	log := logrus.New()
	if os.Getenv("IOS_TEST_LOG") == "" {
		log.SetOutput(io.Discard)
	}
	n, err := Open(Config{
		Genesis: r.genesis, Keys: keys, DataDir: r.dirs[id], Log: log, Version: "test",
		Node:      &config.Node{Name: r.genesis.Validators[id].Name, API: "127.0.0.1:0"},
		Transport: r.net.join(id),
	})
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	run := &running{node: n, stop: cancel, err: make(chan error, 1)}
	go func() { run.err <- n.Run(ctx) }()
	r.nodes[id] = run
}

func (r *rig) stop(id chain.ValidatorID) {
	r.t.Helper()
	if run := r.nodes[id]; run != nil {
		run.stop()
		if err := <-run.err; err != nil {
			r.t.Error(err)
		}
		r.nodes[id] = nil
	}
}

// patience is for machines with much else to do.
const patience = 3 * time.Minute

// eventually waits until cond holds; what says what for.
func (r *rig) eventually(what string, cond func() bool) {
	r.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !cond() {
		select {
		case <-tick.C:
		case <-deadline:
			r.t.Fatalf("%s did not come about in time", what)
		}
	}
}

func (r *rig) ready(id chain.ValidatorID) {
	r.t.Helper()
	r.eventually(fmt.Sprint("validator ", id, " ready"), func() bool { return len(r.nodes[id].node.Ready()) == 0 })
}

// member is a node's part in its shard.
func (r *rig) member(id chain.ValidatorID) *member { return r.nodes[id].node.newest() }

// at is a running node of the shard, one that votes if there is any.
func (r *rig) at(shard chain.ShardID) (n *member) {
	r.t.Helper()
	for _, id := range r.members[shard] {
		if r.nodes[id] == nil {
			continue
		}
		if m := r.nodes[id].node.member(shard); n == nil || m.ready() == "" {
			if n = m; m.ready() == "" {
				break
			}
		}
	}
	if n == nil {
		r.t.Fatal("no node of shard ", shard, " runs")
	}
	return n
}

// coins are n coins of the shard's owner.
func (r *rig) coins(shard chain.ShardID, n int) []chain.Input {
	r.t.Helper()
	owner := address(r.owners[shard])
	page, err := r.at(shard).Coins(context.Background(), owner, nil, 100)
	if err != nil || len(page.Coins) < n {
		r.t.Fatal(len(page.Coins), "coins,", n, "are wanted:", err)
	}
	list := make([]chain.Input, n)
	for i := range list {
		list[i] = chain.Input{OutPoint: page.Coins[i].OutPoint, Owner: owner, Amount: page.Coins[i].Amount}
	}
	return list
}

// epoch is the current one: that of the nodes if they make epochs by themselves.
func (r *rig) epoch() uint64 {
	if r.genesis.Policy.EpochLength > 0 {
		for _, run := range r.nodes {
			if run != nil {
				return run.node.net.book.Number()
			}
		}
	}
	return r.epochs.Book.Current().Number
}

// pay makes a transaction of the inputs with one output in each of the shards
// and the rest for the first input's owner.
func (r *rig) pay(inputs []chain.Input, to ...chain.ShardID) *chain.Tx {
	t := &chain.Tx{Expiry: r.epoch() + 1, Inputs: inputs}
	var sum uint64
	for _, in := range inputs {
		sum += in.Amount
	}
	for _, s := range to {
		t.Outputs = append(t.Outputs, chain.Output{Owner: address(r.owners[s]), Amount: 7})
		sum -= 7
	}
	t.Outputs = append(t.Outputs, chain.Output{Owner: inputs[0].Owner, Amount: sum})
	r.params.Seal(t)
	for _, owner := range t.Owners() {
		for _, k := range r.owners {
			if address(k) == owner {
				t.Witnesses = append(t.Witnesses, chain.Witness{PublicKey: k.Public(), Signature: k.Sign(chain.SignedBytes(t.ID))})
			}
		}
	}
	r.params.Seal(t)
	return t
}

func (r *rig) submit(n *member, txs ...*chain.Tx) api.SubmitResult {
	r.t.Helper()
	var raw []byte
	for _, t := range txs {
		raw = append(raw, t.Raw...)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var res api.SubmitResult
	r.eventually("a submission", func() bool { // its committee may just be changing
		var err error
		if res, err = n.node.Submit(ctx, raw); err != nil && !errors.Is(err, chain.ErrNotReady) {
			r.t.Fatal(err)
		}
		return err == nil
	})
	return res
}

// becomes waits until the node tells the state.
func (r *rig) becomes(n *member, id chain.TxID, want api.State) api.Outcome {
	r.t.Helper()
	var out api.Outcome
	r.eventually(fmt.Sprintf("%v of %s", want, id.Short()), func() bool {
		var err error
		out, err = n.Outcome(context.Background(), id, true)
		if err != nil && !errors.Is(err, chain.ErrNotReady) {
			r.t.Fatal(err)
		}
		return out.State == want
	})
	return out
}

// proven checks the proof of an outcome as a client would.
func (r *rig) proven(out api.Outcome, shard chain.ShardID, id chain.TxID) {
	r.t.Helper()
	p, err := chain.DecodeOutcomeProof(out.Proof)
	if err == nil {
		var by *chain.Committee
		if by, err = r.epochs.Book.Past(shard, p.Header.Term()); err == nil {
			err = p.Verify(r.params, shard, by.Cosi)
		}
	}
	if err != nil || p.Entry.ID != id || api.StateOf(p.Entry.Outcome) != out.State {
		r.t.Error("the proof does not show", out.State, err)
	}
}

// supply adds up what all shards account for.
func (r *rig) supply() (sum uint64, between int64, open uint64) {
	r.t.Helper()
	for s := range r.members {
		st, err := r.at(chain.ShardID(s)).Status(context.Background())
		if err != nil {
			r.t.Fatal(err)
		}
		sum += st.Supply.Value - uint64(st.Supply.Between)
		between += st.Supply.Between
		open += st.Supply.Open
	}
	return sum, between, open
}

func (r *rig) supplyHolds() {
	r.t.Helper()
	r.eventually("nothing open", func() bool { _, _, open := r.supply(); return open == 0 })
	if sum, between, _ := r.supply(); sum != r.genesis.Supply() || between != 0 {
		r.t.Errorf("the shards account for %d with %d between them, the genesis made %d", sum, between, r.genesis.Supply())
	}
}
