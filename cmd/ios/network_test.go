package main

import (
	"errors"
	"os/exec"
	"regexp"
	"strconv"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"ios/node/config"
	"ios/node/devnet"
)

// makeNetwork makes a network whose epochs end within a test, without starting it,
// and says in how many of them a validator may give no sign of life: network net 4.
// That is how long one that joins may take on a busy machine.
func makeNetwork(ts *testscript.TestScript, _ bool, args []string) {
	absent, err := strconv.Atoi(args[1])
	ts.Check(err)
	p := devnet.Policy(2 * time.Second)
	p.AbsentEpochs = absent
	_, err = devnet.Create(ts.MkAbs(args[0]), devnet.Options{Name: "short", Shards: 1, Validators: 4, Policy: p, LogLevel: "info"})
	ts.Check(err)
}

// makeHome makes the home of one more validator in a network's folder: home net v4.
func makeHome(ts *testscript.TestScript, _ bool, args []string) {
	n, err := devnet.Open(ts.MkAbs(args[0]))
	ts.Check(err)
	_, err = n.Add(args[1], "info")
	ts.Check(err)
}

// kill9 ends the process of a home at once, and waits until it is gone: kill9 net/v1.
func kill9(ts *testscript.TestScript, _ bool, args []string) {
	home := config.Home(ts.MkAbs(args[0]))
	pid := devnet.PID(home)
	if pid == 0 {
		ts.Fatalf("no process runs in %s", home)
	}
	ts.Check(syscall.Kill(pid, syscall.SIGKILL))
	for deadline := time.Now().Add(10 * time.Second); devnet.PID(home) != 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			ts.Fatalf("process %d does not end", pid)
		}
	}
}

// until runs a program again and again until what it prints matches, or with ! no
// longer does, and fails after some minutes: until 'v4.*ready' ios status --net net.
func until(ts *testscript.TestScript, neg bool, args []string) {
	want, err := regexp.Compile("(?s)" + args[0])
	ts.Check(err)
	for deadline := time.Now().Add(3 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		err := ts.Exec(args[1], args[2:]...)
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			ts.Check(err)
		}
		out := ts.ReadFile("stdout")
		if err == nil && want.MatchString(out) != neg {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("it never came about; the last output (%v):\n%s%s", err, out, ts.ReadFile("stderr"))
		}
	}
}
