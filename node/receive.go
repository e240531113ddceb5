package node

import (
	"encoding/binary"
	"fmt"
	"time"

	"ios/chain"
)

// received is the transport's handler: it finds the chain that a message is for.
func (n *Node) received(from chain.ValidatorID, payload []byte) {
	<-n.wired
	if err := n.rates.count(from, time.Now()); err != nil {
		n.misbehaved(from, err, true)
		return
	}
	if len(payload) < 2 {
		n.misbehaved(from, chain.Rule(chain.ErrEncoding, "a message of %d bytes", len(payload)), true)
		return
	}
	r := n.runner(chain.ShardID(binary.BigEndian.Uint16(payload)))
	if r == nil || !r.open.Load() {
		// Its sender may know of a committee that we have left, or do not know yet.
		n.stats.strays.Inc()
		return
	}
	r.received(from, payload[2:])
}

// received decodes a message off the loop.
func (r *runner) received(from chain.ValidatorID, payload []byte) {
	msg, err := r.owner.decode(payload)
	if err != nil {
		r.node.misbehaved(from, fmt.Errorf("a message that does not decode: %w", err), true)
		return
	}
	if in, ok := r.inbox.take(from, msg, len(payload)); ok {
		r.post(in)
	}
}

// misbehaved logs what a peer did and, if it is bad enough, cuts it off.
func (n *Node) misbehaved(who chain.ValidatorID, reason error, drop bool) {
	n.faults.log(n.log.WithField("peer", n.net.name(who)), reason)
	if drop && who != n.net.self {
		n.wire.Drop(who, reason)
		for _, r := range n.runners() {
			r.inbox.cut(who)
		}
	}
}
