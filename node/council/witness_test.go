package council

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"time"

	"ios/chain"
	"ios/drp"
	"ios/eds"
	"ios/internal/sim"
	"ios/internal/sm"
	"ios/transepoch/identity"
)

// sabotage breaks a rule in all honest validators on purpose, to see that it is
// noticed.
type sabotage struct {
	credulous bool // servers open shares for any sign-off
	blind     bool // members ack bodies that are found wrong
	gullible  bool // members ack any seed at once
	forgetful sm.NodeID
	forgets   bool // that validator keeps no record of its dealings
}

// witness is what is seen of the beacon on the wire.
type witness struct {
	dealt  map[string][]byte              // by epoch, view and server
	signed map[uint64]map[chain.Hash]bool // by epoch, choices that were signed off
	listen map[sm.NodeID]sim.Filter       // what hostile ones do with what they hear
}

// hears has every message that reaches a validator looked at.
func (w *world) hears(id sm.NodeID) sim.Filter {
	return func(now time.Time, from sm.NodeID, msg sm.Message) []sim.Parcel {
		if !w.hostile[from] {
			w.watch(from, msg)
		} else if e, ok := msg.(*Envelope); ok {
			if m, ok := e.Msg.(*drp.Show); ok {
				w.shown(m)
			}
		}
		if f := w.seen.listen[id]; f != nil {
			return f(now, from, msg)
		}
		return sim.Pass(id, msg)
	}
}

// watch wants honest servers to deal once in a view, and to open their shares of
// what was signed off and nothing else.
func (w *world) watch(from sm.NodeID, msg sm.Message) {
	e, ok := msg.(*Envelope)
	if !ok {
		return
	}
	switch m := e.Msg.(type) {
	case *drp.Deal:
		d, err := drp.DecodeDealing(m.Raw)
		if err != nil {
			w.net.Fail(fmt.Errorf("honest server %d: %w", from, err))
			return
		}
		key := fmt.Sprint(m.Epoch, " ", d.View, " ", from)
		if old, ok := w.seen.dealt[key]; ok && !bytes.Equal(old, m.Raw) {
			w.net.Fail(fmt.Errorf("invariant 1: honest server %d shows two dealings for view %d of epoch %d", from, d.View, m.Epoch))
		}
		w.seen.dealt[key] = bytes.Clone(m.Raw)
	case *drp.Show:
		w.shown(m)
	case *drp.Open:
		if m.Epoch <= w.epoch()+1 && !w.seen.signed[m.Epoch][m.Choice] {
			w.net.Fail(fmt.Errorf("invariant 1: honest server %d opens its shares for epoch %d and choice %s, which is not signed off", from, m.Epoch, m.Choice.Short()))
		}
	}
}

// shown takes note of a sign-off that holds.
func (w *world) shown(m *drp.Show) {
	if cfg := w.book.Beacon(); m.Epoch == cfg.Epoch && !w.seen.signed[m.Epoch][m.Choice] && cfg.VerifySignOff(m.View, m.Choice, m.SignOff) == nil {
		w.signedOff(m.Epoch, m.Choice)
	}
}

func (w *world) signedOff(epoch uint64, choice chain.Hash) {
	if w.seen.signed[epoch] == nil {
		w.seen.signed[epoch] = map[chain.Hash]bool{}
	}
	if w.seen.signed[epoch][choice] = true; len(w.seen.signed[epoch]) > 1 {
		w.net.Fail(fmt.Errorf("invariant 1: two choices are signed off for epoch %d", epoch))
	}
}

// drawnFor reports whether the lottery can have drawn a validator in a view: it has
// one of the lowest tickets, those left out who may have failed before.
func (w *world) drawnFor(id sm.NodeID, epoch, view uint64) bool {
	input := eds.TicketInput(w.genesis.ID(), w.book.Current().Random, epoch, view)
	type lot struct {
		id     chain.ValidatorID
		output []byte
	}
	var lots []lot
	for _, m := range w.book.Validators() {
		proof := must(w.keys[m.ID].vrf.Prove(input))
		out := must(proof.Output())
		lots = append(lots, lot{m.ID, out[:]})
	}
	slices.SortFunc(lots, func(a, b lot) int { return cmp.Or(bytes.Compare(a.output, b.output), int(a.id)-int(b.id)) })
	most := min(len(lots), eds.Ranks+(len(lots)-1)/3)
	return slices.ContainsFunc(lots[:most], func(l lot) bool { return l.id == id })
}

// backedBy reports whether an honest member backs a leader in a view: by the tickets
// that it knows, which need not be all.
func (w *world) backedBy(id sm.NodeID, view uint64) bool {
	return slices.ContainsFunc(w.ids, func(voter sm.NodeID) bool { return !w.hostile[voter] && w.core(voter).backed(id, view) })
}

// judgeSeed wants the seed that takes effect to be by a leader, unless the lottery
// has gone on to another view.
func (w *world) judgeSeed(op *identity.Seed, author chain.ValidatorID) {
	choice := must(drp.DecodeChoice(op.Choice))
	w.signedOff(op.Epoch, choice.Hash())
	for _, id := range w.ids {
		if c := w.core(id); c == nil || c.beacon == nil || c.beacon.round.View > choice.View {
			return
		}
	}
	if op.Epoch == w.epoch()+1 && len(w.held) == 0 && !w.drawnFor(author, op.Epoch, choice.View) && !w.backedBy(author, choice.View) {
		w.net.Fail(fmt.Errorf("the seed of epoch %d is by validator %d, which the lottery has not drawn in view %d", op.Epoch, author, choice.View))
	}
}

// spoil breaks the rules of a core that sabotage is about.
func (w *world) spoil(c *Core) {
	s := &w.plan.sabotage
	if s.credulous && c.beacon != nil {
		c.beacon.cfg.VerifySignOff = func(uint64, chain.Hash, []byte) error { return nil }
	}
	if s.gullible {
		for _, h := range c.gate.seeds {
			if c.gate.stands == nil {
				c.gate.others, c.gate.stands = map[chain.ValidatorID][]chain.BodyRef{}, map[chain.BodyRef]int{}
			}
			c.gate.stands[h.ref], c.gate.dirty = len(w.ids), true
		}
	}
}
