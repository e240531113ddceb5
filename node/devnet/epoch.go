package devnet

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"ios/chain"
	"ios/node/api"
	"ios/transepoch/identity"
)

// Epoch is how the network's epoch is, and the making of the next one.
type Epoch struct {
	// Coming is what the validator says that is furthest with it, but Phase may also
	// be one of those below, and Epoch is what is proven.
	api.Coming
	Course string   `json:"course"`           // how the epoch came about: first, drawn, void, kept
	Silent []string `json:"silent,omitempty"` // who made it void
	Joined []string `json:"joined,omitempty"` // with this epoch
	Left   []string `json:"left,omitempty"`
	Shed   []string `json:"shed,omitempty"` // left out for their absence
}

// Phases of an epoch while no beacon runs, besides "running".
const (
	PhaseAssignment = "assignment" // shards have yet to enter the epoch
	PhaseTransition = "transition" // members are being swapped, batch by batch
	PhaseUnknown    = "unknown"    // nobody answers
)

var phases = []string{PhaseUnknown, "endless", "running", "dealing", "signing off", "collecting"}

// epoch puts together what the validators say of the epoch.
func (n *Network) epoch(all []*target, shards []Shard) *Epoch {
	now := n.book.Current()
	e := &Epoch{Coming: api.Coming{Epoch: now.Number, Phase: PhaseUnknown, Reason: "no validator answers"}, Course: now.Course.String()}
	name := n.namer()
	e.Silent, e.Joined, e.Left, e.Shed = name(now.Silent), name(now.Joined), name(now.Left), name(now.Shed)
	var table []api.Part
	for _, t := range all {
		if t.answer == nil || t.answer.Coming == nil || t.answer.Coming.Epoch != now.Number {
			continue
		}
		c := t.answer.Coming
		if further(c, &e.Coming) >= 0 && len(c.Table) > 0 {
			table = c.Table // of who asks the others
		}
		if further(c, &e.Coming) > 0 {
			e.Coming = *c
		}
	}
	if len(e.Table) == 0 {
		e.Table = table
	}
	if e.Phase != "running" {
		return e
	}
	for i := range shards {
		switch sh := &shards[i]; {
		case sh.Stalled:
		case sh.Epoch < now.Number:
			e.Phase = PhaseAssignment
		case sh.Batch < sh.Batches && e.Phase != PhaseAssignment:
			e.Phase = PhaseTransition
		}
	}
	return e
}

// further compares how far two validators are.
func further(a, b *api.Coming) int {
	return cmp.Or(
		slices.Index(phases, a.Phase)-slices.Index(phases, b.Phase),
		cmp.Compare(a.View, b.View), cmp.Compare(a.Round, b.Round), len(a.Table)-len(b.Table))
}

// namer names validators.
func (n *Network) namer() func([]chain.ValidatorID) []string {
	now := n.book.Current()
	return func(ids []chain.ValidatorID) (names []string) {
		for _, id := range ids {
			var v *identity.Member
			for _, list := range [][]identity.Member{now.Members, now.Outgoing} {
				if at := slices.IndexFunc(list, func(m identity.Member) bool { return m.ID == id }); at >= 0 {
					v = &list[at]
				}
			}
			switch {
			case v != nil:
				names = append(names, v.Name)
			case int(id) < len(n.Genesis.Validators):
				names = append(names, n.Genesis.Validators[id].Name)
			default:
				names = append(names, fmt.Sprint("validator ", id))
			}
		}
		return names
	}
}

// Write is the epoch for people.
func (e *Epoch) Write(w io.Writer) {
	fmt.Fprintf(w, "\nepoch %d (%s)   %s\n", e.Coming.Epoch, e.Course, sentence(&e.Coming))
	for _, line := range []struct {
		what  string
		names []string
	}{{"silent", e.Silent}, {"joined", e.Joined}, {"left", e.Left}, {"left out", e.Shed}, {"awaited", e.Awaited}} {
		if len(line.names) > 0 {
			fmt.Fprintf(w, "  %-10s %s\n", line.what, strings.Join(line.names, ", "))
		}
	}
	writeTable(w, e.Table)
}

// WriteComing shows how the next epoch is, as one validator sees it.
func WriteComing(w io.Writer, c *api.Coming) {
	fmt.Fprintf(w, "  %-10s %d: %s\n", "epoch", c.Epoch, sentence(c))
	if len(c.Awaited) > 0 {
		fmt.Fprintf(w, "  %-10s %s\n", "awaited", strings.Join(c.Awaited, ", "))
	}
	writeTable(w, c.Table)
}

func sentence(c *api.Coming) string {
	text := c.Phase
	if !c.Due.IsZero() {
		text += ", the next one is prepared " + when(c.Due)
	} else if c.Leader != "" {
		text += fmt.Sprintf(", view %d, round %d, led by %s", c.View, c.Round, c.Leader)
	}
	if c.Reason != "" {
		text += "; " + c.Reason
	}
	return text
}

// writeTable shows who has done what in the run of the beacon.
func writeTable(w io.Writer, table []api.Part) {
	done := make(map[string]int)
	var states []string
	for _, p := range table {
		if done[p.State]++; done[p.State] == 1 {
			states = append(states, p.State)
		}
	}
	slices.Sort(states)
	for i, s := range states {
		states[i] = fmt.Sprintf("%d %s", done[s], s)
	}
	if len(table) > 0 {
		fmt.Fprintf(w, "  %-10s of %d: %s\n", "beacon", len(table), strings.Join(states, ", "))
	}
	for _, p := range table {
		fmt.Fprintf(w, "  %-10s %s, group %d: %s\n", "", p.Name, p.Group, p.State)
	}
}

func when(t time.Time) string {
	if d := time.Until(t).Round(time.Second); d > 0 {
		return "in " + d.String()
	}
	return "now"
}

// progress is how far a shard is in its epoch.
func (sh *Shard) progress() (text string) {
	if sh.Batches > 0 {
		text = fmt.Sprintf("   batch %d of %d", sh.Batch, sh.Batches)
	}
	if len(sh.Absent) > 0 {
		text += "   absent: " + strings.Join(sh.Absent, ", ")
	}
	if sh.Stalled {
		text += "   STALLED: the network goes on without it"
	}
	return text
}
