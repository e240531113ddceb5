package node

import (
	"ios/drp"
	"ios/node/council"
	"ios/transepoch/identity"
)

// failedRun remembers who had done what when a run of the beacon ended: if the epoch
// is void, that is what its validators want to know.
type failedRun struct {
	epoch uint64 // that the run was for
	table []drp.Row
}

// note takes the status that follows on another one.
func (f *failedRun) note(before, now *council.Status) {
	if now.Epoch == before.Epoch+1 {
		f.epoch, f.table = now.Epoch, before.Table
	}
}

// of is the table of the run for an epoch, if that is void.
func (f *failedRun) of(e *identity.Epoch) []drp.Row {
	if e.Course == identity.Void && e.Number == f.epoch {
		return f.table
	}
	return nil
}
