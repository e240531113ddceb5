package node

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"ios/chain"
	"ios/chain/cosi"
	"ios/node/api"
	"ios/transepoch/beacon"
	"ios/transepoch/identity"
)

// shortEpochs makes epochs that end within a test.
func shortEpochs(p *chain.Policy) {
	p.EpochLength, p.Delta, p.BlockInterval, p.BlockGap = 2*time.Second, 100*time.Millisecond, 200*time.Millisecond, 20*time.Millisecond
	p.BatchDeadline = 5 * time.Second
	p.SwapPermille = 300
}

// through waits as eventually does for what epochs bring about, and shows where they
// stand if it does not come.
func (r *rig) through(what string, cond func() bool) {
	r.t.Helper()
	for deadline := time.Now().Add(patience); !cond(); {
		if time.Now().After(deadline) {
			for _, run := range r.nodes {
				if run != nil {
					r.t.Logf("%+v", run.node.assembly().now())
				}
			}
			r.t.Fatalf("%s did not come about in time", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// somebody is a running node that votes in the shard now.
func (r *rig) somebody(shard chain.ShardID) (found *member) {
	r.t.Helper()
	r.eventually("a voting member", func() bool {
		for _, run := range r.nodes {
			if run == nil {
				continue
			}
			if m := run.node.member(shard); m != nil && m.ready() == "" {
				found = m
				return true
			}
		}
		return false
	})
	return found
}

// The validators make epochs by themselves: each has a beacon, shards change their
// members, and transfers go on.
func TestANetworkMakesItsEpochs(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2, 8, shortEpochs)
	own, coins := r.coins(0, 10), r.coins(1, 10)
	node := r.nodes[0].node
	for i := range 3 {
		want := uint64(i + 2)
		x := r.pay([]chain.Input{own[i], coins[i]}, 0, 1)
		r.submit(r.somebody(0), x)
		for s := range r.members {
			r.eventually("the transfer committed", func() bool { // by whoever is in the shard by then
				out, err := r.somebody(chain.ShardID(s)).Outcome(t.Context(), x.ID, false)
				return err == nil && out.State == api.StateCommitted
			})
		}
		r.through("the next epoch", func() bool { return node.net.book.Number() >= want })
	}
}

// file is what proves the value of the current epoch, by what a node tells clients.
func (r *rig) file(n *Node) (raw []byte, epoch uint64) {
	r.t.Helper()
	epoch = n.net.book.Number()
	var b bytes.Buffer
	w, err := beacon.NewWriter(&b, beacon.Head{Chain: r.params.ChainID, Epoch: epoch})
	if err != nil {
		r.t.Fatal(err)
	}
	for e := uint64(2); e <= epoch; e++ {
		rec, err := n.Epoch(r.t.Context(), e)
		if err != nil {
			r.t.Fatal(err)
		}
		if err := w.Link(beacon.Link{Record: rec.Epoch, Proof: rec.Proof}); err != nil {
			r.t.Fatal(err)
		}
	}
	transcript, err := n.Transcript(r.t.Context(), epoch)
	if err != nil {
		r.t.Fatal(err)
	}
	if err := w.Close(transcript); err != nil {
		r.t.Fatal(err)
	}
	return b.Bytes(), epoch
}

// Whoever has the genesis verifies what the nodes tell of an epoch. A validator
// leaves the network by its order; others are told why theirs have no effect.
func TestTheRegistryIsOpenToClients(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2, 8, shortEpochs)
	node := r.nodes[0].node
	r.through("the record of the second epoch", func() bool { _, err := node.Epoch(t.Context(), 2); return err == nil })
	raw, epoch := r.file(node)
	v, err := beacon.Verify(bytes.NewReader(raw), r.genesis, cosi.BLS{})
	if err != nil || v.Epoch != epoch || v.Random != must(node.net.book.Snapshot().Record(epoch)).Random {
		t.Fatalf("%+v, %v", v, err)
	}
	if _, err := node.Transcript(t.Context(), 1); !errors.Is(err, api.ErrNotFound) {
		t.Error("a transcript of the first epoch:", err)
	}
	if _, err := node.Transcript(t.Context(), 1000); !errors.Is(err, api.ErrNotYet) {
		t.Error("a transcript of an epoch to come:", err)
	}

	const leaver = 5
	reg, err := node.Registered(t.Context(), r.keys[leaver].Signing.Public())
	if err != nil || !reg.Known || reg.ID != leaver || !reg.Member {
		t.Fatalf("%+v, %v", reg, err)
	}
	_, why, err := node.Enroll(t.Context(), []identity.Op{r.keys[leaver].Leave(r.params.ChainID, leaver, reg.Orders, identity.Payee{})})
	if err != nil || len(why) != 1 || why[0] != identity.Done {
		t.Fatal(why, err)
	}
	if _, why, err = node.Enroll(t.Context(), []identity.Op{r.keys[leaver].Leave(r.params.ChainID, leaver, reg.Orders+1, identity.Payee{})}); err != nil || why[0] != identity.ReasonAgain && why[0] != identity.ReasonGone {
		t.Error("leaving once more:", why, err)
	}
	forged := r.keys[0].Leave(r.params.ChainID, 6, 0, identity.Payee{})
	forged.Key = r.keys[6].Signing.Public()
	if _, _, err := node.Enroll(t.Context(), []identity.Op{forged}); !errors.Is(err, chain.ErrSignature) {
		t.Error("an order that is another's:", err)
	}
	r.through("an epoch without who left", func() bool {
		_, member := node.net.book.Current().Validator(leaver)
		return !member
	})
	if reg, err = node.Registered(t.Context(), r.keys[leaver].Signing.Public()); err != nil || reg.Member || !reg.Gone {
		t.Errorf("%+v, %v", reg, err)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
