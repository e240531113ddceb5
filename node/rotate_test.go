package node

import (
	"path/filepath"
	"testing"

	"ios/chain"
	"ios/node/config"
	"ios/transepoch/identity"
)

// settleIn gives a validator a home with its keys, and tells how to start it there
// again.
func (r *rig) settleIn(id chain.ValidatorID) (home config.Home, restart func()) {
	r.t.Helper()
	home = config.Home(filepath.Dir(r.dirs[id]))
	if err := home.SaveKeys(r.keys[id]); err != nil {
		r.t.Fatal(err)
	}
	return home, func() {
		r.t.Helper()
		r.stop(id)
		r.rings[id] = must(home.LoadKeyring())
		r.start(id)
	}
}

// rotate does what the command does, in another process.
func (r *rig) rotate(by *Node, id chain.ValidatorID, home config.Home) *chain.Validator {
	r.t.Helper()
	old := r.genesis.Validators[id]
	fresh := must(must(home.LoadKeyring()).Successor(old.Signing))
	v := must(fresh.Validator(old.Name, old.Address, old.API))
	op := must(r.keys[id].Rotate(r.params.ChainID, id, 0, fresh, v))
	if _, why, err := by.Enroll(r.t.Context(), []identity.Op{op}); err != nil || why[0] != identity.Done {
		r.t.Fatal(why, err)
	}
	return v
}

func keyFiles(home config.Home) int {
	return len(must(filepath.Glob(filepath.Join(string(home), "keys*"))))
}

// A validator gets new keys while it runs: it takes them up by itself where and when
// they count, votes and is no epoch absent, and deletes the old ones in the end. It
// may be started again at any moment between.
func TestAValidatorTakesNewKeysUp(t *testing.T) {
	t.Parallel()
	const id = 3
	r := newRig(t, 1, 4, shortEpochs)
	home, restart := r.settleIn(id)
	restart()
	registered, observer := r.genesis.Validators[id], r.nodes[0].node
	v := r.rotate(observer, id, home)
	reg, err := observer.Registered(t.Context(), v.Signing)
	if err != nil || !reg.Known || reg.ID != id || reg.Key != registered.Signing && reg.Key != v.Signing {
		t.Fatalf("%+v, %v", reg, err)
	}

	counts := func() bool {
		now, ok := observer.net.book.Current().Validator(id)
		return ok && now.Signing == v.Signing
	}
	votes := func() bool {
		m := r.nodes[id].node.newest()
		return m != nil && m.ready() == "" && r.nodes[id].node.assembly().ready() == ""
	}
	r.through("the new keys count", counts)
	since := observer.net.book.Number()
	r.through("it votes with the new keys", votes)
	restart()
	r.through("it votes after a restart", votes)
	r.through("the old keys are gone", func() bool {
		return r.nodes[id].node.net.book.Number() > since && keyFiles(home) == 1
	})
	if got := must(home.LoadKeyring()).Signing(); len(got) != 1 || got[0] != v.Signing {
		t.Error("other keys are left than those that count:", got)
	}
	restart()
	r.through("it votes with the new keys alone", votes)
	var missed int
	if err := observer.assembly().ask(t.Context(), func() {
		s, _ := observer.assembly().core.State().Validator(id)
		missed = s.Missed
	}); err != nil || missed > 0 {
		t.Error("epochs without its sign of life:", missed, err)
	}
}

// In a shard that is stalled the old keys count on, for as many epochs as that takes,
// and after a restart; when it goes on, it does so with them, and then they go.
func TestAStalledShardKeepsTheOldKeys(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2, 8, shortEpochs, func(p *chain.Policy) { p.AbsentEpochs = 50 })
	shard := r.members[1]
	lost, id := shard[:2], shard[2]
	home, restart := r.settleIn(id)
	restart()
	observer := r.nodes[r.members[0][0]].node
	number := observer.net.book.Number
	for _, dead := range lost {
		r.stop(dead)
	}
	v := r.rotate(observer, id, home)
	stalled := func() bool {
		now := observer.net.book.Current()
		self, ok := now.Validator(id)
		return ok && self.Signing == v.Signing && now.Shards[1].Plan < now.Number
	}
	r.through("the shard is stalled, and the new keys count elsewhere", stalled)
	at := number()
	restart()
	r.through("another epoch in which it is stalled", func() bool { return number() > at && stalled() })
	if keyFiles(home) != 2 {
		t.Error("the old keys are gone, which the stalled shard needs")
	}
	plan := observer.net.book.Current().Shards[1].Plan
	r.start(lost[0]) // with it, and with the old keys of the other, there is a quorum
	r.through("the shard goes on", func() bool { return observer.net.book.Current().Shards[1].Plan > plan })
	r.through("the old keys are gone", func() bool { return keyFiles(home) == 1 })
}
