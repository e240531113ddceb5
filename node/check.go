package node

import (
	"crypto/rand"
	"fmt"
	"sync"
	"time"

	"ios/atomix"
	"ios/chain"
	"ios/chain/cosi"
	"ios/chain/sig"
	"ios/node/api"
)

// checkJob is something whose signatures are checked off the machine.
type checkJob struct {
	source  string // who pays for bad signatures: "client", or a peer
	size    int    // bytes that it keeps in memory
	prepare func(*checkWork) error
	// done is called with what prepare said, or with the places of the
	// signatures that are bad, in the order in which they were added.
	done func(bad []int, err error)
}

// checkWork is what prepare asks for.
type checkWork struct {
	sigs  []checkSig
	certs []atomix.Certified
}

type checkSig struct {
	key *[32]byte
	msg []byte
	sig *[64]byte
}

// tx asks for all witnesses of a transaction.
func (w *checkWork) tx(t *chain.Tx) {
	msg := chain.SignedBytes(t.ID)
	for i := range t.Witnesses {
		w.sigs = append(w.sigs, checkSig{&t.Witnesses[i].PublicKey, msg, &t.Witnesses[i].Signature})
	}
}

const (
	checkBatch    = 4096             // signatures that are enough for one call
	checkBytes    = 64 << 20         // of waiting jobs, above which clients are refused
	checkKeys     = 16384            // expanded keys that are cached
	checkCerts    = 4096             // certificates whose verdict is remembered
	checkSuspects = 30 * time.Second // how long a source is checked apart after a bad signature
)

// checker verifies signatures in large batches, on one goroutine: jobs that
// wait share a call, so batches grow with the load. A batch that fails is
// checked again job by job, to charge it to whoever sent it, and the jobs of
// that source are then checked apart for a while.
type checker struct {
	committees []*cosi.Committee // by shard
	batch      *sig.Checker
	certs      map[chain.Hash]error
	suspects   map[string]time.Time

	mu     sync.Mutex
	wake   *sync.Cond
	jobs   []checkJob
	bytes  int
	closed bool

	signatures, batches, bad uint64 // under mu, for metrics
}

func newChecker(committees []*cosi.Committee) *checker {
	c := &checker{
		committees: committees, batch: sig.NewChecker(checkKeys, rand.Reader),
		certs: make(map[chain.Hash]error), suspects: make(map[string]time.Time),
	}
	c.wake = sync.NewCond(&c.mu)
	return c
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
	c.jobs = append(c.jobs, j)
	c.bytes += j.size
	c.wake.Signal()
	return nil
}

// close ends run once the jobs that wait are done.
func (c *checker) close() {
	c.mu.Lock()
	c.closed = true
	c.wake.Signal()
	c.mu.Unlock()
}

// take waits for jobs and takes as many as make a good batch.
func (c *checker) take(jobs []checkJob) []checkJob {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.jobs) == 0 && !c.closed {
		c.wake.Wait()
	}
	const enough = checkBatch * 256 // bytes; a signature comes with about so many
	n, bytes := 0, 0
	for n < len(c.jobs) && bytes < enough {
		bytes += c.jobs[n].size
		n++
	}
	jobs = append(jobs[:0], c.jobs[:n]...)
	m := copy(c.jobs, c.jobs[n:])
	clear(c.jobs[m:])
	c.jobs, c.bytes = c.jobs[:m], c.bytes-bytes
	return jobs
}

// prepared is a job whose signatures are known.
type prepared struct {
	job  *checkJob
	work checkWork
}

// run works until close. flush is called after each round, when all done calls
// of the round have been made.
func (c *checker) run(flush func()) {
	var jobs []checkJob
	for {
		if jobs = c.take(jobs); len(jobs) == 0 {
			return
		}
		c.round(jobs)
		clear(jobs)
		flush()
	}
}

func (c *checker) round(jobs []checkJob) {
	var together []prepared
	count := 0
	for i := range jobs {
		p := prepared{job: &jobs[i]}
		err := p.job.prepare(&p.work)
		if err == nil {
			err = c.certificates(p.work.certs)
		}
		switch {
		case err != nil:
			p.job.done(nil, err)
		case len(p.work.sigs) == 0:
			p.job.done(nil, nil)
		case c.suspect(p.job.source):
			c.alone(&p)
		default:
			together = append(together, p)
			count += len(p.work.sigs)
		}
	}
	if count == 0 {
		return
	}
	for i := range together {
		c.add(&together[i])
	}
	if len(together) == 1 {
		c.settle(&together[0], c.batch.Check())
		c.count(count, 1)
		return
	}
	ok := c.batch.CheckAll()
	c.count(count, 1)
	for i := range together {
		if ok {
			together[i].job.done(nil, nil)
		} else {
			c.alone(&together[i])
		}
	}
}

func (c *checker) add(p *prepared) {
	for i := range p.work.sigs {
		s := &p.work.sigs[i]
		c.batch.Add((*sig.PublicKey)(s.key), s.msg, s.sig)
	}
}

// alone checks one job by itself.
func (c *checker) alone(p *prepared) {
	c.add(p)
	c.settle(p, c.batch.Check())
	c.count(len(p.work.sigs), 1)
}

func (c *checker) settle(p *prepared, verdicts []bool) {
	var bad []int
	for i, ok := range verdicts {
		if !ok {
			bad = append(bad, i)
		}
	}
	if bad != nil {
		if len(c.suspects) >= 4096 {
			clear(c.suspects)
		}
		c.suspects[p.job.source] = time.Now()
		c.mu.Lock()
		c.bad += uint64(len(bad))
		c.mu.Unlock()
	}
	p.job.done(bad, nil)
}

func (c *checker) suspect(source string) bool {
	at, ok := c.suspects[source]
	if ok && time.Since(at) > checkSuspects {
		delete(c.suspects, source)
		return false
	}
	return ok
}

// certificates checks other shards' certificates, each once.
func (c *checker) certificates(list []atomix.Certified) error {
	for _, f := range list {
		err, known := c.certs[f.Key]
		if !known {
			if int(f.Header.Shard) >= len(c.committees) {
				return chain.Rule(chain.ErrWrongShard, "a certificate of shard %d, which does not exist", f.Header.Shard)
			}
			err = f.Cert.Verify(c.committees[f.Header.Shard], f.Header, f.Block)
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

func (c *checker) count(signatures, batches int) {
	c.mu.Lock()
	c.signatures += uint64(signatures)
	c.batches += uint64(batches)
	c.mu.Unlock()
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
