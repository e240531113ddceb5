package node

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"ios/chain"
	"ios/node/api"
	"ios/node/council"
	"ios/node/epochs"
	"ios/node/onetnet"
	"ios/transepoch/identity"
)

// begin makes an epoch and tells all nodes that run. Who gets a seat in another
// shard joins it.
func (r *rig) begin(course identity.Course) *epochs.Record {
	r.t.Helper()
	rec := r.epochs.Next(course)
	plan, err := r.epochs.Book.Plan(rec.Number)
	if err != nil {
		r.t.Fatal(err)
	}
	for id, run := range r.nodes {
		if run == nil {
			continue
		}
		if err := run.node.NewEpoch(rec); err != nil {
			r.t.Fatal(err)
		}
		if move, ok := plan.Joins(chain.ValidatorID(id)); ok {
			if err := run.node.Join(r.t.Context(), move.Shard); err != nil {
				r.t.Fatal(err)
			}
		}
	}
	r.members = plan.New
	return rec
}

// term is in which term a node has a shard.
func (r *rig) term(id chain.ValidatorID, shard chain.ShardID) (term chain.Term) {
	r.t.Helper()
	m := r.nodes[id].node.member(shard)
	if m == nil {
		r.t.Fatalf("validator %d does not run shard %d", id, shard)
	}
	if err := m.ask(r.t.Context(), func() { term = m.core.Term() }); err != nil && !errors.Is(err, chain.ErrNotReady) {
		r.t.Fatal(err)
	}
	return term
}

// moved waits until all members of all shards are in the last batch of the epoch.
func (r *rig) moved() {
	r.t.Helper()
	plan, err := r.epochs.Book.Plan(r.epochs.Book.Current().Number)
	if err != nil {
		r.t.Fatal(err)
	}
	for s, members := range plan.New {
		shard := chain.ShardID(s)
		want := chain.Term{Epoch: plan.Epoch, Batch: plan.Last(shard)}
		for _, id := range members {
			r.eventually("the last committee of the epoch", func() bool { return r.term(id, shard) == want })
		}
	}
}

// agreeing waits until all members of each shard vote.
func (r *rig) agreeing() {
	r.t.Helper()
	for s, members := range r.members {
		for _, id := range members {
			r.eventually(fmt.Sprintf("validator %d votes in shard %d", id, s), func() bool {
				return r.nodes[id].node.member(chain.ShardID(s)).ready() == ""
			})
		}
	}
}

// Two shards go through an epoch: some members change their shard while
// transfers go on, certificates of both terms are believed, and all of it is
// there after a restart.
func TestShardsGoFromEpochToEpoch(t *testing.T) {
	r := newRig(t, 2, 8)
	own, coins := r.coins(0, 6), r.coins(1, 6)
	across := func(i int) *chain.Tx {
		t.Helper()
		x := r.pay([]chain.Input{own[i], coins[i]}, 0, 1)
		r.submit(r.at(0), x)
		return x
	}
	done := func(x *chain.Tx) {
		t.Helper()
		for s := range r.members {
			r.proven(r.becomes(r.at(chain.ShardID(s)), x.ID, api.StateCommitted), chain.ShardID(s), x.ID)
		}
	}
	first := across(0)
	done(first)
	before := slices.Clone(r.members[0])
	rec := r.begin(identity.Drawn)
	if slices.Equal(before, r.members[0]) {
		t.Fatal("nobody changes their shard; choose another seed")
	}
	during := across(1)
	done(during)
	r.moved()
	after := across(2)
	done(after)
	st, err := r.at(1).Status(t.Context())
	if err != nil || st.Epoch != 2 {
		t.Error("the status is not of the second epoch:", st.Epoch, err)
	}

	n := r.at(0).node
	if got, err := n.Epoch(t.Context(), 2); err != nil || string(got.Epoch) != string(rec.Epoch) {
		t.Error("the record cannot be had:", err)
	}
	if _, err := n.Epoch(t.Context(), 3); !errors.Is(err, api.ErrNotYet) {
		t.Error("an epoch to come:", err)
	}
	if err := n.NewEpoch(rec); err != nil {
		t.Error("the same record once more:", err)
	}
	forged := *r.epochs.Next(identity.Void)
	forged.Proof = rec.Proof
	if err := n.NewEpoch(&forged); err == nil || n.net.book.Number() != 2 {
		t.Error("a record with another's proof:", err)
	}

	for i := range r.nodes {
		r.stop(chain.ValidatorID(i))
	}
	for i := range r.nodes {
		r.start(chain.ValidatorID(i))
	}
	r.agreeing()
	for _, x := range []*chain.Tx{first, during, after} {
		done(x)
	}
	done(across(3))
	if sum, _, _ := r.supply(); sum != r.genesis.Supply()-r.genesis.Staked() {
		t.Error("the shards account for", sum)
	}
}

// Who has left the registry can be reached as long as a stalled shard has it in its
// committee.
func TestAStalledShardKeepsItsConnections(t *testing.T) {
	r := newRig(t, 2, 8)
	w := r.nodes[0].node.net
	goes := r.members[0][1]
	for range 2 {
		rec := r.epochs.NextBut(identity.Void, func(e *identity.Epoch) {
			e.Stalled.Add(0)
			e.Shards[0].Plan = 1
			e.Members = slices.DeleteFunc(slices.Clone(e.Members), func(m identity.Member) bool { return m.ID == goes })
		})
		if _, err := w.book.Add(rec); err != nil {
			t.Fatal(err)
		}
	}
	if _, known := w.book.Current().Validator(goes); known || w.book.Number() != 3 {
		t.Fatalf("validator %d is in the record of epoch %d", goes, w.book.Number())
	}
	if !slices.ContainsFunc(w.peers(), func(p onetnet.Peer) bool { return p.ID == goes && p.Address != "" }) {
		t.Errorf("validator %d, with a seat in a stalled shard, cannot be reached", goes)
	}
	seen := make(map[chain.ValidatorID]bool)
	for _, p := range w.peers() {
		if seen[p.ID] {
			t.Errorf("validator %d is a peer twice", p.ID)
		}
		seen[p.ID] = true
	}
}

// Keys of epochs long gone are believed by nobody, whatever epoch a shard is in.
func TestNoOldKeysAreBelieved(t *testing.T) {
	r := newRig(t, 1, 4)
	for range 3 {
		r.begin(identity.Void)
	}
	n := r.nodes[0].node
	if _, err := n.check.committees.Committee(0, chain.Term{Epoch: 1}); !errors.Is(err, chain.ErrExpired) {
		t.Errorf("the committee of epoch 1 in epoch 4: %v", err)
	}
	if _, err := n.check.committees.Committee(0, chain.Term{Epoch: 4}); err != nil {
		t.Error(err)
	}
}

// After a restart of all, shards that have no traffic are not taken for stalled: their
// last blocks are shown to the identity chain again.
func TestShardsAtRestAreNotStalled(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2, 4, shortEpochs)
	observer := func() *Node { return r.nodes[0].node }
	r.through("all are through with the transition of an epoch", func() bool {
		now := observer().net.book.Number()
		for _, run := range r.nodes {
			for _, m := range run.node.members() {
				var in api.Membership
				if err := m.ask(t.Context(), m.noteTurn); err != nil {
					return false
				}
				m.transition(&in)
				if in.Epoch != now || in.Batch != in.Batches {
					return false
				}
			}
		}
		return now > 1 && observer().assembly().now().Phase == council.Running
	})
	at := observer().net.book.Number()
	for id := range r.nodes {
		r.stop(chain.ValidatorID(id))
	}
	for id := range r.nodes {
		r.start(chain.ValidatorID(id))
	}
	r.through("an epoch that takes both shards along", func() bool {
		now := observer().net.book.Current()
		return now.Number > at && now.Shards[0].Plan == now.Number && now.Shards[1].Plan == now.Number
	})
}
