package load

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"ios/chain"
	"ios/node/api"
)

// run is one measurement.
type run struct {
	*Config
	*tally
	senders    []*sender
	pids       []int
	begin, end int64 // of the window
	report     Report
}

// costTime is how long the cost of a signature is measured. Tests shorten it.
var costTime = time.Second

// Run makes the load and measures it. What it reports is complete even when the
// error says that the network broke a promise; a run that ctx ends has no report.
func Run(ctx context.Context, c Config) (*Report, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	c.Progress("measuring the cost of a signature")
	cost, err := SignatureCost(costTime)
	if err != nil {
		return nil, err
	}
	count := c.planned(cost)
	if total := count * len(c.Shards); total > maxTxs {
		return nil, fmt.Errorf("%d transactions would have to be prepared, at most %d are; shorten the time or lower the rate", total, maxTxs)
	}
	pids, err := pidsOf(ctx, &c)
	if err != nil {
		return nil, err
	}
	s, err := openStreams(ctx, c.Network, c.touched())
	if err != nil {
		return nil, err
	}
	defer s.close()
	p, err := prepare(ctx, &c, s, count)
	if err != nil {
		return nil, err
	}
	runtime.GC() // what the preparation left, before the clock starts
	r := &run{Config: &c, tally: newTally(p), pids: pids}
	s.tell(r.tally)
	r.report = Report{SignatureUS: micros(cost), Cores: runtime.NumCPU(), Members: c.members(), Floor: c.floor(cost)}
	r.measure(ctx)
	if err := ctx.Err(); err != nil {
		return nil, err // nobody has waited for what is in flight
	}
	r.count(ctx)
	return &r.report, r.report.Err()
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }

// pidsOf are the processes of the validators that the load involves.
func pidsOf(ctx context.Context, c *Config) (pids []int, err error) {
	for _, shard := range c.touched() {
		for _, e := range c.Network.Endpoints(shard) {
			st, err := e.Status(ctx)
			if err != nil {
				continue // a dead validator uses no CPU
			}
			if _, err := processCPU(st.PID); err != nil {
				return nil, fmt.Errorf("validator %s does not run on this machine, so its CPU time cannot be read: %w", e.Name, err)
			}
			pids = append(pids, st.PID)
		}
	}
	return pids, nil
}

func (r *run) validatorsCPU() (sum time.Duration) {
	for _, pid := range r.pids {
		if t, err := processCPU(pid); err == nil { // one that ended meanwhile counts no more
			sum += t
		}
	}
	return sum
}

// measure warms up, measures, and waits for what is still in flight.
func (r *run) measure(ctx context.Context) {
	sending, stop := context.WithCancel(ctx)
	defer stop()
	var wait sync.WaitGroup
	for i := range r.lanes {
		s := newSender(ctx, r.tally, i, r.Clients, r.Network)
		r.senders = append(r.senders, s)
		wait.Go(func() { r.drive(sending, s) })
	}
	if r.Rate == 0 {
		wait.Go(func() { r.steer(sending) })
	}
	r.Progress(fmt.Sprintf("warming up for %v", r.WarmUp))
	pause(ctx, r.WarmUp)
	r.window(ctx)
	stop()
	for i := range r.flights {
		r.flights[i].close()
	}
	wait.Wait()
	for _, s := range r.senders {
		s.close()
	}
	r.drain(ctx)
	r.latencies()
}

// drive submits the load of one lane until sending ends.
func (r *run) drive(sending context.Context, s *sender) {
	size, f := batchMax, &r.flights[s.lane]
	if r.Single {
		size = 1
	}
	if r.Rate > 0 {
		f.set(windowMax)
		s.openLoop(sending, r.Rate/float64(len(r.lanes)), size)
		return
	}
	f.set(windowFirst)
	if s.closedLoop(size) == r.lanes[s.lane].count {
		r.Progress("all prepared transactions are submitted")
	}
}

// steer adjusts the windows of the closed loops.
func (r *run) steer(sending context.Context) {
	controls := make([]*control, len(r.flights))
	for i := range controls {
		controls[i] = newControl(r.aim())
	}
	ticker := time.NewTicker(250 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-sending.Done():
			return
		}
		for i := range r.flights {
			r.flights[i].set(controls[i].next(r.flights[i].look()))
		}
	}
}

// window is the measurement proper.
func (r *run) window(ctx context.Context) {
	r.Progress(fmt.Sprintf("measuring for %v", r.Window))
	cpu, own, begin := r.validatorsCPU(), ownCPU(), r.now()
	next := time.NewTicker(5 * time.Second)
	defer next.Stop()
	over := time.NewTimer(r.Window)
	defer over.Stop()
	for running := true; running; {
		select {
		case <-next.C:
			r.Progress(fmt.Sprintf("%3.0f s: %d in flight", time.Duration(r.now()-begin).Seconds(), r.left()))
		case <-over.C:
			running = false
		case <-ctx.Done():
			running = false
		}
	}
	r.begin, r.end = begin, r.now()
	r.sum(r.validatorsCPU()-cpu, ownCPU()-own)
}

// sum counts what happened in the window.
func (r *run) sum(cpu, own time.Duration) {
	begin, end := r.begin, r.end
	both, became := 0, 0
	for i := range r.ids {
		final := atomic.LoadInt64(&r.final[i])
		if final == 0 || final > end {
			continue
		}
		if final >= begin {
			became++
		}
		if atomic.LoadInt64(&r.due[i]) >= begin {
			both++
		}
	}
	rep := &r.report
	rep.Seconds = time.Duration(end - begin).Seconds()
	rep.TxPerS = float64(both) / rep.Seconds
	rep.Ratio = rep.TxPerS / rep.Floor
	if became > 0 {
		rep.CPUPerTx = micros(cpu) / float64(became)
		rep.OwnCPUPerTx = micros(own) / float64(became)
	}
	if issued := r.issued(); issued == len(r.ids) && r.Rate == 0 {
		rep.Shortfall = "the prepared transactions ran out before the time did; the true rate is higher"
	} else if r.Rate > 0 && rep.TxPerS < 0.97*r.Rate {
		rep.Shortfall = "the network did not keep up with the rate"
	}
}

func (r *run) issued() (n int) {
	for _, s := range r.senders {
		n += int(s.issued.Load())
	}
	return n
}

// latencies are of what was submitted in the window, whenever it became final.
func (r *run) latencies() {
	var all, within, across, decisive []time.Duration
	for i := range r.ids {
		due, final := atomic.LoadInt64(&r.due[i]), atomic.LoadInt64(&r.final[i])
		if due < r.begin || due >= r.end || final == 0 {
			continue
		}
		took := time.Duration(final - due)
		all = append(all, took)
		if r.dests[i] == r.lanes[r.lane(i)].shard {
			within = append(within, took)
			continue
		}
		across = append(across, took)
		decisive = append(decisive, time.Duration(atomic.LoadInt64(&r.decisive[i])-due))
	}
	rep := &r.report
	rep.LatencyMS, rep.WithinMS, rep.CrossMS, rep.DecisiveMS = latencyOf(all), latencyOf(within), latencyOf(across), latencyOf(decisive)
}

// drain waits until nothing is in flight, or nothing ends any more.
func (r *run) drain(ctx context.Context) {
	r.Progress(fmt.Sprintf("waiting for %d in flight", r.left()))
	for last, since := r.left(), time.Now(); last > 0 && time.Since(since) < patience && ctx.Err() == nil; {
		pause(ctx, 50*time.Millisecond)
		if left := r.left(); left != last {
			last, since = left, time.Now()
		}
	}
}

// count sums up how every transaction ended. Those that no stream told of are
// asked for.
func (r *run) count(ctx context.Context) {
	rep := &r.report
	for i := range r.ids {
		lane := r.lane(i)
		m, across := atomic.LoadUint32(&r.marks[i]), r.dests[i] != r.lanes[lane].shard
		if atomic.LoadInt64(&r.due[i]) == 0 {
			continue
		}
		rep.Submitted++
		if need := r.needs(i, lane); m&need != need && m&markAborted == 0 && m&markAccepted != 0 {
			m |= r.ask(ctx, i, lane)
		}
		switch need := r.needs(i, lane); {
		case m&need == need:
			rep.Final++
			if across {
				rep.CrossFinal++
			}
		case m&markAborted != 0:
			rep.CrossAborted++
		case m&markAccepted != 0:
			rep.Lost++
		default:
			rep.Refused++
		}
	}
	rep.Conditions = r.conditions()
}

// ask asks the shards of a transaction what became of it.
func (r *run) ask(ctx context.Context, place, lane int) (marks uint32) {
	for _, side := range []struct {
		shard chain.ShardID
		mark  uint32
	}{{r.lanes[lane].shard, markSource}, {r.dests[place], markDest}} {
		r.Network.Try(ctx, side.shard, func(ctx context.Context, e api.Endpoint) error {
			out, err := e.Outcome(ctx, r.ids[place], false)
			switch {
			case err != nil:
				return err
			case out.State == api.StateCommitted:
				marks |= side.mark
			case out.State == api.StateAborted || out.State == api.StateRejected:
				marks |= markAborted
			}
			return nil
		})
	}
	return marks
}

func (r *run) conditions() string {
	how := "closed loop, batches of up to 1000"
	if r.Rate > 0 {
		how = fmt.Sprintf("open loop at %.0f tx/s", r.Rate)
	}
	if r.Single {
		how += ", one transaction a request"
	}
	s := fmt.Sprintf("%d paying shards of up to %d members, %d cores for all processes, %.0f %% across shards, one input and one output, %d payers a shard, warm-up %v; %s",
		len(r.lanes), r.report.Members, r.report.Cores, 100*r.Across, r.Owners, r.WarmUp, how)
	for _, snd := range r.senders {
		if why := snd.why.Load(); why != nil {
			return s + fmt.Sprintf("; the last refusal: %v", *why)
		}
	}
	return s
}
