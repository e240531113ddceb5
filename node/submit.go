package node

import (
	"context"
	"errors"
	"slices"
	"sync"

	"ios/chain"
	"ios/node/api"
	"ios/node/validator"
)

// Submit implements api.Backend: each transaction goes to a shard that runs here
// and that it has an input in.
func (n *Node) Submit(ctx context.Context, raw []byte) (api.SubmitResult, error) {
	takers, err := n.takers()
	if err != nil {
		return api.SubmitResult{}, err
	}
	txs, err := n.net.params.DecodeTxs(raw, api.MaxSubmitTxs)
	if err != nil {
		return api.SubmitResult{}, err
	}
	parts, refused := n.sortOut(txs, takers)
	if len(parts) == 1 {
		err = parts[0].submit(ctx)
	} else {
		var all sync.WaitGroup
		for _, s := range parts {
			all.Go(func() {
				if err := s.submit(ctx); err != nil {
					s.refuseRest(err)
				}
			})
		}
		all.Wait()
	}
	if err != nil {
		return api.SubmitResult{}, err
	}
	for _, s := range parts {
		refused = append(refused, s.refused...)
	}
	slices.SortFunc(refused, func(a, b api.Refusal) int { return a.Index - b.Index })
	return api.SubmitResult{Accepted: len(txs) - len(refused), Refused: refused}, nil
}

// takers are the shards here that take transactions now. The error says why none
// does.
func (n *Node) takers() (list []*member, err error) {
	err = chain.Rule(chain.ErrNotReady, "the validator takes part in no shard; use another one")
	for _, m := range n.members() {
		if e := m.notReady(); e == nil {
			list = append(list, m)
		} else {
			err = e
		}
	}
	if len(list) > 0 {
		err = nil
	}
	return list, err
}

// sortOut checks the static rules and gives each transaction to a shard.
func (n *Node) sortOut(txs []chain.Tx, takers []*member) (parts []*submitting, refused []api.Refusal) {
	p := n.net.params
	of := make([]*submitting, len(takers))
	for i := range txs {
		t := &txs[i]
		in := p.InputShards(t)
		at := slices.IndexFunc(takers, func(m *member) bool { return in.Has(m.chain) })
		err := p.CheckTx(t, takers[max(at, 0)].epoch.Load())
		if err == nil && at < 0 {
			err = n.elsewhere(takers)
		}
		if err == nil && t.Staked() != nil && !n.net.ends() {
			err = chain.Rule(chain.ErrStake, "epochs do not end on this network: nobody takes it into the registry, and it would be locked for ever")
		}
		if err != nil {
			refused = append(refused, refusalOf(i, err))
			continue
		}
		s := of[at]
		if s == nil {
			s = &submitting{member: takers[at], txs: txs, places: make([]int, 0, len(txs)), answer: make(chan validator.Answer, 1)}
			of[at], parts = s, append(parts, s)
		}
		s.places = append(s.places, i)
		s.size += len(t.Raw)
	}
	for _, s := range parts {
		s.good = slices.Clone(s.places) // checked changes it
	}
	return parts, refused
}

// elsewhere is why a transaction is refused that has no input in the takers.
func (n *Node) elsewhere(takers []*member) error {
	if len(takers) == 1 {
		return chain.Rule(chain.ErrWrongShard, "no input is in shard %d; submit it where its inputs are", takers[0].chain)
	}
	return chain.Rule(chain.ErrWrongShard, "no input is in a shard that takes transactions here; submit it where its inputs are")
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

// submitting is what a shard gets of one call of Submit.
type submitting struct {
	member  *member
	size    int        // bytes of the good ones
	txs     []chain.Tx // of the whole call
	places  []int      // in txs, of those that are for this shard
	good    []int      // of those of them that are not refused so far
	signer  []int      // for each signature in the batch, the place of its transaction
	refused []api.Refusal
	answer  chan validator.Answer
}

func (s *submitting) refuse(i int, err error) {
	s.refused = append(s.refused, refusalOf(i, err))
}

// refuseRest answers for all that could not be submitted.
func (s *submitting) refuseRest(err error) {
	s.refused = nil
	for _, i := range s.places {
		s.refuse(i, err)
	}
}

func refusalOf(i int, err error) api.Refusal {
	r := api.Refusal{Index: i, Kind: chain.ErrEncoding, Text: err.Error()}
	if rule := (*chain.RuleError)(nil); errors.As(err, &rule) {
		r.Kind, r.Text = rule.Kind, rule.Text
	}
	return r
}

// submit lets the shard check the transactions and its machine take them. It
// returns when each is accepted or refused; an error is for all.
func (s *submitting) submit(ctx context.Context) error {
	m := s.member
	if m.verdicts.waiting() > checkBytes {
		return chain.Rule(chain.ErrFull, "%d MB wait for the machine already; send it again in a second", checkBytes>>20)
	}
	job := checkJob{source: clients, work: s.work(), done: s.checked}
	job.size = s.size + len(job.work.sigs)*sigBytes
	if err := m.node.check.put(job, true); err != nil {
		return err
	}
	select {
	case a := <-s.answer:
		s.answered(ctx, a)
		return nil
	case <-m.done:
		return chain.Rule(api.ErrStopping, "the validator is shutting down; ask another one whether it was accepted")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// work is what is to be verified of the transactions.
func (s *submitting) work() (w checkWork) {
	w.expect(len(s.good))
	for _, i := range s.good {
		w.tx(&s.txs[i])
		for range s.txs[i].Witnesses {
			s.signer = append(s.signer, i)
		}
	}
	return w
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
