package node

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"ios/atomix"
	"ios/chain"
	"ios/node/api"
	"ios/node/config"
)

func TestTransfersWithinAndAcrossShards(t *testing.T) {
	r := newRig(t, 2, 8)
	coins := r.coins(0, 3)
	within, across := r.pay(coins[:1], 0), r.pay(coins[1:2], 1)
	if res := r.submit(r.at(0), within, across); res.Accepted != 2 || len(res.Refused) != 0 {
		t.Fatal(res)
	}
	for _, id := range r.members[0] {
		r.proven(r.becomes(r.member(id), within.ID, api.StateCommitted), 0, within.ID)
		r.proven(r.becomes(r.member(id), across.ID, api.StateCommitted), 0, across.ID)
	}
	for _, id := range r.members[1] {
		out := r.becomes(r.member(id), across.ID, api.StateCommitted)
		r.proven(out, 1, across.ID)
		if len(out.Involved) != 2 {
			t.Error("involved:", out.Involved)
		}
	}
	raw, err := r.at(1).Tx(context.Background(), across.ID)
	if err != nil || string(raw) != string(across.Raw) {
		t.Error("the transaction cannot be had from the shard that got its output:", err)
	}
	if len(r.coins(1, allocations+1)) != allocations+1 {
		t.Error("the output is not among the owner's coins")
	}
	r.supplyHolds()

	// Once more: it is recorded, which is no refusal.
	if res := r.submit(r.at(0), within, across); len(res.Refused) != 0 {
		t.Error("a repeated submission was refused:", res.Refused)
	}
	spent := r.pay(coins[:1], 1)
	if res := r.submit(r.at(0), spent); len(res.Refused) != 1 || res.Refused[0].Kind != chain.ErrUnknown {
		// A coin of the genesis was made by no block, so nothing tells that it was spent.
		t.Error("a second spend:", res)
	}
}

// A block is final for the machine before the indexes have it. Whoever asks then
// must not hear that nobody knows the transaction, or that it could not be applied.
func TestAnOutcomeIsToldOnceTheIndexesHaveIt(t *testing.T) {
	r := newRig(t, 1, 4)
	n := r.at(0)
	tx := r.pay(r.coins(0, 1), 0)
	r.submit(n, tx)
	height := r.becomes(n, tx.ID, api.StateCommitted).Height
	n.skipped.add(tx.ID, height, atomix.SkipMissing) // a second body had it, too
	n.disk.tip.Store(height - 1)                     // as if the indexer had not come to it
	timer := time.AfterFunc(50*time.Millisecond, func() { n.disk.tip.Store(height) })
	defer timer.Stop()
	out, err := n.Outcome(t.Context(), tx.ID, true)
	if err != nil {
		t.Fatal(err)
	}
	r.proven(out, 0, tx.ID)
	n.disk.tip.Store(height - 1)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if out, err := n.Outcome(ctx, tx.ID, true); err == nil {
		t.Errorf("%v while the disk does not take it", out.State)
	}
	n.disk.tip.Store(height)
}

// A shard that only gets outputs does not check witnesses, and must not hand them
// to one that has to.
func TestWitnessesComeFromWhoCheckedThem(t *testing.T) {
	r := newRig(t, 4, 4)
	tx := r.pay([]chain.Input{r.coins(0, 1)[0], r.coins(1, 1)[0]}, 2, 3)
	for _, c := range []struct {
		self, dest chain.ShardID
		shown      bool
	}{{0, 1, true}, {0, 2, true}, {2, 3, true}, {2, 0, false}} {
		b := new(chain.Bundle)
		r.at(c.self).showTx(b, tx, c.dest)
		if (len(b.Txs) == 1) != c.shown {
			t.Errorf("shard %d shows %d transactions to shard %d", c.self, len(b.Txs), c.dest)
		}
	}
}

func TestRefusalsNameTheirCause(t *testing.T) {
	r := newRig(t, 2, 8)
	coins := r.coins(0, 3)
	forged := r.pay(coins[:1], 0)
	forged.Witnesses[0].Signature[40]++
	r.params.Seal(forged)
	unknown := r.pay([]chain.Input{{OutPoint: chain.OutPoint{Tx: chain.Hash{1}}, Owner: coins[0].Owner, Amount: 100}}, 0)
	claim := coins[1]
	claim.Amount = 100_000
	greedy := r.pay([]chain.Input{claim}, 0)
	elsewhere := r.pay(r.coins(1, 1), 0)
	expired := r.pay(coins[2:], 0)
	expired.Expiry = 0
	r.params.Seal(expired)
	good := r.pay(coins[:1], 0)
	res := r.submit(r.at(0), forged, unknown, greedy, elsewhere, expired, good)
	want := map[int]chain.ErrorKind{0: chain.ErrSignature, 1: chain.ErrUnknown, 2: chain.ErrClaim, 3: chain.ErrWrongShard, 4: chain.ErrExpired}
	if res.Accepted != 1 || len(res.Refused) != len(want) {
		t.Fatal(res)
	}
	for _, f := range res.Refused {
		if f.Kind != want[f.Index] {
			t.Errorf("transaction %d: %s %s, want %s", f.Index, f.Kind, f.Text, want[f.Index])
		}
	}
	r.becomes(r.at(0), good.ID, api.StateCommitted)
	spent := r.pay([]chain.Input{{OutPoint: chain.OutPoint{Tx: good.ID, Index: 1}, Owner: coins[0].Owner, Amount: allocated - 7}}, 0)
	r.submit(r.at(0), spent)
	r.becomes(r.at(0), spent.ID, api.StateCommitted)
	twice := r.pay([]chain.Input{{OutPoint: chain.OutPoint{Tx: good.ID, Index: 1}, Owner: coins[0].Owner, Amount: allocated - 7}}, 1)
	if res := r.submit(r.at(0), twice); len(res.Refused) != 1 || res.Refused[0].Kind != chain.ErrSpent {
		t.Error("spent twice:", res)
	}
	if _, err := r.at(0).node.Submit(context.Background(), []byte("garbage")); !errors.Is(err, chain.ErrEncoding) {
		t.Error("garbage:", err)
	}
	if err := r.at(0).node.Carry(context.Background(), []byte("garbage")); !errors.Is(err, chain.ErrEncoding) {
		t.Error("garbage as a proof:", err)
	}
}

func TestAnInputSpentMeanwhileAbortsAndReturnsTheFunds(t *testing.T) {
	r := newRig(t, 2, 8)
	mine, theirs := r.coins(0, 1), r.coins(1, 1)
	both := r.pay([]chain.Input{mine[0], theirs[0]}, 0)
	spend := r.pay(theirs, 1)
	r.submit(r.at(1), spend)
	r.becomes(r.at(1), spend.ID, api.StateCommitted)
	r.submit(r.at(0), both)
	r.proven(r.becomes(r.at(1), both.ID, api.StateRejected), 1, both.ID)
	r.proven(r.becomes(r.at(0), both.ID, api.StateAborted), 0, both.ID)
	if got := r.coins(0, allocations); len(got) != allocations {
		t.Error("the input did not come back")
	}
	r.supplyHolds()
}

func TestAShardThatRestartsAsAWholeLosesNothing(t *testing.T) {
	r := newRig(t, 1, 4)
	coins := r.coins(0, 6)
	before := r.pay(coins[:1], 0)
	r.submit(r.at(0), before)
	r.becomes(r.at(0), before.ID, api.StateCommitted)
	for round := range 2 {
		accepted := r.pay(coins[1+round:2+round], 0)
		r.submit(r.at(0), accepted) // returns when a quorum holds it, final or not
		for i := range r.nodes {
			r.stop(chain.ValidatorID(i))
		}
		if round == 1 { // without the snapshots of an orderly stop, the log alone has it all
			for _, dir := range r.dirs {
				dir = subdir(dir, shardDir+"0")
				if err := os.RemoveAll(subdir(dir, "snap")); err != nil {
					t.Fatal(err)
				}
				os.RemoveAll(subdir(dir, "ids"))
				os.Remove(subdir(dir, "index.db"))
			}
		}
		for i := range r.nodes {
			r.start(chain.ValidatorID(i))
		}
		for i := range r.nodes {
			r.ready(chain.ValidatorID(i))
		}
		for i := range r.nodes {
			r.proven(r.becomes(r.member(chain.ValidatorID(i)), accepted.ID, api.StateCommitted), 0, accepted.ID)
			r.proven(r.becomes(r.member(chain.ValidatorID(i)), before.ID, api.StateCommitted), 0, before.ID)
		}
	}
	r.supplyHolds()
}

func TestAValidatorThatWasAwayCatchesUp(t *testing.T) {
	r := newRig(t, 1, 4)
	coins := r.coins(0, 10)
	r.stop(3)
	for i := range 6 {
		x := r.pay(coins[i:i+1], 0)
		r.submit(r.at(0), x)
		r.becomes(r.at(0), x.ID, api.StateCommitted)
	}
	r.start(3)
	r.ready(3)
	r.eventually("the same height", func() bool {
		a, err := r.member(3).Status(context.Background())
		b, err2 := r.at(0).Status(context.Background())
		return err == nil && err2 == nil && a.Height == b.Height
	})
	r.stop(0) // now its vote is needed
	x := r.pay(coins[8:9], 0)
	r.submit(r.member(1), x)
	r.becomes(r.member(3), x.ID, api.StateCommitted)
}

func TestBeyondItsFaultsAShardStopsAndSaysSo(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, 4)
	coins := r.coins(0, 2)
	r.stop(2)
	r.stop(3)
	n := r.at(0)
	sent := make(chan api.SubmitResult, 1)
	x := r.pay(coins[:1], 0)
	go func() {
		res, err := n.node.Submit(context.Background(), x.Raw)
		if err != nil {
			t.Error(err)
		}
		sent <- res
	}()
	r.eventually("a status that says why", func() bool {
		st, err := n.Status(context.Background())
		return err == nil && st.Phase != api.PhaseReady && st.Reason != "" && strings.Contains(st.WaitsFor, "v2")
	})
	r.start(2)
	if res := <-sent; res.Accepted != 1 {
		t.Error(res)
	}
	r.becomes(n, x.ID, api.StateCommitted)
	r.ready(0)
}

func TestTwoNodesOnOneDirectory(t *testing.T) {
	r := newRig(t, 1, 1)
	_, err := Open(Config{
		Genesis: r.genesis, Keys: must(config.NewKeyring(r.keys[0])), DataDir: r.dirs[0], Log: r.nodes[0].node.cfg.Log,
		Node: r.nodes[0].node.cfg.Node, Transport: r.net.join(0),
	})
	if err == nil || !strings.Contains(err.Error(), "in use by pid") {
		t.Error(err)
	}
}

func TestForeignKeysAreRefused(t *testing.T) {
	r := newRig(t, 1, 2)
	cfg := r.nodes[0].node.cfg
	cfg.Keys = must(config.NewKeyring(r.keys[1]))
	if _, err := Open(cfg); err == nil || !strings.Contains(err.Error(), "keys") {
		t.Error(err)
	}
}
