package identity

import (
	"fmt"

	"ios/eds/safety"
)

// bears reports whether a frozen set of a size may come about by validators that
// leave: unless the genesis misses the policy's bound, the set has to meet it.
func (b *Book) bears(validators int) bool {
	meets := func(n int) bool { return safety.Meets(SafetyPlan(&b.genesis.Policy, n, b.genesis.Shards)) }
	return meets(validators) || !meets(len(b.genesis.Validators))
}

// Warnings say what is wrong with the size of the frozen set: it misses the bound,
// which the genesis met, since members were left out for their absence; or who
// asked to leave has to wait, since without it the set would.
func (s *State) Warnings() (list []string) {
	m := s.final.moving(&s.book.genesis.Policy)
	if !s.book.bears(m.size) {
		list = append(list, fmt.Sprintf("the %d members miss the policy's bound: shards or the beacon are less safe than the genesis promised until others join", m.size))
	}
	if n := len(m.leave); n > 0 && !s.book.bears(s.book.move(&m, n).size) {
		list = append(list, fmt.Sprintf("%d of the %d members asked to leave and have to wait until others join: without them the policy's bound would be missed", n, m.size))
	}
	return list
}
