package atomix

import (
	"fmt"
	"maps"

	"ios/chain"
)

// Executing reports whether an execution is open.
func (s *State) Executing() bool { return s.exec.running }

// Freeze copies the ledger as of the last final block, so that a snapshot of it
// can be written while the ledger goes on. No execution may be open. The copy is
// for WriteSnapshot and reading.
func (s *State) Freeze() (*State, error) {
	if s.exec.running {
		return nil, fmt.Errorf("atomix: shard %d: block %d is being executed", s.shard, s.exec.height)
	}
	f := *s
	f.exec = execution{}
	f.coins = s.coins.Clone()
	f.open = make(map[chain.TxID]*record, len(s.open))
	for id, r := range s.open {
		copied := *r
		f.open[id] = &copied
	}
	f.locked = maps.Clone(s.locked)
	f.decided = maps.Clone(s.decided)
	f.between = maps.Clone(s.between)
	return &f, nil
}
