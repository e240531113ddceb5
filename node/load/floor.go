package load

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"ios/chain/sig"
)

// stateCost is what a member of a shard spends on decoding, hashing and map
// operations whenever a transaction changes the shard's state.
const stateCost = 3 * time.Microsecond

// Floor is the cost model's rate, in transactions a second over all shards,
// with m members in a shard, t for one signature and a share across of the
// transactions across two shards.
func Floor(cores, m int, t time.Duration, across float64) float64 {
	within := float64(m) * (t + stateCost).Seconds()
	return float64(cores) / (within + across*2*float64(m)*stateCost.Seconds())
}

// rateBatch is the number of signatures in a call; see Floor.
const rateBatch = 1024

// SignatureCost measures t: the time of one signature in a batch, with no
// expanded key cached, on one core. It is the median over about the duration d.
func SignatureCost(d time.Duration) (time.Duration, error) {
	checker := sig.NewChecker(0, rand.Reader)
	type signed struct {
		key sig.PublicKey
		msg [32]byte
		sig [64]byte
	}
	batch := make([]signed, rateBatch)
	for i := range batch {
		seed := sha256.Sum256(binary.BigEndian.AppendUint32([]byte("ios/load/rate"), uint32(i)))
		k, err := sig.FromSeed(seed[:])
		if err != nil {
			return 0, err
		}
		b := &batch[i]
		b.key, b.msg = k.Public(), seed
		b.sig = k.Sign(b.msg[:])
	}
	var times []time.Duration
	for end := time.Now().Add(d); len(times) < 3 || time.Now().Before(end); {
		start := time.Now()
		for i := range batch {
			checker.Add(&batch[i].key, batch[i].msg[:], &batch[i].sig)
		}
		if checker.Check() != nil {
			return 0, fmt.Errorf("good signatures do not verify: the processor or the build is broken")
		}
		times = append(times, time.Since(start)/rateBatch)
	}
	slices.Sort(times)
	return times[len(times)/2], nil
}
