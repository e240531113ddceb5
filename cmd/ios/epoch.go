package main

import (
	"fmt"
	"io"
	"strings"

	"ios/node/api"
	"ios/node/devnet"
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
	devnet.WriteComing(w, c)
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
