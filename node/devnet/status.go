package devnet

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"ios/chain"
	"ios/node/api"
)

// Status is how a network is.
type Status struct {
	ChainID chain.Hash  `json:"chain_id"`
	Epoch   *Epoch      `json:"epoch,omitempty"` // nil if there is one that never ends
	Shards  []Shard     `json:"shards"`
	Outside []Validator `json:"outside,omitempty"` // that take part in no shard
	Supply  Supply      `json:"supply"`

	open     uint64 // transactions without a final outcome, over all shards
	registry *api.Funds
}

// Shard is how a shard is: as far as its highest validator.
type Shard struct {
	Shard      chain.ShardID `json:"shard"`
	Epoch      uint64        `json:"epoch"`
	Height     uint64        `json:"height"`
	Members    int           `json:"members"` // of the committee that acts
	Quorum     int           `json:"quorum"`
	Validators []Validator   `json:"validators"` // the members, then who comes or goes

	Batch   uint32   `json:"batch"`            // of the epoch's transition: the last that is done
	Batches uint32   `json:"batches"`          // of the epoch
	Stalled bool     `json:"stalled"`          // it stays in an older epoch, with its committee
	Absent  []string `json:"absent,omitempty"` // members that came in and are not ready

	supply *api.Supply // of the highest validator that answered
}

// Validator is how a validator is in a shard.
type Validator struct {
	ID     chain.ValidatorID `json:"id"` // chain.MaxPlaces if it is not known to be registered
	Name   string            `json:"name"`
	PID    int               `json:"pid"`    // 0 if no process runs
	State  string            `json:"state"`  // a phase of package api, or one of those below
	Height uint64            `json:"height"` // 0 if it does not answer
	Reason string            `json:"reason"` // why it is not ready, and what it does about that
	Seat   bool              `json:"seat"`   // it is a member

	answer *api.Status                   // of its newest shard, or without one
	shards map[chain.ShardID]*api.Status // of all that it takes part in
}

// States of a validator that does not answer.
const (
	StateDead    = "dead"    // no process runs
	StateSilent  = "silent"  // a process runs and does not answer
	StateWaiting = "waiting" // a process runs that waits until it is a member
)

// Supply is the value over all shards and the registry: the sum of their values,
// less what is between them.
type Supply struct {
	Genesis   uint64 `json:"genesis"`
	Accounted uint64 `json:"accounted"`          // over all shards and the registry; 0 when a shard is unknown
	Registry  uint64 `json:"registry,omitempty"` // that part of it: what is at stake, comes back, or is credit
	OK        bool   `json:"ok"`
	Reason    string `json:"reason,omitempty"` // why it is not
}

// askPatience is how long a validator may take to tell how it is.
const askPatience = 3 * time.Second

// Status asks every validator how it is and counts the supply.
func (n *Network) Status(ctx context.Context) (s *Status, err error) {
	// The shards are asked one after the other while transfers run. That the
	// values add up holds at any mixture of moments; that nothing is between the
	// shards holds only when nothing was open at one moment. So a sum that is not
	// zero counts when two rounds in a row saw the same heights.
	for round, before := 0, []uint64(nil); round < 5; round++ {
		if s, err = n.ask(ctx); err != nil {
			return nil, err
		}
		if err = ctx.Err(); err != nil {
			return nil, err
		}
		heights := s.heights()
		settled := s.count(n.Genesis, before != nil && equal(before, heights))
		if settled {
			break
		}
		before = heights
	}
	return s, nil
}

func equal(a, b []uint64) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func reason(a *api.Status) string {
	parts := []string{a.Reason}
	if a.Phase != api.PhaseReady && a.WaitsFor != "" {
		parts = append(parts, "waits for "+a.WaitsFor)
	}
	if a.Phase != api.PhaseReady && a.NextAction != "" {
		parts = append(parts, "next: "+a.NextAction)
	}
	return strings.Trim(strings.Join(parts, "; "), "; ")
}

func (s *Status) heights() []uint64 {
	h := make([]uint64, len(s.Shards)+1)
	for i := range s.Shards {
		h[i] = s.Shards[i].Height
	}
	if s.registry != nil {
		h[len(s.Shards)] = s.registry.Height
	}
	return h
}

// count fills in the supply. Still says that no height moved since the round
// before. It returns false when another round would tell more.
func (s *Status) count(g *chain.Genesis, still bool) (settled bool) {
	genesis := g.Supply()
	s.Supply, s.open = Supply{Genesis: genesis}, 0
	var value, between uint64 // modulo 2^64, as the shards count
	for i := range s.Shards {
		sh := &s.Shards[i]
		if sh.supply == nil {
			s.Supply.Reason = fmt.Sprintf("no validator of shard %d answers", sh.Shard)
			return true
		}
		value += sh.supply.Value
		between += uint64(sh.supply.Between)
		s.open += sh.supply.Open
	}
	switch {
	case s.registry != nil:
		s.Supply.Registry = s.registry.Value()
		between += uint64(s.registry.Between)
		if s.registry.Due > 0 {
			s.open++
		}
	case g.Policy.EpochLength > 0:
		s.Supply.Reason = "no validator tells what is at stake"
		return true
	default: // nothing moves it
		s.Supply.Registry = g.Staked()
	}
	s.Supply.Accounted = value + s.Supply.Registry - between
	switch {
	case s.Supply.Accounted != genesis:
		s.Supply.Reason = fmt.Sprintf("the shards account for %d base units, with what is at stake, the genesis has %d", s.Supply.Accounted, genesis)
	case s.open == 0 && between != 0 && !still:
		s.Supply.OK = true // as far as one round can tell
		return false
	case s.open == 0 && between != 0:
		s.Supply.Reason = fmt.Sprintf("nothing is open, but %d base units are between the shards: a transfer was committed in some of its shards only", int64(between))
	default:
		s.Supply.OK = true
	}
	return true
}

// Line is the status in one line.
func (s *Status) Line() string {
	var b strings.Builder
	for i := range s.Shards {
		sh := &s.Shards[i]
		ready, why := 0, ""
		for _, v := range sh.Validators {
			if !v.Seat {
				continue
			}
			if v.State == api.PhaseReady {
				ready++
			} else if why == "" {
				why = ", " + v.Name + " " + v.State
			}
		}
		fmt.Fprintf(&b, "shard %d: height %d, %d of %d ready%s   ", sh.Shard, sh.Height, ready, sh.Members, why)
	}
	b.WriteString("supply " + s.Supply.word())
	return b.String()
}

func (s *Supply) word() string {
	if s.OK {
		return "ok"
	}
	return "NOT OK: " + s.Reason
}

// Write is the status for people.
func (s *Status) Write(w io.Writer) {
	fmt.Fprintf(w, "chain %v\n", s.ChainID)
	if s.Epoch != nil {
		s.Epoch.Write(w)
	}
	for i := range s.Shards {
		sh := &s.Shards[i]
		fmt.Fprintf(w, "\nshard %d   epoch %d   height %d   quorum %d of %d%s\n", sh.Shard, sh.Epoch, sh.Height, sh.Quorum, sh.Members, sh.progress())
		t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
		ready := 0
		for _, v := range sh.Validators {
			height := fmt.Sprint(v.Height)
			if v.answer == nil {
				height = "?"
			}
			if v.Seat && v.State == api.PhaseReady {
				ready++
			}
			fmt.Fprintf(t, "  %s\t%s\t%s\theight %s\t%s\n", v.Name, v.process(), v.State, height, v.Reason)
		}
		t.Flush()
		if ready < sh.Quorum {
			fmt.Fprintf(w, "  BELOW THE QUORUM: %d ready, %d are wanted; nothing becomes final until then\n", ready, sh.Quorum)
		}
	}
	for i, v := range s.Outside {
		if i == 0 {
			fmt.Fprintln(w, "\nin no shard")
		}
		fmt.Fprintf(w, "  %s  %s  %s  %s\n", v.Name, v.process(), v.State, v.Reason)
	}
	fmt.Fprintf(w, "\nsupply %s: genesis %d, accounted over all shards %d, open %d\n", s.Supply.word(), s.Supply.Genesis, s.Supply.Accounted, s.open)
}

func (v *Validator) process() string {
	if v.PID == 0 {
		return "no process here"
	}
	return fmt.Sprint("pid ", v.PID)
}
