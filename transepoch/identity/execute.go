package identity

import (
	"ios/chain"
	"ios/chain/sig"
)

// execution is a block that is being applied.
type execution struct {
	book   *Book
	cur    *era
	l      *ledger
	height uint64
	report *Report
	told   []segmentEntry
}

// Execute applies the bodies in order on the last final state and returns the
// root over what became of each op. An execution that is open is taken back
// first. Content of a body is what [Checker.Check] gave; a body without is decoded
// here.
func (s *State) Execute(h *chain.Header, bodies []*chain.Body) chain.Hash {
	s.Revert()
	cur := s.book.current()
	x := &execution{book: s.book, cur: cur, l: s.final.clone(), height: h.Height, report: &Report{Height: h.Height, Term: cur.rec.Term()}}
	x.l.height = h.Height
	for _, b := range bodies {
		p, ok := b.Content.(*Payload)
		if !ok {
			var err error
			if p, err = DecodePayload(b.Payload); err != nil {
				continue // no quorum acks such a body; all decode it alike
			}
		}
		for _, op := range p.Ops {
			id, why := OpID(cur.rec.Chain, b.Author, op), x.apply(op, b.Author)
			x.report.Ops = append(x.report.Ops, Result{ID: id, Author: b.Author, Kind: op.Kind(), Reason: why})
			outcome := chain.Committed
			if why != Done {
				outcome = chain.Rejected
			}
			x.tell(chain.IdentityShard, id, outcome)
		}
	}
	if x.l.ending != nil {
		x.endEpoch()
	}
	s.open, s.report = x.l, x.report
	s.report.Tree = tree(x.told)
	s.report.Hashes = s.report.Tree.Hashes()
	return s.report.Hashes.Root()
}

// Revert takes the open execution back.
func (s *State) Revert() { s.open = nil }

// Finalize makes the open execution permanent.
func (s *State) Finalize(b *chain.Block) {
	l := s.open
	if l == nil {
		return
	}
	s.open = nil
	if d := l.seed; d != nil && d.ref.Height == b.Header.Height {
		named := *d
		named.ref.Block = b.Header.Hash()
		l.seed = &named
	}
	if rec := s.report.Epoch; rec != nil {
		if err := s.book.advance(rec); err != nil && s.broken == nil {
			s.broken = err
		}
	}
	s.final = l
}

// Report tells what the open execution came to, or the last one; nil before the
// first.
func (s *State) Report() *Report { return s.report }

func (x *execution) apply(op Op, author chain.ValidatorID) Reason {
	switch op := op.(type) {
	case *Join:
		return x.applyJoin(op)
	case *Rotate:
		return x.applyRotate(op)
	case *Leave:
		return x.applyLeave(op)
	case *Resume:
		return x.applyResume(op)
	case *Unbond:
		return x.applyUnbond(op)
	case *Alive:
		return x.applyAlive(op, author)
	case *Base:
		return x.applyBase(op)
	case *Seed:
		return x.applySeed(op)
	case *Output:
		return x.applyOutput(op)
	case *Silent:
		return x.applySilent(op, author)
	case *Carried:
		return x.applyCarried(op)
	}
	return ReasonWrong
}

func (x *execution) applyJoin(op *Join) Reason {
	v, join := &op.Validator, tagged(tagRegister, op.SignedBytes(x.cur.rec.Chain))
	switch {
	case v.Stake < x.book.genesis.Policy.MinStake:
		return ReasonStake
	case len(x.l.entries) >= chain.MaxPlaces || x.l.present() >= chain.MaxValidators:
		return ReasonFull
	case x.l.joined(join) || x.l.clash(v, chain.MaxPlaces):
		return ReasonClash
	case v.Stake > 0 && !x.l.spendCredit(addressOf(&op.Payer), v.Stake):
		return ReasonCredit
	}
	e := &entry{id: chain.ValidatorID(len(x.l.entries)), now: *v, join: join, wants: true}
	x.l.ask(e)
	x.l.entries = append(x.l.entries, e)
	return Done
}

func addressOf(key *sig.PublicKey) chain.Address { return chain.AddressOf((*[32]byte)(key)) }

// order checks what all orders have in common and takes the number, also if the
// order then comes to nothing: nobody can put it up again when it would.
func (x *execution) order(o *Order) (*entry, Reason) {
	if int(o.ID) >= len(x.l.entries) {
		return nil, ReasonUnknown
	}
	switch e := x.l.entries[o.ID]; {
	case e.gone:
		return nil, ReasonGone
	case o.Key != e.now.Signing:
		return nil, ReasonKey
	case o.Seq != e.seq+1:
		return nil, ReasonSeq
	}
	e := x.l.edit(o.ID)
	e.seq = o.Seq
	return e, Done
}

func (x *execution) applyRotate(op *Rotate) Reason {
	e, why := x.order(&op.Order)
	switch {
	case why != Done:
		return why
	case x.l.clash(&op.Validator, op.ID):
		return ReasonClash
	}
	v := op.Validator
	e.next = &v
	return Done
}

func (x *execution) applyLeave(op *Leave) Reason {
	e, why := x.order(&op.Order)
	switch {
	case why != Done:
		return why
	case e.leave:
		return ReasonAgain
	case !x.l.room(op.To):
		return ReasonFull
	}
	e.leave, e.to = true, op.To
	x.l.ask(e)
	return Done
}

func (x *execution) applyResume(op *Resume) Reason {
	e, why := x.order(&op.Order)
	switch {
	case why != Done:
		return why
	case e.in || e.wants || e.leave:
		return ReasonAgain
	}
	e.wants = true
	x.l.ask(e)
	return Done
}

func (x *execution) applyUnbond(op *Unbond) Reason {
	e, why := x.order(&op.Order)
	p := &x.book.genesis.Policy
	switch {
	case why != Done:
		return why
	case e.leave:
		return ReasonAgain
	case op.Amount == 0 || op.Amount > e.now.Stake || e.now.Stake-op.Amount < p.MinStake:
		return ReasonStake
	case x.l.unbonding(op.ID) >= maxUnbonds || !x.l.room(op.To):
		return ReasonFull
	}
	e.now.Stake -= op.Amount
	x.l.payLater(op.ID, op.Amount, op.To, x.cur.rec.Number+1+uint64(p.UnbondEpochs))
	return Done
}

func (x *execution) applyAlive(op *Alive, author chain.ValidatorID) Reason {
	switch {
	case op.Epoch != x.cur.rec.Number:
		return ReasonEpoch
	case int(author) >= len(x.l.entries) || !x.l.entries[author].in:
		return ReasonUnknown
	case x.l.entries[author].alive:
		return ReasonAgain
	}
	x.l.edit(author).alive = true
	return Done
}

// applyBase keeps the newest block. That its certificate is of a committee that
// still convinces is checked with the body.
func (x *execution) applyBase(op *Base) Reason {
	h := &op.Header
	if int(h.Shard) >= len(x.l.bases) {
		return ReasonWrong
	}
	old := &x.l.bases[h.Shard]
	if h.Height <= old.Height || h.Term().Compare(old.Term) < 0 {
		return ReasonOld
	}
	*old = Point{h.Term(), h.Height, h.Hash()}
	return Done
}
