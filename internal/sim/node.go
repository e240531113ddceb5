package sim

import (
	"bytes"
	"fmt"
	"time"

	"ios/internal/sm"
)

// node is a machine with its disk and timers.
type node struct {
	id      sm.NodeID
	machine sm.Machine // nil while it is down
	life    uint64     // counts restarts: what an earlier life started is void
	timers  map[sm.TimerKey]uint64
	timerNo uint64

	log     []sm.Persist // durable
	waiting []op         // persists that are not, and what waits for them
	covered int          // of waiting, by the sync that is running

	in, out Filter
}

// op is a Persist, Send or Deliver that waits its turn.
type op struct {
	effect  sm.Effect
	persist bool
}

// Up reports whether the node runs.
func (n *Network) Up(id sm.NodeID) bool { return n.nodes[id].machine != nil }

// Machine is the node's machine, nil while it is down.
func (n *Network) Machine(id sm.NodeID) sm.Machine { return n.nodes[id].machine }

// Records are the node's durable records.
func (n *Network) Records(id sm.NodeID) []sm.Persist { return n.nodes[id].log }

// SetRecords replaces the durable records of a node that is down.
func (n *Network) SetRecords(id sm.NodeID, records []sm.Persist) { n.nodes[id].log = records }

// Crash stops the node at this instant. What is not durable is lost with what
// waits for it, or a part of it became durable just before.
func (n *Network) Crash(id sm.NodeID) {
	nd := n.nodes[id]
	if nd.machine == nil {
		return
	}
	keep := 0
	if len(nd.waiting) > 0 && n.random.IntN(2) == 0 {
		keep = n.random.IntN(len(nd.waiting) + 1)
	}
	for _, o := range nd.waiting[:keep] {
		if p, ok := o.effect.(sm.Persist); ok {
			nd.log = append(nd.log, p)
		}
	}
	nd.machine, nd.waiting, nd.covered, nd.timers = nil, nil, 0, nil
	nd.life++
	n.trace.note(n.now, id, "crash", nil)
}

// Restart builds the node's machine from its durable records.
func (n *Network) Restart(id sm.NodeID) {
	nd := n.nodes[id]
	if nd.machine != nil || n.err != nil {
		return
	}
	nd.life++
	nd.timers = map[sm.TimerKey]uint64{}
	records := make([]sm.Persist, len(nd.log))
	for i, p := range nd.log {
		records[i] = sm.Persist{Kind: p.Kind, Data: bytes.Clone(p.Data)}
	}
	n.trace.note(n.now, id, "start", nil)
	machine, effects := n.cfg.Factory(id, n.now, records)
	nd.machine = machine
	n.apply(nd, effects)
}

// Do lets the node consume an event now, if it is up.
func (n *Network) Do(id sm.NodeID, ev sm.Event) {
	nd := n.nodes[id]
	if nd.machine == nil || n.err != nil {
		return
	}
	n.step(nd, ev, fmt.Sprintf("%T", ev), nil)
}

func (n *Network) step(nd *node, ev sm.Event, what string, raw []byte) {
	n.steps++
	n.trace.note(n.now, nd.id, what, raw)
	n.apply(nd, nd.machine.Step(n.now, ev))
	if n.cfg.Check != nil && n.err == nil {
		if err := n.cfg.Check(); err != nil {
			n.Fail(err)
		}
	}
}

func (n *Network) apply(nd *node, effects []sm.Effect) {
	for _, e := range effects {
		switch e := e.(type) {
		case sm.Persist:
			nd.waiting = append(nd.waiting, op{sm.Persist{Kind: e.Kind, Data: bytes.Clone(e.Data)}, true})
		case sm.Send:
			nd.waiting = append(nd.waiting, op{freeze(e), false})
		case sm.Deliver:
			nd.waiting = append(nd.waiting, op{e, false})
		case sm.SetTimer:
			n.setTimer(nd, e)
		case sm.CancelTimer:
			delete(nd.timers, e.Key)
		default:
			n.answer(nd, e)
		}
	}
	n.release(nd)
}

// frozen is a Send whose message was encoded when the machine returned it: what
// the machine changes later does not travel.
type frozen struct {
	to  []sm.NodeID
	raw []byte
	msg string
}

func freeze(s sm.Send) frozen {
	return frozen{append([]sm.NodeID(nil), s.To...), s.Msg.AppendTo(nil), fmt.Sprintf("%T", s.Msg)}
}

// release lets go of what waits for nothing, and starts a sync if a record
// waits.
func (n *Network) release(nd *node) {
	if nd.covered > 0 {
		return
	}
	for len(nd.waiting) > 0 && !nd.waiting[0].persist {
		o := nd.waiting[0]
		nd.waiting = nd.waiting[1:]
		n.leave(nd, o.effect)
	}
	if len(nd.waiting) == 0 {
		nd.waiting = nil
		return
	}
	nd.covered = len(nd.waiting)
	life := nd.life
	n.After(n.between(n.cfg.Faults.MinSync, n.cfg.Faults.MaxSync), func() {
		if nd.life == life {
			n.synced(nd)
		}
	})
}

func (n *Network) synced(nd *node) {
	done := nd.waiting[:nd.covered]
	nd.waiting, nd.covered = nd.waiting[nd.covered:], 0
	life := nd.life
	for _, o := range done {
		if p, ok := o.effect.(sm.Persist); ok {
			nd.log = append(nd.log, p)
		}
	}
	for _, o := range done {
		if !o.persist && nd.life == life {
			n.leave(nd, o.effect)
		}
	}
	if nd.life == life {
		n.release(nd)
	}
}

func (n *Network) leave(nd *node, e sm.Effect) {
	switch e := e.(type) {
	case frozen:
		for _, to := range e.to {
			n.transmit(nd, to, e)
		}
	case sm.Deliver:
		if n.cfg.Delivered != nil {
			n.cfg.Delivered(nd.id, e.Value)
		}
	}
}

func (n *Network) setTimer(nd *node, e sm.SetTimer) {
	nd.timerNo++
	no, life := nd.timerNo, nd.life
	nd.timers[e.Key] = no
	n.at(e.At, func() {
		if nd.life == life && nd.timers[e.Key] == no {
			delete(nd.timers, e.Key)
			n.step(nd, sm.Fire{Key: e.Key}, fmt.Sprintf("timer %d/%d", e.Key.Kind, e.Key.N), nil)
		}
	})
}

func (n *Network) answer(nd *node, e sm.Effect) {
	if n.cfg.Answer == nil {
		n.Fail(fmt.Errorf("node %d: nobody answers a %T", nd.id, e))
		return
	}
	delay, ev := n.cfg.Answer(nd.id, e)
	if ev == nil {
		return
	}
	life := nd.life
	n.After(delay, func() {
		if nd.life == life && nd.machine != nil {
			n.step(nd, ev, fmt.Sprintf("%T", ev), nil)
		}
	})
}

func (n *Network) between(lo, hi time.Duration) time.Duration {
	if hi <= lo {
		return lo
	}
	return lo + time.Duration(n.random.Int64N(int64(hi-lo)))
}
