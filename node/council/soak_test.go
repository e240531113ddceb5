package council

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"ios/internal/testenv"
	"ios/node/validator/simnet"
)

// tally is what the soak has come to so far.
type tally struct {
	mu          sync.Mutex
	first, last uint64
	begin, told time.Time
	done        int
	failed      []uint64
	snaps       int
	epochs      int // of identity chains
	shards      simnet.Stats
}

func (s *tally) add(seed uint64, w *world, r *simnet.Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done++; w == nil || r == nil {
		s.failed = append(s.failed, seed)
	}
	if w != nil {
		s.epochs, s.snaps = s.epochs+len(w.records), s.snaps+w.fromSnap
	}
	if r != nil {
		s.shards.Add(&r.Stats)
	}
	if all := int(s.last - s.first); time.Since(s.told) > 10*time.Second && all > 10 {
		s.told = time.Now()
		fmt.Fprintf(os.Stderr, "%d of %d seeds in %v, failed: %v\n", s.done, all, time.Since(s.begin).Round(time.Second), s.failed)
	}
}

// TestSoak makes of each seed an identity chain with the beacon, the lottery and
// the registry, and a network of shards that go through epochs while clients pay
// across them: with hostile servers, leaders and members, crashes, partitions and
// losses. All that must hold is judged after every step.
//
//	IOS_SEEDS=1000 go test ./node/council -run Soak -timeout 0
//
// tells every ten seconds how far it is; IOS_SEED=n begins at seed n. Seeds are
// shared out among the processors.
func TestSoak(t *testing.T) {
	first, count := testenv.Setting(t, "IOS_SEED", 1), testenv.Setting(t, "IOS_SEEDS", 2)
	s := &tally{first: first, last: first + count, begin: time.Now(), told: time.Now()}
	workers := uint64(runtime.GOMAXPROCS(0))
	t.Run("seeds", func(t *testing.T) {
		for k := range workers {
			t.Run(fmt.Sprint("by ", k), func(t *testing.T) {
				t.Parallel()
				for seed := first + k; seed < first+count; seed += workers {
					s.run(t, seed)
				}
			})
		}
	})
	took := time.Since(s.begin)
	t.Logf("%d seeds from %d in %v, %.1f s for 100 of them; failed: %v; %d epochs of identity chains, %d restarts with a snapshot; shards: %v",
		s.done, first, took.Round(time.Millisecond), took.Seconds()*100/float64(s.done), s.failed, s.epochs, s.snaps, &s.shards)
	if x := &s.shards; count >= 50 && len(s.failed) == 0 && (x.Cross == 0 || x.Turns == 0 || x.BadTurns == 0 || s.snaps == 0) {
		t.Error("the runs do not reach what they are to test")
	}
}

func (s *tally) run(t *testing.T, seed uint64) {
	var w *world
	var r *simnet.Result
	t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
		defer func() { s.add(seed, w, r) }()
		w = chaos(t, seed)
		result, err := simnet.Run(simnet.PlanOf(3 * seed)) // those with epochs
		if err != nil {
			t.Fatal(err)
		}
		r = &result
	})
}
