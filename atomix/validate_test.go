package atomix

import (
	"errors"
	"testing"

	"ios/chain"
)

// Who submits a payment again after it was applied hears that it is decided,
// while somebody else's payment of the same coin hears that the coin is gone.
func TestAPaymentIsNotItsOwnDoubleSpend(t *testing.T) {
	w := newWorld(t, 2, 100)
	a, l := w.coin(0, 0), w.shards[0]
	tx := w.tx([]coin{a}, pay{w.wallet(0), 60})
	rival := w.tx([]coin{a}, pay{w.wallet(0), 50})
	if err := l.state.Validate(tx, 1); err != nil {
		t.Fatal(err)
	}
	l.submit(tx)
	if err := l.state.Validate(tx, 1); !errors.Is(err, chain.ErrDecided) {
		t.Fatalf("the same payment again: %v", err)
	}
	if err := l.state.Validate(rival, 1); !errors.Is(err, chain.ErrUnknown) {
		t.Fatalf("a rival payment: %v", err)
	}
}

// While a block is executed that may still be given up, a payment in it is not
// decided, and what it spends is not gone.
func TestAnOpenExecutionDecidesNothing(t *testing.T) {
	w := newWorld(t, 2, 100)
	a, l := w.coin(0, 0), w.shards[0]
	tx := w.tx([]coin{a}, pay{w.wallet(0), 60})
	rival := w.tx([]coin{a}, pay{w.wallet(1), 50})
	h := chain.Header{Chain: w.params.ChainID, Epoch: 1, Height: 1}
	for _, mine := range []*chain.Tx{tx, rival} {
		l.state.Execute(&h, []*chain.Body{{Payload: chain.PayloadOf([][]byte{mine.Raw}, nil)}})
		for _, x := range []*chain.Tx{tx, rival} {
			if err := l.state.Final().Validate(x, 1); err != nil {
				t.Errorf("as of the last final block: %v", err)
			}
			if got := l.state.Final().Executing(x.ID); got != (x == mine) {
				t.Errorf("being executed: %v", got)
			}
			if l.state.Validate(x, 1) == nil {
				t.Error("the execution does not show where it should")
			}
		}
		l.state.Revert()
		if err := l.state.Final().Validate(mine, 1); err != nil || l.state.Final().Executing(mine.ID) {
			t.Errorf("after it was given up: %v", err)
		}
	}
}
