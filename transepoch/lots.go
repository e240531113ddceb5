package transepoch

import (
	"fmt"
	"slices"

	"ios/chain"
)

// candidate is somebody in want of a seat. home is the shard that it was drawn
// to leave, -1 for a newcomer.
type candidate struct {
	id   chain.ValidatorID
	home int
}

// drawSeats draws who of the newcomers and leavers comes to which shard. A
// leaver that cannot be kept from its own shard is no leaver then.
func (d *draft) drawSeats() error {
	var pool []candidate
	for _, v := range d.newcomers {
		pool = append(pool, candidate{v, -1})
	}
	var free []int // the shard of each free seat
	for j := range d.shards {
		s := &d.shards[j]
		if s.stalled {
			continue
		}
		for _, v := range s.leavers {
			pool = append(pool, candidate{v, j})
		}
		for range s.size - (len(s.rest) - len(s.leavers)) {
			free = append(free, j)
		}
	}
	if d.moving == 0 {
		return nil // newcomers wait until a shard moves
	}
	if len(pool) != len(free) {
		return fmt.Errorf("transepoch: %d validators for %d free seats in epoch %d: the plan is wrong, report this input", len(pool), len(free), d.in.Epoch)
	}
	drawn := make([]candidate, len(pool))
	for i, from := range d.lot(tagSeats, 0, len(pool)) {
		drawn[i] = pool[from]
	}
	part(drawn, free)
	for i, c := range drawn {
		s := &d.shards[free[i]]
		if c.home == free[i] {
			s.leavers = slices.DeleteFunc(s.leavers, func(v chain.ValidatorID) bool { return v == c.id })
		} else {
			s.joiners = append(s.joiners, c.id)
		}
	}
	return nil
}

// part keeps leavers from their own shards: one that was drawn to it trades with
// the next, in a circle, that neither comes from nor was drawn to that shard.
// No trade brings anybody home, and nobody is left at home that could be
// elsewhere: if there is no one to trade with, every other candidate comes from
// that shard or has a seat in it, so that those from it outnumber the seats
// outside by just those who are left.
func part(drawn []candidate, free []int) {
	n := len(drawn)
	for i := range drawn {
		home := drawn[i].home
		if home != free[i] {
			continue
		}
		for step := 1; step < n; step++ {
			k := (i + step) % n
			if free[k] != home && drawn[k].home != home {
				drawn[i], drawn[k] = drawn[k], drawn[i]
				break
			}
		}
	}
}

// batches orders the changes of a shard and cuts them. Seats that nobody takes
// go first: that needs nobody to be ready, and makes the quorum follow those
// who are there. Then who has to leave is replaced, then who was drawn to; new
// seats are last.
func (d *draft) batches(j int) Transition {
	s := &d.shards[j]
	seats := slices.Clone(d.in.Old[j])
	t := Transition{BatchSize: d.in.batchSize(min(len(seats), s.size))}
	var swaps []Swap
	change := func(w Swap) {
		swaps = append(swaps, w)
		seats = apply(seats, []Swap{w})
	}
	leave, join := append(slices.Clone(s.gone), s.leavers...), s.joiners
	for ; len(leave) > len(join); leave = leave[1:] {
		change(Swap{slices.Index(seats, leave[0]), leave[0], None})
	}
	for ; len(leave) > 0; leave, join = leave[1:], join[1:] {
		change(Swap{slices.Index(seats, leave[0]), leave[0], join[0]})
	}
	for ; len(join) > 0; join = join[1:] {
		change(Swap{len(seats), None, join[0]})
	}
	for batch := range slices.Chunk(swaps, t.BatchSize) {
		t.Batches = append(t.Batches, slices.Clip(batch))
	}
	return t
}
