package transepoch

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
	"slices"
	"sort"

	"ios/chain"
	"ios/eds"
)

// naive is the plan again, from the description in doc.go, with sets, searches
// and no regard for cost. It returns the new assignment and the batches of each
// shard, and nil when there are too few validators.
func naive(in *Input) (Assignment, [][][]Swap) {
	type id = chain.ValidatorID
	isMember, isBusy, places := map[id]bool{}, map[id]bool{}, map[id]int{}
	for _, v := range in.Members {
		isMember[v] = true
	}
	for _, v := range in.Held {
		places[v]++
		isBusy[v] = places[v] > 1
	}
	for _, shard := range in.Old {
		for _, v := range shard {
			places[v]++
			isBusy[v] = places[v] > 1
		}
	}
	keeps := map[id]int{} // the shard in which a validator keeps its seat
	for pass := range 2 {
		for j, seats := range in.Old {
			for _, v := range seats {
				stalled := in.Stalled.Has(chain.ShardID(j))
				if _, has := keeps[v]; stalled == (pass == 0) && !has && (stalled || isMember[v]) {
					keeps[v] = j
				}
			}
		}
	}
	var moving []int
	for j := range in.Old {
		if !in.Stalled.Has(chain.ShardID(j)) {
			moving = append(moving, j)
		}
	}
	var newcomers []id
	total := 0
	for _, v := range in.Members {
		j, has := keeps[v]
		if !has && isBusy[v] {
			continue // it waits
		}
		if !has {
			newcomers = append(newcomers, v)
		}
		if !has || !in.Stalled.Has(chain.ShardID(j)) {
			total++
		}
	}
	stay, gone, heldIn := map[int][]id{}, map[int][]id{}, map[int]int{}
	for _, j := range moving {
		for _, v := range in.Old[j] {
			if k, has := keeps[v]; has && k == j {
				stay[j] = append(stay[j], v)
				if isBusy[v] {
					heldIn[j]++
				}
			} else {
				gone[j] = append(gone[j], v)
			}
		}
	}
	size := map[int]int{}
	left := total
	for _, j := range moving {
		size[j] = max(1, heldIn[j])
		left -= size[j]
	}
	if len(moving) > 0 && left < 0 {
		return nil, nil
	}
	for ; left > 0 && len(moving) > 0; left-- {
		order := slices.Clone(moving)
		sort.SliceStable(order, func(a, b int) bool {
			if size[order[a]] != size[order[b]] {
				return size[order[a]] < size[order[b]]
			}
			return len(in.Old[order[a]]) > len(in.Old[order[b]])
		})
		size[order[0]]++
	}
	lot := func(tag string, shard, n int) []int {
		b := []byte("\x15ios/transepoch-lot/v1")
		b = append(b, in.ChainID[:]...)
		b = binary.BigEndian.AppendUint64(b, in.Epoch)
		b = binary.BigEndian.AppendUint32(b, uint32(shard))
		return eds.Permutation(tag, sha256.Sum256(append(b, in.Random[:]...)), n)
	}
	type ticket struct {
		v    id
		home int
	}
	var tickets []ticket
	var slots []int
	leavers := map[int][]id{}
	for _, v := range newcomers {
		tickets = append(tickets, ticket{v, -1})
	}
	for _, j := range moving {
		var able []id
		for _, i := range lot("ios/transepoch-leavers/v1", j, len(stay[j])) {
			if !isBusy[stay[j][i]] {
				able = append(able, stay[j][i])
			}
		}
		r := 0
		for r*1000 < len(in.Old[j])*in.SwapPermille || r*len(moving) < len(newcomers) || len(stay[j])-r > size[j] {
			r++
		}
		leavers[j] = able[:min(r, len(able))]
		for _, v := range leavers[j] {
			tickets = append(tickets, ticket{v, j})
		}
		for n := len(stay[j]) - len(leavers[j]); n < size[j]; n++ {
			slots = append(slots, j)
		}
	}
	if len(moving) == 0 {
		return in.Old, make([][][]Swap, len(in.Old))
	}
	var drawn []ticket
	for _, i := range lot("ios/transepoch-seats/v1", 0, len(tickets)) {
		drawn = append(drawn, tickets[i])
	}
	for i := range drawn {
		if drawn[i].home != slots[i] {
			continue
		}
		for _, k := range append(sequence(i+1, len(drawn)), sequence(0, i)...) {
			if h := drawn[i].home; slots[k] != h && drawn[k].home != h {
				drawn[i], drawn[k] = drawn[k], drawn[i]
				break
			}
		}
	}
	to := make(Assignment, len(in.Old))
	batches := make([][][]Swap, len(in.Old))
	for j := range in.Old {
		to[j] = slices.Clone(in.Old[j])
		if !slices.Contains(moving, j) {
			continue
		}
		out := slices.Clone(gone[j])
		for _, v := range leavers[j] {
			if !slices.ContainsFunc(drawn, func(t ticket) bool { return t.v == v && slots[slices.Index(drawn, t)] == j }) {
				out = append(out, v)
			}
		}
		var come []id
		for i, t := range drawn {
			if slots[i] == j && t.home != j {
				come = append(come, t.v)
			}
		}
		var swaps []Swap
		removals := len(out) - len(come)
		for i, v := range out {
			at := slices.Index(to[j], v)
			if i < removals {
				swaps = append(swaps, Swap{at, v, None})
				end := len(to[j]) - 1
				to[j][at] = to[j][end]
				to[j] = to[j][:end]
				continue
			}
			w := come[0]
			come = come[1:]
			swaps = append(swaps, Swap{at, v, w})
			to[j][at] = w
		}
		for _, w := range come {
			swaps = append(swaps, Swap{len(to[j]), None, w})
			to[j] = append(to[j], w)
		}
		k := in.BatchSize
		k = max(1, min(k, bits.Len(uint(len(in.Old[j])))-1, bits.Len(uint(len(to[j])))-1))
		for i, w := range swaps {
			if i%k == 0 {
				batches[j] = append(batches[j], nil)
			}
			last := &batches[j][len(batches[j])-1]
			*last = append(*last, w)
		}
	}
	return to, batches
}

// sequence is from, …, to-1.
func sequence(from, to int) (s []int) {
	for i := from; i < to; i++ {
		s = append(s, i)
	}
	return s
}
