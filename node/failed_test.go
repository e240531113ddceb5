package node

import (
	"slices"
	"testing"

	"ios/drp"
	"ios/node/council"
	"ios/transepoch/identity"
)

// Who was silent is told as long as the epoch lasts that is void for it, and not of a
// run that came to its end.
func TestTheTableOfAFailedRunIsKept(t *testing.T) {
	var f failedRun
	table := []drp.Row{{Server: 3, State: drp.Absent}}
	f.note(&council.Status{Epoch: 4}, &council.Status{Epoch: 4, Table: table})
	f.note(&council.Status{Epoch: 4, Table: table}, &council.Status{Epoch: 5})
	f.note(&council.Status{Epoch: 5}, &council.Status{Epoch: 5, Phase: council.Dealing})
	if got := f.of(&identity.Epoch{Number: 5, Course: identity.Void}); !slices.Equal(got, table) {
		t.Error(got)
	}
	for _, e := range []*identity.Epoch{{Number: 5, Course: identity.Drawn}, {Number: 6, Course: identity.Void}} {
		if got := f.of(e); got != nil {
			t.Errorf("epoch %d, %v: %v", e.Number, e.Course, got)
		}
	}
	f.note(&council.Status{Epoch: 5}, &council.Status{Epoch: 6})
	if got := f.of(&identity.Epoch{Number: 6, Course: identity.Void}); got != nil {
		t.Error(got)
	}
}
