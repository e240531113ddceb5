package simnet

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"ios/atomix"
	"ios/chain"
	"ios/internal/sm"
	"ios/node/validator"
)

// host is a validator's process: the machines of the shards that it is in, of
// which there are two while it moves from one to the other. What they return is
// looked at before it is carried out.
type host struct {
	*Net
	m *member
}

// post is a validator's place in a shard.
type post struct {
	*member
	shard   chain.ShardID
	core    *validator.Core
	height  uint64
	disk    disk
	snaps   []snapshot
	ready   bool
	skipped map[chain.TxID]atomix.Skip
}

// seat is its seat in the committee that acts, -1 if it has none.
func (n *Net) seat(p *post) int { return n.current(p.shard).Seat(p.id) }

// post is the validator's place in a shard, nil if it has none.
func (m *member) post(s chain.ShardID) *post {
	for _, p := range m.posts {
		if p.shard == s {
			return p
		}
	}
	return nil
}

// there is the validator's place in a shard, or one that nobody holds.
func (m *member) there(s chain.ShardID) *post {
	if p := m.post(s); p != nil {
		return p
	}
	return &post{member: m, shard: s}
}

// up reports whether the machine of a place runs.
func (n *Net) up(p *post) bool { return n.sim.Up(p.id) && p.core != nil }

// What a host consumes and returns for one of its shards.
type (
	to struct {
		shard chain.ShardID
		event sm.Event
	}
	enlist struct{ shard chain.ShardID }
	asked  struct {
		*post
		effect sm.Effect
	}
	told struct {
		*post
		value any
	}
	// mail is what travels: a shard and an envelope for its machine.
	mail struct {
		Shard chain.ShardID
		*validator.Envelope
	}
)

// AppendTo appends the encoding.
func (l *mail) AppendTo(dst []byte) []byte {
	return l.Envelope.AppendTo(binary.BigEndian.AppendUint16(dst, uint16(l.Shard)))
}

func (n *Net) decode(raw []byte) (sm.Message, error) {
	if len(raw) < 2 {
		return nil, chain.Rule(chain.ErrEncoding, "a message of %d bytes", len(raw))
	}
	e, err := validator.Decode(n.params, raw[2:])
	if err != nil {
		return nil, err
	}
	l := &mail{chain.ShardID(binary.BigEndian.Uint16(raw)), e}
	if letter, ok := e.Msg.(*atomix.Letter); ok {
		letter.To = l.Shard
	}
	return l, nil
}

// timerShift puts the shard into the number of a timer.
const timerShift = 48

// Step implements sm.Machine.
func (h *host) Step(now time.Time, ev sm.Event) []sm.Effect {
	switch ev := ev.(type) {
	case enlist:
		if p := h.m.post(ev.shard); p != nil {
			return h.open(p, now, h.sim.Records(h.m.id))
		}
		return nil
	case to:
		return h.step(h.m.post(ev.shard), now, ev.event)
	case sm.Receive:
		l := ev.Msg.(*mail)
		return h.step(h.m.post(l.Shard), now, sm.Receive{From: ev.From, Msg: l.Envelope})
	case sm.Fire:
		p := h.m.post(chain.ShardID(ev.Key.N >> timerShift))
		ev.Key.N &= 1<<timerShift - 1
		return h.step(p, now, ev)
	}
	h.fail("validator %d: nobody consumes a %T", h.m.id, ev)
	return nil
}

func (h *host) step(p *post, now time.Time, ev sm.Event) []sm.Effect {
	if p == nil || p.core == nil {
		return nil // of a shard that it is not in
	}
	effects := p.core.Step(now, ev)
	h.stumble(h.m)
	out := h.wrap(p, effects)
	h.maybeLeave(p)
	return out
}

// wrap marks the effects as those of a shard's machine.
func (h *host) wrap(p *post, effects []sm.Effect) (out []sm.Effect) {
	n := uint64(p.shard) << timerShift
	for _, e := range effects {
		switch v := e.(type) {
		case sm.Persist:
			h.m.returned++
			v.Data = append(binary.BigEndian.AppendUint16(nil, uint16(p.shard)), v.Data...)
			e = v
		case sm.Send:
			env := v.Msg.(*validator.Envelope)
			v.Msg = &mail{env.Shard, env}
			e = v
		case sm.SetTimer:
			v.Key.N |= n
			e = v
		case sm.CancelTimer:
			v.Key.N |= n
			e = v
		case sm.Deliver:
			if d, ok := v.Value.(validator.Decided); ok && p.hostil == nil {
				h.judge.final(p, &d)
			}
			e = sm.Deliver{Value: told{p, v.Value}}
		default:
			e = asked{p, e}
		}
		out = append(out, e)
	}
	return out
}

// recordsOf are the records of a shard's machine among those of its host, from
// one of these on.
func recordsOf(records []sm.Persist, shard chain.ShardID, from int) (list []sm.Persist) {
	for _, r := range records[from:] {
		if chain.ShardID(binary.BigEndian.Uint16(r.Data)) == shard {
			list = append(list, sm.Persist{Kind: r.Kind, Data: r.Data[2:]})
		}
	}
	return list
}

// build is the Factory: what a node does when it starts.
func (n *Net) build(id sm.NodeID, now time.Time, records []sm.Persist) (sm.Machine, []sm.Effect) {
	if id >= firstClient {
		return n.buildClient(int(id-firstClient), now)
	}
	m := n.members[id]
	m.life++
	if m.life > 1 {
		n.stats.Restarts++
	}
	m.returned = len(records)
	h := &host{n, m}
	var effects []sm.Effect
	for _, p := range m.posts {
		effects = append(effects, h.open(p, now, records)...)
	}
	return h, effects
}

// open makes a shard's machine from its records.
func (h *host) open(p *post, now time.Time, records []sm.Persist) []sm.Effect {
	n := h.Net
	p.ready, p.skipped, p.core = false, map[chain.TxID]atomix.Skip{}, nil
	if err := p.disk.open(p.shard, records); err != nil {
		n.fail("%v: reading the log: %w", p, err)
	}
	core, err := n.recover(p, records)
	if err != nil {
		n.fail("%v does not restart: %w", p, err)
		return nil
	}
	p.core = core
	point := core.Point()
	if p.height = point.Height; p.hostil == nil {
		n.judge.restarted(p, &point)
	}
	effects := h.step(p, now, validator.Start{})
	for e := uint64(epoch + 1); e <= p.known; e++ {
		effects = append(effects, h.step(p, now, known(n.planOf(e)))...)
	}
	return effects
}

func (n *Net) recover(p *post, records []sm.Persist) (*validator.Core, error) {
	state, cfg := n.genesis(p.shard), n.config(p)
	from := 0
	for len(p.snaps) > 0 && p.snaps[len(p.snaps)-1].from > len(records) {
		p.snaps = p.snaps[:len(p.snaps)-1] // it was never finished
	}
	if len(p.snaps) > 0 {
		s := p.snaps[len(p.snaps)-1]
		loaded, err := atomix.LoadState(n.params, p.shard, [16]byte{7}, bytes.NewReader(s.state))
		if err != nil {
			return nil, err
		}
		n.stats.Snapshots++
		state, cfg.Saved, from = loaded, bytes.Clone(s.saved), s.from
	}
	cfg.State = state
	return validator.New(cfg, slices.Values(recordsOf(records, p.shard, from)))
}

var errNoAnswer = errors.New("no answer")
