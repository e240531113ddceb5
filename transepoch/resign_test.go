package transepoch

import (
	"testing"
	"time"

	"ios/chain/cosi"
)

// Joiners that never get ready hold a shard up, each batch for a while, but do
// not keep its committee in office for ever.
func TestSilentJoinersDoNotStopTheTransition(t *testing.T) {
	s := newShardTest(t, 1)
	seats := s.p.Plan().seats(testShard, 0)
	silent := 0
	for !s.p.Done() {
		if silent == cosi.Faults(seats) {
			s.receive(s.ready(s.joiners()[0]))
			s.record()
			continue
		}
		silent++
		s.expire()
		if silent > 1 {
			if s.proposal != nil || len(s.waiting) == 0 {
				t.Fatalf("%v was proposed with %d seats absent, at the deadline", s.proposal, silent)
			}
			rec := &SwapRecord{Epoch: 1, Batch: s.p.State().Batch + 1}
			if wait, err := s.p.Validate(s.now, s.height+1, rec); wait != (patience-1)*testDeadline || err != nil {
				t.Fatalf("a vote for it in %v (%v)", wait, err)
			}
			s.now = s.timer.Add(-time.Second)
			if s.step(Tick{}); s.proposal != nil {
				t.Fatal("it was proposed too early")
			}
			s.expire()
		}
		if s.proposal == nil {
			t.Fatalf("nothing is proposed with %d of %d seats absent: the committee stays for ever", silent, seats)
		}
		s.record()
	}
	if silent < 2 || len(s.p.State().Absent) != silent {
		t.Errorf("%d were silent, %v are absent", silent, s.p.State().Absent)
	}
}
