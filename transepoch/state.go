package transepoch

import (
	"slices"

	"ios/chain"
	"ios/chain/cosi"
)

// State is how far a shard is, by its blocks alone: everybody that has executed
// them has the same. It belongs to the shard's state, so that a joiner gets it
// with the rest. A State is a value: what changes it returns another.
type State struct {
	Chain   chain.Hash
	Shard   chain.ShardID
	Epoch   uint64
	Batch   uint32 // the last one recorded
	Entered uint64 // height of the block that entered the epoch
	Absent  []Absentee
}

// Absentee is a seat whose validator came in without being ready, and has not
// been recorded as ready since. They stand by ascending validator.
type Absentee struct {
	Validator chain.ValidatorID
	Epoch     uint64 // with Batch: what brought it in
	Batch     uint32
	Since     uint64 // height of the block that did
}

// Enter is the state after a block at the height has entered the epoch of next.
// The shard must stand where next takes it up: at the committee of its last
// certified state block.
func (s *State) Enter(cur, next *Plan, height uint64) (State, error) {
	fail := func(format string, args ...any) (State, error) {
		return State{}, chain.Rule(ErrEnter, format, args...)
	}
	seats, err := s.Committee(cur)
	switch {
	case err != nil:
		return State{}, err
	case next.ChainID != s.Chain:
		return State{}, chain.Rule(chain.ErrWrongChain, "epoch %d of chain %s", next.Epoch, next.ChainID.Short())
	case next.Epoch <= s.Epoch:
		return fail("epoch %d: shard %d is in epoch %d", next.Epoch, s.Shard, s.Epoch)
	case int(s.Shard) >= len(next.Shards):
		return fail("epoch %d has no shard %d", next.Epoch, s.Shard)
	case next.Shards[s.Shard].Stalled:
		return fail("shard %d is stalled in epoch %d: it stays in epoch %d until a later epoch block has its state block", s.Shard, next.Epoch, s.Epoch)
	case !slices.Equal(seats, next.Old[s.Shard]):
		return fail("epoch %d takes up shard %d at another committee than that of batch %d of epoch %d: it stays until an epoch block has a state block of that batch", next.Epoch, s.Shard, s.Batch, s.Epoch)
	}
	t := State{Chain: s.Chain, Shard: s.Shard, Epoch: next.Epoch, Entered: height}
	t.Absent = slices.Clone(s.Absent) // each has a seat, and seats are equal
	return t, nil
}

// Committee is the shard's seats from the next height on. The plan is that of
// the state's epoch.
func (s *State) Committee(p *Plan) ([]chain.ValidatorID, error) {
	if p.ChainID != s.Chain || p.Epoch != s.Epoch {
		return nil, chain.Rule(ErrBatch, "the plan of epoch %d for a shard in epoch %d", p.Epoch, s.Epoch)
	}
	return p.Committee(s.Shard, s.Batch)
}

// Swap is the state after a block at the height has recorded rec. It checks all
// but signatures and roots: rec is for the next batch, nobody is in it that does
// not come in or was not absent, and the seats that are absent are no more than
// the shard survives. That they should be fewer is for [Progress] to see to.
func (s *State) Swap(p *Plan, rec *SwapRecord, height uint64) (State, error) {
	fail := func(format string, args ...any) (State, error) {
		return State{}, chain.Rule(ErrRecord, format, args...)
	}
	if _, err := s.Committee(p); err != nil {
		return State{}, err
	}
	batch := p.Batch(s.Shard, s.Batch+1)
	switch {
	case rec.Epoch != s.Epoch || rec.Batch != s.Batch+1:
		return fail("batch %d of epoch %d after batch %d of epoch %d", rec.Batch, rec.Epoch, s.Batch, s.Epoch)
	case batch == nil:
		return fail("epoch %d has no batch %d in shard %d", rec.Epoch, rec.Batch, s.Shard)
	case len(rec.Present) > MaxPresent:
		return fail("%d validators are present, at most %d can be", len(rec.Present), MaxPresent)
	}
	t := *s
	t.Batch, t.Absent = rec.Batch, nil
	for i := range rec.Present {
		a := &rec.Present[i]
		if i > 0 && a.Validator <= rec.Present[i-1].Validator {
			return fail("validator %d is out of order", a.Validator)
		}
		w, ok := s.want(p, a.Validator)
		switch {
		case !ok || w.epoch == s.Epoch && w.batch > rec.Batch:
			return fail("validator %d does not come in with batch %d, nor was it absent", a.Validator, rec.Batch)
		case a.Height < w.least || a.Height >= height:
			return fail("validator %d was ready at height %d, from %d to %d is wanted", a.Validator, a.Height, w.least, height-1)
		}
	}
	present := func(v chain.ValidatorID) bool { return rec.find(v) != nil }
	for _, a := range s.Absent {
		if !present(a.Validator) && !slices.ContainsFunc(batch, func(w Swap) bool { return w.Out == a.Validator }) {
			t.Absent = append(t.Absent, a)
		}
	}
	for _, w := range batch {
		if w.In != None && !present(w.In) {
			t.Absent = append(t.Absent, Absentee{w.In, s.Epoch, rec.Batch, height})
		}
	}
	slices.SortFunc(t.Absent, func(a, b Absentee) int { return int(a.Validator) - int(b.Validator) })
	if most := max(s.spare(p), mostAbsent(p.seats(s.Shard, rec.Batch))); len(t.Absent) > most {
		return fail("%d seats of shard %d would be absent after batch %d of epoch %d, at most %d may be: it waits until more are ready", len(t.Absent), s.Shard, rec.Batch, rec.Epoch, most)
	}
	return t, nil
}

// spare is how many seats may be absent after the next batch without a reason: the
// batch size, or as many as are. With b Byzantine seats more than f-b absent ones
// stop the shard for as long as they take to get ready.
func (s *State) spare(p *Plan) int { return max(p.Shards[s.Shard].BatchSize, len(s.Absent)) }

// mostAbsent is how many seats of a committee may be absent at all.
func mostAbsent(seats int) int { return min(cosi.Faults(seats), MaxPresent/2) }

// want is what a Ready has to say to count.
type want struct {
	epoch uint64
	batch uint32
	least uint64 // height
}

// want tells what a validator has to be ready for: the batch that brought it in
// without, or one that is still to bring it in.
func (s *State) want(p *Plan, v chain.ValidatorID) (want, bool) {
	for _, a := range s.Absent {
		if a.Validator == v {
			return want{a.Epoch, a.Batch, max(a.Since, s.Entered)}, true
		}
	}
	if int(s.Shard) >= len(p.Shards) || v == None {
		return want{}, false
	}
	for b, batch := range p.Shards[s.Shard].Batches {
		for _, w := range batch {
			if w.In == v && uint32(b+1) > s.Batch {
				return want{s.Epoch, uint32(b + 1), s.Entered}, true
			}
		}
	}
	return want{}, false
}

func (s *SwapRecord) find(v chain.ValidatorID) *Presence {
	i, ok := slices.BinarySearchFunc(s.Present, v, func(a Presence, v chain.ValidatorID) int { return int(a.Validator) - int(v) })
	if !ok {
		return nil
	}
	return &s.Present[i]
}
