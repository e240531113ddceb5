package sim

import (
	"bytes"
	"container/heap"
	"fmt"
	"math/rand/v2"
	"time"

	"ios/internal/sm"
)

// Config is what a network is made from. Only Seed, Nodes, Factory and Decode
// are needed.
type Config struct {
	Seed  uint64
	Nodes []sm.NodeID
	// Factory builds a node's machine from its durable records, at the start and
	// at every restart, with the effects of its first step.
	Factory func(node sm.NodeID, now time.Time, records []sm.Persist) (sm.Machine, []sm.Effect)
	// Decode is the codec of the protocol's messages.
	Decode func([]byte) (sm.Message, error)
	// Answer answers an effect that package sm does not know. A nil event means
	// that there is no answer.
	Answer func(node sm.NodeID, effect sm.Effect) (time.Duration, sm.Event)
	// Delivered gets what a machine delivers, when all records before are
	// durable.
	Delivered func(node sm.NodeID, value any)
	// Check runs after every step. The run stops at its first error.
	Check  func() error
	Faults Faults
}

// Network is a simulated network.
type Network struct {
	cfg    Config
	now    time.Time
	steps  uint64
	seq    uint64
	queue  queue
	random *rand.Rand
	nodes  map[sm.NodeID]*node
	side   map[sm.NodeID]int // of the partition
	last   map[link]time.Time
	trace  trace
	err    error
}

type link struct{ from, to sm.NodeID }

// Start is the time at which every network begins.
var Start = time.Unix(1_900_000_000, 0)

// New builds the network and starts its nodes.
func New(cfg Config) *Network {
	n := &Network{
		cfg: cfg, now: Start, random: rand.New(rand.NewPCG(cfg.Seed, 0x5eed)),
		nodes: map[sm.NodeID]*node{}, side: map[sm.NodeID]int{}, last: map[link]time.Time{},
	}
	n.trace.init()
	for _, id := range cfg.Nodes {
		n.nodes[id] = &node{id: id}
	}
	for _, id := range cfg.Nodes {
		n.Restart(id)
	}
	return n
}

// Now is the simulated time.
func (n *Network) Now() time.Time { return n.now }

// Elapsed is the simulated time since the start.
func (n *Network) Elapsed() time.Duration { return n.now.Sub(Start) }

// Steps is how many events were consumed.
func (n *Network) Steps() uint64 { return n.steps }

// Random is the source of all chance in the run.
func (n *Network) Random() *rand.Rand { return n.random }

// Hash is the running hash of all consumed events.
func (n *Network) Hash() [32]byte { return n.trace.sum() }

// Err is why the run stopped, if it did.
func (n *Network) Err() error { return n.err }

// item is something that happens at a time.
type item struct {
	at  time.Time
	seq uint64
	do  func()
}

type queue []item

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	if q[i].at.Equal(q[j].at) {
		return q[i].seq < q[j].seq
	}
	return q[i].at.Before(q[j].at)
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(item)) }
func (q *queue) Pop() any {
	old := *q
	x := old[len(old)-1]
	old[len(old)-1] = item{}
	*q = old[:len(old)-1]
	return x
}

// After does something at a later time of the run.
func (n *Network) After(d time.Duration, do func()) { n.at(n.now.Add(d), do) }

func (n *Network) at(t time.Time, do func()) {
	if t.Before(n.now) {
		t = n.now
	}
	n.seq++
	heap.Push(&n.queue, item{t, n.seq, do})
}

// RunUntil runs until cond holds, the simulated time limit has passed or the run
// stopped. It reports whether cond holds.
func (n *Network) RunUntil(cond func() bool, limit time.Duration) bool {
	end := n.now.Add(limit)
	for n.err == nil {
		if cond() {
			return true
		}
		if len(n.queue) == 0 || n.queue[0].at.After(end) {
			n.now = end
			break
		}
		x := heap.Pop(&n.queue).(item)
		n.now = x.at
		x.do()
	}
	return n.err == nil && cond()
}

// RunFor runs for a simulated time.
func (n *Network) RunFor(d time.Duration) {
	n.RunUntil(func() bool { return false }, d)
}

// Fail stops the run.
func (n *Network) Fail(err error) {
	if n.err == nil {
		n.err = &Failure{Seed: n.cfg.Seed, Elapsed: n.Elapsed(), Step: n.steps, Trace: n.trace.lines(), Err: err}
	}
}

// Failure says how a run stopped and how to see it again.
type Failure struct {
	Seed    uint64
	Elapsed time.Duration
	Step    uint64
	Trace   []string // the last events
	Err     error
}

// Error has it all, in several lines.
func (f *Failure) Error() string {
	var b bytes.Buffer
	for _, l := range f.Trace {
		fmt.Fprintln(&b, l)
	}
	fmt.Fprintf(&b, "seed %d, %v after the start, step %d: %v", f.Seed, f.Elapsed, f.Step, f.Err)
	return b.String()
}

// Unwrap is what went wrong.
func (f *Failure) Unwrap() error { return f.Err }
