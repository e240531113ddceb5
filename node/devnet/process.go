package devnet

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"ios/node/config"
)

var lockPID = regexp.MustCompile(`^pid (\d+) `)

// PID is the process that runs the validator of a home, or 0. The lock says
// which it should be, and the command line of that process whether it is.
func PID(home config.Home) int {
	text, err := os.ReadFile(filepath.Join(home.DataDir(), "LOCK"))
	if err != nil {
		return 0
	}
	m := lockPID.FindSubmatch(text)
	if m == nil {
		return 0
	}
	pid, err := strconv.Atoi(string(m[1]))
	if err != nil || !runs(pid, home) {
		return 0
	}
	return pid
}

// runs reports whether the process is "ios node start" for the home, whoever started
// it. A process that has ended and is not yet reaped has no command line.
func runs(pid int, home config.Home) bool {
	proc := filepath.Join("/proc", strconv.Itoa(pid))
	text, err := os.ReadFile(filepath.Join(proc, "cmdline"))
	if err != nil {
		return false
	}
	args := strings.Split(strings.TrimSuffix(string(text), "\x00"), "\x00")
	if i := slices.Index(args, "node"); i < 0 || i+1 == len(args) || args[i+1] != "start" {
		return false
	}
	dir := homeFlag(args)
	if !filepath.IsAbs(dir) {
		cwd, err := os.Readlink(filepath.Join(proc, "cwd"))
		if err != nil || dir == "" {
			return false
		}
		dir = filepath.Join(cwd, dir)
	}
	a, err := os.Stat(dir)
	if err != nil {
		return false
	}
	b, err := os.Stat(string(home))
	return err == nil && os.SameFile(a, b)
}

// homeFlag is the home that a command line names.
func homeFlag(args []string) (dir string) {
	for i, arg := range args {
		name, value, inline := strings.Cut(arg, "=")
		switch {
		case name != "--dir" && name != "--home":
		case inline:
			dir = value
		case i+1 < len(args):
			dir = args[i+1]
		}
	}
	return dir
}

// process is a validator's process that this one started.
type process struct {
	*exec.Cmd
	ended chan struct{} // closed when it has ended and Cmd.ProcessState is set
}

// start runs a validator in a session of its own, so that a signal to the
// terminal does not reach it. What it prints goes to its log file.
func start(program string, home config.Home) (*process, error) {
	log, err := os.OpenFile(home.LogFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the log of the validator: %w", err)
	}
	defer log.Close()
	p := &process{Cmd: exec.Command(program, "node", "start", "--dir", string(home)), ended: make(chan struct{})}
	p.Stdout, p.Stderr = log, log
	p.Dir = string(home)
	p.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := p.Start(); err != nil {
		return nil, fmt.Errorf("starting the validator in %s: %w", home, err)
	}
	go func() {
		defer close(p.ended)
		p.Wait()
	}()
	return p, nil
}

// stopPatience is how long a validator may take to end by itself.
const stopPatience = 15 * time.Second

// Stop ends all validators whose homes are in the folder, whoever started them, first
// politely, and returns the pids that it ended.
func (n *Network) Stop() (pids []int, err error) {
	return stop(append(slices.Clone(n.Homes), n.Joined()...), stopPatience)
}

func stop(homes []config.Home, patience time.Duration) (pids []int, err error) {
	left := make(map[int]config.Home)
	for _, home := range homes {
		if pid := PID(home); pid != 0 {
			if err := syscall.Kill(pid, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
				return pids, fmt.Errorf("ending the validator in %s, pid %d: %w", home, pid, err)
			}
			left[pid] = home
			pids = append(pids, pid)
		}
	}
	gone := func() bool {
		for pid, home := range left {
			if !runs(pid, home) {
				delete(left, pid)
			}
		}
		return len(left) == 0
	}
	if waitFor(patience, gone) {
		return pids, nil
	}
	for pid, home := range left {
		if runs(pid, home) {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	if !waitFor(stopPatience, gone) {
		return pids, fmt.Errorf("%d validators did not end even when killed; look for processes in uninterruptible sleep", len(left))
	}
	return pids, nil
}

// waitFor asks for a condition again and again until it holds.
func waitFor(patience time.Duration, cond func() bool) bool {
	deadline := time.Now().Add(patience)
	for !cond() {
		if time.Now().After(deadline) {
			return false
		}
		time.Sleep(20 * time.Millisecond)
	}
	return true
}
