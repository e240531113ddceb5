package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"ios/chain"
	"ios/node/api"
)

// A second process on a data directory refuses to start and says which holds
// it; the first notices nothing.
func TestASecondProcessIsRefused(t *testing.T) {
	n := startNetwork(t, 1, 1)
	first := n.proc(0)
	second := exec.Command(program, "node", "start", "--dir", string(n.home(0)))
	out, err := second.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		t.Fatalf("the second process: %v\n%s", err, out)
	}
	for _, want := range []string{fmt.Sprintf("pid %d ", first.pid()), n.home(0).DataDir()} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the second process says %q, which lacks %q", out, want)
		}
	}
	t.Logf("exit code %d: %s", exit.ExitCode(), out)
	load := startTraffic(t, n, trafficConfig{owners: 1, coins: 4, batch: 4})
	load.more(t, 20, 20*time.Second)
	load.stop(t, time.Minute)
	verify(t, n, load)
}

// disk is a small file system for one validator's data.
type disk struct {
	dir     string
	ballast string
}

// mount puts a small file system where a validator keeps its data.
func mount(t *testing.T, n *network, id chain.ValidatorID, megabytes int) *disk {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can mount a small file system; run the tests as root for this one")
	}
	d := &disk{dir: n.home(id).DataDir()}
	d.ballast = filepath.Join(d.dir, "ballast")
	if err := os.Mkdir(d.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", d.dir, "tmpfs", 0, fmt.Sprintf("size=%dm,mode=0700", megabytes)); err != nil {
		t.Skipf("mounting is not allowed here: %v", err)
	}
	t.Cleanup(func() {
		n.kill(id)
		if err := syscall.Unmount(d.dir, 0); err != nil {
			t.Errorf("unmounting %s: %v", d.dir, err)
		}
	})
	return d
}

// fill leaves no room.
func (d *disk) fill(t *testing.T) {
	t.Helper()
	f, err := os.OpenFile(d.ballast, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size >= 512; {
		if _, err := f.Write(make([]byte, size)); errors.Is(err, syscall.ENOSPC) {
			size /= 2
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// free makes room.
func (d *disk) free(t *testing.T) {
	t.Helper()
	if err := os.Remove(d.ballast); err != nil {
		t.Fatal(err)
	}
}

// A validator's disk fills up: it stops with the reason, its shard goes on, and
// so does it when there is room. With two full disks the shard waits for room.
func TestAFullDisk(t *testing.T) {
	t.Parallel()
	n := makeNetwork(t, filepath.Join(t.TempDir(), "net"), 1, 4)
	a, b := n.members(0)[1], n.members(0)[2]
	disks := []*disk{mount(t, n, a, 24), mount(t, n, b, 24)}
	n.start(n.all()...)
	n.awaitReady(n.all()...)
	load := startTraffic(t, n, trafficConfig{owners: 2, coins: 16, batch: 8})
	load.more(t, 50, 20*time.Second)

	full := func(id chain.ValidatorID) {
		t.Helper()
		st := n.phase(id, api.PhaseStopped, 20*time.Second)
		if !strings.Contains(st.Reason, "no space left") || st.NextAction == "" || n.logged(id, "the disk takes no more") != 1 {
			t.Errorf("v%d does not say that its disk is full: %q, next %q\n%s", id, st.Reason, st.NextAction, n.log(id))
		}
		t.Logf("v%d: %s: %s; next: %s", id, st.Phase, st.Reason, st.NextAction)
	}
	disks[0].fill(t)
	full(a)
	load.more(t, 100, 30*time.Second) // the shard goes on

	disks[1].fill(t)
	full(b)
	if st := n.status(a); st == nil || st.Phase != api.PhaseStopped {
		t.Errorf("v%d went on without room: %+v", a, st)
	}
	disks[0].free(t)
	n.phase(a, api.PhaseReady, 30*time.Second)
	if n.logged(a, "the disk takes writes again") != 1 {
		t.Errorf("v%d does not say that it goes on:\n%s", a, n.log(a))
	}
	load.more(t, 100, 30*time.Second)

	// Killed and started on a full disk it says so, and starts when there is room.
	n.kill(b)
	n.start(b)
	await(t, 20*time.Second, func() string {
		if st := n.status(b); n.proc(b).running() && (st == nil || st.Phase != api.PhaseStopped) {
			return fmt.Sprintf("v%d runs on a full disk: %+v", b, st)
		}
		return ""
	})
	t.Logf("v%d on its full disk: running %v\n%s", b, n.proc(b).running(), n.log(b))
	if !n.proc(b).running() && n.logged(b, "no space left") == 0 {
		t.Errorf("v%d does not say why it did not start:\n%s", b, n.log(b))
	}
	disks[1].free(t)
	if !n.proc(b).running() {
		n.start(b)
	}
	n.awaitReady(b)
	load.more(t, 50, 30*time.Second)
	load.stop(t, time.Minute)
	verify(t, n, load)
}
