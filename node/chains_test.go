package node

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"ios/chain"
	"ios/node/api"
)

// shards are those that run in a node, by its status.
func (r *rig) shards(id chain.ValidatorID) (list []chain.ShardID) {
	r.t.Helper()
	st, err := r.member(id).Status(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	for _, in := range st.Memberships {
		list = append(list, in.Shard)
	}
	return list
}

// follows waits until a node has what is final in a shard.
func (r *rig) follows(id chain.ValidatorID, shard chain.ShardID, tx *chain.Tx) {
	r.t.Helper()
	m := r.nodes[id].node.member(shard)
	r.proven(r.becomes(m, tx.ID, api.StateCommitted), shard, tx.ID)
	r.eventually("following", func() bool { return m.view.phase() == api.PhaseFollowing })
}

func (r *rig) exists(path ...string) bool {
	_, err := os.Stat(filepath.Join(path...))
	return err == nil
}

// A validator of shard 0 follows shard 1 beside its own, over a restart, leaves
// it, comes back, and leaves it for good. Its own shard notices nothing.
func TestAShardIsJoinedAndLeftWhileTheNodeRuns(t *testing.T) {
	r := newRig(t, 2, 8)
	v := r.members[0][2]
	coins, own := r.coins(1, 6), r.coins(0, 6)
	paid := 0
	// pay commits one transfer in each shard, with every vote of shard 0.
	pay := func() *chain.Tx {
		t.Helper()
		here, there := r.pay(own[paid:paid+1], 1), r.pay(coins[paid:paid+1], 1)
		paid++
		r.submit(r.nodes[v].node.member(0), here)
		r.submit(r.at(1), there)
		r.proven(r.becomes(r.nodes[v].node.member(0), here.ID, api.StateCommitted), 0, here.ID)
		r.becomes(r.at(1), there.ID, api.StateCommitted)
		return there
	}
	first := pay()
	if err := r.nodes[v].node.Join(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if err := r.nodes[v].node.Join(t.Context(), 1); err == nil {
		t.Error("joined twice")
	}
	if err := r.nodes[v].node.Join(t.Context(), 2); !errors.Is(err, chain.ErrWrongShard) {
		t.Error("a shard that does not exist:", err)
	}
	r.follows(v, 1, first) // what was before
	r.follows(v, 1, pay()) // and what comes
	one := chain.ShardID(1)
	if s, err := r.nodes[v].node.Shard(&one); err != nil || s.ID() != 1 {
		t.Error("the shard cannot be asked for:", err)
	}
	// It has no seat there, so it takes no transaction for it.
	res, err := r.nodes[v].node.Submit(t.Context(), r.pay(coins[5:6], 1).Raw)
	if err != nil || len(res.Refused) != 1 || res.Refused[0].Kind != chain.ErrWrongShard {
		t.Error("a transaction of the shard that it follows:", res, err)
	}

	r.stop(v)
	r.start(v)
	r.ready(v)
	r.follows(v, 1, pay())
	if got := r.shards(v); !slices.Equal(got, []chain.ShardID{0, 1}) {
		t.Error("after a restart it takes part in", got)
	}

	dir := r.nodes[v].node.chainDir(1)
	if err := r.nodes[v].node.Leave(1, time.Hour); err != nil {
		t.Fatal(err)
	}
	if _, err := r.nodes[v].node.Shard(&one); !errors.Is(err, chain.ErrWrongShard) {
		t.Error("a shard that was left:", err)
	}
	pay()
	r.stop(v)
	r.start(v)
	r.ready(v)
	if got := r.shards(v); !slices.Equal(got, []chain.ShardID{0}) || !r.exists(dir, "log") {
		t.Error("it came back by itself, or its data is gone:", got)
	}
	if err := r.nodes[v].node.Join(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if at := r.nodes[v].node.member(1).core.Point().Height; at == 0 {
		t.Error("it begins anew, though its data was there")
	}
	r.follows(v, 1, pay())

	if err := r.nodes[v].node.Leave(1, 0); err != nil {
		t.Fatal(err)
	}
	r.eventually("the data is gone", func() bool {
		left, err := filepath.Glob(filepath.Join(r.dirs[v], "shard-1*"))
		return err == nil && len(left) == 0
	})
	if err := r.nodes[v].node.Leave(1, 0); err == nil {
		t.Error("left twice")
	}
	pay()
	r.supplyHolds()
}

// What a node was to delete when it stopped is deleted when it starts.
func TestWhatWasLeftIsDeletedAfterARestart(t *testing.T) {
	r := newRig(t, 2, 2)
	v := r.members[0][0]
	n := r.nodes[v].node
	if err := n.Join(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	dir := n.chainDir(1)
	if err := n.Leave(1, time.Hour); err != nil {
		t.Fatal(err)
	}
	r.stop(v)
	if err := writeMark(dir, time.Now().Add(-time.Second)); err != nil {
		t.Fatal(err)
	}
	half := filepath.Join(r.dirs[v], "shard-1.5"+doomedSuffix)
	if err := os.Mkdir(half, 0o700); err != nil {
		t.Fatal(err)
	}
	r.start(v)
	r.ready(v)
	r.eventually("both are gone", func() bool { return !r.exists(dir) && !r.exists(half) })

	if err := os.WriteFile(filepath.Join(r.nodes[v].node.chainDir(0), leftMark), []byte("soon"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := r.nodes[v].node.cfg
	r.stop(v)
	if _, err := Open(cfg); err == nil {
		t.Error("a mark that says nothing is taken for one that does")
	}
}

// A message for a chain that does not run here is nobody's fault.
func TestMessagesForOtherChainsAreDropped(t *testing.T) {
	r := newRig(t, 1, 2)
	n := r.nodes[0].node
	port := r.net.ports[0]
	n.received(1, []byte{0, 7, 1, 2, 3})
	n.received(1, []byte{0xff, 0xff})
	port.mu.Lock()
	dropped := len(port.dropped)
	port.mu.Unlock()
	if dropped != 0 {
		t.Error("its sender was cut off")
	}
	n.received(1, []byte{0})
	n.received(1, []byte{0, 0, 99})
	port.mu.Lock()
	dropped = len(port.dropped)
	port.mu.Unlock()
	if dropped != 2 {
		t.Errorf("%d of two messages that nobody can read cut their sender off", dropped)
	}
}
