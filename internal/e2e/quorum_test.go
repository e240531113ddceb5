package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ios/chain"
	"ios/node/api"
)

// As many validators of each shard are dead as it tolerates: transfers go on
// within and across shards.
func TestTransfersGoOnWithoutF(t *testing.T) {
	t.Parallel()
	n := startNetwork(t, 2, 8)
	load := startTraffic(t, n, trafficConfig{owners: 6, coins: 16, batch: 4, cross: .3})
	load.more(t, 100, 20*time.Second)
	dead := []chain.ValidatorID{n.members(0)[1], n.members(1)[2]}
	n.kill(dead...)
	load.more(t, 100, 30*time.Second)
	n.start(dead...)
	n.awaitReady(dead...)
	load.stop(t, time.Minute)
	verify(t, n, load)
}

// The leader dies under load, three times: the others are in another view within
// three block intervals, and make blocks there. One of the times may be longer:
// the machine may be busy with something else.
func TestADeadLeaderIsReplaced(t *testing.T) {
	n := startNetwork(t, 1, 4)
	load := startTraffic(t, n, trafficConfig{owners: 2, coins: 8, batch: 4})
	load.more(t, 50, 20*time.Second)
	var took []time.Duration
	for range 3 {
		st := n.status(n.members(0)[0])
		if st == nil {
			t.Fatal("no status")
		}
		leader := st.Leader
		witness := n.members(0)[0]
		if witness == leader {
			witness = n.members(0)[1]
		}
		height := n.height(witness)
		killed := time.Now()
		n.kill(leader)
		await(t, 20*time.Second, func() string {
			if now := n.status(witness); now == nil || now.View <= st.View || now.Height <= height+1 {
				return "the leader is dead and not replaced"
			}
			return ""
		})
		changed := n.loggedAt(t, witness, "the leader is now", killed).Sub(killed)
		t.Logf("the view changed %v after the leader's death, final blocks followed within %v", changed.Round(time.Millisecond), time.Since(killed).Round(time.Millisecond))
		took = append(took, changed)
		load.more(t, 50, 20*time.Second)
		n.start(leader)
		n.awaitReady(leader)
	}
	slices.Sort(took)
	if limit := 3 * n.Genesis.Policy.BlockInterval; took[1] > limit {
		t.Errorf("the view changed %v after the leader's death, %v are allowed", took, limit)
	}
	load.stop(t, time.Minute)
	verify(t, n, load)
}

// One more validator of a shard is dead than it tolerates: it stops and says so,
// the other shard notices nothing, and it goes on when they return.
func TestAShardWithoutQuorumStopsAndGoesOn(t *testing.T) {
	t.Parallel()
	n := startNetwork(t, 2, 8)
	here := startTraffic(t, n, trafficConfig{shards: []chain.ShardID{0}, owners: 2, coins: 16, batch: 8})
	there := startTraffic(t, n, trafficConfig{shards: []chain.ShardID{1}, owners: 2, coins: 16, batch: 8, pace: 100 * time.Millisecond})
	here.more(t, 50, 20*time.Second)
	there.more(t, 100, 20*time.Second)

	dead := n.members(0)[2:]
	n.kill(dead...)
	alive := n.members(0)[:2]
	for _, id := range alive {
		st := n.phase(id, api.PhaseStalled, 20*time.Second)
		await(t, 10*time.Second, func() string {
			if st = n.status(id); st == nil {
				return "no status"
			}
			for _, d := range dead {
				if !strings.Contains(st.WaitsFor, n.Genesis.Validators[d].Name) {
					return fmt.Sprintf("it waits for %q, v%d is dead", st.WaitsFor, d)
				}
			}
			return ""
		})
		t.Logf("v%d: %s: %s; waits for %s; next: %s", id, st.Phase, st.Reason, st.WaitsFor, st.NextAction)
		if st.Reason == "" || st.NextAction == "" {
			t.Errorf("v%d is stalled and does not say why and what is next: %+v", id, st)
		}
		for _, other := range alive {
			if strings.Contains(st.WaitsFor, n.Genesis.Validators[other].Name) {
				t.Errorf("v%d waits for v%d, which is alive", id, other)
			}
		}
	}
	height := n.height(alive[0])
	there.mu.Lock()
	there.times = nil
	there.mu.Unlock()
	there.more(t, 300, 20*time.Second) // the other shard is not affected
	there.mu.Lock()
	t.Logf("the other shard meanwhile: rounds %s", summary(there.times))
	there.mu.Unlock()
	if h := n.height(alive[0]); h != height {
		t.Errorf("two of four made blocks %d to %d", height+1, h)
	}

	n.start(dead...)
	n.awaitReady(n.members(0)...)
	here.more(t, 100, 30*time.Second)
	here.stop(t, time.Minute)
	there.stop(t, time.Minute)
	verify(t, n, here, there)
}

// All validators of a shard are killed under load and started again: nothing
// that was acknowledged is lost.
func TestAWholeShardIsKilledAndComesBack(t *testing.T) {
	t.Parallel()
	n := startNetwork(t, 2, 8)
	load := startTraffic(t, n, trafficConfig{owners: 3, coins: 32, batch: 16, cross: .3})
	load.more(t, 200, 20*time.Second)
	for range 2 {
		n.killTogether(n.members(0)...)
		n.start(n.members(0)...)
		n.awaitReady(n.members(0)...)
		load.more(t, 200, 30*time.Second)
	}
	load.stop(t, time.Minute)
	verify(t, n, load)
}
