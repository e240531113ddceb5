package transepoch

import (
	"crypto/sha256"
	"slices"

	"ios/chain"
	"ios/eds"
)

// draft is a plan in the making.
type draft struct {
	in        *Input
	shards    []shardDraft
	newcomers []chain.ValidatorID // ascending: members without a seat, who may have one
	seated    int                 // members that the moving shards have to seat
	moving    int                 // shards that are not stalled
}

type shardDraft struct {
	stalled bool
	size    int // seats at the end

	gone    []chain.ValidatorID // leave in any case, by seat
	rest    []chain.ValidatorID // the others, by seat
	held    []bool              // of rest, who is not to be drawn
	leavers []chain.ValidatorID // of rest, those drawn to leave, in the order drawn
	joiners []chain.ValidatorID // in the order drawn
}

// newDraft sorts out who has to leave and who is new. In any case leaves who is
// not in the frozen set, and who has a seat in another shard, too: it keeps
// the one in a stalled shard, or else the one in the shard with the lower number.
func newDraft(in *Input) *draft {
	d := &draft{in: in, shards: make([]shardDraft, len(in.Old))}
	member := make([]bool, in.places())
	for _, v := range in.Members {
		member[v] = true
	}
	busy := in.busy()
	seat := make([]bool, in.places())
	for j, seats := range in.Old {
		if in.Stalled.Has(chain.ShardID(j)) {
			d.shards[j].stalled = true
			for _, v := range seats {
				seat[v] = true
			}
		}
	}
	inStalled := slices.Clone(seat)
	for j, seats := range in.Old {
		s := &d.shards[j]
		if s.stalled {
			continue
		}
		d.moving++
		for _, v := range seats {
			if !member[v] || seat[v] {
				s.gone = append(s.gone, v)
				continue
			}
			seat[v] = true
			s.rest = append(s.rest, v)
			s.held = append(s.held, busy[v])
		}
	}
	for _, v := range in.Members {
		switch {
		case seat[v] && !inStalled[v]:
			d.seated++
		case !seat[v] && !busy[v]:
			d.newcomers = append(d.newcomers, v)
			d.seated++
		}
	}
	return d
}

// busy says of each validator whether it may vote in two shards already.
func (in *Input) busy() []bool {
	places := make([]int, in.places())
	for _, seats := range append(slices.Clone(in.Old), in.Held) {
		for _, v := range seats {
			places[v]++
		}
	}
	busy := make([]bool, in.places())
	for v, n := range places {
		busy[v] = n >= maxSeatings
	}
	return busy
}

// sizes gives every moving shard its seats: as even as can be, except that a
// shard has a seat for each of its held. Of the shards that may be larger by one
// it is those that were larger before, then those with lower numbers.
func (d *draft) sizes() error {
	left := d.seated
	for j := range d.shards {
		if s := &d.shards[j]; !s.stalled {
			s.size = max(1, count(s.held))
			left -= s.size
		}
	}
	if d.moving > 0 && left < 0 {
		return chain.Rule(ErrInput, "%d validators are too few for the %d shards that are not stalled", d.seated, d.moving)
	}
	for ; left > 0 && d.moving > 0; left-- {
		best := -1
		for j := range d.shards {
			s := &d.shards[j]
			if s.stalled || best >= 0 && s.size > d.shards[best].size {
				continue
			}
			if best < 0 || s.size < d.shards[best].size || len(d.in.Old[j]) > len(d.in.Old[best]) {
				best = j
			}
		}
		d.shards[best].size++
	}
	return nil
}

func count(set []bool) (n int) {
	for _, has := range set {
		if has {
			n++
		}
	}
	return n
}

const (
	tagLeavers = "ios/transepoch-leavers/v1"
	tagSeats   = "ios/transepoch-seats/v1"
	tagLot     = "ios/transepoch-lot/v1"
)

// lot is a permutation from H(shard ‖ rnd_e), for this chain and epoch.
func (d *draft) lot(tag string, shard, n int) []int {
	b := append([]byte{byte(len(tagLot))}, tagLot...)
	b = append(b, d.in.ChainID[:]...)
	b = be.AppendUint64(b, d.in.Epoch)
	b = be.AppendUint32(b, uint32(shard))
	b = append(b, d.in.Random[:]...)
	return eds.Permutation(tag, sha256.Sum256(b), n)
}

// drawLeavers draws who leaves each shard besides those that have to: as many as
// the policy says, and at least the shard's share of the newcomers, so that
// where a newcomer comes to is not decided by where somebody left; and in any
// case as many as have to for the shard to get its size.
func (d *draft) drawLeavers() {
	for j := range d.shards {
		s := &d.shards[j]
		if s.stalled {
			continue
		}
		seats := len(d.in.Old[j])
		n := (seats*d.in.SwapPermille + maxPermille - 1) / maxPermille
		n = max(n, (len(d.newcomers)+d.moving-1)/d.moving)
		n = max(n, seats-s.size-len(s.gone))
		for _, i := range d.lot(tagLeavers, j, len(s.rest)) {
			if len(s.leavers) < n && !s.held[i] {
				s.leavers = append(s.leavers, s.rest[i])
			}
		}
	}
}
