package node

import (
	"errors"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"ios/chain"
	"ios/chain/sig"
)

// signatures are good ones, by one key.
var signatures = sync.OnceValue(func() []checkSig {
	key, err := sig.FromSeed(make([]byte, sig.SeedSize))
	if err != nil {
		panic(err)
	}
	public := [32]byte(key.Public())
	list := make([]checkSig, 100)
	for i := range list {
		msg := []byte{byte(i)}
		s := key.Sign(msg)
		list[i] = checkSig{&public, msg, &s}
	}
	return list
})

// signed is n signatures; those at the bad places are wrong.
func signed(n int, bad ...int) func(*checkWork) error {
	list := make([]checkSig, n)
	for i := range list {
		list[i] = signatures()[i%len(signatures())]
	}
	for _, i := range bad {
		s := *list[i].sig
		s[33]++
		list[i].sig = &s
	}
	return func(w *checkWork) error {
		w.sigs = append(w.sigs, list...)
		return nil
	}
}

// heardBy prepares jobs, verifies them in one round and gives what each heard.
func heardBy(c *checker, jobs ...checkJob) [][]int {
	heard := make([][]int, len(jobs))
	for i := range jobs {
		jobs[i].done = func(bad []int, err error) {
			if err != nil {
				bad = []int{-1}
			}
			heard[i] = bad
		}
	}
	c.round(preparedBy(c, jobs))
	return heard
}

// preparedBy are the jobs that have signatures; the others are done.
func preparedBy(c *checker, jobs []checkJob) (list []*checkJob) {
	for i := range jobs {
		if jobs[i].work = (checkWork{}); c.prepare(&jobs[i]) {
			list = append(list, &jobs[i])
		}
	}
	return list
}

// Asking for signatures takes a few pieces of memory for all of them, and each
// signature keeps its own message.
func TestSignaturesAreAskedForTogether(t *testing.T) {
	p := chain.NewParams(chain.Hash{1}, chain.PrefixTest, 1, 1)
	var list []*chain.Tx
	for i := range 1000 {
		tx := &chain.Tx{Expiry: uint64(i), Witnesses: make([]chain.Witness, 1+i%2)}
		p.Seal(tx)
		list = append(list, tx)
	}
	var w checkWork
	if allocs := testing.AllocsPerRun(5, func() { w = checkWork{}; w.txs(list) }); allocs > 6 {
		t.Errorf("%v allocations for %d transactions", allocs, len(list))
	}
	for _, tx := range list {
		for i := range tx.Witnesses {
			s := w.sigs[0]
			w.sigs = w.sigs[1:]
			if s.key != &tx.Witnesses[i].PublicKey || s.sig != &tx.Witnesses[i].Signature || string(s.msg) != string(chain.SignedBytes(tx.ID)) {
				t.Fatalf("witness %d of transaction %d is not asked for", i, tx.Expiry)
			}
		}
	}
}

func TestABadSignatureIsChargedToItsSender(t *testing.T) {
	c := newChecker(nil)
	heard := heardBy(c,
		checkJob{source: "a", prepare: signed(5)},
		checkJob{source: "b", prepare: signed(5, 1, 4)},
		checkJob{source: "a", prepare: signed(3)},
		checkJob{source: "c", prepare: func(*checkWork) error { return errors.New("static") }},
		checkJob{source: "d", prepare: signed(0)},
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
	heardBy(c, checkJob{source: "a", prepare: signed(5)}, checkJob{source: "b", prepare: signed(5, 2)}, checkJob{source: "a", prepare: signed(5)})
	if got := c.batches - before; got != 2 {
		t.Errorf("%d batches, want 2: the suspect's alone, the others' together", got)
	}
}

func TestWaitingJobsShareABatchAndAreBounded(t *testing.T) {
	c := newChecker(nil)
	var done sync.WaitGroup
	for range 20 {
		done.Add(1)
		j := checkJob{source: clients, size: 100, done: func([]int, error) { done.Done() }}
		if err := signed(2)(&j.work); err != nil {
			t.Fatal(err)
		}
		if err := c.put(j, true); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.put(checkJob{size: checkBytes}, true); !errors.Is(err, chain.ErrFull) {
		t.Error("more than the bound:", err)
	}
	ended := runs(c)
	done.Wait()
	if c.batches != 1 {
		t.Errorf("%d batches for jobs that waited together", c.batches)
	}
	c.close()
	if err := c.put(checkJob{}, false); !errors.Is(err, errStopping) {
		t.Error("after close:", err)
	}
	<-ended
	if c.bytes != 0 {
		t.Errorf("%d bytes are counted when nothing waits", c.bytes)
	}
}

// runs runs a checker until it is closed.
func runs(c *checker) (ended chan struct{}) {
	ended = make(chan struct{})
	go func() { defer close(ended); c.run(func() {}) }()
	return ended
}

// What has no signatures is done while signatures are being verified: here their
// round does not end before.
func TestProofsDoNotWaitForSignatures(t *testing.T) {
	c := newChecker(nil)
	proven, verified := make(chan struct{}), make(chan struct{})
	for _, source := range []string{clients, "a"} {
		put := func(n int, done func()) {
			if err := c.put(checkJob{source: source, size: 1, prepare: signed(n), done: func([]int, error) { done() }}, source == clients); err != nil {
				t.Fatal(err)
			}
		}
		put(2, func() { <-proven; verified <- struct{}{} })
		put(0, func() { proven <- struct{}{} })
	}
	ended := runs(c)
	for range 2 {
		<-verified
	}
	c.close()
	<-ended
	if c.bytes != 0 {
		t.Errorf("%d bytes are counted when nothing waits", c.bytes)
	}
}

// However much of one kind waits, the other has its place in the next batch.
func TestMembersAndClientsShareTheBatches(t *testing.T) {
	for flood, most := range map[string]int{clients: checkFill, "a": checkBatch} {
		c, few := newChecker(nil), "a"
		if flood == few {
			few = clients
		}
		for i := range 200 {
			j := checkJob{source: flood}
			if i == 150 {
				j.source = few
			}
			if err := signed(100)(&j.work); err != nil {
				t.Fatal(err)
			}
			if err := c.put(j, false); err != nil {
				t.Fatal(err)
			}
		}
		counts := map[string]int{}
		for _, j := range c.take() {
			counts[j.source] += len(j.work.sigs)
		}
		if counts[few] != 100 {
			t.Errorf("%d signatures of %s, that came behind a flood of %s, are in the first batch", counts[few], few, flood)
		}
		if n := counts[flood]; n < most || n >= most+100 {
			t.Errorf("%d signatures of %s in a batch, %d are wanted", n, flood, most)
		}
	}
}

// One client with very many bad signatures has no other client's submissions
// checked one by one, neither in its round nor in the next ones.
func TestABadClientDoesNotSlowTheOthers(t *testing.T) {
	const others = 400
	c := newChecker(nil)
	var bad []int
	for i := range 250 {
		bad = append(bad, i)
	}
	one, forged := signed(1), signed(len(bad), bad...)
	for round := range 2 {
		var jobs []checkJob
		for i := range others {
			jobs = append(jobs, checkJob{source: clients, prepare: one})
			if i%100 == 50 && round == 0 {
				jobs = append(jobs, checkJob{source: clients, prepare: forged})
			}
		}
		jobs = append(jobs, checkJob{source: "a", prepare: one}, checkJob{source: "b", prepare: one})
		before := c.batches
		heard := heardBy(c, jobs...)
		for i, j := range jobs {
			w := checkWork{}
			if err := j.prepare(&w); err != nil {
				t.Fatal(err)
			}
			if isBad := len(w.sigs) > 1; isBad && len(heard[i]) != len(bad) || !isBad && heard[i] != nil {
				t.Fatalf("round %d: job %d heard of %d bad signatures", round, i, len(heard[i]))
			}
		}
		most := uint64(1 + 2 + 6 + 4*9) // all, the committee's alone, the chunks, and the way to each bad one
		if round > 0 {
			most = 1 + 2 // the committee's, and the chunks
		}
		if got := c.batches - before; got > most {
			t.Errorf("round %d: %d calls for %d submissions, at most %d are needed", round, got, len(jobs), most)
		}
	}
	if c.suspect("a") || c.suspect("b") {
		t.Error("the committee pays for a client")
	}
}

// Whatever is bad, each job hears of its own signatures and no others, once.
func TestEachJobHearsItsOwnVerdict(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newChecker(nil)
		for range rapid.IntRange(1, 2).Draw(t, "rounds") {
			var jobs []checkJob
			var want [][]int
			heard := map[int]int{}
			for i := range rapid.IntRange(1, 16).Draw(t, "jobs") {
				n := rapid.SampledFrom([]int{0, 1, 1, 1, 2, 40}).Draw(t, "signatures")
				var bad []int
				for s := range min(n, 3) {
					if rapid.IntRange(0, 20).Draw(t, "bad") == 0 {
						bad = append(bad, s)
					}
				}
				want = append(want, bad)
				jobs = append(jobs, checkJob{
					source: rapid.SampledFrom([]string{clients, clients, "a", "b"}).Draw(t, "source"), prepare: signed(n, bad...),
					done: func(bad []int, err error) {
						if heard[i]++; err != nil || !slices.Equal(bad, want[i]) {
							t.Fatalf("job %d heard %v %v, want %v", i, bad, err, want[i])
						}
					},
				})
			}
			c.round(preparedBy(c, jobs))
			for i := range jobs {
				if heard[i] != 1 {
					t.Fatalf("job %d heard %d times", i, heard[i])
				}
			}
		}
	})
}
