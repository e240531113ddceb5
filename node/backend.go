package node

import (
	"context"
	"errors"
	"fmt"

	"ios/atomix"
	"ios/chain"
	"ios/chain/store"
	"ios/node/api"
	"ios/node/validator"
)

var _ api.Backend = (*Node)(nil)

// Submit implements api.Backend.
func (n *Node) Submit(ctx context.Context, raw []byte) (api.SubmitResult, error) {
	if err := n.notReady(); err != nil {
		return api.SubmitResult{}, err
	}
	txs, err := n.net.params.DecodeTxs(raw, api.MaxSubmitTxs)
	if err != nil {
		return api.SubmitResult{}, err
	}
	s := &submitting{node: n, txs: txs, answer: make(chan validator.Answer, 1)}
	s.checkStatic()
	if len(s.good) > 0 {
		if err := n.check.put(checkJob{source: clients, size: len(raw), prepare: s.prepare, done: s.checked}, true); err != nil {
			return api.SubmitResult{}, err
		}
		select {
		case a := <-s.answer:
			s.answered(ctx, a)
		case <-n.done:
			return api.SubmitResult{}, chain.Rule(api.ErrStopping, "the validator is shutting down; ask another one whether it was accepted")
		case <-ctx.Done():
			return api.SubmitResult{}, ctx.Err()
		}
	}
	return api.SubmitResult{Accepted: len(txs) - len(s.refused), Refused: s.refused}, nil
}

// notReady says why nothing can be submitted now.
func (n *Node) notReady() error {
	switch phase, reason := n.view.phaseAndReason(); phase {
	case api.PhaseReady, api.PhaseStalled: // what is held by a quorum survives a stall
		return nil
	default:
		return chain.Rule(chain.ErrNotReady, "the validator is %s: %s; use another one of shard %d", phase, reason, n.net.shard)
	}
}

// submitting is one call of Submit.
type submitting struct {
	node    *Node
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
	w := s.node.net
	s.good = make([]int, 0, len(s.txs))
	for i := range s.txs {
		t := &s.txs[i]
		err := w.params.CheckTx(t, firstEpoch)
		if err == nil {
			if in := w.params.InputShards(t); !in.Has(w.shard) {
				err = chain.Rule(chain.ErrWrongShard, "no input is in shard %d; submit it where its inputs are", w.shard)
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
	s.node.view.batch.Load().add(validator.Submit{Txs: txs, Tag: s.answer})
}

// Carry implements api.Backend.
func (n *Node) Carry(ctx context.Context, raw []byte) error {
	if err := n.notReady(); err != nil {
		return err
	}
	b, err := n.net.params.DecodeBundle(raw)
	if err != nil {
		return err
	}
	checked := make(chan error, 1)
	if err := n.check.put(n.bundleJob(b, clients, func(err error) { checked <- err }), true); err != nil {
		return err
	}
	select {
	case err = <-checked:
	case <-n.done:
		return chain.Rule(api.ErrStopping, "the validator is shutting down")
	case <-ctx.Done():
		return ctx.Err()
	}
	if err != nil {
		return err
	}
	n.post(atomix.CarryIn{Bundle: b})
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
func (n *Node) at(height uint64) error {
	if !n.view.serving() {
		return chain.Rule(chain.ErrNotReady, "the validator is %s; see its status", n.view.phase())
	}
	switch tip := n.disk.tip.Load(); {
	case height == 0:
		return chain.Rule(api.ErrNotFound, "blocks begin at height 1")
	case height > tip:
		return chain.Rule(api.ErrNotYet, "the last final block here is %d", tip)
	}
	return nil
}

// Block implements api.Backend.
func (n *Node) Block(_ context.Context, height uint64) ([]byte, error) {
	if err := n.at(height); err != nil {
		return nil, err
	}
	_, raw, err := n.disk.block(height)
	return raw, kinds(err)
}

// BlockEvent implements api.Backend.
func (n *Node) BlockEvent(_ context.Context, height uint64) (*api.BlockEvent, error) {
	if err := n.at(height); err != nil {
		return nil, err
	}
	b, _, err := n.disk.block(height)
	if err != nil {
		return nil, kinds(err)
	}
	o, err := n.disk.outcomes(height)
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

// Ready implements api.Backend.
func (n *Node) Ready() []string {
	if phase, reason := n.view.phaseAndReason(); phase != api.PhaseReady {
		return []string{fmt.Sprintf("%s: %s", phase, reason)}
	}
	return nil
}
