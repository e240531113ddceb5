package node

import (
	"testing"
	"time"
)

func TestAFloodIsNoticed(t *testing.T) {
	b := newRates()
	now := time.Unix(1, 0)
	for i := range peerBurst {
		if err := b.count(1, now); err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
	}
	if b.count(1, now) == nil {
		t.Error("a flood is not noticed")
	}
	if err := b.count(2, now); err != nil {
		t.Errorf("another peer: %v", err)
	}
	for i := range peerRate {
		if err := b.count(1, now.Add(time.Second)); err != nil {
			t.Fatalf("message %d of the next second: %v", i, err)
		}
	}
	if b.count(1, now.Add(time.Second)) == nil {
		t.Error("a flood in the next second is not noticed")
	}
}
