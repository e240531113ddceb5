package node

import (
	"encoding/binary"
	"fmt"

	"ios/chain"
	"ios/chain/store"
	"ios/internal/sm"
	"ios/pob/byzcoin"
)

// apply carries out the effects of a step. Sends, and what is told to clients,
// wait for the records before them.
func (r *runner) apply(effects []sm.Effect) {
	var records []store.Record
	var after []func()
	for _, e := range effects {
		switch e := e.(type) {
		case sm.Persist:
			records = append(records, store.Record{Kind: e.Kind, Data: e.Data})
		case sm.Send:
			after = append(after, func() { r.send(e) })
		case sm.SetTimer:
			r.timers.set(e.Key, e.At)
		case sm.CancelTimer:
			r.timers.cancel(e.Key)
		case sm.Deliver:
			if f := r.delivered(e.Value); f != nil {
				after = append(after, f)
			}
		case byzcoin.Serve:
			r.read.do(func() { r.serve(e) })
		case byzcoin.ReadHeader:
			r.read.do(func() { r.readHeader(e) })
		case byzcoin.ReadBody:
			r.read.do(func() { r.serveBody(e) })
		default:
			r.owner.effect(e)
		}
	}
	if len(records) == 0 && len(after) == 0 {
		return
	}
	r.disk.append(records, func() {
		for _, f := range after {
			f()
		}
	})
}

// abroad is a message that is for another chain than the one that it comes from.
type abroad interface{ For() chain.ShardID }

// send encodes a message once for all its receivers. It runs on the log's
// goroutine, and messages do not change.
func (r *runner) send(e sm.Send) {
	to := r.chain
	if m, ok := e.Msg.(abroad); ok {
		to = m.For()
	}
	head, payload := chainHead(to), e.Msg.AppendTo(nil)
	for _, v := range e.To {
		r.node.wire.Send(v, head, payload)
	}
}

// chainHead is what goes before a message on the wire: for which chain it is.
func chainHead(id chain.ShardID) []byte {
	return binary.BigEndian.AppendUint16(nil, uint16(id))
}

// delivered consumes what the machine delivers. What it returns is done once the
// records of the step are durable.
func (r *runner) delivered(value any) func() {
	switch v := value.(type) {
	case byzcoin.Status:
		r.view.agreement(v)
	case byzcoin.ViewChanged:
		r.log.WithField("view", v.View).Infof("the leader is now %s: %s", r.node.net.name(v.Leader), v.Reason)
		r.view.leader(v)
	case byzcoin.Dropped:
		r.log.Errorf("gave up %d bodies (%d bytes) that were stored in term %v and that no block has taken since: too many wait; clients whose transactions do not become final have to submit them again", v.Bodies, v.Bytes, v.From)
		return r.owner.delivered(value)
	case byzcoin.Misbehaviour:
		r.node.misbehaved(v.Who, fmt.Errorf("%s: %s", v.What, v.Cause), v.Drop)
	default:
		return r.owner.delivered(value)
	}
	return nil
}
