package node

import (
	"time"

	"ios/chain/sig"
)

// round verifies the signatures of jobs. A batch that fails is verified again:
// job by job those of the committee, to charge it to whoever sent it, and the
// jobs of that source are then checked apart for a while. Clients must not pay
// for each other, so the bad ones among their jobs are found by halving, in
// batches that are apart from the committee's meanwhile.
func (c *checker) round(jobs []*checkJob) {
	var together, apart []*checkJob
	for _, j := range jobs {
		switch suspect := c.suspect(j.source); {
		case !suspect:
			together = append(together, j)
		case j.source == clients:
			apart = append(apart, j)
		default:
			c.alone(j)
		}
	}
	switch {
	case len(together) == 1:
		c.alone(together[0])
	case c.good(together):
	default:
		for _, j := range together {
			if j.source == clients {
				apart = append(apart, j)
			} else {
				c.alone(j)
			}
		}
	}
	c.chunks(apart)
}

// chunks checks clients' jobs in batches that are large enough to be cheap, and
// so small that few others are checked again because of a bad one.
func (c *checker) chunks(jobs []*checkJob) {
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
func (c *checker) halve(jobs []*checkJob) {
	if len(jobs) == 1 {
		c.alone(jobs[0])
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
func (c *checker) good(jobs []*checkJob) bool {
	if len(jobs) == 0 {
		return true
	}
	count := 0
	for i := range jobs {
		c.add(jobs[i])
		count += len(jobs[i].work.sigs)
	}
	ok := c.batch.CheckAll()
	c.count(count, 1)
	if ok {
		for i := range jobs {
			jobs[i].done(nil, nil)
		}
	}
	return ok
}

func (c *checker) add(j *checkJob) {
	for i := range j.work.sigs {
		s := &j.work.sigs[i]
		c.batch.Add((*sig.PublicKey)(s.key), s.msg, s.sig)
	}
}

// alone checks one job by itself.
func (c *checker) alone(j *checkJob) {
	c.add(j)
	c.settle(j, c.batch.Check())
	c.count(len(j.work.sigs), 1)
}

func (c *checker) settle(j *checkJob, verdicts []bool) {
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
		c.suspects[j.source] = time.Now()
		c.mu.Lock()
		c.bad += uint64(len(bad))
		c.mu.Unlock()
	}
	j.done(bad, nil)
}

func (c *checker) suspect(source string) bool {
	at, ok := c.suspects[source]
	if ok && time.Since(at) > checkSuspects {
		delete(c.suspects, source)
		return false
	}
	return ok
}

func (c *checker) count(signatures, batches int) {
	c.mu.Lock()
	c.signatures += uint64(signatures)
	c.batches += uint64(batches)
	c.mu.Unlock()
}
