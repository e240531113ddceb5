package node

import (
	"context"
	"errors"
	"slices"
	"time"

	"ios/atomix"
	"ios/chain"
	"ios/node/validator"
)

// doubt is a refusal by the machine that may be due to a block that is being
// executed and may still be given up, or that may turn out to be none.
type doubt struct {
	place   int // in submitting.txs
	verdict verdict
	err     error    // with refuse
	sources []source // with search
}

type verdict uint8

const (
	refuse verdict = iota
	accept         // it is recorded
	again          // nothing is against it any more
	wait           // for the end of the execution
	search         // inputs are gone for good: the indexes tell whether they ever were there
)

// source is where a missing input should have come from, as of a height.
type source struct {
	in     *chain.Input
	status atomix.Status
	cross  bool // status holds
}

// doubtPatience is when an execution is looked at again that was not made final.
const doubtPatience = 500 * time.Millisecond

// answered takes the machine's refusals over. What was refused for the sake of a
// block that is being executed is settled when that block is final, or submitted
// again when it was given up: until then nobody knows whether a payment is
// recorded or a coin is spent.
func (s *submitting) answered(ctx context.Context, a validator.Answer) {
	doubts := s.doubtful(s.good, a)
	for len(doubts) > 0 {
		moved := s.member.view.nextFinal()
		if !s.resolve(ctx, doubts) {
			return
		}
		var repeat []int
		waiting := doubts[:0]
		for _, d := range doubts {
			switch d.verdict {
			case refuse:
				s.refuse(d.place, d.err)
			case again:
				repeat = append(repeat, d.place)
			case wait:
				waiting = append(waiting, d)
			}
		}
		doubts = waiting
		if len(repeat) > 0 {
			more, ok := s.submitAgain(ctx, repeat)
			if !ok {
				s.giveUp(doubts)
				return
			}
			doubts = append(doubts, more...)
			continue
		}
		if len(doubts) == 0 {
			return
		}
		select {
		case <-moved:
		case <-time.After(doubtPatience):
		case <-s.member.done:
			s.giveUp(doubts)
			return
		case <-ctx.Done():
			s.giveUp(doubts)
			return
		}
	}
}

// doubtful are the refusals that have to be looked at; the others are told as
// they are. places are those of the transactions that the answer counts.
func (s *submitting) doubtful(places []int, a validator.Answer) (list []doubt) {
	for _, r := range a.Refusals {
		if place := places[r.Index]; errors.Is(r.Err, chain.ErrUnknown) || errors.Is(r.Err, chain.ErrDecided) {
			list = append(list, doubt{place: place})
		} else {
			s.refuse(place, r.Err)
		}
	}
	return list
}

// giveUp answers what is still open when there is no more time.
func (s *submitting) giveUp(doubts []doubt) {
	for _, d := range doubts {
		s.refuse(d.place, chain.Rule(chain.ErrNotReady, "transaction %s depends on a block that is not final yet; submit it again", s.txs[d.place].ID.Short()))
	}
}

// submitAgain hands transactions to the machine once more. It is false, and has
// refused them, when the machine does not answer.
func (s *submitting) submitAgain(ctx context.Context, places []int) (doubts []doubt, ok bool) {
	txs := make([]chain.Tx, len(places))
	for i, place := range places {
		txs[i] = s.txs[place]
	}
	answer := make(chan validator.Answer, 1) // the first one may be answered late
	s.member.post(validator.Submit{Txs: txs, Tag: answer})
	select {
	case a := <-answer:
		return s.doubtful(places, a), true
	case <-s.member.done:
	case <-ctx.Done():
	}
	for _, place := range places {
		s.refuse(place, chain.Rule(chain.ErrNotReady, "transaction %s is not held by a quorum yet; submit it again", s.txs[place].ID.Short()))
	}
	return nil, false
}

// resolve gives each doubt its verdict. The machine is asked once for all. It is
// false, and has answered them, when that cannot be done.
func (s *submitting) resolve(ctx context.Context, doubts []doubt) bool {
	m := s.member
	var height uint64
	err := m.ask(ctx, func() {
		st := m.core.State()
		height = st.Height()
		final := st.Final()
		for i := range doubts {
			m.judge(&doubts[i], &s.txs[doubts[i].place], st, final)
		}
	})
	searched := slices.ContainsFunc(doubts, func(d doubt) bool { return d.verdict == search })
	if err == nil && searched {
		err = m.indexed(ctx, height)
	}
	if err != nil {
		s.giveUp(doubts)
		return false
	}
	for i := range doubts {
		if d := &doubts[i]; d.verdict == search {
			m.search(d, s.txs[d.place].ID, height)
		}
	}
	return true
}

// judge compares what the last final block says of a transaction with what the
// open execution says. It runs in the loop.
func (m *member) judge(d *doubt, t *chain.Tx, st *atomix.State, final atomix.Final) {
	d.sources = d.sources[:0]
	epoch := m.epoch.Load()
	was, is := final.Validate(t, epoch), st.Validate(t, epoch)
	switch {
	case errors.Is(was, chain.ErrDecided):
		d.verdict = accept
	case final.Executing(t.ID):
		d.verdict = wait
	case is == nil:
		d.verdict = again
	case errors.Is(was, chain.ErrUnknown):
		d.verdict, d.err = search, was
		for i := range t.Inputs {
			in := &t.Inputs[i]
			if in.Owner.Shard(m.node.net.params.Shards) == m.chain && final.Gone(in) {
				status, cross := st.Status(in.Tx)
				d.sources = append(d.sources, source{in, status, cross})
			}
		}
	case was == nil && (errors.Is(is, chain.ErrUnknown) || errors.Is(is, chain.ErrDecided)):
		d.verdict = wait // the execution spends an input
	case was != nil:
		d.verdict, d.err = refuse, was
	default:
		d.verdict, d.err = refuse, is
	}
}

// search finds out from the indexes, which have all up to the height, why an
// input is gone: because the transaction itself took it, or another one. A client
// is told that a coin is spent only if that holds for all times.
func (m *member) search(d *doubt, id chain.TxID, height uint64) {
	if heights, err := m.disk.ids.Find(id); err == nil && len(heights) > 0 {
		d.verdict = accept
		return
	}
	d.verdict = refuse
	for _, src := range d.sources {
		if m.existed(src, height) {
			d.err = chain.Rule(chain.ErrSpent, "output %d of %s was spent; choose other coins", src.in.Index, src.in.Tx.Short())
			return
		}
	}
}

// existed reports whether the outputs of an input's transaction were here at the
// height. What comes from another shard is recorded before it is committed.
func (m *member) existed(src source, height uint64) bool {
	heights, err := m.disk.ids.Find(src.in.Tx)
	if err != nil || len(heights) == 0 || heights[0] > height {
		return false
	}
	return !src.cross || src.status.Outcome == chain.Committed && src.status.Closed <= height
}

// indexed waits until all that is final up to a height is in the indexes, which
// follow the machine within milliseconds.
func (m *member) indexed(ctx context.Context, height uint64) error {
	for m.disk.tip.Load() < height {
		select {
		case <-time.After(5 * time.Millisecond):
		case <-m.done:
			return errStopping
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
