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

	"ios/node/api"
	"ios/node/config"
)

// Member is one validator's process after Up.
type Member struct {
	Name    string `json:"name"`
	PID     int    `json:"pid"`
	API     string `json:"api"`
	Started bool   `json:"started"` // by this call
	Ready   bool   `json:"ready"`   // it was waited for, and takes part in a shard

	home    config.Home
	process *process // if it was started
	await   bool
}

// readyPatience is how long Up waits for validators that start. Replaying a
// long log may take a while.
const readyPatience = 5 * time.Minute

// Up starts the validators that do not run, with the program at the path, and
// returns once all of the genesis are ready that take part in a shard. Those that
// joined later are started if they have run before, and not waited for: they may have
// no seat. Progress gets a sentence now and then. When one ends instead, the error has
// the end of its log, and what this call started is ended again.
func (n *Network) Up(ctx context.Context, program string, progress func(string)) (members []Member, err error) {
	defer func() {
		if err != nil {
			endAll(members)
		}
	}()
	for _, home := range n.Homes {
		members = append(members, Member{home: home, await: true})
	}
	for _, home := range n.Joined() {
		if _, err := os.Stat(home.DataDir()); err == nil {
			members = append(members, Member{home: home})
		}
	}
	for i := range members {
		if err := members[i].up(program); err != nil {
			return members, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, readyPatience)
	defer cancel()
	return members, await(ctx, members, progress)
}

// up starts the validator, unless it runs.
func (m *Member) up(program string) error {
	cfg, err := m.home.Load()
	if err != nil {
		return err
	}
	m.Name, m.API = cfg.Name, "http://"+cfg.API
	if m.PID = PID(m.home); m.PID != 0 {
		return nil
	}
	if m.process, err = start(program, m.home); err != nil {
		return err
	}
	m.PID, m.Started = m.process.Process.Pid, true
	return nil
}

// Start starts one validator that lives in the folder, and does not wait for it.
func (n *Network) Start(program string, home config.Home) error {
	return (&Member{home: home}).up(program)
}

// endAll ends processes of this call. They may not hold their directories yet,
// so that Stop would not find them.
func endAll(members []Member) {
	for i := range members {
		if p := members[i].process; p != nil {
			p.Process.Signal(syscall.SIGTERM)
		}
	}
	for i := range members {
		p := members[i].process
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

// await polls the validators until nobody has to be awaited.
func await(ctx context.Context, members []Member, progress func(string)) error {
	client := &http.Client{Timeout: 2 * time.Second}
	defer client.CloseIdleConnections()
	said, nextWord := "", time.Now().Add(time.Second)
	for {
		waiting, why := 0, ""
		for i := range members {
			m := &members[i]
			if p := m.process; p != nil {
				select {
				case <-p.ended:
					return fmt.Errorf("validator %s ended while starting (%v); the end of its log:\n%s", m.Name, p.ProcessState, logTail(m.home))
				default:
				}
			}
			if !m.await {
				continue
			}
			switch reason := askReady(ctx, client, m.API); reason {
			case "":
				m.await, m.Ready = false, true
			case api.NoShard:
				m.await = false
			default:
				if waiting++; why == "" {
					why = m.Name + ": " + reason
				}
			}
		}
		if waiting == 0 {
			return nil
		}
		if word := fmt.Sprintf("%d of %d validators are not ready (%s)", waiting, len(members), why); word != said && time.Now().After(nextWord) {
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
