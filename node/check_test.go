package node

import (
	"errors"
	"slices"
	"sync"
	"testing"

	"ios/chain"
	"ios/chain/sig"
)

// signed is n signatures of a key of its own; those at the bad places are wrong.
func signed(t *testing.T, n int, bad ...int) func(*checkWork) error {
	t.Helper()
	key, err := sig.FromSeed(make([]byte, sig.SeedSize))
	if err != nil {
		t.Fatal(err)
	}
	public := [32]byte(key.Public())
	return func(w *checkWork) error {
		for i := range n {
			msg := []byte{byte(i)}
			s := key.Sign(msg)
			if slices.Contains(bad, i) {
				s[33]++
			}
			w.sigs = append(w.sigs, checkSig{&public, msg, &s})
		}
		return nil
	}
}

// verdicts runs jobs in one round and gives what each heard.
func verdicts(c *checker, jobs ...checkJob) [][]int {
	heard := make([][]int, len(jobs))
	for i := range jobs {
		jobs[i].done = func(bad []int, err error) {
			if err != nil {
				bad = []int{-1}
			}
			heard[i] = bad
		}
	}
	c.round(jobs)
	return heard
}

func TestABadSignatureIsChargedToItsSender(t *testing.T) {
	c := newChecker(nil)
	heard := verdicts(c,
		checkJob{source: "a", prepare: signed(t, 5)},
		checkJob{source: "b", prepare: signed(t, 5, 1, 4)},
		checkJob{source: "a", prepare: signed(t, 3)},
		checkJob{source: "c", prepare: func(*checkWork) error { return errors.New("static") }},
		checkJob{source: "d", prepare: signed(t, 0)},
	)
	want := [][]int{nil, {1, 4}, nil, {-1}, nil}
	for i := range want {
		if !slices.Equal(heard[i], want[i]) {
			t.Errorf("job %d heard %v, want %v", i, heard[i], want[i])
		}
	}
	if !c.suspect("b") || c.suspect("a") {
		t.Error("the wrong one is under suspicion")
	}
	before := c.batches
	verdicts(c, checkJob{source: "a", prepare: signed(t, 5)}, checkJob{source: "b", prepare: signed(t, 5, 2)}, checkJob{source: "a", prepare: signed(t, 5)})
	if got := c.batches - before; got != 2 {
		t.Errorf("%d batches, want 2: the suspect's alone, the others' together", got)
	}
}

func TestWaitingJobsShareABatchAndAreBounded(t *testing.T) {
	c := newChecker(nil)
	var done sync.WaitGroup
	for range 20 {
		done.Add(1)
		if err := c.put(checkJob{source: "a", size: 100, prepare: signed(t, 2), done: func([]int, error) { done.Done() }}, true); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.put(checkJob{size: checkBytes}, true); !errors.Is(err, chain.ErrFull) {
		t.Error("more than the bound:", err)
	}
	flushed := make(chan bool, 100)
	go c.run(func() { flushed <- true })
	done.Wait()
	<-flushed
	if c.batches != 1 {
		t.Errorf("%d batches for jobs that waited together", c.batches)
	}
	c.close()
	if err := c.put(checkJob{}, false); !errors.Is(err, errStopping) {
		t.Error("after close:", err)
	}
}
