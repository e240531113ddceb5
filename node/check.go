package node

import (
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"ios/atomix"
	"ios/chain"
	"ios/chain/sig"
	"ios/node/api"
)

// checkJob is something that is checked off the machine.
type checkJob struct {
	source string // who pays for bad signatures: clients, or a peer
	size   int    // bytes that it keeps in memory
	// prepare checks all but the signatures, and says which there are. Without
	// it they are in work.
	prepare func(*checkWork) error
	work    checkWork
	// done is called with what prepare said, or with the places of the
	// signatures that are bad, in the order in which they were added.
	done func(bad []int, err error)
}

// checkWork is what is to be verified.
type checkWork struct {
	sigs  []checkSig
	certs []atomix.Certified
	msgs  []byte // where those of sigs are
}

type checkSig struct {
	key *[32]byte
	msg []byte
	sig *[64]byte
}

// sigBytes is about what a signature takes in memory while it waits, besides the
// transaction.
const sigBytes = 128

// txs asks for all witnesses of transactions.
func (w *checkWork) txs(list []*chain.Tx) {
	w.expect(len(list))
	for _, t := range list {
		w.tx(t)
	}
}

// expect makes room for so many transactions with a witness each.
func (w *checkWork) expect(txs int) {
	w.sigs, w.msgs = make([]checkSig, 0, txs), make([]byte, 0, txs*chain.SignedSize)
}

// tx asks for all witnesses of a transaction.
func (w *checkWork) tx(t *chain.Tx) {
	begin := len(w.msgs)
	w.msgs = chain.AppendSigned(w.msgs, t.ID)
	msg := w.msgs[begin:len(w.msgs):len(w.msgs)]
	for i := range t.Witnesses {
		w.sigs = append(w.sigs, checkSig{&t.Witnesses[i].PublicKey, msg, &t.Witnesses[i].Signature})
	}
}

const (
	checkBatch    = 2048             // signatures of members that are enough for one call
	checkFill     = 1024             // signatures of clients that are
	checkBytes    = 64 << 20         // of waiting jobs, above which clients are refused
	checkKeys     = 16384            // expanded keys that are cached
	checkCerts    = 4096             // certificates whose verdict is remembered
	checkSuspects = 30 * time.Second // how long a source is checked apart after a bad signature
	checkChunk    = 256              // signatures of clients that are checked together meanwhile
)

// clients is the source of all clients: who they are nobody knows.
const clients = "clients"

// checker checks jobs on two goroutines. One prepares them, one by one: that is
// decoding, static rules and certificates, milliseconds for the largest. What has
// no signatures is then done, so proofs of other shards never wait for those of
// clients. The other verifies signatures in batches: jobs that wait share a call,
// so batches grow with the load. Members have the larger share, since what is
// further on its way should not wait for what comes after it: their bodies take
// their places in blocks in the order of their numbers, so that proofs wait for
// the bodies before them. But clients have theirs in every batch: full bodies of the
// others must not keep a validator's own clients out.
type checker struct {
	committees chain.Committees
	certs      map[chain.Hash]error // of the goroutine that prepares
	batch      *sig.Checker         // of the one that verifies
	suspects   map[string]time.Time // of that one, too

	mu     sync.Mutex
	wake   *sync.Cond
	raw    [2][]*checkJob // to be prepared: of members, which go first, and of clients
	ready  [2][]*checkJob // to be verified
	bytes  int            // of both
	closed bool
	last   bool // nothing comes to ready any more

	signatures, batches, bad uint64 // under mu, for metrics
}

func newChecker(committees chain.Committees) *checker {
	c := &checker{
		committees: committees, batch: sig.NewChecker(checkKeys, rand.Reader),
		certs: make(map[chain.Hash]error), suspects: make(map[string]time.Time),
	}
	c.wake = sync.NewCond(&c.mu)
	return c
}

// queue is the place of a job's source in raw and ready.
func (j *checkJob) queue() int {
	if j.source == clients {
		return 1
	}
	return 0
}

// put queues a job. With a bound it refuses when too much waits already; jobs
// of the committee come without one, since the protocol bounds them.
func (c *checker) put(j checkJob, bounded bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return errStopping
	case bounded && c.bytes+j.size > checkBytes:
		return chain.Rule(chain.ErrFull, "%d MB wait to be checked already; send it again in a second", c.bytes>>20)
	}
	list := &c.raw[j.queue()]
	if j.prepare == nil {
		list = &c.ready[j.queue()]
	}
	*list = append(*list, &j)
	c.bytes += j.size
	c.wake.Broadcast()
	return nil
}

// close ends run once the jobs that wait are done.
func (c *checker) close() {
	c.mu.Lock()
	c.closed = true
	c.wake.Broadcast()
	c.mu.Unlock()
}

// run works until close. flush is called after jobs are done.
func (c *checker) run(flush func()) {
	var both sync.WaitGroup
	both.Go(func() {
		for j := c.next(); j != nil; j = c.next() {
			if c.prepare(j) {
				c.forward(j)
			} else {
				flush()
			}
		}
	})
	both.Go(func() {
		for jobs := c.take(); len(jobs) > 0; jobs = c.take() {
			c.round(jobs)
			flush()
		}
	})
	both.Wait()
}

// next waits for a job to prepare. It is nil when there will be none any more.
func (c *checker) next() *checkJob {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		for i := range c.raw {
			if len(c.raw[i]) > 0 {
				j := c.raw[i][0]
				c.raw[i][0], c.raw[i] = nil, c.raw[i][1:]
				return j
			}
		}
		if c.closed {
			c.last = true
			c.wake.Broadcast()
			return nil
		}
		c.wake.Wait()
	}
}

// prepare reports whether signatures remain to be verified. Otherwise the job is
// done.
func (c *checker) prepare(j *checkJob) bool {
	err := j.prepare(&j.work)
	if err == nil {
		err = c.certificates(j.work.certs)
	}
	if err == nil && len(j.work.sigs) > 0 {
		return true
	}
	c.mu.Lock()
	c.bytes -= j.size
	c.mu.Unlock()
	j.done(nil, err)
	return false
}

func (c *checker) forward(j *checkJob) {
	c.mu.Lock()
	c.ready[j.queue()] = append(c.ready[j.queue()], j)
	c.wake.Broadcast()
	c.mu.Unlock()
}

// take waits for jobs to verify and takes as many as make a good batch. There are
// none when there will be none any more.
func (c *checker) take() (jobs []*checkJob) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.ready[0])+len(c.ready[1]) == 0 && !c.last {
		c.wake.Wait()
	}
	return c.cut(c.cut(nil, 0, checkBatch), 1, checkFill)
}

// cut moves the first jobs of a queue that have enough signatures together to the
// end of jobs.
func (c *checker) cut(jobs []*checkJob, queue, enough int) []*checkJob {
	list, n := c.ready[queue], 0
	for count := 0; n < len(list) && count < enough; n++ {
		count += len(list[n].work.sigs)
		c.bytes -= list[n].size
	}
	jobs = append(jobs, list[:n]...)
	clear(list[:n])
	c.ready[queue] = list[n:]
	return jobs
}

// certificates checks other shards' certificates, each once. ErrNotReady is the
// kind of one of a term that is not known here, or no longer believed: which may
// be nobody's fault, since members hear of an epoch one after the other. The
// ledger refuses old ones by its own epoch, the same everywhere; but a shard that
// is stalled in an old epoch must not believe keys of that time either.
func (c *checker) certificates(list []atomix.Certified) error {
	for _, f := range list {
		err, known := c.certs[f.Key]
		if !known {
			var by *chain.Committee
			switch by, err = c.committees.Committee(f.Header.Shard, f.Header.Term()); {
			case errors.Is(err, chain.ErrNotReady):
				return err
			case errors.Is(err, chain.ErrExpired):
				return chain.Rule(chain.ErrNotReady, "%v", err)
			case err == nil:
				err = f.Cert.Verify(by.Cosi, f.Header, f.Block)
			}
			if len(c.certs) >= checkCerts {
				clear(c.certs)
			}
			c.certs[f.Key] = err
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// badWitness is what is wrong with a body or bundle with bad signatures.
func badWitness(bad []int, err error) error {
	if err == nil && len(bad) > 0 {
		err = chain.Rule(chain.ErrSignature, "%d signatures do not verify", len(bad))
	}
	return err
}

var errStopping = chain.Rule(api.ErrStopping, "the validator is shutting down; ask another one")

// peerSource names a validator as a source.
func peerSource(id chain.ValidatorID) string { return fmt.Sprint("validator ", id) }
