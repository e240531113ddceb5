package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"ios/chain"
	"ios/node/api"
	"ios/node/config"
	"ios/node/devnet"
)

// network is a running network and the test's view of it.
type network struct {
	*devnet.Network
	t      *testing.T
	api    *api.Network
	params *chain.Params
	urls   []string // by validator

	mu    sync.Mutex
	procs map[chain.ValidatorID]*process
}

// startNetwork makes a network and returns when all are ready.
func startNetwork(t *testing.T, shards, validators int) *network {
	t.Helper()
	n := makeNetwork(t, filepath.Join(t.TempDir(), "net"), shards, validators)
	n.start(n.all()...)
	n.awaitReady(n.all()...)
	return n
}

// makeNetwork makes a network without starting it.
func makeNetwork(t *testing.T, dir string, shards, validators int, policy ...chain.Policy) *network {
	t.Helper()
	p := chain.DefaultPolicy()
	if len(policy) > 0 {
		p = policy[0]
	}
	d, err := devnet.Create(dir, devnet.Options{
		Name: "e2e", Shards: shards, Validators: validators, Policy: p, LogLevel: "info",
	})
	if err != nil {
		t.Fatal(err)
	}
	n := &network{Network: d, t: t, params: d.Genesis.Params(), procs: make(map[chain.ValidatorID]*process)}
	urls := make(map[chain.ValidatorID]string)
	for i, home := range d.Homes {
		cfg, err := home.Load()
		if err != nil {
			t.Fatal(err)
		}
		n.urls = append(n.urls, "http://"+cfg.API)
		urls[chain.ValidatorID(i)] = n.urls[i]
	}
	if n.api, err = api.NewNetwork(d.Genesis, d.Members(), urls); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.end)
	return n
}

// end kills what still runs; of a failed test it shows the logs' ends.
func (n *network) end() {
	n.api.Close()
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, p := range n.procs {
		p.kill()
	}
	if n.t.Failed() {
		for id, home := range n.Homes {
			text, _ := os.ReadFile(home.LogFile())
			n.t.Logf("the end of the log of v%d:\n%s", id, text[max(0, len(text)-3000):])
		}
		if keep := os.Getenv("IOS_E2E_KEEP"); keep != "" {
			os.CopyFS(keep, os.DirFS(n.Dir))
		}
	}
}

func (n *network) all() []chain.ValidatorID {
	ids := make([]chain.ValidatorID, len(n.Homes))
	for i := range ids {
		ids[i] = chain.ValidatorID(i)
	}
	return ids
}

// members are the validators of a shard, in the order of their seats.
func (n *network) members(shard chain.ShardID) []chain.ValidatorID { return n.Members()[shard] }

func (n *network) home(id chain.ValidatorID) config.Home { return n.Homes[id] }

func (n *network) proc(id chain.ValidatorID) *process {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.procs[id]
}

// start starts validators that do not run, and does not wait for them.
func (n *network) start(ids ...chain.ValidatorID) {
	n.t.Helper()
	for _, id := range ids {
		p, err := spawn(n.home(id))
		if err != nil {
			n.t.Fatalf("starting v%d: %v", id, err)
		}
		n.mu.Lock()
		n.procs[id] = p
		n.mu.Unlock()
	}
}

// kill ends validators with kill -9.
func (n *network) kill(ids ...chain.ValidatorID) {
	for _, id := range ids {
		n.proc(id).kill()
	}
}

// log is what the validator's present process has logged.
func (n *network) log(id chain.ValidatorID) string {
	n.t.Helper()
	text, err := os.ReadFile(n.home(id).LogFile())
	if err != nil {
		n.t.Fatal(err)
	}
	return string(text[n.proc(id).out:])
}

// logged counts the lines of the present process's log that hold the text.
func (n *network) logged(id chain.ValidatorID, text string) (count int) {
	for line := range strings.Lines(n.log(id)) {
		if strings.Contains(line, text) {
			count++
		}
	}
	return count
}

// status asks a validator how it is; nil if it does not answer.
func (n *network) status(id chain.ValidatorID) *api.Status {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	c := api.NewClient(n.urls[id], api.ClientConfig{Attempts: 1})
	defer c.Close()
	st, err := c.Status(ctx)
	if err != nil {
		return nil
	}
	return st
}

// height is the last final height that the validator tells; 0 without answer.
func (n *network) height(id chain.ValidatorID) uint64 {
	if st := n.status(id); st != nil {
		return st.Height
	}
	return 0
}

// phase waits until the validator is in the phase, and returns its status.
func (n *network) phase(id chain.ValidatorID, phase string, patience time.Duration) (st *api.Status) {
	n.t.Helper()
	await(n.t, patience, func() string {
		if st = n.status(id); st == nil {
			return fmt.Sprintf("v%d does not answer, %q was expected of it", id, phase)
		}
		if st.Phase != phase {
			return fmt.Sprintf("v%d is %s (%s), %q was expected", id, st.Phase, st.Reason, phase)
		}
		return ""
	})
	return st
}

const startPatience = 30 * time.Second

// awaitReady waits until the validators vote and serve.
func (n *network) awaitReady(ids ...chain.ValidatorID) {
	n.t.Helper()
	for _, id := range ids {
		await(n.t, startPatience, func() string {
			if !n.proc(id).running() {
				n.t.Fatalf("v%d ended: %v\n%s", id, n.proc(id).cmd.ProcessState, n.log(id))
			}
			return n.unready(id)
		})
	}
}

// unready is why the validator is not ready; empty if it is.
func (n *network) unready(id chain.ValidatorID) string {
	client := http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Get(n.urls[id] + "/readyz")
	if err != nil {
		return err.Error()
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusOK {
		return ""
	}
	body, _ := io.ReadAll(io.LimitReader(res.Body, 4096))
	return fmt.Sprintf("v%d is not ready: %s", id, body)
}

// procField reads "name: value kB" from a file of /proc.
func procField(t *testing.T, text, field string) int {
	t.Helper()
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, field+":"); ok {
			n, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				t.Fatal(err)
			}
			return n << 10
		}
	}
	t.Fatalf("no %s in /proc", field)
	return 0
}

var replayedLine = regexp.MustCompile(`replayed \d+ blocks .* the last final block is (\d+)`)

// replayed is the height of the last final block that the validator found in
// its own log when it started.
func (n *network) replayed(t *testing.T, id chain.ValidatorID) uint64 {
	t.Helper()
	m := replayedLine.FindStringSubmatch(n.log(id))
	if m == nil {
		t.Fatalf("v%d does not say what it replayed:\n%s", id, n.log(id))
	}
	h, err := strconv.ParseUint(m[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// killTogether ends validators with kill -9, all before any is waited for.
func (n *network) killTogether(ids ...chain.ValidatorID) {
	for _, id := range ids {
		n.proc(id).cmd.Process.Kill()
	}
	n.kill(ids...)
}

var logTime = regexp.MustCompile(`^time="([^"]+)"`)

// loggedAt is when the validator first logged the text after a moment.
func (n *network) loggedAt(t *testing.T, id chain.ValidatorID, text string, after time.Time) time.Time {
	t.Helper()
	for line := range strings.Lines(n.log(id)) {
		m := logTime.FindStringSubmatch(line)
		if m == nil || !strings.Contains(line, text) {
			continue
		}
		at, err := time.Parse(time.RFC3339Nano, m[1])
		if err != nil {
			t.Fatal(err)
		}
		if !at.Before(after) {
			return at
		}
	}
	t.Fatalf("v%d did not log %q after %v:\n%s", id, text, after, n.log(id))
	return time.Time{}
}
