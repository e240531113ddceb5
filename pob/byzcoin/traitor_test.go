package byzcoin

import (
	"math/rand/v2"
	"time"

	"ios/chain"
	"ios/internal/sim"
	"ios/internal/sm"
)

// traitor is a member that runs the protocol, except that it drops, repeats,
// redirects, alters and contradicts what it sends.
type traitor struct {
	c      *cluster
	seat   int
	random *rand.Rand
	past   []sm.Message
	// How often it does what, in percent.
	drop, replay, alter, contradict int
}

func (c *cluster) corrupt(seat int, seed uint64) {
	r := rand.New(rand.NewPCG(seed, uint64(seat)))
	pick := func(of ...int) int { return of[r.IntN(len(of))] }
	tr := &traitor{c: c, seat: seat, random: r, drop: pick(0, 10, 60), replay: pick(0, 5, 20), alter: pick(0, 5, 20), contradict: pick(0, 30, 100)}
	c.net.FilterOut(c.ids[seat], tr.out)
}

func (tr *traitor) chance(percent int) bool { return tr.random.IntN(100) < percent }

func (tr *traitor) out(_ time.Time, to sm.NodeID, msg sm.Message) []sim.Parcel {
	if len(tr.past) < 200 {
		tr.past = append(tr.past, msg)
	} else {
		tr.past[tr.random.IntN(len(tr.past))] = msg
	}
	if tr.chance(tr.contradict) {
		if other := tr.other(msg); other != nil {
			msg = other
		}
	}
	var out []sim.Parcel
	if !tr.chance(tr.drop) {
		if tr.chance(tr.alter) {
			msg = tr.altered(msg)
		}
		out = append(out, sim.Parcel{To: to, Msg: msg})
	}
	if tr.chance(tr.replay) {
		out = append(out, sim.Parcel{To: tr.c.ids[tr.random.IntN(len(tr.c.ids))], Msg: tr.past[tr.random.IntN(len(tr.past))]})
	}
	return out
}

// altered flips a byte, if the result is still a message.
func (tr *traitor) altered(msg sm.Message) sm.Message {
	raw := msg.AppendTo(nil)
	raw[1+tr.random.IntN(len(raw)-1)] ^= 1 << tr.random.IntN(8)
	if bad, err := Decode(raw); err == nil {
		return bad
	}
	return msg
}

// other is a signed contradiction to a message.
func (tr *traitor) other(msg sm.Message) sm.Message {
	c := tr.c
	switch msg := msg.(type) {
	case *Proposal:
		if len(msg.Refs) < 2 || c.cfg.Members[msg.View%uint64(len(c.ids))] != c.ids[tr.seat] || !c.net.Up(c.ids[tr.seat]) {
			return nil
		}
		known := true
		at := c.payloadAt(tr.seat)
		for _, ref := range msg.Refs {
			known = known && at(ref) != nil
		}
		if known {
			return c.forge(msg, msg.Refs[:1+tr.random.IntN(len(msg.Refs)-1)], c.stateOf(tr.seat), at)
		}
	case *Body:
		if msg.Body.Author == c.ids[tr.seat] {
			b := *msg.Body
			b.Payload = append([]byte("another "), b.Payload...)
			b.SignBody(c.keys[tr.seat])
			return &Body{&b}
		}
	case *Share:
		s := *msg
		s.Block = chain.Hash{byte(tr.random.IntN(3))}
		s.Votes.Sig, _ = c.sign[tr.seat](chain.VoteBytes(c.machine0().voteHeader(s.Height), s.Block, s.View, s.Phase))
		return &s
	case *ViewChange:
		v := *msg
		v.Change.Prepared, v.Prepared = nil, nil
		v.Change.Signature = c.keys[tr.seat].Sign(c.machine0().changeBytes(&v.Change))
		return &v
	case *Certified:
		return &Certified{Height: msg.Height + 1, Block: msg.Block, Cert: msg.Cert}
	}
	return nil
}

// machine0 is any machine that is up, for what all have in common.
func (c *cluster) machine0() *Machine {
	for seat := range c.ids {
		if m := c.machine(seat); m != nil {
			return m
		}
	}
	return newMachine(c.cfg)
}
