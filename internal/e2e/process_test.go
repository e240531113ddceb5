package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"testing"

	"ios/node/config"
)

// process is a validator's process that the test started.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed when it was reaped
	out   int64         // size of its log when it started
}

// spawner starts processes on one thread that lives as long as the tests do:
// the kernel ends the children when the thread that started them ends, and so
// also when the test's process is killed.
var spawner = sync.OnceValue(func() chan func() {
	jobs := make(chan func())
	go func() {
		runtime.LockOSThread()
		for job := range jobs {
			job()
		}
	}()
	return jobs
})

// spawn starts the validator of a home. Its output goes to the home's log.
func spawn(home config.Home) (*process, error) {
	log, err := os.OpenFile(home.LogFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	info, err := log.Stat()
	if err != nil {
		return nil, err
	}
	p := &process{cmd: exec.Command(program, "node", "start", "--dir", string(home)), ended: make(chan struct{}), out: info.Size()}
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.Dir = string(home)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	spawner() <- func() { started <- p.cmd.Start() }
	if err := <-started; err != nil {
		return nil, err
	}
	go func() {
		defer close(p.ended)
		p.cmd.Wait()
	}()
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// running reports whether it has not ended.
func (p *process) running() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// kill ends it without warning and waits until it is gone.
func (p *process) kill() {
	p.cmd.Process.Kill() // the process was not reaped, or this does nothing
	<-p.ended
}

// memory reads what the kernel knows of the process's memory, in bytes:
// "VmRSS", or "VmHWM" for the most that it ever was.
func (p *process) memory(t *testing.T, field string) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.pid()))
	if err != nil {
		t.Fatal(err)
	}
	return procField(t, string(text), field)
}
