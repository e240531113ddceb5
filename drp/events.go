package drp

import (
	"ios/chain"
)

// Begin says that a view begins: the server deals, unless it has dealt for this
// view or a later one, or the choice is decided.
type Begin struct{ View uint64 }

// Lead says that this server leads the view: it gathers dealings and delivers a
// [Propose]. A later Lead replaces it.
type Lead struct{ View uint64 }

// Decided says that a choice was signed off. From then on the server opens its
// shares for whoever shows a sign-off of it. It is said again after a restart.
type Decided struct {
	Choice, SignOff []byte
	// Checked is what [CheckChoice] for this server, or [CheckWhole], gave for the
	// choice, which then is not checked once more. It is nil if that is not at hand.
	Checked *Choice
}

// Collect says that this server gathers shares of the decided choice, until it
// delivers a [Result].
type Collect struct{}

// Stop ends the run.
type Stop struct{}

// Propose is delivered to a leader: what to have signed off.
type Propose struct {
	View   uint64
	Hash   chain.Hash
	Choice []byte
}

// Result is delivered to a collector.
type Result struct {
	Output
	Transcript []byte
}

// Refused is delivered when a request of the machine's owner cannot be carried
// out.
type Refused struct{ Err error }

// Phase is what a [Progress] is about.
type Phase uint8

// The phases.
const (
	Gathering  Phase = iota + 1 // a leader gathers dealings
	Collecting                  // a collector gathers shares
)

// String is the name of the phase.
func (p Phase) String() string {
	switch p {
	case Gathering:
		return "gathering dealings"
	case Collecting:
		return "collecting shares"
	}
	return "unknown phase"
}

// State is what is known of a participant in a phase.
type State uint8

// The states.
const (
	Absent    State = iota // nothing came
	Dealt                  // what was asked for came
	Late                   // it came after it was needed
	Invalid                // what came is wrong
	Equivocal              // two different dealings came
)

// String is the name of the state.
func (s State) String() string {
	switch s {
	case Absent:
		return "absent"
	case Dealt:
		return "dealt"
	case Late:
		return "late"
	case Invalid:
		return "invalid"
	case Equivocal:
		return "equivocal"
	}
	return "unknown state"
}

// Progress is delivered each time that the silent are asked again, and at the end
// of the phase.
type Progress struct {
	Phase   Phase
	View    uint64
	Asked   int  // times
	Overdue bool // the deadline has passed
	Done    bool
	Rows    []Row // of the servers that are asked, by group and ID
}

// Row is one participant's.
type Row struct {
	Server chain.ValidatorID
	Group  uint16
	State  State
}

// Withheld is a group that cannot open its secrets without those who are silent.
type Withheld struct {
	Group  uint16
	Need   int                 // shares
	Have   int                 // shares
	Silent []chain.ValidatorID // and those whose shares are wrong
}

// Void lists the groups that withhold as a whole: those in whose overdue table of
// shares more servers are silent or wrong than the group can do without. If there
// is any, the chain may decide that the epoch has no output; which of the two it
// records is for the chain alone.
func Void(cfg *Config, p *Progress) []Withheld {
	if p.Phase != Collecting || !p.Overdue || p.Done {
		return nil
	}
	l := (&run{cfg: cfg}).layout(p.View)
	list := make([]Withheld, len(l.groups))
	asked := make([]bool, len(l.groups))
	for _, row := range p.Rows {
		if int(row.Group) >= len(list) {
			continue
		}
		w := &list[row.Group]
		asked[row.Group] = true
		if row.State == Dealt || row.State == Late {
			w.Have++
		} else {
			w.Silent = append(w.Silent, row.Server)
		}
	}
	var void []Withheld
	for g := range list {
		list[g].Group, list[g].Need = uint16(g), l.threshold(g)
		if asked[g] && list[g].Have < list[g].Need {
			void = append(void, list[g])
		}
	}
	return void
}
