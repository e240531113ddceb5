package transepoch

import (
	"encoding/binary"
	"slices"

	"ios/chain"
)

var be = binary.BigEndian

// None is no validator: who holds a seat that is not there yet, and who takes
// one that goes.
const None chain.ValidatorID = 1<<16 - 1

// Assignment is the validators of each shard, by seat.
type Assignment [][]chain.ValidatorID

// maxSeatings bounds the shards that a validator has a seat in: the one that it
// leaves and the one that it joins.
const maxSeatings = 2

// Check refuses an assignment that cannot be one: no shard, a shard without
// seats, a validator twice in a shard or in more than two shards.
func (a Assignment) Check() error {
	if len(a) < 1 || len(a) > chain.MaxShards {
		return chain.Rule(ErrInput, "an assignment of %d shards, from 1 to %d are allowed", len(a), chain.MaxShards)
	}
	places := a.places()
	last := make([]int, places) // shard in which a validator was last seen, from 1
	times := make([]int, places)
	for j, seats := range a {
		if len(seats) == 0 {
			return chain.Rule(ErrInput, "shard %d has no seats", j)
		}
		for _, v := range seats {
			switch {
			case v >= chain.MaxPlaces:
				return chain.Rule(ErrInput, "validator %d in shard %d: places in the registry end at %d", v, j, chain.MaxPlaces-1)
			case last[v] == j+1:
				return chain.Rule(ErrInput, "validator %d has two seats in shard %d", v, j)
			}
			last[v] = j + 1
			if times[v]++; times[v] > maxSeatings {
				return chain.Rule(ErrInput, "validator %d has seats in more than %d shards", v, maxSeatings)
			}
		}
	}
	return nil
}

// places is one more than the highest place of a validator that has a seat.
func (a Assignment) places() (n int) {
	for _, seats := range a {
		n = max(n, places(seats))
	}
	return n
}

func places(list []chain.ValidatorID) (n int) {
	for _, v := range list {
		n = max(n, int(v)+1)
	}
	return n
}

// Clone is a copy that shares nothing.
func (a Assignment) Clone() Assignment {
	c := make(Assignment, len(a))
	for j := range a {
		c[j] = slices.Clone(a[j])
	}
	return c
}

// Equal reports whether the two seat everybody alike.
func (a Assignment) Equal(b Assignment) bool {
	return slices.EqualFunc(a, b, slices.Equal[[]chain.ValidatorID])
}

// AppendTo appends the canonical encoding.
func (a Assignment) AppendTo(dst []byte) []byte {
	dst = be.AppendUint32(dst, uint32(len(a)))
	for _, seats := range a {
		dst = appendIDs(dst, seats)
	}
	return dst
}

// DecodeAssignment decodes an assignment and checks it.
func DecodeAssignment(raw []byte) (Assignment, error) {
	r := chain.NewReader(raw)
	a := readAssignment(r)
	if err := r.Close(); err != nil {
		return nil, err
	}
	return a, a.Check()
}

func readAssignment(r *chain.Reader) Assignment {
	a := make(Assignment, r.Count(chain.MaxShards, 4))
	for j := range a {
		a[j] = readIDs(r, chain.MaxValidators)
	}
	return a
}

func appendIDs(dst []byte, ids []chain.ValidatorID) []byte {
	dst = be.AppendUint32(dst, uint32(len(ids)))
	for _, v := range ids {
		dst = be.AppendUint16(dst, uint16(v))
	}
	return dst
}

func readIDs(r *chain.Reader, most int) []chain.ValidatorID {
	ids := make([]chain.ValidatorID, r.Count(most, 2))
	for i := range ids {
		ids[i] = chain.ValidatorID(r.U16())
	}
	return ids
}
