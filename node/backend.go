package node

import (
	"context"
	"errors"

	"ios/atomix"
	"ios/chain"
	"ios/chain/store"
	"ios/node/api"
	"ios/node/validator"
)

// Submit implements api.Backend.
func (m *member) Submit(ctx context.Context, raw []byte) (api.SubmitResult, error) {
	if err := m.notReady(); err != nil {
		return api.SubmitResult{}, err
	}
	txs, err := m.node.net.params.DecodeTxs(raw, api.MaxSubmitTxs)
	if err != nil {
		return api.SubmitResult{}, err
	}
	s := &submitting{member: m, txs: txs, size: len(raw), answer: make(chan validator.Answer, 1)}
	s.checkStatic()
	if len(s.good) > 0 {
		if m.verdicts.waiting() > checkBytes {
			return api.SubmitResult{}, chain.Rule(chain.ErrFull, "%d MB wait for the machine already; send it again in a second", checkBytes>>20)
		}
		if err := m.node.check.put(checkJob{source: clients, size: len(raw), prepare: s.prepare, done: s.checked}, true); err != nil {
			return api.SubmitResult{}, err
		}
		select {
		case a := <-s.answer:
			s.answered(ctx, a)
		case <-m.done:
			return api.SubmitResult{}, chain.Rule(api.ErrStopping, "the validator is shutting down; ask another one whether it was accepted")
		case <-ctx.Done():
			return api.SubmitResult{}, ctx.Err()
		}
	}
	return api.SubmitResult{Accepted: len(txs) - len(s.refused), Refused: s.refused}, nil
}

// notReady says why nothing can be submitted now.
func (m *member) notReady() error {
	switch phase, reason := m.view.phaseAndReason(); phase {
	case api.PhaseReady, api.PhaseStalled: // what is held by a quorum survives a stall
		return nil
	default:
		return chain.Rule(chain.ErrNotReady, "the validator is %s: %s; use another one of shard %d", phase, reason, m.chain)
	}
}

// submitting is one call of Submit.
type submitting struct {
	member  *member
	size    int // bytes of txs
	txs     []chain.Tx
	good    []int // places of those that are not refused so far
	signer  []int // for each signature in the batch, the place of its transaction
	refused []api.Refusal
	answer  chan validator.Answer
}

func (s *submitting) refuse(i int, err error) {
	r := api.Refusal{Index: i, Kind: chain.ErrEncoding, Text: err.Error()}
	if rule := (*chain.RuleError)(nil); errors.As(err, &rule) {
		r.Kind, r.Text = rule.Kind, rule.Text
	}
	s.refused = append(s.refused, r)
}

func (s *submitting) checkStatic() {
	m := s.member
	p := m.node.net.params
	s.good = make([]int, 0, len(s.txs))
	for i := range s.txs {
		t := &s.txs[i]
		err := p.CheckTx(t, firstEpoch)
		if err == nil {
			if in := p.InputShards(t); !in.Has(m.chain) {
				err = chain.Rule(chain.ErrWrongShard, "no input is in shard %d; submit it where its inputs are", m.chain)
			}
		}
		if err != nil {
			s.refuse(i, err)
			continue
		}
		s.good = append(s.good, i)
	}
}

func (s *submitting) prepare(w *checkWork) error {
	for _, i := range s.good {
		w.tx(&s.txs[i])
		for range s.txs[i].Witnesses {
			s.signer = append(s.signer, i)
		}
	}
	return nil
}

// checked hands what is good to the machine. It runs on the checker.
func (s *submitting) checked(bad []int, _ error) {
	if len(bad) > 0 {
		forged := make(map[int]bool)
		for _, b := range bad {
			forged[s.signer[b]] = true
		}
		good := s.good[:0]
		for _, i := range s.good {
			if forged[i] {
				s.refuse(i, chain.Rule(chain.ErrSignature, "a witness does not verify; sign the transaction for this chain"))
			} else {
				good = append(good, i)
			}
		}
		s.good = good
	}
	if len(s.good) == 0 {
		s.answer <- validator.Answer{}
		return
	}
	txs := s.txs
	if len(s.good) < len(txs) {
		txs = make([]chain.Tx, len(s.good))
		for j, i := range s.good {
			txs[j] = s.txs[i]
		}
	}
	s.member.verdicts.add(validator.Submit{Txs: txs, Tag: s.answer}, s.size)
}

// Carry implements api.Backend.
func (m *member) Carry(ctx context.Context, raw []byte) error {
	if err := m.notReady(); err != nil {
		return err
	}
	b, err := m.node.net.params.DecodeBundle(raw)
	if err != nil {
		return err
	}
	checked := make(chan error, 1)
	if err := m.node.check.put(m.bundleJob(b, clients, func(err error) { checked <- err }), true); err != nil {
		return err
	}
	select {
	case err = <-checked:
	case <-m.done:
		return chain.Rule(api.ErrStopping, "the validator is shutting down")
	case <-ctx.Done():
		return ctx.Err()
	}
	if err != nil {
		return err
	}
	m.post(atomix.CarryIn{Bundle: b})
	return nil
}

// kinds gives an error of the store the kind that clients know.
func kinds(err error) error {
	switch {
	case errors.Is(err, store.ErrDropped):
		return chain.Rule(api.ErrPruned, "%v", err)
	case errors.Is(err, store.ErrNotFound):
		return chain.Rule(api.ErrNotFound, "%v", err)
	case errors.Is(err, store.ErrClosed):
		return chain.Rule(api.ErrStopping, "the validator is shutting down")
	}
	return err
}

// at checks that a height is final here.
func (m *member) at(height uint64) error {
	if !m.view.serving() {
		return chain.Rule(chain.ErrNotReady, "the validator is %s; see its status", m.view.phase())
	}
	switch tip := m.disk.tip.Load(); {
	case height == 0:
		return chain.Rule(api.ErrNotFound, "blocks begin at height 1")
	case height > tip:
		return chain.Rule(api.ErrNotYet, "the last final block here is %d", tip)
	}
	return nil
}

// Block implements api.Backend.
func (m *member) Block(_ context.Context, height uint64) ([]byte, error) {
	if err := m.at(height); err != nil {
		return nil, err
	}
	_, raw, err := m.disk.block(height)
	return raw, kinds(err)
}

// BlockEvent implements api.Backend.
func (m *member) BlockEvent(_ context.Context, height uint64) (*api.BlockEvent, error) {
	if err := m.at(height); err != nil {
		return nil, err
	}
	b, _, err := m.disk.block(height)
	if err != nil {
		return nil, kinds(err)
	}
	o, err := m.outcomes(height)
	if err != nil {
		return nil, kinds(err)
	}
	ev := &api.BlockEvent{Height: height, Hash: b.Header.Hash(), Time: unixTime(o.Time), Epoch: b.Header.Epoch, View: b.Cert.View}
	for _, e := range atomix.OutcomesOf(o.Tree) {
		ev.Outcomes = ev.Outcomes.Append(e.ID, byte(e.Outcome))
	}
	for _, s := range o.Skipped {
		ev.Skipped = ev.Skipped.Append(s.ID, byte(s.Reason))
	}
	return ev, nil
}
