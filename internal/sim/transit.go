package sim

import (
	"bytes"
	"fmt"
	"time"

	"ios/internal/sm"
)

// Faults are what the links and disks do to everybody. The zero value is a
// perfect network without delay.
type Faults struct {
	MinDelay, MaxDelay time.Duration // of a message
	Loss               float64       // probability that a message is lost
	Duplicate          float64       // probability that it arrives twice
	Reorder            float64       // probability that it does not wait for those sent before
	MinSync, MaxSync   time.Duration // until records are durable
}

// SetFaults changes the faults from now on.
func (n *Network) SetFaults(f Faults) { n.cfg.Faults = f }

// Parcel is a message to a node.
type Parcel struct {
	To  sm.NodeID
	Msg sm.Message
}

// Filter sees a message between a node and its peer and says what becomes of it:
// nothing drops it; an altered, redirected or additional parcel takes its place.
// For an arriving message, To of the parcels is not looked at.
type Filter func(now time.Time, peer sm.NodeID, msg sm.Message) []Parcel

// Pass lets a message through.
func Pass(to sm.NodeID, msg sm.Message) []Parcel { return []Parcel{{to, msg}} }

// FilterOut sets what happens to the messages that the node sends, nil for
// nothing. It makes the node Byzantine.
func (n *Network) FilterOut(id sm.NodeID, f Filter) { n.nodes[id].out = f }

// FilterIn sets what happens to the messages that reach the node.
func (n *Network) FilterIn(id sm.NodeID, f Filter) { n.nodes[id].in = f }

// Inject sends a message as if it came from a node's own transport, past its
// filter.
func (n *Network) Inject(from, to sm.NodeID, msg sm.Message) {
	n.carry(from, to, msg.AppendTo(nil), false)
}

// InjectRaw sends bytes that may be no message at all.
func (n *Network) InjectRaw(from, to sm.NodeID, raw []byte) {
	n.carry(from, to, bytes.Clone(raw), false)
}

func (n *Network) transmit(nd *node, to sm.NodeID, e frozen) {
	if nd.out == nil {
		n.carry(nd.id, to, e.raw, true)
		return
	}
	msg, err := n.cfg.Decode(bytes.Clone(e.raw))
	if err != nil {
		n.Fail(fmt.Errorf("node %d sends a %s that does not decode: %w", nd.id, e.msg, err))
		return
	}
	for _, p := range nd.out(n.now, to, msg) {
		n.carry(nd.id, p.To, p.Msg.AppendTo(nil), false)
	}
}

func (n *Network) cut(from, to sm.NodeID) bool { return n.side[from] != n.side[to] }

// carry puts bytes on the link. Those that are an honest machine's own must
// decode.
func (n *Network) carry(from, to sm.NodeID, raw []byte, own bool) {
	f := &n.cfg.Faults
	if n.nodes[to] == nil {
		return
	}
	copies := 1
	if from != to {
		if n.cut(from, to) || n.chance(f.Loss) {
			return
		}
		if n.chance(f.Duplicate) {
			copies = 2
		}
	}
	for range copies {
		at := n.now.Add(n.between(f.MinDelay, f.MaxDelay))
		l := link{from, to}
		if !n.chance(f.Reorder) {
			if at.Before(n.last[l]) {
				at = n.last[l]
			}
			n.last[l] = at
		}
		n.at(at, func() { n.arrive(from, to, bytes.Clone(raw), own) })
	}
}

func (n *Network) chance(p float64) bool { return p > 0 && n.random.Float64() < p }

func (n *Network) arrive(from, to sm.NodeID, raw []byte, own bool) {
	nd := n.nodes[to]
	if nd.machine == nil || n.cut(from, to) {
		return
	}
	msg, err := n.cfg.Decode(raw)
	if err != nil {
		if own {
			n.Fail(fmt.Errorf("node %d sent node %d what does not decode: %w", from, to, err))
		}
		return // as the transport of a node drops it
	}
	if nd.in == nil {
		n.receive(nd, from, msg, raw)
		return
	}
	for _, p := range nd.in(n.now, from, msg) {
		n.receive(nd, from, p.Msg, p.Msg.AppendTo(nil))
	}
}

func (n *Network) receive(nd *node, from sm.NodeID, msg sm.Message, raw []byte) {
	n.step(nd, sm.Receive{From: from, Msg: msg}, fmt.Sprintf("%T from %d", msg, from), raw)
}

// Partition cuts the network into sides; a node that is named nowhere is on the
// first.
func (n *Network) Partition(sides ...[]sm.NodeID) {
	clear(n.side)
	for i, side := range sides {
		for _, id := range side {
			n.side[id] = i
		}
	}
}

// Heal ends the partition.
func (n *Network) Heal() { clear(n.side) }
