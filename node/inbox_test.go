package node

import "testing"

func TestAPeerThatSendsTooMuchWaitsAlone(t *testing.T) {
	b := newInbox()
	if !b.take(1, inboxBytes+5) {
		t.Fatal("closed")
	}
	order := make(chan string, 3)
	go func() {
		b.take(1, 1)
		order <- "more of peer 1"
	}()
	b.take(2, 7) // does not wait
	order <- "peer 2"
	if first := <-order; first != "peer 2" {
		t.Error(first, "came first")
	}
	b.give(1, inboxBytes+5)
	<-order
	b.take(1, inboxBytes)
	done := make(chan bool)
	go func() { done <- b.take(1, 1) }()
	b.close()
	if <-done {
		t.Error("taken after the close")
	}
}
