package byzcoin

import (
	"testing"
	"time"
)

// Committees hand over to each other in every way, under load, and nobody notices
// but by the members' names.
func TestCommitteesSucceedEachOther(t *testing.T) {
	for name, script := range map[string]string{
		"one seat at a time":         "0123 1234 2345 | 3456 4567",
		"all seats over two batches": "0123 0145 4567 | 4567",
		"all at once":                "0123 4567 0123",
		"it grows":                   "0 01 012 0123 01234 0123456 | 0123456789",
		"it shrinks":                 "0123456789 0123456 0123 012 | 01 0",
		"the same with other seats":  "0123 3210 | 1032",
	} {
		t.Run(name, func(t *testing.T) {
			d := newDynasty(t, 10, reigns(script), 1, calm)
			last := len(d.script) - 1
			d.turns(300*time.Millisecond, last)
			d.load(400, 4*time.Second)
			d.eventually("the last term", func() bool { return d.at == last }, 20*time.Second)
			d.eventually("everybody is there", func() bool { return d.net.Elapsed() > 4100*time.Millisecond && d.settled() }, 20*time.Second)
			for v, id := range d.ids {
				c := d.chain(v)
				if c.m.view != 0 {
					t.Errorf("validator %d is in view %d of term %v without a fault", v, c.m.view, c.term)
				}
				if c.Seat() < 0 != (d.status[id].Phase == Following) {
					t.Errorf("validator %d with seat %d: %+v", v, c.Seat(), d.status[id])
				}
			}
			if d.top < 20 {
				t.Errorf("only %d blocks", d.top)
			}
		})
	}
}
