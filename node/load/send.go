package load

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"ios/chain"
	"ios/node/api"
)

// batchMax is the number of transactions in one submission.
const batchMax = 1000

// job is a run of transactions of a lane that is to be submitted.
type job struct {
	from, to int  // within the lane
	due      bool // the due times are set already
}

// sender submits the jobs of one lane, some at a time, to the validators of the
// lane's shard.
type sender struct {
	*tally
	lane int
	*board
	jobs chan job
	wait sync.WaitGroup

	issued  atomic.Int64 // transactions handed to submissions
	retried atomic.Int64
	why     atomic.Pointer[error] // of the last refusal for good
	epoch   atomic.Uint64         // of the shard, if the transactions are signed late
}

func newSender(ctx context.Context, t *tally, lane, clients int, net *api.Network) *sender {
	s := &sender{tally: t, lane: lane, board: newBoard(net, t.lanes[lane].shard), jobs: make(chan job)}
	if l := t.lanes[lane]; l.late {
		s.epoch.Store(l.epoch)
		go s.watch(ctx, net, l.shard)
	}
	for i := range clients {
		s.wait.Go(func() {
			c := &client{sender: s, home: i}
			defer c.hangUp()
			for j := range s.jobs {
				c.submit(ctx, j)
			}
		})
	}
	return s
}

// watch keeps up with the shard's epoch until ctx ends.
func (s *sender) watch(ctx context.Context, net *api.Network, shard chain.ShardID) {
	for ctx.Err() == nil {
		pause(ctx, 500*time.Millisecond)
		if e, err := epochOf(ctx, net, shard); err == nil {
			s.epoch.Store(max(e, s.epoch.Load()))
		}
	}
}

// client submits one job after the other to a validator of its own, over a
// connection of its own. It moves on from one that failed or left the shard.
type client struct {
	*sender
	home int // its place among the clients
	on   *api.Endpoint
	line *api.Line
}

func (c *client) hangUp() {
	if c.line != nil {
		c.line.Close()
		c.line = nil
	}
}

// settle finds a validator that did not fail lately, and stays with it.
func (c *client) settle() {
	if c.on != nil && c.good(c.on.URL) {
		return
	}
	c.hangUp()
	c.on = c.pick(c.home)
}

// send submits to the client's validator.
func (c *client) send(ctx context.Context, raw []byte) (api.SubmitResult, error) {
	if c.line == nil {
		line, err := c.on.Line()
		if err != nil { // https, say
			return c.on.Submit(ctx, raw)
		}
		c.line = line
	}
	return c.line.Submit(ctx, raw)
}

// submit submits a job until every transaction of it is accepted or refused for
// good, or ctx ends.
func (s *client) submit(ctx context.Context, j job) {
	l := s.lanes[s.lane]
	if !j.due {
		now := s.now()
		for i := j.from; i < j.to; i++ {
			atomic.StoreInt64(&s.due[l.base+i], now)
		}
	}
	s.issued.Add(int64(j.to - j.from))
	if l.late {
		s.sign(l, j.from, j.to, s.epoch.Load())
		for i := j.from; i < j.to; i++ {
			s.table.put(l.base + i)
		}
	}
	raw := l.bytes(j.from, j.to)
	var places []int // those that raw holds, when not all of the job
	for start := time.Now(); ; {
		s.settle()
		res, err := s.send(ctx, raw)
		if ctx.Err() != nil {
			return // the load was interrupted; nothing is known of these
		}
		moved := len(res.Refused) > 0 && res.Refused[0].Kind == chain.ErrWrongShard
		if moved || err != nil && !errors.Is(err, chain.ErrFull) {
			s.failed(s.on.URL)
		}
		again := s.note(j, places, res, err, time.Since(start) > patience)
		if len(again) == 0 {
			return
		}
		s.retried.Add(int64(len(again)))
		places, raw = again, s.gather(again)
		pause(ctx, 50*time.Millisecond)
	}
}

// note records what became of a submission and returns the places within the
// lane that are to be submitted again. Late gives those up too.
func (s *sender) note(j job, places []int, res api.SubmitResult, err error, late bool) (again []int) {
	n := j.to - j.from
	place := func(i int) int { return j.from + i }
	if places != nil {
		n, place = len(places), func(i int) int { return places[i] }
	}
	base := s.lanes[s.lane].base
	refuse := func(i int, why error) {
		s.why.Store(&why)
		s.refuse(s.lane, base+place(i))
	}
	if err != nil {
		for i := range n {
			if late || !retryable(err) {
				refuse(i, err)
			} else {
				again = append(again, place(i))
			}
		}
		return again
	}
	next := 0
	for i := range n {
		if next < len(res.Refused) && res.Refused[next].Index == i {
			if r := &res.Refused[next]; late || !noRoom(r.Kind) {
				refuse(i, r.Err())
			} else {
				again = append(again, place(i))
			}
			next++
			continue
		}
		atomic.OrUint32(&s.marks[base+place(i)], markAccepted)
	}
	return again
}

func retryable(err error) bool {
	for _, k := range []chain.ErrorKind{chain.ErrFull, chain.ErrNotReady, api.ErrBusy, api.ErrStopping, api.ErrUnreachable, api.ErrInternal} {
		if errors.Is(err, k) {
			return true
		}
	}
	return false
}

// gather copies transactions of the lane that do not stand together.
func (s *sender) gather(places []int) []byte {
	l := s.lanes[s.lane]
	raw := make([]byte, 0, len(places)*l.size)
	for _, i := range places {
		raw = append(raw, l.bytes(i, i+1)...)
	}
	return raw
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// closedLoop hands out jobs as fast as the window allows, until it is closed or
// nothing is left. It returns the number handed out.
func (s *sender) closedLoop(size int) int {
	l, f := s.lanes[s.lane], &s.flights[s.lane]
	at := 0
	for at < l.count {
		n := min(size, l.count-at)
		if !f.enter(n) {
			break
		}
		s.jobs <- job{from: at, to: at + n}
		at += n
	}
	return at
}

// tick is how often an open loop submits.
const tick = 10 * time.Millisecond

// openLoop hands out jobs at a rate until ctx ends or nothing is left. Each
// transaction is due at its own moment; late ones keep theirs.
func (s *sender) openLoop(ctx context.Context, rate float64, size int) int {
	l, f := s.lanes[s.lane], &s.flights[s.lane]
	begin := s.now()
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	at := 0
	for at < l.count {
		want := min(int(float64(s.now()-begin)*rate/1e9), l.count)
		for at < want {
			n := min(size, want-at)
			// The window only keeps a network that is too slow from being flooded.
			if !f.enter(n) {
				return at
			}
			for i := at; i < at+n; i++ {
				atomic.StoreInt64(&s.due[l.base+i], begin+int64(float64(i)/rate*1e9))
			}
			s.jobs <- job{from: at, to: at + n, due: true}
			at += n
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return at
		}
	}
	return at
}

// close ends the sender after the jobs that it has.
func (s *sender) close() {
	close(s.jobs)
	s.wait.Wait()
}
