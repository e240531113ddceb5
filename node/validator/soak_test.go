package validator_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"ios/internal/testenv"
	"ios/node/validator/simnet"
)

// TestSoak runs whole networks with every fault on, one for each seed:
//
//	IOS_SEEDS=1000 go test ./node/validator -run Soak -v -timeout 10h
//
// and IOS_SEED=n begins at seed n.
func TestSoak(t *testing.T) {
	first, count := testenv.Setting(t, "IOS_SEED", 1), testenv.Setting(t, "IOS_SEEDS", 3)
	begin, told := time.Now(), time.Now()
	var sum simnet.Stats
	failed := 0
	for seed := first; seed < first+count; seed++ {
		r, err := simnet.Run(simnet.PlanOf(seed))
		if err != nil {
			failed++
			t.Errorf("%v", err)
		}
		sum.Add(&r.Stats)
		if count == 1 || time.Since(told) > 10*time.Second {
			told = time.Now()
			fmt.Fprintf(os.Stderr, "%d seeds, up to %d, %d failed, in %v: %v\n", seed-first+1, seed, failed, time.Since(begin).Round(time.Second), &sum)
		}
	}
	t.Logf("%d seeds from %d in %v, %d failed: %v", count, first, time.Since(begin).Round(time.Millisecond), failed, &sum)
	if count >= 50 && failed == 0 && (sum.Cross == 0 || sum.Aborted == 0 || sum.Blamed == 0) {
		t.Error("the runs do not reach what they are to test")
	}
}

// The same seed gives the same run, to the last event.
func TestTheSameSeedGivesTheSameRun(t *testing.T) {
	p := simnet.PlanOf(3)
	p.Until = 2 * time.Second
	first, err := simnet.Run(p)
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := simnet.Run(p); again.Hash != first.Hash || again.Stats != first.Stats {
		t.Errorf("two runs of one seed differ: %+v and %+v", first, again)
	}
	p.Seed++
	if other, _ := simnet.Run(p); other.Hash == first.Hash {
		t.Error("another seed gives the same run")
	}
}

// With real collective signatures it goes as with those of the simulation.
func TestANetworkWithBLS(t *testing.T) {
	p := quiet(1, 4, 4)
	p.Traitors, p.Vices = []int{1, 1}, simnet.Forges|simnet.GarbageShares
	p.Until, p.Payments, p.BLS = time.Second, 12, true
	r, err := simnet.Run(p)
	if err != nil {
		t.Fatal(err)
	}
	if r.Cross == 0 || r.Blamed == 0 {
		t.Errorf("%v", &r.Stats)
	}
}
