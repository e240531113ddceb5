package wallet

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"ios/chain"
)

// journalName is the file of transfers: a JSON object a line, appended and
// synced. A line that a crash cut short is the last, and left out.
const journalName = "sent.jsonl"

// maxLine bounds a line: a transaction in base64 and little else.
const maxLine = 2*chain.MaxTxBytes + 4096

// Sent is a transfer of the journal.
type Sent struct {
	ID      chain.TxID `json:"id"`
	Time    time.Time  `json:"time"`
	To      string     `json:"to"`
	Amount  uint64     `json:"amount"`
	Fee     uint64     `json:"fee"`
	Stake   bool       `json:"stake,omitempty"` // it went into the registry
	Verdict string     `json:"verdict"`         // open, committed, aborted or refused
	Reason  string     `json:"reason,omitempty"`
	Ended   time.Time  `json:"ended,omitzero"`

	raw []byte
}

// The verdicts of the journal.
const (
	VerdictOpen      = "open"
	VerdictCommitted = "committed"
	VerdictAborted   = "aborted"
	VerdictRefused   = "refused"
)

// Open reports whether the transfer may still spend its coins.
func (s *Sent) Open() bool { return s.Verdict == VerdictOpen }

// line is one line: a transfer that is about to be sent, or the verdict of one.
type line struct {
	Tx      []byte     `json:"tx,omitempty"`
	ID      chain.TxID `json:"id"`
	Time    time.Time  `json:"time"`
	To      string     `json:"to,omitempty"`
	Amount  uint64     `json:"amount,omitempty"`
	Fee     uint64     `json:"fee,omitempty"`
	Stake   bool       `json:"stake,omitempty"`
	Verdict string     `json:"verdict,omitempty"`
	Reason  string     `json:"reason,omitempty"`
}

type journal struct{ dir string }

func (j *journal) path() string { return filepath.Join(j.dir, journalName) }

// append writes a line that is durable when it returns.
func (j *journal) append(l *line) error {
	unlock, err := lock(j.dir)
	if err != nil {
		return err
	}
	defer unlock()
	return j.write(l)
}

// appendIf is append for a line that may be written given the transfers that
// are in the journal: nobody adds another one in between.
func (j *journal) appendIf(l *line, may func([]*Sent) error) error {
	unlock, err := lock(j.dir)
	if err != nil {
		return err
	}
	defer unlock()
	sent, err := j.read()
	if err != nil {
		return err
	}
	if err := may(sent); err != nil {
		return err
	}
	return j.write(l)
}

// write appends a line. The caller holds the lock.
func (j *journal) write(l *line) error {
	raw, err := json.Marshal(l)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(j.path(), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("writing the journal of transfers: %w", err)
	}
	end, err := whole(f)
	if err == nil {
		_, err = f.WriteAt(append(raw, '\n'), end)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil && end == 0 {
		err = syncDir(j.dir)
	}
	if err != nil {
		return fmt.Errorf("writing the journal of transfers %s: %w", j.path(), err)
	}
	return nil
}

// whole cuts off a last line that was not finished, and is where the next one
// begins.
func whole(f *os.File) (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	end := info.Size()
	var b [1]byte
	for at := end; at > 0; at-- {
		if _, err := f.ReadAt(b[:], at-1); err != nil {
			return 0, err
		}
		if b[0] == '\n' {
			if at < end {
				err = f.Truncate(at)
			}
			return at, err
		}
		if end-at > maxLine {
			return 0, chain.Rule(ErrDamaged, "its last line has more than %d bytes", maxLine)
		}
	}
	return 0, f.Truncate(0)
}

// read gives all transfers, oldest first.
func (j *journal) read() ([]*Sent, error) {
	f, err := os.Open(j.path())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the journal of transfers: %w", err)
	}
	defer f.Close()
	var all []*Sent
	byID := make(map[chain.TxID]*Sent)
	r := bufio.NewReaderSize(f, 64<<10)
	for n := 1; ; n++ {
		raw, err := readLine(r)
		if err == io.EOF {
			return all, nil // a line without its end was never relied on
		}
		var l line
		if err == nil {
			err = json.Unmarshal(raw, &l)
		}
		if err != nil {
			return nil, chain.Rule(ErrDamaged, "line %d of %s: %v; correct or remove the line", n, j.path(), err)
		}
		if s := byID[l.ID]; s != nil {
			if l.Verdict != "" {
				s.Verdict, s.Reason, s.Ended = l.Verdict, l.Reason, l.Time
			}
		} else if len(l.Tx) > 0 {
			s = &Sent{ID: l.ID, Time: l.Time, To: l.To, Amount: l.Amount, Fee: l.Fee, Stake: l.Stake, Verdict: VerdictOpen, raw: l.Tx}
			all, byID[l.ID] = append(all, s), s
		}
	}
}

func readLine(r *bufio.Reader) (raw []byte, err error) {
	for {
		part, err := r.ReadSlice('\n')
		raw = append(raw, part...)
		switch {
		case err == nil:
			return raw, nil
		case err != bufio.ErrBufferFull:
			return nil, err
		case len(raw) > maxLine:
			return nil, fmt.Errorf("more than %d bytes", maxLine)
		}
	}
}
