package node

import (
	"path/filepath"
	"testing"
	"time"

	"ios/node/config"
	"ios/transepoch/identity"
)

// A validator gets new keys while it runs: it takes them up by itself where and when
// they count, votes and is no epoch absent, and deletes the old ones in the end. It
// may be started again at any moment between.
func TestAValidatorTakesNewKeysUp(t *testing.T) {
	const id = 3
	r := newRig(t, 2, 8, shortEpochs)
	home := config.Home(filepath.Dir(r.dirs[id]))
	if err := home.SaveKeys(r.keys[id]); err != nil {
		t.Fatal(err)
	}
	restart := func() {
		t.Helper()
		r.stop(id)
		r.rings[id] = must(home.LoadKeyring())
		r.start(id)
	}
	restart()

	// What the command does, in another process.
	registered := r.genesis.Validators[id]
	fresh := must(must(home.LoadKeyring()).Successor(registered.Signing))
	v := must(fresh.Validator(registered.Name, registered.Address, registered.API))
	op := must(r.keys[id].Rotate(r.params.ChainID, id, 0, fresh, v))
	observer := r.nodes[0].node
	_, why, err := observer.Enroll(t.Context(), []identity.Op{op})
	if err != nil || why[0] != identity.Done {
		t.Fatal(why, err)
	}
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
	r.within(time.Minute, "the new keys count", counts)
	since := observer.net.book.Number()
	r.within(time.Minute, "it votes with the new keys", votes)
	restart()
	r.within(time.Minute, "it votes after a restart", votes)
	r.within(time.Minute, "the old keys are gone", func() bool {
		return r.nodes[id].node.net.book.Number() > since && len(must(filepath.Glob(filepath.Join(string(home), "keys*")))) == 1
	})
	if got := must(home.LoadKeyring()).Signing(); len(got) != 1 || got[0] != v.Signing {
		t.Error("other keys are left than those that count:", got)
	}
	restart()
	r.within(time.Minute, "it votes with the new keys alone", votes)
	var missed int
	if err := observer.assembly().ask(t.Context(), func() {
		s, _ := observer.assembly().core.State().Validator(id)
		missed = s.Missed
	}); err != nil || missed > 0 {
		t.Error("epochs without its sign of life:", missed, err)
	}
}
