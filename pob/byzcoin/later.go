package byzcoin

import "ios/internal/sm"

// What comes early is kept, a few messages a sender: the validator that a
// quorum did not wait for is always a little behind.
const (
	maxLater      = 8
	maxLaterAhead = 4 // heights
)

// keep keeps a message for later, and asks its sender for the state if it is
// ahead of us by more than what is under way.
func (m *Machine) keep(from int, msg sm.Message, height, view uint64) {
	if height > m.height+1 || view > m.view {
		m.ask(from)
	}
	if height > m.height+maxLaterAhead {
		return
	}
	kept := m.later[from]
	if len(kept) == maxLater {
		kept = kept[1:]
	}
	m.later[from] = append(kept[:len(kept):len(kept)], msg)
}

// tryReplay looks again at what was kept, when a block became final, a view was
// installed or a proposal came.
func (m *Machine) tryReplay() bool {
	if !m.replay {
		return false
	}
	m.replay = false
	for seat := range m.later {
		kept := m.later[seat]
		m.later[seat] = nil
		for _, msg := range kept {
			switch msg := msg.(type) {
			case *Proposal:
				m.onProposal(seat, msg)
			case *Share:
				m.onShare(seat, msg)
			case *Certified:
				m.onCertified(seat, msg)
			}
		}
	}
	return true
}
