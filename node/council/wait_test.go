package council

import (
	"strings"
	"testing"
	"time"

	"ios/chain"
	"ios/transepoch/identity"
)

// Who asks to leave a network that would miss its bound without it stays, and every
// member's status says why.
func TestWhoHasToWaitIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plan{validators: 14, seed: 2, faults: calm, shards: 2, policy: func(p *chain.Policy) { p.Churn, p.Byzantine = 400, 200 }})
	w.submit(1, "leave", w.leave(3, 1))
	w.done("leave", identity.Done)
	w.toEpoch(3, time.Minute)
	w.drawn()
	for _, id := range w.ids {
		if r := w.status[id].Reason; !strings.Contains(r, "1 of the 14 members asked to leave and have to wait") {
			t.Errorf("validator %d: %s", id, r)
		}
	}
	if n := len(w.members()); n != 14 {
		t.Errorf("%d members", n)
	}
}
