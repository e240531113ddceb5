package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// fanIn is how many runs of a tier are merged into one of the next.
const fanIn = 8

// load opens the runs on disk that make one row without holes.
func (x *IDs) load() error {
	if err := x.fs.MkdirAll(x.dir); err != nil {
		return err
	}
	if err := removeTemps(x.fs, x.dir); err != nil {
		return err
	}
	names, err := x.fs.List(x.dir)
	if err != nil {
		return err
	}
	var spans [][2]uint64
	for _, name := range names {
		from, to, err := parseRunName(name)
		if err != nil {
			return fmt.Errorf("%w; move it out of the directory", err)
		}
		spans = append(spans, [2]uint64{from, to})
	}
	// Where one run contains another it is what the other was merged into.
	slices.SortFunc(spans, func(a, b [2]uint64) int {
		switch {
		case a[0] != b[0] && a[0] < b[0], a[0] == b[0] && a[1] > b[1]:
			return -1
		case a == b:
			return 0
		}
		return 1
	})
	broken := false
	for _, s := range spans {
		n := len(x.runs)
		inside := n > 0 && s[1] <= x.runs[n-1].to
		if !broken && !inside {
			if broken = x.loadRun(s[0], s[1]); !broken {
				continue
			}
		}
		if err := x.fs.Remove(runName(x.dir, s[0], s[1])); err != nil {
			return err
		}
	}
	return nil
}

// loadRun opens a run behind the others; broken says that the row ends here.
func (x *IDs) loadRun(from, to uint64) (broken bool) {
	if n := len(x.runs); n > 0 && from != x.runs[n-1].to+1 {
		x.info = append(x.info, fmt.Errorf("the ids of heights %d to %d are missing; what follows is built anew from the log", x.runs[n-1].to+1, from-1))
		return true
	}
	r, err := openRun(x.fs, x.dir, from, to)
	if err != nil {
		x.info = append(x.info, err)
		return true
	}
	x.runs = append(x.runs, r)
	return false
}

// write is the background: it writes frozen tables, drops and merges runs.
func (x *IDs) write() {
	defer close(x.done)
	for {
		x.mu.Lock()
		for !x.closing && (len(x.frozen) == 0) && !x.droppable() {
			x.change.Wait()
		}
		closing := x.closing
		x.mu.Unlock()
		if closing {
			return
		}
		err := x.work()
		x.mu.Lock()
		x.err = err
		x.change.Broadcast()
		if err != nil && !x.closing {
			x.change.Wait() // for the next call: there is no clock here
		}
		x.mu.Unlock()
	}
}

// work does all that there is to do.
func (x *IDs) work() error {
	if err := x.flushFrozen(); err != nil {
		return err
	}
	if err := x.dropRuns(); err != nil {
		return err
	}
	for {
		from, n := x.mergeable()
		if n == 0 {
			return nil
		}
		if err := x.merge(from, n); err != nil {
			return err
		}
	}
}

// flushFrozen writes the tables that wait.
func (x *IDs) flushFrozen() error {
	for {
		x.mu.RLock()
		if len(x.frozen) == 0 {
			x.mu.RUnlock()
			return nil
		}
		t := x.frozen[0]
		x.mu.RUnlock()
		list := t.sorted()
		i := 0
		r, err := writeRun(x.fs, x.dir, runHead{t.from, t.to, uint64(len(list))}, func() (idEntry, bool, error) {
			if i == len(list) {
				return idEntry{}, false, nil
			}
			i++
			return list[i-1], true, nil
		})
		if err != nil {
			return err
		}
		x.mu.Lock()
		x.frozen = slices.Clone(x.frozen[1:])
		x.runs = append(slices.Clip(x.runs), r)
		x.spare = t
		x.err = nil
		x.change.Broadcast()
		x.mu.Unlock()
	}
}

// droppable says whether the oldest run lies below the floor. The newest stays:
// it says up to where the ids are covered.
func (x *IDs) droppable() bool { return len(x.runs) > 1 && x.runs[0].to < x.floor }

func (x *IDs) dropRuns() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	for x.droppable() {
		r := x.runs[0]
		if err := x.fs.Remove(r.name); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("dropping ids: %w", err)
		}
		x.runs = x.runs[1:]
		r.file.Close()
	}
	return nil
}

// tier is the size class of a run.
func (x *IDs) tier(r *run) int {
	t := 0
	for n := r.count / uint64(x.size) / fanIn; n > 0; n /= fanIn {
		t++
	}
	return t
}

// mergeable finds neighbours of one tier that are enough for a merge.
func (x *IDs) mergeable() (from, n int) {
	runs := x.runs // only this goroutine changes it
	for i := 0; i+fanIn <= len(runs); i++ {
		n := 1
		for n < fanIn && x.tier(runs[i+n]) == x.tier(runs[i]) {
			n++
		}
		if n == fanIn && runs[i+n-1].to-runs[i].from <= maxSpan {
			return i, n
		}
	}
	return 0, 0
}

// merge makes one run of n neighbours. New tables are written in between, so a
// long merge does not hold up those who add.
func (x *IDs) merge(from, n int) error {
	inputs := slices.Clone(x.runs[from : from+n])
	h := runHead{from: inputs[0].from, to: inputs[n-1].to}
	heads := make([]mergeInput, n)
	for i, r := range inputs {
		h.count += r.count
		heads[i] = mergeInput{run: r, shift: uint32(r.from - h.from), buf: make([]byte, runPage)}
		if err := heads[i].fetch(); err != nil {
			return err
		}
	}
	given := 0
	merged, err := writeRun(x.fs, x.dir, h, func() (idEntry, bool, error) {
		if given++; given%(1<<16) == 0 {
			if err := x.flushFrozen(); err != nil {
				return idEntry{}, false, err
			}
		}
		return least(heads)
	})
	if err != nil {
		return err
	}
	x.mu.Lock()
	// Tables that were written meanwhile are behind the inputs.
	x.runs = slices.Concat(x.runs[:from], []*run{merged}, x.runs[from+n:])
	x.mu.Unlock()
	for _, r := range inputs {
		r.file.Close()
		if err := x.fs.Remove(r.name); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("deleting a merged run: %w", err)
		}
	}
	return nil
}

// mergeInput is a run that is being read in order.
type mergeInput struct {
	*run
	shift   uint32 // from its heights to those of the merged run
	page    uint64
	buf     []byte
	entries []idEntry // of the page, the rest
	scratch []idEntry
}

func (m *mergeInput) fetch() (err error) {
	for len(m.entries) == 0 && m.page < m.pages() {
		if _, err = m.read(m.page, m.buf); err != nil {
			return err
		}
		if m.scratch, err = m.decodePage(m.page, m.buf, m.scratch[:0]); err != nil {
			return m.damaged(m.page, err)
		}
		m.entries = m.scratch
		m.page++
	}
	return nil
}

// least takes the least entry of all inputs.
func least(heads []mergeInput) (e idEntry, ok bool, err error) {
	var from *mergeInput
	for i := range heads {
		if m := &heads[i]; len(m.entries) > 0 {
			c := m.entries[0]
			if c.height += m.shift; from == nil || compareIDs(c, e) < 0 {
				e, from = c, m
			}
		}
	}
	if from == nil {
		return e, false, nil
	}
	from.entries = from.entries[1:]
	return e, true, from.fetch()
}

// RunFiles lists the names of the runs, oldest first.
func (x *IDs) RunFiles() []string {
	x.mu.RLock()
	defer x.mu.RUnlock()
	var names []string
	for _, r := range x.runs {
		names = append(names, strings.TrimSuffix(filepath.Base(r.name), runExt))
	}
	return names
}
