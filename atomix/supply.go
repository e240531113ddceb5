package atomix

import (
	"fmt"
	"maps"
	"math/bits"
	"slices"
)

// Supply is what the shard holds. Value less the sum of Between never changes:
// over all shards it is the genesis supply at any moment, and the Between of one
// expiry add up to zero once nothing with it is open anywhere.
type Supply struct {
	Value   uint64 // Coins, Locked and Fees
	Coins   uint64
	Locked  uint64 // inputs of open transfers
	Fees    uint64
	Base    uint64 // what the genesis allocated here
	Open    int    // transfers that wait for other shards
	Between []Between
}

// Between is what committed transfers across shards with one expiry brought in:
// outputs and fees less inputs.
type Between struct {
	Expiry uint64
	Net    Net
}

// Supply reads the counters, those of the open execution while there is one.
func (s *State) Supply() Supply {
	sp := Supply{
		Value: s.sums.value, Coins: s.coins.Value(), Locked: s.sums.locked, Fees: s.sums.fees,
		Base: s.base, Open: len(s.open),
	}
	for _, x := range slices.Sorted(maps.Keys(s.between)) {
		sp.Between = append(sp.Between, Between{x, s.between[x]})
	}
	return sp
}

// BetweenSum is the sum over all expiries.
func (sp *Supply) BetweenSum() (n Net) {
	for i := range sp.Between {
		n = n.Plus(sp.Between[i].Net)
	}
	return n
}

// Audit counts everything anew and compares it with the counters. It walks the
// whole state.
func (s *State) Audit() error {
	if s.broken != nil {
		return fmt.Errorf("atomix: an execution could not be taken back: %w; restart from the snapshot", s.broken)
	}
	_, value, err := s.coins.Recount()
	if err != nil {
		return fmt.Errorf("atomix: shard %d: %w", s.shard, err)
	}
	var locked uint64
	inputs := 0
	for id, rec := range s.open {
		for in := range s.ownInputs(rec.tx) {
			locked += in.Amount
			inputs++
			if s.locked[in.OutPoint] != id {
				return fmt.Errorf("atomix: shard %d: an input of %s is not marked as locked", s.shard, id.Short())
			}
		}
		if _, both := s.decided[id]; both {
			return fmt.Errorf("atomix: shard %d: %s is both open and decided", s.shard, id.Short())
		}
	}
	sp := s.Supply()
	sum, carry1 := bits.Add64(value, locked, 0)
	sum, carry2 := bits.Add64(sum, sp.Fees, 0)
	between := sp.BetweenSum()
	due := Net{Lo: sp.Base}
	due = due.Plus(between)
	switch {
	case inputs != len(s.locked) || locked != sp.Locked:
		return fmt.Errorf("atomix: shard %d: %d inputs worth %d are locked, the counters say %d worth %d",
			s.shard, inputs, locked, len(s.locked), sp.Locked)
	case carry1|carry2 != 0 || sum != sp.Value:
		return fmt.Errorf("atomix: shard %d: coins %d, locks %d and fees %d are not the value %d",
			s.shard, value, locked, sp.Fees, sp.Value)
	case due != Net{Lo: sp.Value}:
		return fmt.Errorf("atomix: shard %d: the value %d is not the genesis' %d and %v from other shards",
			s.shard, sp.Value, sp.Base, between)
	}
	return nil
}
