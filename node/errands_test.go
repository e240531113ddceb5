package node

import (
	"slices"
	"testing"
)

// Who has many errands holds up nobody else's, and each one's stay in order.
func TestErrandsTakeTurns(t *testing.T) {
	e := errands{node: &Node{}}
	var done []int
	begun, ready := make(chan bool), make(chan bool)
	e.add(1, func() { close(begun); <-ready })
	<-begun // the others wait behind it
	for i := range 16 {
		e.add(1, func() { done = append(done, 10+i) })
	}
	for i := range 2 {
		e.add(2, func() { done = append(done, 20+i) })
	}
	e.add(forNobody, func() { done = append(done, 0) })
	close(ready)
	e.node.work.Wait()
	if want := []int{10, 20, 0, 11, 21, 12, 13}; len(done) != 19 || !slices.Equal(done[:len(want)], want) {
		t.Errorf("they were done in the order %v", done)
	}
	e.add(2, func() { done = nil })
	e.node.work.Wait()
	if done != nil {
		t.Error("what comes later is not done")
	}
}
