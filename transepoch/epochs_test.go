package transepoch

import (
	"encoding/binary"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"ios/chain"
	"ios/eds"
)

// network is the shards of a network through many epochs, as the identity chain
// knows them and as they are.
type network struct {
	t       *rapid.T
	epoch   uint64
	members []chain.ValidatorID
	plans   []*Plan  // what each shard follows
	batches []uint32 // and how far it is
}

func newNetwork(t *rapid.T) *network {
	shards := 1 << rapid.IntRange(0, 3).Draw(t, "bits")
	n := shards * rapid.IntRange(4, 12).Draw(t, "seats")
	p, err := Unchanged(chain.Hash{}, 0, eds.Assign(chain.Hash{1}, n, shards), chain.Shards{})
	if err != nil {
		t.Fatal(err)
	}
	net := &network{t: t, plans: slices.Repeat([]*Plan{p}, shards), batches: make([]uint32, shards)}
	for v := range n {
		net.members = append(net.members, chain.ValidatorID(v))
	}
	return net
}

// churn lets up to a tenth of the validators leave and as many join.
func (n *network) churn() {
	for range rapid.IntRange(0, len(n.members)/10).Draw(n.t, "leave") {
		i := rapid.IntRange(0, len(n.members)-1).Draw(n.t, "who leaves")
		n.members = slices.Delete(n.members, i, i+1)
	}
	for range rapid.IntRange(0, 1+len(n.members)/10).Draw(n.t, "join") {
		v := chain.ValidatorID(rapid.IntRange(0, 200).Draw(n.t, "who joins"))
		if i, there := slices.BinarySearch(n.members, v); !there {
			n.members = slices.Insert(n.members, i, v)
		}
	}
}

// turn ends the epoch. The late shards have no state block; the others are taken
// up where they are.
func (n *network) turn(late chain.Shards) *Input {
	n.epoch++
	in := &Input{Epoch: n.epoch, Members: n.members, Stalled: late, SwapPermille: 250, BatchSize: 3}
	binary.BigEndian.PutUint64(in.Random[:], rapid.Uint64().Draw(n.t, "random"))
	for j, p := range n.plans {
		if late.Has(chain.ShardID(j)) {
			in.Old = append(in.Old, p.New[j])
			in.Held = append(in.Held, p.Outgoing(chain.ShardID(j))...)
			continue
		}
		seats, err := p.Committee(chain.ShardID(j), n.batches[j])
		if err != nil {
			n.t.Fatal(err)
		}
		in.Old = append(in.Old, seats)
	}
	slices.Sort(in.Held)
	next, err := MakePlan(in)
	if err != nil {
		n.t.Fatalf("epoch %d: %v", n.epoch, err)
	}
	for j := range n.plans {
		if !late.Has(chain.ShardID(j)) {
			n.plans[j], n.batches[j] = next, 0
		}
	}
	return in
}

// checkMemberships finds validators that may vote in more than two shards: in
// the committees that these have now or will have.
func (n *network) checkMemberships() {
	in := map[chain.ValidatorID]chain.Shards{}
	for j, p := range n.plans {
		for b := n.batches[j]; b <= p.Last(chain.ShardID(j)); b++ {
			seats, err := p.Committee(chain.ShardID(j), b)
			if err != nil {
				n.t.Fatal(err)
			}
			for _, v := range seats {
				set := in[v]
				set.Add(chain.ShardID(j))
				in[v] = set
			}
		}
	}
	for v, set := range in {
		if len(set.List()) > maxSeatings {
			n.t.Fatalf("epoch %d: validator %d may vote in shards %v", n.epoch, v, set.List())
		}
	}
}

// checkSettled finds members without exactly one seat and shards of unequal size,
// after an epoch that all have finished.
func (n *network) checkSettled() {
	var seated []chain.ValidatorID
	least, most := 1<<20, 0
	for j, p := range n.plans {
		seats, err := p.Committee(chain.ShardID(j), n.batches[j])
		if err != nil {
			n.t.Fatal(err)
		}
		seated = append(seated, seats...)
		least, most = min(least, len(seats)), max(most, len(seats))
	}
	if slices.Sort(seated); !slices.Equal(seated, n.members) {
		n.t.Fatalf("epoch %d: seated are %v, members %v", n.epoch, seated, n.members)
	}
	if most-least > 1 {
		n.t.Fatalf("epoch %d: shards have from %d to %d seats", n.epoch, least, most)
	}
}

func TestEpochsInARow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		net := newNetwork(t)
		for range 100 {
			net.churn()
			net.turn(chain.Shards{})
			net.checkMemberships()
			for j, p := range net.plans {
				net.batches[j] = p.Last(chain.ShardID(j))
			}
			net.checkSettled()
		}
	})
}

// Shards are late with their state block, or with their batches, for as long as
// they like; when all are on time again, two epochs put everything in order: the
// first lets who has two seats leave one, the second evens out the sizes.
func TestEpochsWithLateShards(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		net := newNetwork(t)
		for range 30 {
			var late chain.Shards
			for j, p := range net.plans {
				left := int(p.Last(chain.ShardID(j)) - net.batches[j])
				if rapid.IntRange(0, 2).Draw(t, "slow") > 0 {
					left = rapid.IntRange(0, left).Draw(t, "batches")
				}
				net.batches[j] += uint32(left)
				if rapid.IntRange(0, 3).Draw(t, "late") == 0 {
					late.Add(chain.ShardID(j))
				}
			}
			net.churn()
			net.turn(late)
			net.checkMemberships()
		}
		for range 2 {
			net.turn(chain.Shards{})
			net.checkMemberships()
			for j, p := range net.plans {
				net.batches[j] = p.Last(chain.ShardID(j))
			}
		}
		net.checkSettled()
	})
}

// A validator whose old shards are both stalled may still vote in both, and comes
// to no third, though it has no seat: it left the registry meanwhile.
func TestAReturnerWaitsWhileItMayVoteInTwoShards(t *testing.T) {
	in := &Input{
		Old:     Assignment{{0, 1, 2, 3}, {4, 5, 6, 7}, {8, 9, 10, 11}},
		Members: []chain.ValidatorID{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 20}, SwapPermille: 334, BatchSize: 1,
	}
	in.Stalled.Add(0)
	in.Stalled.Add(1)
	for held, seats := range []int{5, 5, 4} {
		p, err := MakePlan(in)
		if err != nil {
			t.Fatal(err)
		}
		if len(p.New[2]) != seats || slices.Contains(p.New[2], 20) != (seats == 5) {
			t.Errorf("a validator that may vote in %d stalled shards: the third has seats %v", held, p.New[2])
		}
		in.Held = append(in.Held, 20)
	}
}
