package atomix

import (
	"ios/chain"
	"ios/chain/utxo"
)

// execution is a block that was applied in place, and how to take it back.
type execution struct {
	running bool
	height  uint64
	epoch   uint64
	began   uint64 // height of the first block of the epoch
	coins   utxo.Undo
	steps   []step
	sums    sums // as they were before
	nets    []netBefore
	tree    treeBuilder
	report  *Report
	past    *past // for State.Final, nil until it is asked for
}

// step is one change of the records.
type step struct {
	kind stepKind
	id   chain.TxID
	rec  *record      // stepOpened, stepHeard, stepClosed
	yes  chain.Shards // stepHeard: as it was before
	told uint64       // stepRetold, stepAnswered: as it was before
}

type stepKind uint8

const (
	stepOpened   stepKind = iota // a record was made
	stepHeard                    // a record's answers grew
	stepClosed                   // a record was closed
	stepDecided                  // decided at once, without a record
	stepRetold                   // the others were told again what is open
	stepAnswered                 // they were told again what was decided
)

// netBefore is what between held for an expiry.
type netBefore struct {
	expiry uint64
	net    Net
	had    bool
}

// keep notes what between held, unless an earlier one is noted.
func (x *execution) keep(b netBefore) {
	for i := range x.nets { // there are few expiries
		if x.nets[i].expiry == b.expiry {
			return
		}
	}
	x.nets = append(x.nets, b)
}

// begin prepares to execute a block. Its lists get room for what is known to come
// or, where little is known, for as much as the last block had.
func (x *execution) begin(h *chain.Header, s *State, entries int) {
	x.running, x.height, x.epoch, x.began = true, h.Height, h.Epoch, s.began
	if h.Epoch > s.epoch {
		x.began = h.Height
	}
	x.coins.Reset()
	x.steps, x.nets = x.steps[:0], x.nets[:0]
	x.sums, x.past = s.sums, nil
	x.tree.reset(s.params.Shards)
	last := x.report
	if last == nil {
		last = new(Report)
	}
	x.report = &Report{
		Height: h.Height, Epoch: h.Epoch, Outcomes: make([]chain.Entry, 0, entries),
		Opened: room(last.Opened, entries), Heard: room(last.Heard, entries), Closed: room(last.Closed, entries),
	}
}

// room is an empty list with room for as many elements as another one has and
// some more, but no more than most.
func room[T any](last []T, most int) []T {
	return make([]T, 0, min(len(last)+len(last)/8, most))
}

// Execute applies the bodies in order on the last final state, skips what has
// become invalid, and returns the root over what became of each transaction. The
// first block of an epoch tells the other shards again what is open. An
// execution that is still open is taken back first. Content of a body is a
// *chain.Payload that passed [CheckPayload], with certificates and signatures; a
// body without Content is decoded here.
func (s *State) Execute(h *chain.Header, bodies []*chain.Body) chain.Hash {
	if s.exec.running {
		s.Revert()
	}
	payloads, entries := s.payloads(bodies)
	s.exec.begin(h, s, entries)
	if h.Epoch > s.epoch {
		s.tellAgain()
	}
	for _, pl := range payloads {
		for i := range pl.Txs {
			s.executeTx(&pl.Txs[i])
		}
		for _, b := range pl.Bundles {
			s.executeBundle(b)
		}
	}
	r := s.exec.report
	r.Tree = s.exec.tree.finish()
	r.Hashes = r.Tree.Hashes()
	return r.Hashes.Root()
}

// payloads are what the bodies hold, and how many outcomes that may have.
func (s *State) payloads(bodies []*chain.Body) (list []*chain.Payload, entries int) {
	list = make([]*chain.Payload, 0, len(bodies))
	for _, b := range bodies {
		pl, ok := b.Content.(*chain.Payload)
		if !ok {
			var err error
			if pl, err = s.params.DecodePayload(b.Payload); err != nil {
				continue // no quorum acks such a body; all decode it alike
			}
		}
		list = append(list, pl)
		entries += len(pl.Txs)
		for _, b := range pl.Bundles {
			entries += len(b.Segment.Entries)
		}
	}
	return list, entries
}

// Report tells what the open execution came to, or the last one; nil before the
// first.
func (s *State) Report() *Report { return s.exec.report }

// Finalize makes the open execution permanent.
func (s *State) Finalize(b *chain.Block) {
	if !s.exec.running {
		return
	}
	s.exec.running, s.exec.past = false, nil
	s.height, s.epoch, s.began = b.Header.Height, b.Header.Epoch, s.exec.began
}

// Revert takes the open execution back.
func (s *State) Revert() {
	x := &s.exec
	if !x.running {
		return
	}
	x.running, x.past = false, nil
	if err := s.coins.Revert(&x.coins); err != nil {
		s.broken = err
	}
	for i := len(x.steps) - 1; i >= 0; i-- {
		s.undo(&x.steps[i])
	}
	clear(x.steps) // lets go of the records
	for i := len(x.nets) - 1; i >= 0; i-- {
		if n := &x.nets[i]; n.had {
			s.between[n.expiry] = n.net
		} else {
			delete(s.between, n.expiry)
		}
	}
	s.sums = x.sums
}

func (s *State) undo(st *step) {
	switch st.kind {
	case stepOpened:
		delete(s.open, st.id)
		s.unlock(st.rec.tx)
	case stepHeard:
		st.rec.yes = st.yes
	case stepRetold:
		st.rec.told = st.told
	case stepAnswered:
		d := s.decided[st.id]
		d.Told = st.told
		s.decided[st.id] = d
	case stepClosed:
		delete(s.decided, st.id)
		s.open[st.id] = st.rec
		s.markLocked(st.rec.tx)
	case stepDecided:
		delete(s.decided, st.id)
	}
}

// Changes calls visit for every coin that the open or last execution removed or
// added, in order, until it returns false: what a wallet or a light client needs
// to follow the ledger.
func (s *State) Changes(visit func(e utxo.Entry, added bool) bool) {
	s.exec.coins.All(visit)
}
