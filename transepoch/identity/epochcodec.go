package identity

import (
	"ios/chain"
	"ios/transepoch"
)

// MaxEpochBytes bounds an encoded record: two lists of chain.MaxValidators with
// all their keys, and room for the rest.
const MaxEpochBytes = 12 << 20

const maxPayouts = 1 << 15 // that are outstanding at once

// AppendTo appends the canonical encoding.
func (e *Epoch) AppendTo(dst []byte) []byte {
	dst = append(dst, e.Chain[:]...)
	dst = be.AppendUint64(dst, e.Number)
	dst = append(dst, e.Previous[:]...)
	dst = append(dst, byte(e.Course))
	dst = append(dst, e.Random[:]...)
	dst = append(dst, e.Transcript[:]...)
	dst = be.AppendUint64(dst, e.Seed.Height)
	dst = append(dst, e.Seed.Block[:]...)
	dst = be.AppendUint64(dst, e.Seed.View)
	dst = append(dst, e.Seed.Choice[:]...)
	dst = appendMembers(dst, e.Members)
	dst = appendMembers(dst, e.Outgoing)
	dst = chain.AppendBlob(dst, e.Old.AppendTo(nil))
	dst = e.Stalled.AppendTo(dst)
	dst = appendIDs(dst, e.Held)
	dst = be.AppendUint16(dst, uint16(e.SwapPermille))
	dst = be.AppendUint16(dst, uint16(e.BatchSize))
	dst = be.AppendUint32(dst, uint32(len(e.Shards)))
	for i := range e.Shards {
		dst = be.AppendUint64(dst, e.Shards[i].Plan)
		dst = e.Shards[i].Base.appendTo(dst)
	}
	for _, list := range [][]chain.ValidatorID{e.Joined, e.Left, e.Shed, e.Silent} {
		dst = appendIDs(dst, list)
	}
	dst = appendPayouts(dst, e.Payouts)
	f := &e.Funds
	for _, n := range []uint64{f.Staked, f.Unbonding, f.Credit, f.Due, f.Between} {
		dst = be.AppendUint64(dst, n)
	}
	return dst
}

// DecodeEpoch decodes a record and checks that a plan's input is in it. Whether
// it is one of the chain is for a [Book] to say.
func DecodeEpoch(raw []byte) (*Epoch, error) {
	if len(raw) > MaxEpochBytes {
		return nil, chain.Rule(chain.ErrTooLarge, "an epoch record of %d bytes, at most %d are allowed", len(raw), MaxEpochBytes)
	}
	r := chain.NewReader(raw)
	e := &Epoch{Chain: r.Hash(), Number: r.U64(), Previous: r.Hash(), Course: Course(r.U8()), Random: r.Hash(), Transcript: r.Hash()}
	e.Seed = SeedRef{r.U64(), r.Hash(), r.U64(), r.Hash()}
	e.Members, e.Outgoing = readMembers(r), readMembers(r)
	old := r.Blob(transepoch.MaxInputBytes)
	if r.Err() == nil {
		var err error
		if e.Old, err = transepoch.DecodeAssignment(old); err != nil {
			return nil, err
		}
	}
	e.Stalled = r.Shards()
	e.Held = readHeld(r)
	e.SwapPermille, e.BatchSize = int(r.U16()), int(r.U16())
	e.Shards = make([]ShardState, r.Count(chain.MaxShards, 8+12+8+32))
	for i := range e.Shards {
		e.Shards[i] = ShardState{r.U64(), readPoint(r)}
	}
	for _, to := range []*[]chain.ValidatorID{&e.Joined, &e.Left, &e.Shed, &e.Silent} {
		*to = readIDs(r)
	}
	e.Payouts = readPayouts(r)
	f := &e.Funds
	for _, to := range []*uint64{&f.Staked, &f.Unbonding, &f.Credit, &f.Due, &f.Between} {
		*to = r.U64()
	}
	if err := r.Close(); err != nil {
		return nil, err
	}
	return e, e.check()
}

func appendMembers(dst []byte, list []Member) []byte {
	dst = be.AppendUint32(dst, uint32(len(list)))
	for i := range list {
		dst = be.AppendUint16(dst, uint16(list[i].ID))
		dst = list[i].Validator.AppendTo(dst)
	}
	return dst
}

func readMembers(r *chain.Reader) []Member {
	n := r.Count(chain.MaxValidators, 2+chain.ValidatorMinSize)
	if n == 0 {
		return nil
	}
	list := make([]Member, n)
	for i := range list {
		list[i] = Member{chain.ValidatorID(r.U16()), r.Validator()}
		if list[i].ID >= chain.MaxPlaces || i > 0 && list[i].ID <= list[i-1].ID {
			r.Fail("members are not in ascending order from 0 to %d", chain.MaxPlaces-1)
		}
	}
	return list
}

// readHeld reads a list with everybody once for each stalled shard. The check of
// the plan's input bounds how often, and wants it in order.
func readHeld(r *chain.Reader) []chain.ValidatorID {
	n := r.Count(2*chain.MaxValidators, 2)
	if n == 0 {
		return nil
	}
	ids := make([]chain.ValidatorID, n)
	for i := range ids {
		ids[i] = chain.ValidatorID(r.U16())
	}
	return ids
}

func (p *Point) appendTo(dst []byte) []byte {
	dst = be.AppendUint64(p.Term.AppendTo(dst), p.Height)
	return append(dst, p.Block[:]...)
}

func readPoint(r *chain.Reader) Point { return Point{r.Term(), r.U64(), r.Hash()} }

func (p *Payout) appendTo(dst []byte) []byte {
	dst = be.AppendUint64(dst, p.Number)
	dst = be.AppendUint16(dst, uint16(p.ID))
	dst = be.AppendUint64(dst, p.Amount)
	dst = p.To.appendTo(dst)
	return be.AppendUint64(dst, p.Due)
}

const payoutSize = 8 + 2 + 8 + 32 + 1 + 8

func appendPayouts(dst []byte, list []Payout) []byte {
	dst = be.AppendUint32(dst, uint32(len(list)))
	for i := range list {
		dst = list[i].appendTo(dst)
	}
	return dst
}

// readPayouts reads a list that ascends by number.
func readPayouts(r *chain.Reader) []Payout {
	n := r.Count(maxPayouts, payoutSize)
	if n == 0 {
		return nil
	}
	list := make([]Payout, n)
	for i := range list {
		list[i] = Payout{Number: r.U64(), ID: chain.ValidatorID(r.U16()), Amount: r.U64(), To: readPayee(r), Due: r.U64()}
		if list[i].Number == 0 || i > 0 && list[i].Number <= list[i-1].Number {
			r.Fail("payouts are not in ascending order")
		}
	}
	return list
}
