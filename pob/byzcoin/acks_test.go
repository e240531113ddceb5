package byzcoin

import (
	"testing"
	"time"

	"ios/internal/sm"
)

// Whatever is acked in one step leaves in messages that others can decode.
func TestManyAcksInOneStep(t *testing.T) {
	s := newSolo(t, 4, 2)
	s.body(1, 1, "a")
	body := s.m.authors[1].slots[1].main.body
	again := make(Events, maxAckRefs+1)
	for i := range again {
		again[i] = sm.Receive{From: s.c.ids[1], Msg: &Body{body}}
	}
	s.sent = nil
	s.step(again)
	if len(s.sent) < 2 {
		t.Fatalf("%d messages", len(s.sent))
	}
	for _, msg := range s.sent {
		if _, err := Decode(msg.AppendTo(nil)); err != nil {
			t.Error(err)
		}
	}
}

// An insistence that got lost would make us refuse a leader that never heard it.
func TestInsistenceIsRepeated(t *testing.T) {
	s := newSolo(t, 4, 2)
	s.body(1, 1, "a")
	s.wait(900 * time.Millisecond)
	n := 0
	for _, msg := range s.sent {
		if _, ok := msg.(*Insist); ok {
			n++
		}
	}
	if s.m.joined != 0 || n < 2 || n > 4 {
		t.Errorf("%d insistences in 900 ms, wish for view %d", n, s.m.joined)
	}
}
