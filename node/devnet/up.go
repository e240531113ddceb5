package devnet

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"

	"ios/node/config"
)

// Member is one validator's process after Up.
type Member struct {
	Name    string `json:"name"`
	PID     int    `json:"pid"`
	API     string `json:"api"`
	Started bool   `json:"started"` // by this call
}

// readyPatience is how long Up waits for validators that start. Replaying a
// long log may take a while.
const readyPatience = 5 * time.Minute

// Up starts the validators that do not run, with the program at the path, and
// returns once all are ready. Progress gets a sentence now and then. When one
// ends instead, the error has the end of its log, and what this call started is
// ended again.
func (n *Network) Up(ctx context.Context, program string, progress func(string)) (members []Member, err error) {
	members = make([]Member, len(n.Homes))
	started := make([]*process, len(n.Homes))
	defer func() {
		if err != nil {
			endAll(started)
		}
	}()
	for i, home := range n.Homes {
		cfg, err := home.Load()
		if err != nil {
			return nil, err
		}
		members[i] = Member{Name: cfg.Name, API: "http://" + cfg.API, PID: PID(home)}
		if members[i].PID != 0 {
			continue
		}
		if started[i], err = start(program, home); err != nil {
			return nil, err
		}
		members[i].PID, members[i].Started = started[i].Process.Pid, true
	}
	ctx, cancel := context.WithTimeout(ctx, readyPatience)
	defer cancel()
	return members, n.await(ctx, members, started, progress)
}

// endAll ends processes of this call. They may not hold their directories yet,
// so that Stop would not find them.
func endAll(started []*process) {
	for _, p := range started {
		if p != nil {
			p.Process.Signal(syscall.SIGTERM)
		}
	}
	for _, p := range started {
		if p == nil {
			continue
		}
		select {
		case <-p.ended:
		case <-time.After(stopPatience):
			p.Process.Kill()
			<-p.ended
		}
	}
}

// await polls the validators until all are ready.
func (n *Network) await(ctx context.Context, members []Member, started []*process, progress func(string)) error {
	client := &http.Client{Timeout: 2 * time.Second}
	defer client.CloseIdleConnections()
	ready, said := make([]bool, len(members)), ""
	nextWord := time.Now().Add(time.Second)
	for {
		waiting, why := 0, ""
		for i := range members {
			if p := started[i]; p != nil {
				select {
				case <-p.ended:
					return fmt.Errorf("validator %s ended while starting (%v); the end of its log:\n%s", members[i].Name, p.ProcessState, logTail(n.Homes[i]))
				default:
				}
			}
			if ready[i] {
				continue
			}
			reason := askReady(ctx, client, members[i].API)
			if ready[i] = reason == ""; !ready[i] {
				waiting++
				if why == "" {
					why = members[i].Name + ": " + reason
				}
			}
		}
		if waiting == 0 {
			return nil
		}
		if word := fmt.Sprintf("%d of %d validators ready; %s", len(members)-waiting, len(members), why); word != said && time.Now().After(nextWord) {
			progress(word)
			said, nextWord = word, time.Now().Add(time.Second)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for the network: %d of %d validators are not ready (%s): %w", waiting, len(members), why, ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// askReady is empty when the validator is ready, else the reason why it is not.
func askReady(ctx context.Context, client *http.Client, api string) string {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, api+"/readyz", nil)
	if err != nil {
		return err.Error()
	}
	resp, err := client.Do(req)
	if err != nil {
		return "its API does not answer yet"
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 16<<10))
	if err != nil || resp.StatusCode == http.StatusOK {
		return ""
	}
	var answer struct {
		Reasons []string `json:"reasons"`
	}
	if json.Unmarshal(body, &answer) != nil || len(answer.Reasons) == 0 {
		return "starting"
	}
	return strings.Join(answer.Reasons, ", ")
}

// logTail is the last lines of a validator's log.
func logTail(home config.Home) string {
	const size, lines = 8 << 10, 12
	f, err := os.Open(home.LogFile())
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err.Error()
	}
	from := max(0, info.Size()-size)
	text, err := io.ReadAll(io.NewSectionReader(f, from, size))
	if err != nil {
		return err.Error()
	}
	all := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	return string(bytes.Join(all[max(0, len(all)-lines):], []byte("\n")))
}
