package drp

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"ios/chain"
	"ios/drp/pvss"
)

// Groups are the groups of a view: a permutation that nobody chooses, cut into
// parts whose sizes differ by at most one, the larger ones first, none smaller
// than the configured size. Up to OneGroup servers are one group. Within a group
// the servers are in ascending order.
func Groups(cfg *Config, view uint64) [][]chain.ValidatorID {
	parts := cfg.groups(view)
	ids := make([][]chain.ValidatorID, len(parts))
	for g, members := range parts {
		for _, i := range members {
			ids[g] = append(ids[g], cfg.Servers[i].ID)
		}
	}
	return ids
}

// groupSizes are the sizes of the groups of n servers.
func groupSizes(n, least int) []int {
	count := 1
	if n > OneGroup {
		count = max(1, n/least)
	}
	sizes := make([]int, count)
	for g := range sizes {
		sizes[g] = n / count
		if g < n%count {
			sizes[g]++
		}
	}
	return sizes
}

// groups has the places of the servers in the configuration. The permutation
// sorts the servers by a hash of each with the seed.
func (c *Config) groups(view uint64) [][]int {
	w := newWriter(tagGroup)
	w.Write(c.ChainID[:])
	w.Write(c.Previous[:])
	w.u64(c.Epoch)
	w.u64(view)
	seed := w.sum()
	keys := make([]chain.Hash, len(c.Servers))
	order := make([]int, len(c.Servers))
	for i := range order {
		w := newWriter(tagGroup)
		w.Write(seed[:])
		w.u16(uint16(c.Servers[i].ID))
		keys[i], order[i] = w.sum(), i
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(bytes.Compare(keys[a][:], keys[b][:]), cmp.Compare(a, b))
	})
	sizes := groupSizes(len(order), c.GroupSize)
	parts := make([][]int, len(sizes))
	for g, size := range sizes {
		parts[g], order = order[:size:size], order[size:]
		slices.Sort(parts[g])
	}
	return parts
}

// run is a configuration with what is computed once from it.
type run struct {
	cfg   *Config
	setup chain.Hash
	views []*layout // the last ones that were asked for
}

// keptViews is how many layouts a run remembers.
const keptViews = 4

func newRun(cfg *Config) (*run, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	return &run{cfg: cfg, setup: cfg.hash()}, nil
}

// layout is the grouping of a view.
type layout struct {
	run       *run
	view      uint64
	groups    [][]int // of places in the configuration
	seats     []seat  // of each server
	receivers []*pvss.Receivers
}

// seat is the place of a server in a view.
type seat struct{ group, index int }

func (r *run) layout(view uint64) *layout {
	for _, l := range r.views {
		if l.view == view {
			return l
		}
	}
	l := &layout{run: r, view: view, groups: r.cfg.groups(view), seats: make([]seat, len(r.cfg.Servers))}
	l.receivers = make([]*pvss.Receivers, len(l.groups))
	for g, members := range l.groups {
		for index, i := range members {
			l.seats[i] = seat{g, index}
		}
	}
	if len(r.views) >= keptViews {
		r.views = slices.Delete(r.views, 0, 1)
	}
	r.views = append(r.views, l)
	return l
}

// of are the parsed keys of a group.
func (l *layout) of(group int) (*pvss.Receivers, error) {
	if l.receivers[group] == nil {
		keys := make([]pvss.PublicKey, len(l.groups[group]))
		for index, i := range l.groups[group] {
			keys[index] = l.run.cfg.Servers[i].Key
		}
		r, err := pvss.ParseReceivers(keys)
		if err != nil {
			return nil, fmt.Errorf("drp: group %d of view %d: %w", group, l.view, err)
		}
		l.receivers[group] = r
	}
	return l.receivers[group], nil
}

// context is what the shares of a dealer to its group are bound to.
func (l *layout) context(group int, dealer chain.ValidatorID) pvss.Context {
	w := newWriter(tagSession)
	w.Write(l.run.setup[:])
	w.u64(l.view)
	w.u16(uint16(group))
	return pvss.Context{Session: w.sum(), Dealer: uint16(dealer)}
}

// threshold is t of a group, also the number of its dealers in a choice.
func (l *layout) threshold(group int) int { return pvss.Threshold(len(l.groups[group])) }

// dealers is the number of dealers in a choice.
func (l *layout) dealers() (n int) {
	for g := range l.groups {
		n += l.threshold(g)
	}
	return n
}
