package validator

import (
	"fmt"
	"slices"

	"ios/chain"
	"ios/pob/byzcoin"
	"ios/transepoch"
)

// EpochKnown is the event of a certified epoch block. The owner says so for the
// newest one after a restart, too.
type EpochKnown struct {
	Plan  *transepoch.Plan
	Block chain.Hash
}

// maxEpochs bounds the epochs whose plans are kept, the newest ones.
const maxEpochs = 4

// maxRoots bounds the hashes of final blocks that are kept to compare those in
// Ready messages with. Who says that it was ready at an older one is not
// believed by members that have restarted since.
const maxRoots = 1 << 16

// succession is what Core knows of the succession of committees: how far the shard is
// by its blocks, and the hashes of the last of them.
type succession struct {
	state transepoch.State
	roots []chain.Hash // of the final blocks up to the last
	top   uint64       // height of the last

	open *turned // what the open execution comes to, nil for no turn
	err  error   // why executing the open one is impossible
}

// turned is a turn that counts.
type turned struct {
	state  transepoch.State // after it
	record *transepoch.SwapRecord
	height uint64
}

// readTurn decodes a turn: an Enter or a SwapRecord.
func readTurn(raw []byte) (*transepoch.Enter, *transepoch.SwapRecord, error) {
	if e, err := transepoch.DecodeEnter(raw); err == nil {
		return e, nil, nil
	}
	rec, err := transepoch.DecodeSwapRecord(raw)
	if err != nil {
		return nil, nil, chain.Rule(chain.ErrEncoding, "a turn that is neither an entry into an epoch nor a batch of it: %v", err)
	}
	return nil, rec, nil
}

// execute finds the first turn in the block's order that counts. Within a term
// the shard's place in its epoch does not change, so whether a turn counts does
// not depend on when it is looked at; its signatures, and whether there is such an
// epoch block, a quorum has checked before it acked the body. That is why an
// entry counts here also before the epoch block is known.
func (s *succession) execute(h *chain.Header, bodies []*chain.Body, plan func(uint64) *transepoch.Plan) {
	s.open, s.err = nil, nil
	for _, b := range bodies {
		raw := chain.TurnOf(b.Payload)
		if raw == nil {
			continue
		}
		enter, rec, err := readTurn(raw)
		switch {
		case err != nil:
		case enter != nil && enter.Epoch > s.state.Epoch:
			t := transepoch.State{Chain: s.state.Chain, Shard: s.state.Shard, Epoch: enter.Epoch, Entered: h.Height}
			t.Absent = slices.Clone(s.state.Absent)
			s.open = &turned{state: t, height: h.Height}
			return
		case enter == nil && rec.Epoch == s.state.Epoch:
			p := plan(rec.Epoch)
			if p == nil {
				s.err = fmt.Errorf("block %d: the plan of epoch %d is not known", h.Height, rec.Epoch)
				return
			}
			if t, err := s.state.Swap(p, rec, h.Height); err == nil {
				s.open = &turned{t, rec, h.Height}
				return
			}
		}
	}
}

// finalize makes what execute found permanent.
func (s *succession) finalize(b *chain.Block) *turned {
	t := s.open
	if t != nil {
		s.state = t.state
	}
	s.open = nil
	if len(s.roots) >= 2*maxRoots {
		s.roots = append([]chain.Hash(nil), s.roots[len(s.roots)-maxRoots:]...)
	}
	s.roots, s.top = append(s.roots, b.Header.Hash()), b.Header.Height
	return t
}

// next is the term of the next block.
func (s *succession) next() chain.Term { return chain.Term{Epoch: s.state.Epoch, Batch: s.state.Batch} }

// root is the hash of the final block at a height, which stands for the state
// there: the block names what executing it came to, and all blocks below.
func (s *succession) root(height uint64) (h chain.Hash, known bool) {
	if height > s.top || height+uint64(min(len(s.roots), maxRoots)) <= s.top {
		return h, false
	}
	return s.roots[len(s.roots)-1-int(s.top-height)], true
}

// appendTo appends the canonical encoding. Hashes from before the shard entered
// the epoch are not needed any more.
func (s *succession) appendTo(dst []byte) []byte {
	dst = chain.AppendBlob(dst, s.state.AppendTo(nil))
	n := min(uint64(len(s.roots)), maxRoots)
	if s.state.Entered <= s.top {
		n = min(n, s.top-s.state.Entered+1)
	}
	dst = be.AppendUint64(dst, s.top)
	dst = be.AppendUint32(dst, uint32(n))
	for _, h := range s.roots[uint64(len(s.roots))-n:] {
		dst = append(dst, h[:]...)
	}
	return dst
}

// maxStateBytes bounds an encoded transepoch.State.
const maxStateBytes = 4096

// readSuccession reads what appendTo wrote, and gives what follows.
func readSuccession(raw []byte) (s succession, rest []byte, err error) {
	r := chain.NewReader(raw)
	blob := r.Blob(maxStateBytes)
	s.top = r.U64()
	s.roots = make([]chain.Hash, r.Count(maxRoots, len(chain.Hash{})))
	for i := range s.roots {
		s.roots[i] = r.Hash()
	}
	if uint64(len(s.roots)) > s.top {
		r.Fail("%d blocks up to height %d", len(s.roots), s.top)
	}
	rest = r.Rest()
	if err := r.Close(); err != nil {
		return succession{}, nil, err
	}
	state, err := transepoch.DecodeState(blob)
	if err != nil {
		return succession{}, nil, err
	}
	s.state = *state
	return s, rest, nil
}

// plan is the plan of an epoch, nil if it is not known.
func (c *Core) plan(epoch uint64) *transepoch.Plan {
	for _, e := range c.epochs {
		if e.Plan.Epoch == epoch {
			return e.Plan
		}
	}
	if c.cfg.Plan != nil {
		return c.cfg.Plan(epoch)
	}
	return nil
}

// epochKnown takes a new plan.
func (c *Core) epochKnown(ev EpochKnown) {
	i, known := slices.BinarySearchFunc(c.epochs, ev.Plan.Epoch, func(e EpochKnown, n uint64) int {
		return chain.Term{Epoch: e.Plan.Epoch}.Compare(chain.Term{Epoch: n})
	})
	if known || i == 0 && len(c.epochs) == maxEpochs {
		return
	}
	c.epochs = slices.Insert(c.epochs, i, ev)
	if len(c.epochs) > maxEpochs {
		c.epochs = slices.Delete(c.epochs, 0, 1)
	}
	c.stepAgreement(byzcoin.CommitteesChanged{})
	if p := c.epochs[len(c.epochs)-1].Plan; int(c.state.Shard()) < len(p.Old) {
		c.stepAgreement(byzcoin.SourcesChanged{Sources: either(p.Old[c.state.Shard()], p.New[c.state.Shard()])})
	}
	c.follow()
	c.committees(false)
	c.ask()
}

// either lists who is in a list or another.
func either(a, b []chain.ValidatorID) []chain.ValidatorID {
	list := slices.Clone(a)
	for _, v := range b {
		if !slices.Contains(a, v) {
			list = append(list, v)
		}
	}
	return list
}

// stay lists who keeps a seat, or if nobody does who comes in: that hands on what
// it gets before it has a seat.
func stay(old, new []chain.ValidatorID) []chain.ValidatorID {
	list := slices.DeleteFunc(slices.Clone(old), func(v chain.ValidatorID) bool { return !slices.Contains(new, v) })
	if len(list) == 0 {
		return new
	}
	return list
}

func without(list, those []chain.ValidatorID) []chain.ValidatorID {
	return slices.DeleteFunc(list, func(v chain.ValidatorID) bool { return slices.Contains(those, v) })
}
