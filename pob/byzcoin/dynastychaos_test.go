package byzcoin

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"ios/chain"
	"ios/internal/sim"
	"ios/internal/sm"
)

// randomScript swaps, adds and removes seats, a few at a time or all at once.
func randomScript(r *rand.Rand, validators, terms int) (script []reign) {
	seats := r.Perm(validators)[:4+r.IntN(3)]
	term := chain.Term{Epoch: 1}
	for range terms {
		script = append(script, reign{term, slices.Clone(seats)})
		if term.Batch++; r.IntN(3) == 0 {
			term = chain.Term{Epoch: term.Epoch + 1}
		}
		out := slices.DeleteFunc(r.Perm(validators), func(v int) bool { return slices.Contains(seats, v) })
		switch r.IntN(6) {
		case 0:
			seats = append(seats, out[:min(len(out), 1+r.IntN(2))]...)
		case 1:
			if len(seats) > 4 {
				seats = seats[:len(seats)-1]
			}
		case 2: // as many as there are others
			for i := range min(len(out), len(seats)) {
				seats[i] = out[i]
			}
		case 3:
			r.Shuffle(len(seats), func(i, j int) { seats[i], seats[j] = seats[j], seats[i] })
		default:
			for i := range min(len(out), 1+r.IntN(2)) {
				seats[r.IntN(len(seats))] = out[i]
				out = out[i+1:]
				break
			}
		}
	}
	return script
}

// TestDynastyChaos runs chains of many committees through every fault at once.
func TestDynastyChaos(t *testing.T) {
	first := firstSeed(t)
	for seed := first; seed < first+seeds(t, 3); seed++ {
		dynastyChaos(t, seed)
	}
}

func dynastyChaos(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 0xd1a))
	size := 8 + r.IntN(3)
	script := randomScript(r, size, 4+r.IntN(4))
	d := newDynasty(t, size, script, seed, sim.Mix(seed))
	d.chaotic = true
	down := 1
	if r.IntN(2) == 0 { // as few as leave every committee its quorum of honest members
		d.corrupt(r.IntN(size), seed)
		down = 0
	}
	if r.IntN(3) == 0 {
		down = size
	}
	if down > 0 || r.IntN(2) == 0 {
		d.net.Unleash(sim.Chaos{Until: 10 * time.Second, Nodes: d.ids, Down: max(down, 1), Every: 500 * time.Millisecond, Pause: time.Second}, calm)
	} else {
		d.net.After(10*time.Second, func() { d.net.SetFaults(calm) })
	}
	if r.IntN(2) == 0 {
		for range 60 {
			d.net.After(time.Duration(r.Int64N(int64(10*time.Second))), func() { d.snap(r.IntN(size)) })
		}
	}
	if r.IntN(2) == 0 { // some learn of a committee late
		for range 4 {
			v, term := r.IntN(size), d.terms[1+r.IntN(len(d.terms)-1)]
			d.unknown[d.ids[v]] = term
			d.net.After(time.Duration(r.Int64N(int64(10*time.Second))), func() {
				delete(d.unknown, d.ids[v])
				d.net.Do(d.ids[v], CommitteesChanged{})
			})
		}
	}
	last := len(script) - 1
	d.turns(time.Duration(200+r.IntN(1500))*time.Millisecond, last)
	d.load(120, 10*time.Second)
	d.net.RunFor(10*time.Second + 100*time.Millisecond)
	d.eventually(fmt.Sprintf("the last term, with seed %d", seed), func() bool { return d.at == last }, 2*time.Minute)
	d.eventually(fmt.Sprintf("everybody is there, with seed %d", seed), d.settled, 2*time.Minute)
	if testing.Verbose() {
		t.Logf("seed %d: %d validators, %d terms, %d Byzantine, %d faults seen, %d blocks, %d bodies held, %d steps", seed, size, len(script), len(d.shirks), len(d.faults), d.top, len(d.held), d.net.Steps())
	}
}

// corrupt makes a validator lie: about what it sends to its committee, about how
// far it is, and about old blocks.
func (d *dynasty) corrupt(v int, seed uint64) {
	id := d.ids[v]
	d.shirks[id] = true
	r := rand.New(rand.NewPCG(seed, uint64(v)))
	pick := func(of ...int) int { return of[r.IntN(len(of))] }
	drop, alter, replay, lie := pick(0, 10, 60), pick(0, 5, 20), pick(0, 5, 20), pick(0, 50, 100)
	chance := func(percent int) bool { return r.IntN(100) < percent }
	var past []sm.Message
	d.net.FilterOut(id, func(_ time.Time, to sm.NodeID, msg sm.Message) (out []sim.Parcel) {
		if len(past) < 200 {
			past = append(past, msg)
		} else {
			past[r.IntN(len(past))] = msg
		}
		if chance(replay) {
			out = append(out, sim.Parcel{To: d.ids[r.IntN(len(d.ids))], Msg: past[r.IntN(len(past))]})
		}
		if chance(lie) {
			out = append(out, sim.Parcel{To: to, Msg: d.lie(r)})
			msg = d.forge(v, msg)
		}
		if chance(drop) {
			return out
		}
		if chance(alter) {
			raw := msg.AppendTo(nil)
			raw[1+r.IntN(len(raw)-1)] ^= 1 << r.IntN(8)
			if bad, err := Decode(raw); err == nil {
				msg = bad
			}
		}
		return append(out, sim.Parcel{To: to, Msg: msg})
	})
}

// lie says that its sender is where nobody is.
func (d *dynasty) lie(r *rand.Rand) sm.Message {
	term := d.terms[d.at]
	switch r.IntN(4) {
	case 0:
		term.Batch++
	case 1:
		term = chain.Term{Epoch: term.Epoch + 1}
	case 2:
		term.Epoch += uint64(r.IntN(1000))
	}
	if r.IntN(3) == 0 {
		return &Tagged{term, &Query{Nonce: 1}}
	}
	return &Ahead{term, d.top + uint64(r.IntN(1000))}
}

// forge contradicts a message with its own keys.
func (d *dynasty) forge(v int, msg sm.Message) sm.Message {
	t, ok := msg.(*Tagged)
	if !ok {
		return msg
	}
	switch m := t.Msg.(type) {
	case *Body:
		if m.Body.Author == d.ids[v] {
			b := *m.Body
			b.Payload = append([]byte("another "), b.Payload...)
			b.SignBody(d.keys[v])
			return &Tagged{t.Term, &Body{&b}}
		}
	case *Share:
		s := *m
		s.Block = chain.Hash{1}
		return &Tagged{t.Term, &s}
	case *ViewChange:
		c := *m
		c.Change.View++
		return &Tagged{t.Term, &c}
	}
	return msg
}
