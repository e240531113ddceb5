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
	Restarts  int // of validators
	Snapshots int // that they restarted from
	Twins     int // second proposals that leaders showed
	Plots     int // certificates that traitors put together
	Blamed    int // forged proofs that honest validators noticed
	Submitted int // payments
	Accepted  int // transactions, once for each shard that promised to order them
	Refused   int
	Skipped   int
	Committed int
	Cross     int // of the committed ones, those across shards
	Aborted   int
	Verdicts  int // of clients
	Surprises int // payments that committed after a client was refused

	Epochs  int // announced
	Turns   int // of shards, into epochs and batches
	Carried int // transactions, once for each term that left them unfinished
	Waits   int // of members for batches that would leave too many seats absent
	Absent  int // seats at once
	Left    int // shards that validators left
	// BadTurns are those that traitors made up.
	BadTurns int
	Pace     time.Duration // the median time between two final blocks of a shard
	TurnGap  time.Duration // the longest between the last of a term and the next
}

// Add adds another run.
func (s *Stats) Add(o *Stats) {
	s.Steps += o.Steps
	s.Simulated += o.Simulated
	s.Blocks += o.Blocks
	s.Views = max(s.Views, o.Views)
	s.Restarts += o.Restarts
	s.Snapshots += o.Snapshots
	s.Twins += o.Twins
	s.Plots += o.Plots
	s.Blamed += o.Blamed
	s.Submitted += o.Submitted
	s.Accepted += o.Accepted
	s.Refused += o.Refused
	s.Skipped += o.Skipped
	s.Committed += o.Committed
	s.Cross += o.Cross
	s.Aborted += o.Aborted
	s.Verdicts += o.Verdicts
	s.Surprises += o.Surprises
	s.Epochs += o.Epochs
	s.Turns += o.Turns
	s.Carried += o.Carried
	s.Waits += o.Waits
	s.BadTurns += o.BadTurns
	s.Left += o.Left
	s.Absent = max(s.Absent, o.Absent)
	s.Pace = max(s.Pace, o.Pace)
	s.TurnGap = max(s.TurnGap, o.TurnGap)
}

// String is all of it in a line.
func (s *Stats) String() string {
	return fmt.Sprintf("%d steps in %v of simulated time, %d blocks, view %d at most, %d restarts (%d from snapshots), %d double proposals, %d certificates of traitors, %d payments, %d accepted, %d refused, %d skipped, %d committed (%d across shards), %d aborted, %d verdicts of clients (%d surprised), %d forgeries noticed, %d epochs with %d turns, %d left to the next term, %d waits, %d absent at most, %d turns made up by traitors",
		s.Steps, s.Simulated.Round(time.Second), s.Blocks, s.Views,
		s.Restarts, s.Snapshots, s.Twins, s.Plots, s.Submitted, s.Accepted, s.Refused, s.Skipped, s.Committed, s.Cross, s.Aborted, s.Verdicts, s.Surprises, s.Blamed, s.Epochs, s.Turns, s.Carried, s.Waits, s.Absent, s.BadTurns)
}
