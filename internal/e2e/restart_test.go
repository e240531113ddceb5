package e2e

import (
	"testing"
	"time"
)

// A validator is killed under load. It comes back by itself to its last final
// block, says what it replayed, catches up, and votes: with another one dead the
// shard needs its vote.
func TestAKilledValidatorComesBackAndVotes(t *testing.T) {
	t.Parallel()
	n := startNetwork(t, 1, 4)
	load := startTraffic(t, n, trafficConfig{owners: 4, coins: 32, batch: 16})
	load.more(t, 200, 20*time.Second)

	v := n.members(0)[2]
	before := n.height(v)
	n.kill(v)
	load.more(t, 200, 20*time.Second) // the others go on
	n.start(v)
	n.awaitReady(v)
	if n.logged(v, "replayed ") != 1 {
		t.Errorf("it does not say what it replayed:\n%s", n.log(v))
	}
	if h := n.replayed(t, v); h < before {
		t.Errorf("it came back to height %d, and had told height %d before", h, before)
	}

	other := n.members(0)[3]
	n.kill(other)
	load.more(t, 200, 30*time.Second)
	n.start(other)
	n.awaitReady(other)
	load.stop(t, time.Minute)
	verify(t, n, load)
}
