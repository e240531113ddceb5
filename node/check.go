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

// checkJob is something whose signatures are checked off the machine.
type checkJob struct {
	source  string // who pays for bad signatures: clients, or a peer
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
	checkChunk    = 256              // signatures of clients that are checked together meanwhile
)

// clients is the source of all clients: who they are nobody knows.
const clients = "clients"

// checker verifies signatures in large batches, on one goroutine: jobs that
// wait share a call, so batches grow with the load. A batch that fails is
// checked again: job by job those of the committee, to charge it to whoever sent
// it, and the jobs of that source are then checked apart for a while. Clients
// must not pay for each other, so the bad ones among their jobs are found by
// halving, in batches that are apart from the committee's meanwhile.
type checker struct {
	committees chain.Committees
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

func newChecker(committees chain.Committees) *checker {
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
	var together, apart []prepared
	for i := range jobs {
		p := prepared{job: &jobs[i]}
		err := p.job.prepare(&p.work)
		if err == nil {
			err = c.certificates(p.work.certs)
		}
		switch suspect := c.suspect(p.job.source); {
		case err != nil:
			p.job.done(nil, err)
		case len(p.work.sigs) == 0:
			p.job.done(nil, nil)
		case !suspect:
			together = append(together, p)
		case p.job.source == clients:
			apart = append(apart, p)
		default:
			c.alone(&p)
		}
	}
	switch {
	case len(together) == 1:
		c.alone(&together[0])
	case c.good(together):
	default:
		for i := range together {
			if together[i].job.source == clients {
				apart = append(apart, together[i])
			} else {
				c.alone(&together[i])
			}
		}
	}
	c.chunks(apart)
}

// chunks checks clients' jobs in batches that are large enough to be cheap, and
// so small that few others are checked again because of a bad one.
func (c *checker) chunks(jobs []prepared) {
	for begin := 0; begin < len(jobs); {
		end, count := begin, 0
		for ; end < len(jobs) && count < checkChunk; end++ {
			count += len(jobs[end].work.sigs)
		}
		if chunk := jobs[begin:end]; len(chunk) == 1 || !c.good(chunk) {
			c.halve(chunk)
		}
		begin = end
	}
}

// halve finds the bad ones among jobs that are not all good, or checks a single
// one.
func (c *checker) halve(jobs []prepared) {
	if len(jobs) == 1 {
		c.alone(&jobs[0])
		return
	}
	left, right := jobs[:len(jobs)/2], jobs[len(jobs)/2:]
	if c.good(left) {
		c.halve(right) // it has the bad one
		return
	}
	c.halve(left)
	if !c.good(right) {
		c.halve(right)
	}
}

// good checks jobs in one call, and ends them if all signatures are good.
func (c *checker) good(jobs []prepared) bool {
	if len(jobs) == 0 {
		return true
	}
	count := 0
	for i := range jobs {
		c.add(&jobs[i])
		count += len(jobs[i].work.sigs)
	}
	ok := c.batch.CheckAll()
	c.count(count, 1)
	if ok {
		for i := range jobs {
			jobs[i].job.done(nil, nil)
		}
	}
	return ok
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
