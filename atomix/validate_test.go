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
