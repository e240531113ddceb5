package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"ios/node/api"
)

// writeEpoch shows where a validator's shards are in their epochs, and how the
// next epoch is.
func writeEpoch(w io.Writer, st *api.Status) {
	c := st.Coming
	if c == nil {
		return
	}
	for i := range st.Memberships {
		m := &st.Memberships[i]
		fmt.Fprintf(w, "  %-10s %d: epoch %d, %s\n", "shard", m.Shard, m.Epoch, progressOf(m))
	}
	text := c.Phase
	if !c.Due.IsZero() {
		text += ", the next one is prepared " + when(c.Due)
	} else if c.Leader != "" {
		text += fmt.Sprintf(", round %d, led by %s", c.Round, c.Leader)
	}
	fmt.Fprintf(w, "  %-10s %d: %s; %s\n", "epoch", c.Epoch, text, c.Reason)
	if len(c.Awaited) > 0 {
		fmt.Fprintf(w, "  %-10s %s\n", "awaited", strings.Join(c.Awaited, ", "))
	}
	for _, p := range c.Table {
		fmt.Fprintf(w, "  %-10s %s, group %d: %s\n", "beacon", p.Name, p.Group, p.State)
	}
}

// progressOf is how far a shard's transition is.
func progressOf(m *api.Membership) string {
	text := fmt.Sprintf("batch %d of %d", m.Batch, m.Batches)
	if m.Batches == 0 {
		text = "its members stay"
	}
	if len(m.Absent) > 0 {
		text += "; absent: " + strings.Join(m.Absent, ", ")
	}
	if m.Transition != "" {
		text += "; " + m.Transition
	}
	return text
}

func when(t time.Time) string {
	if d := time.Until(t).Round(time.Second); d > 0 {
		return "in " + d.String()
	}
	return "now"
}
