package validator_test

import (
	"testing"
	"time"

	"ios/node/validator/simnet"
)

// changing is a network without faults of its own whose committees change.
func changing(seed uint64, epochs int, sizes ...int) simnet.Plan {
	p := quiet(seed, sizes...)
	p.Until, p.Payments = 8*time.Second, 600
	p.Policy.MinGap = 20 * time.Millisecond
	p.Spares, p.Epochs, p.EpochEvery = 3, epochs, time.Second
	p.Spread, p.Deadline = 200*time.Millisecond, 3*time.Second
	p.SwapPermille, p.BatchSize = 340, 1
	p.Limits.QueueTxs, p.Limits.BodyTxs, p.Limits.Bodies = 64, 4, 8
	return p
}

// A shard that changes its committee hardly stops: from the last block of a term to
// the next one it takes less than twice as long as between two others.
func TestShardsGoOnThroughEpochs(t *testing.T) {
	for seed := range uint64(2) {
		p := changing(seed, 2, 4, 4)
		p.Until, p.Payments = 5*time.Second, 2000 // so that there is always something to do
		r, err := simnet.Run(p)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("seed %d: %v between two blocks, at most %v from term to term, %d turns", seed, r.Pace, r.TurnGap, r.Turns)
		if r.Epochs != 2 || r.Turns < 2*2*2 {
			t.Errorf("seed %d: %d epochs with %d turns", seed, r.Epochs, r.Turns)
		}
		if r.TurnGap >= 2*r.Pace {
			t.Errorf("seed %d: %v from term to term, %v between other blocks", seed, r.TurnGap, r.Pace)
		}
		if r.Absent > 0 || r.Views > 0 {
			t.Errorf("seed %d: %d seats absent, view %d, with nothing that goes wrong", seed, r.Absent, r.Views)
		}
	}
}

// A joiner that never gets in step stops nothing: its batch is made when the
// deadline has passed.
func TestAJoinerThatNeverSyncsStopsNothing(t *testing.T) {
	p := changing(2, 1, 4, 4)
	p.Until, p.Deadline, p.Lost = 14*time.Second, time.Second, true
	r, err := simnet.Run(p)
	if err != nil {
		t.Fatal(err)
	}
	if r.Absent != 1 || r.Epochs != 1 {
		t.Errorf("%d seats were absent in %d epochs", r.Absent, r.Epochs)
	}
	t.Logf("with a seat that nobody takes it is %v from term to term at most", r.TurnGap)
}

// crowded has more bodies held than a block takes, so that terms end with many
// unfinished, while validators crash.
func crowded(seed uint64) simnet.Plan {
	p := changing(seed, 2, 4, 5)
	p.Until, p.EpochEvery, p.Payments = 6*time.Second, 300*time.Millisecond, 400
	p.Policy.MinGap, p.Policy.Quota, p.Policy.Window = 150*time.Millisecond, 1, 16
	p.Limits.QueueTxs, p.Limits.BodyTxs, p.Limits.Bodies = 64, 1, 12
	p.Every, p.Down, p.Pause = 500*time.Millisecond, 1, 2*time.Second
	return p
}

// What a term leaves unfinished, the next ones finish.
func TestWhatATermLeavesIsFinished(t *testing.T) {
	carried := 0
	for seed := range uint64(2) {
		r, err := simnet.Run(crowded(seed + 1))
		if err != nil {
			t.Fatal(err)
		}
		carried += r.Carried
	}
	t.Logf("%d transactions were carried from term to term", carried)
	if carried < 20 {
		t.Errorf("only %d transactions were carried from term to term", carried)
	}
}
