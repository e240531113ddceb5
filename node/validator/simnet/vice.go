package simnet

import "strings"

// Vice is one way to be hostile, or several.
type Vice uint32

// The vices.
const (
	Silent        Vice = 1 << iota // sends nothing
	Deaf                           // sends nothing to some
	Late                           // sends much of it a second later
	TwoBodies                      // signs two bodies under each number
	LeaderOnly                     // shows its bodies to the leader only
	LeavesOut                      // as the leader, never lists the bodies of one author
	HidesPrepared                  // shows no prepared block when the view changes, and drops those of others
	TwoProposals                   // as the leader, proposes two blocks
	GarbageShares                  // signs wrongly
	Forges                         // makes up proofs for other shards
	Replays                        // sends again what it has seen, to anybody
	BadBodies                      // authors bodies that break a rule, or repeat what others pay
	BadSync                        // serves other blocks than asked for
	Lies                           // to clients
	Noise                          // sends bytes that are no message
	AcksAll                        // acks what it does not have
	Complains                      // would leave every view
)

var viceNames = []string{
	"silent", "deaf", "late", "two bodies", "leader only", "leaves out", "hides prepared", "two proposals",
	"garbage shares", "forges", "replays", "bad bodies", "bad sync", "lies", "noise", "acks all", "complains",
}

// String lists the vices.
func (v Vice) String() string {
	var list []string
	for i, name := range viceNames {
		if v&(1<<i) != 0 {
			list = append(list, name)
		}
	}
	return strings.Join(list, ", ")
}
