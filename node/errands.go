package node

import "sync"

// errands are done off the loop, one at a time. Those for whom they are take
// turns, so that nobody holds up the others by having many.
type errands struct {
	node *Node

	mu      sync.Mutex
	waiting map[int][]func() // for each, in order
	turns   []int            // who has some waiting, the next one first
	busy    bool
}

// forNobody are the errands that are for no validator.
const forNobody = -1

func (e *errands) add(who int, f func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.waiting == nil {
		e.waiting = make(map[int][]func())
	}
	if len(e.waiting[who]) == 0 {
		e.turns = append(e.turns, who)
	}
	e.waiting[who] = append(e.waiting[who], f)
	if !e.busy {
		e.busy = true
		e.node.work.Go(e.run)
	}
}

func (e *errands) run() {
	for f := e.next(); f != nil; f = e.next() {
		f()
	}
}

// next is the errand whose turn it is, or nil at the end.
func (e *errands) next() func() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.turns) == 0 {
		e.busy = false
		return nil
	}
	who := e.turns[0]
	list := e.waiting[who]
	e.turns = e.turns[1:]
	if len(list) > 1 {
		e.waiting[who], e.turns = list[1:], append(e.turns, who)
	} else {
		delete(e.waiting, who)
	}
	return list[0]
}
