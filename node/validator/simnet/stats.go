package simnet

import (
	"fmt"
	"time"
)

// Stats says what happened in a run.
type Stats struct {
	Steps     uint64
	Simulated time.Duration

	Blocks    int // final
	Views     int // the highest view
	Crashes   int // blackouts
	Blamed    int // forged proofs that honest validators noticed
	Submitted int // payments
	Accepted  int // transactions, once for each shard that promised to order them
	Refused   int
	Skipped   int
	Committed int
	Cross     int // of the committed ones, those across shards
	Aborted   int
	Verdicts  int // of clients
}

// Add adds another run.
func (s *Stats) Add(o *Stats) {
	s.Steps += o.Steps
	s.Simulated += o.Simulated
	s.Blocks += o.Blocks
	s.Views = max(s.Views, o.Views)
	s.Crashes += o.Crashes
	s.Blamed += o.Blamed
	s.Submitted += o.Submitted
	s.Accepted += o.Accepted
	s.Refused += o.Refused
	s.Skipped += o.Skipped
	s.Committed += o.Committed
	s.Cross += o.Cross
	s.Aborted += o.Aborted
	s.Verdicts += o.Verdicts
}

// String is all of it in a line.
func (s *Stats) String() string {
	return fmt.Sprintf("%d steps in %v of simulated time, %d blocks, view %d at most, %d payments, %d accepted, %d refused, %d skipped, %d committed (%d across shards), %d aborted, %d verdicts of clients, %d forgeries noticed",
		s.Steps, s.Simulated.Round(time.Second), s.Blocks, s.Views, s.Submitted, s.Accepted, s.Refused, s.Skipped, s.Committed, s.Cross, s.Aborted, s.Verdicts, s.Blamed)
}
