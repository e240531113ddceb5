package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"ios/chain"
)

// Validators are killed at random moments under load within and across shards,
// also while they recover, also several at a time, now and then all of a shard.
// At the end the value and every acknowledged transfer are compared.
func TestRandomKillsUnderLoad(t *testing.T) {
	t.Parallel()
	kills := 3
	if os.Getenv("IOS_SOAK") != "" {
		kills = 20
	}
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("IOS_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("IOS_SEED=%d repeats the choices, though not the moments", seed)
	c := &chaos{rand: rand.New(rand.NewPCG(seed, 0)), down: make(map[chain.ValidatorID]death)}
	c.n = startNetwork(t, 2, 8)
	load := startTraffic(t, c.n, trafficConfig{owners: 4, coins: 32, batch: 16, cross: .25})
	load.more(t, 200, 20*time.Second)
	for c.kills < kills {
		c.kill(t, kills)
		c.pause(600)
		calm := c.rand.IntN(3) == 0
		for _, id := range c.n.all() {
			if _, dead := c.down[id]; dead && (calm || c.rand.IntN(2) == 0) {
				c.revive(t, id)
			}
		}
		if calm {
			load.more(t, 100, time.Minute)
		}
		c.pause(300)
	}
	for id := range c.down {
		c.revive(t, id)
	}
	c.n.awaitReady(c.n.all()...)
	load.more(t, 200, time.Minute)
	load.stop(t, time.Minute)
	for id, least := range c.least {
		if h := c.n.replayed(t, id); h < least {
			t.Errorf("v%d came back to height %d, and had told height %d before", id, h, least)
		}
	}
	verify(t, c.n, load)
	t.Logf("%d times kill -9: %v", c.kills, c.victims)
}

// chaos kills and revives.
type chaos struct {
	n       *network
	rand    *rand.Rand
	kills   int
	victims []string
	down    map[chain.ValidatorID]death
	least   map[chain.ValidatorID]uint64 // what the present process must have found
}

// death is how a validator ended.
type death struct{ height uint64 }

// pause lets things happen for a while. The moments are what is random here.
func (c *chaos) pause(most int) { time.Sleep(time.Duration(c.rand.IntN(most)) * time.Millisecond) }

// kill ends one validator, or now and then all that live in a shard.
func (c *chaos) kill(t *testing.T, most int) {
	t.Helper()
	shard := chain.ShardID(c.rand.IntN(2))
	victims := c.n.members(shard)
	if c.rand.IntN(8) > 0 || c.kills+len(victims) > most {
		i := c.rand.IntN(len(victims))
		victims = victims[i : i+1]
	}
	var alive []chain.ValidatorID
	for _, id := range victims {
		if _, dead := c.down[id]; !dead {
			alive = append(alive, id)
			c.down[id] = death{c.n.height(id)}
		}
	}
	c.n.killTogether(alive...)
	c.kills += len(alive)
	if len(alive) > 0 {
		c.victims = append(c.victims, fmt.Sprint(alive))
	}
}

// revive starts a validator again, which may be killed before it has recovered.
func (c *chaos) revive(t *testing.T, id chain.ValidatorID) {
	t.Helper()
	if c.least == nil {
		c.least = make(map[chain.ValidatorID]uint64)
	}
	c.least[id] = max(c.least[id], c.down[id].height)
	delete(c.down, id)
	c.n.start(id)
}
