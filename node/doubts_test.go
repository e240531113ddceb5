package node

import (
	"context"
	"testing"
	"time"

	"ios/chain"
	"ios/node/api"
	"ios/node/validator"
)

// execute opens an execution of transactions at a node, as a block does that may
// never become final.
func (r *rig) execute(n *member, txs ...*chain.Tx) {
	r.t.Helper()
	var raw [][]byte
	for _, t := range txs {
		raw = append(raw, t.Raw)
	}
	if err := n.ask(r.t.Context(), func() {
		s := n.core.State()
		h := chain.Header{Chain: r.params.ChainID, Shard: n.chain, Epoch: firstEpoch, Height: s.Height() + 1}
		s.Execute(&h, []*chain.Body{{Payload: chain.PayloadOf(raw, nil)}})
	}); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) revert(n *member) {
	r.t.Helper()
	if err := n.ask(r.t.Context(), func() { n.core.State().Revert() }); err != nil {
		r.t.Fatal(err)
	}
}

// submitting begins a submission, and is sure that it is not answered for a while.
func (r *rig) submitting(n *member, txs ...*chain.Tx) <-chan api.SubmitResult {
	r.t.Helper()
	result := make(chan api.SubmitResult, 1)
	var raw []byte
	for _, t := range txs {
		raw = append(raw, t.Raw...)
	}
	go func() {
		res, err := n.node.Submit(r.t.Context(), raw)
		if err != nil {
			r.t.Error(err)
		}
		result <- res
	}()
	select {
	case res := <-result:
		r.t.Fatalf("an execution that may be given up was taken for final: %+v", res)
	case <-time.After(200 * time.Millisecond):
	}
	return result
}

// spendable is a coin that a block made, so that the indexes know when it is spent.
func (r *rig) spendable() []chain.Input {
	r.t.Helper()
	tx := r.pay(r.coins(0, 1), 0)
	r.submit(r.at(0), tx)
	for _, n := range r.nodes {
		r.becomes(n.node.newest(), tx.ID, api.StateCommitted)
	}
	return []chain.Input{{OutPoint: chain.OutPoint{Tx: tx.ID, Index: 1}, Owner: tx.Inputs[0].Owner, Amount: tx.Outputs[1].Amount}}
}

// While a block is executed here that is given up in the end, nobody hears that
// the payment in it is accepted: no quorum may hold it.
func TestAPaymentInABlockThatIsGivenUpIsNotAccepted(t *testing.T) {
	r := newRig(t, 1, 4)
	n := r.at(0)
	tx := r.pay(r.coins(0, 1), 0)
	r.execute(n, tx)
	result := r.submitting(n, tx)
	r.revert(n)
	if res := <-result; res.Accepted != 1 {
		t.Fatalf("%+v", res)
	}
	for _, node := range r.nodes {
		r.becomes(node.node.newest(), tx.ID, api.StateCommitted)
	}
}

// Nor does anybody hear that a coin is spent for all times.
func TestACoinInABlockThatIsGivenUpIsNotSpent(t *testing.T) {
	r := newRig(t, 1, 4)
	n := r.at(0)
	coin := r.spendable()
	tx := r.pay(coin, 0)
	r.execute(n, r.pay(coin, 0, 0)) // somebody else's
	result := r.submitting(n, tx)
	r.revert(n)
	if res := <-result; res.Accepted != 1 {
		t.Fatalf("%+v", res)
	}
	r.becomes(n, tx.ID, api.StateCommitted)
}

// When the block is final, all is told as it is, at once.
func TestDoubtsEndWithTheBlock(t *testing.T) {
	r := newRig(t, 1, 4)
	n, other := r.member(0), r.member(1)
	coin := r.spendable()
	tx, rival := r.pay(coin, 0, 0), r.pay(coin, 0)
	r.execute(n, tx)
	result := r.submitting(n, tx, rival)
	r.submit(other, tx)
	res := <-result
	if res.Accepted != 1 || len(res.Refused) != 1 || res.Refused[0].Index != 1 || res.Refused[0].Kind != chain.ErrSpent {
		t.Fatalf("%+v", res)
	}
	r.becomes(n, tx.ID, api.StateCommitted)
}

// A client whose time is up hears what is not settled.
func TestDoubtsAreBoundedByTheRequest(t *testing.T) {
	r := newRig(t, 1, 1)
	n := r.at(0)
	coins := r.coins(0, 2)
	tx, good := r.pay(coins[:1], 0), r.pay(coins[1:], 0)
	s := &submitting{member: n, txs: []chain.Tx{*tx, *good}, good: []int{0, 1}}
	r.execute(n, tx)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	s.answered(ctx, validator.Answer{Refusals: []validator.Refusal{{Index: 0, Err: chain.ErrDecided}}})
	if len(s.refused) != 1 || s.refused[0].Index != 0 || s.refused[0].Kind != chain.ErrNotReady {
		t.Fatalf("%+v", s.refused)
	}
	r.revert(n)
}

// An input that another transfer holds is not called spent because another input
// of the same transaction is unknown.
func TestOnlyWhatIsGoneIsSearched(t *testing.T) {
	r := newRig(t, 2, 8)
	n := r.at(0)
	tx := r.pay(r.coins(0, 1), 0)
	r.submit(n, tx)
	r.becomes(n, tx.ID, api.StateCommitted)
	there := chain.Input{OutPoint: chain.OutPoint{Tx: tx.ID, Index: 1}, Owner: tx.Inputs[0].Owner, Amount: tx.Outputs[1].Amount}
	unknown := chain.Input{OutPoint: chain.OutPoint{Tx: chain.TxID{1}}, Owner: there.Owner, Amount: 100}
	for _, inputs := range [][]chain.Input{{unknown, there}, {there, unknown}} {
		res := r.submit(n, r.pay(inputs, 0))
		if len(res.Refused) != 1 || res.Refused[0].Kind != chain.ErrUnknown {
			t.Errorf("%+v", res)
		}
	}
}
