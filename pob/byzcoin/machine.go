package byzcoin

import (
	"time"

	"ios/internal/sm"
)

// Machine is one member of the committee, or a follower of the chain.
type Machine struct {
	cfg Config
}

// Kinds of records, for Persist. The runner may tell bodies and final blocks
// apart by them, to index and to serve them.
const (
	RecordBody   uint8 = 1 // a raw body that we acked, or authored
	RecordPulled uint8 = 2 // a raw body that we hold without having acked it
	RecordAck    uint8 = 3 // we acked a pulled body
	RecordVote   uint8 = 4 // a proposal that we prepare
	RecordLock   uint8 = 5 // a prepare certificate with its block
	RecordJoin   uint8 = 6 // we wish to go to a view
	RecordView   uint8 = 7 // a view was installed
	RecordFinal  uint8 = 8 // a final block, as chain.Block encodes it
)

// New makes the machine of a member that has no records. Its first event must be
// [Start].
func New(cfg Config) (*Machine, error) { return Restore(cfg, nil, nil) }

// Restore makes a machine from what an earlier one left: state is what
// ExportState gave at the snapshot that the application stands at (nil: at
// cfg.Start), records are all that followed, in order. The final blocks among
// them are executed. Its first event must be [Start].
//
// The machine aliases the data of the records.
func Restore(cfg Config, state []byte, records []sm.Persist) (*Machine, error) {
	cfg.Policy = cfg.Policy.WithDefaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	m := &Machine{cfg: cfg}
	return m, nil
}

// ExportState encodes what must survive when the records before the last final
// block are dropped: bodies that are not final, votes, lock and view. It belongs
// to a snapshot of the application at the same height, and must be taken between
// two steps, with every record returned so far going before the snapshot.
func (m *Machine) ExportState() []byte { return nil }

// Point is where the chain stands: what the next committee starts from.
func (m *Machine) Point() Point { return Point{} }

// Step consumes one event. See package sm.
func (m *Machine) Step(now time.Time, ev sm.Event) []sm.Effect { return nil }
