package node

import "testing"

func TestAPeerThatSendsTooMuchWaitsAlone(t *testing.T) {
	b := newInbox()
	big, ok := b.take(1, nil, inboxBytes+5)
	if !ok {
		t.Fatal("closed")
	}
	order := make(chan string, 3)
	go func() {
		b.take(1, nil, 1)
		order <- "more of peer 1"
	}()
	b.take(2, nil, 7) // does not wait
	order <- "peer 2"
	if first := <-order; first != "peer 2" {
		t.Error(first, "came first")
	}
	b.give(&big)
	<-order
	b.take(1, nil, inboxBytes)
	done := make(chan bool)
	go func() {
		_, ok := b.take(1, nil, 1)
		done <- ok
	}()
	b.close()
	if <-done {
		t.Error("taken after the close")
	}
}

func TestWhatACutOffPeerSentIsThrownAway(t *testing.T) {
	b := newInbox()
	before, _ := b.take(1, nil, 10)
	other, _ := b.take(2, nil, 10)
	b.cut(1)
	after, _ := b.take(1, nil, 10)
	if b.give(&before) {
		t.Error("a message from before the cut is consumed")
	}
	if !b.give(&other) || !b.give(&after) {
		t.Error("another's message, or one after the cut, is thrown away")
	}
	if b.peers[1].waiting != 0 || b.peers[2].waiting != 0 {
		t.Error("something is still booked")
	}
}
