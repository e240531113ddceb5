package e2e

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"ios/chain"
	"ios/node/api"
)

// verify checks, when nothing is under way, that all validators agree on all
// that happened, that nothing acknowledged is lost, and that the value is there.
// All validators must run.
func verify(t *testing.T, n *network, all ...*traffic) {
	t.Helper()
	acked := 0
	for s := range n.params.Shards {
		shard := chain.ShardID(s)
		height := n.settled(t, shard)
		outcomes := n.sameHistory(t, shard, height)
		for _, tr := range all {
			for id, involved := range tr.acked {
				if !involved.Has(shard) {
					continue
				}
				acked++
				if got := outcomes[id]; got != chain.Committed {
					t.Errorf("transaction %v was acknowledged, and its outcome in shard %d is %v", id, shard, got)
				}
			}
			for _, o := range tr.owners {
				n.sameCoins(t, shard, o)
			}
		}
	}
	status, err := n.Status(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if !status.Supply.OK || status.Supply.Accounted != n.Genesis.Supply() {
		t.Errorf("the supply: %+v", status.Supply)
	}
	t.Logf("verified: %d outcomes of acknowledged transactions in %d shards, supply %d of %d", acked, n.params.Shards, status.Supply.Accounted, status.Supply.Genesis)
}

// settled waits until the shard's validators stand at one height with nothing
// open.
func (n *network) settled(t *testing.T, shard chain.ShardID) (height uint64) {
	t.Helper()
	await(t, 60*time.Second, func() string {
		height = 0
		for i, id := range n.members(shard) {
			st := n.status(id)
			switch {
			case st == nil:
				return fmt.Sprintf("v%d does not answer", id)
			case st.Phase != api.PhaseReady:
				return fmt.Sprintf("v%d is %s: %s", id, st.Phase, st.Reason)
			case i > 0 && st.Height != height:
				return fmt.Sprintf("v%d is at height %d, another at %d", id, st.Height, height)
			case st.Supply.Open > 0 || st.Mempool.Txs > 0:
				return fmt.Sprintf("v%d has %d open, %d in its queue", id, st.Supply.Open, st.Mempool.Txs)
			}
			height = st.Height
		}
		return ""
	})
	return height
}

// sameHistory checks that all validators tell the same blocks, and returns what
// the shard last recorded of each transaction.
func (n *network) sameHistory(t *testing.T, shard chain.ShardID, height uint64) map[chain.TxID]chain.Outcome {
	t.Helper()
	var first []*api.BlockEvent
	for i, id := range n.members(shard) {
		list := n.blocks(t, id, height)
		if i == 0 {
			first = list
			continue
		}
		for j, b := range list {
			if a := first[j]; a.Hash != b.Hash || a.Height != b.Height || !sameSet(a.Outcomes, b.Outcomes) {
				t.Errorf("block %d of shard %d differs between v%d and v%d", b.Height, shard, n.members(shard)[0], id)
			}
		}
	}
	outcomes := make(map[chain.TxID]chain.Outcome)
	for _, b := range first {
		for i := range b.Outcomes.Len() {
			id, o := b.Outcomes.At(i)
			outcomes[id] = later(outcomes[id], chain.Outcome(o))
		}
	}
	return outcomes
}

// sameSet compares outcomes without their order: that of an old block is the
// order of the tree, that of a new one the order of execution.
func sameSet(a, b api.Packed) bool {
	sorted := func(p api.Packed) []string {
		list := make([]string, p.Len())
		for i := range list {
			id, o := p.At(i)
			list[i] = string(append(id[:], o))
		}
		slices.Sort(list)
		return list
	}
	return slices.Equal(sorted(a), sorted(b))
}

// sameCoins checks that every validator of the shard has the owner's coins as
// its own books do.
func (n *network) sameCoins(t *testing.T, shard chain.ShardID, o *owner) {
	t.Helper()
	want := make(map[chain.OutPoint]uint64)
	for _, c := range o.coins[shard] {
		want[c.OutPoint] = c.Amount
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for _, e := range n.api.Endpoints(shard) {
		page, err := e.Coins(ctx, addressOf(o.keys[shard]).Text(n.params.Prefix), len(want)+1)
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Coins) != len(want) {
			t.Errorf("%s has %d coins of an owner, its books have %d", e.Name, len(page.Coins), len(want))
		}
		for _, c := range page.Coins {
			if want[c.OutPoint] != c.Amount {
				t.Errorf("%s has a coin of %d that the owner's books have with %d", e.Name, c.Amount, want[c.OutPoint])
			}
		}
	}
}
