package docs_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Blocks marked so are run; one marked so behind such a block is what it prints.
const (
	markRun    = "sh run"
	markOutput = "text output"
)

// patience is for a machine with much else to do.
const patience = 4 * time.Minute

// TestCommands runs the marked blocks of each page, in one shell and one folder
// a page. Every command must succeed, and print what is shown.
func TestCommands(t *testing.T) {
	if testing.Short() {
		t.Skip("starts networks")
	}
	pages := 0
	for _, d := range documents(t) {
		var steps []step
		for i, f := range d.fence {
			if f.info != markRun {
				continue
			}
			s := step{fence: f}
			if i+1 < len(d.fence) && d.fence[i+1].info == markOutput {
				s.shown = d.fence[i+1].text
			}
			steps = append(steps, s)
		}
		if len(steps) == 0 {
			continue
		}
		pages++
		t.Run(filepath.Base(d.name), func(t *testing.T) {
			t.Parallel()
			runPage(t, d.name, steps)
		})
	}
	if pages < 3 {
		t.Errorf("only %d pages have commands that are run", pages)
	}
}

// step is a block that is run.
type step struct {
	fence
	shown string // of its output; every line must come
}

const marker = "@@ line "

var marked = regexp.MustCompile(`(?m)^@@ line (\d+)\n`)

func runPage(t *testing.T, name string, steps []step) {
	dir := t.TempDir()
	var script strings.Builder
	script.WriteString("set -eu\n")
	for _, s := range steps {
		fmt.Fprintf(&script, "echo '%s%d'\n%s\n", marker, s.line, s.text)
	}
	out, err := shell(t, dir, freePorts(t, cheapWallets(script.String())))
	parts := make(map[int]string) // output by line
	at := marked.FindAllStringSubmatchIndex(out, -1)
	for i, m := range at {
		end := len(out)
		if i+1 < len(at) {
			end = at[i+1][0]
		}
		line, _ := strconv.Atoi(out[m[2]:m[3]])
		parts[line] = out[m[1]:end]
	}
	if err != nil {
		last := len(at) - 1
		t.Fatalf("%s: the block of line %s: %v\n%s\n%s", name, out[at[last][2]:at[last][3]], err, out[at[last][1]:], logs(dir))
	}
	for _, s := range steps {
		for _, line := range strings.Split(s.shown, "\n") {
			if strings.TrimSpace(line) != "" && !pattern(line).MatchString(parts[s.line]) {
				t.Errorf("%s: line %d: the output has no line like %q:\n%s", name, s.line, line, parts[s.line])
			}
		}
	}
}

// shell runs a script and returns all that it printed. It ends whatever the script
// leaves running.
func shell(t *testing.T, dir, script string) (string, error) {
	t.Helper()
	ios := binary(t)
	file, err := os.Create(filepath.Join(dir, "output"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", script)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, file, file
	cmd.Env = append(os.Environ(),
		"PATH="+filepath.Dir(ios)+string(os.PathListSeparator)+os.Getenv("PATH"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // a group of its own
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // nobody, if all went well
		if _, err := os.Stat(filepath.Join(dir, "devnet", "genesis.toml")); err == nil {
			if text, err := exec.Command(ios, "devnet", "down", "--dir", filepath.Join(dir, "devnet")).CombinedOutput(); err != nil {
				t.Errorf("ending the network: %v\n%s", err, text)
			}
		}
	}()
	failed := cmd.Wait()
	if ctx.Err() != nil {
		failed = fmt.Errorf("not done after %v", patience)
	}
	out, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(out), failed
}

// logs are the last lines of the validators' logs.
func logs(dir string) string {
	var b strings.Builder
	for _, glob := range []string{"v*/node.log", "devnet/v*/node.log"} {
		files, _ := filepath.Glob(filepath.Join(dir, glob))
		for _, f := range files {
			raw, _ := os.ReadFile(f)
			fmt.Fprintf(&b, "%s: …%s\n", f, raw[max(0, len(raw)-400):])
		}
	}
	return b.String()
}

// cheapWallets has no second of work done at each use of a passphrase.
func cheapWallets(script string) string {
	return strings.ReplaceAll(script, "--passphrase-file pass ", "--passphrase-file pass --work-factor 10 ")
}

// The ports in the text are the first of ten each; somebody may have them.
var tenPorts = []string{"127.0.0.1:760", "127.0.0.1:770"}

// freePorts puts ports that are free in the place of those of the text.
func freePorts(t *testing.T, script string) string {
	t.Helper()
	next := 20000 + os.Getpid()%1000*10
	for _, ports := range tenPorts {
		if !strings.Contains(script, ports) {
			continue
		}
		for !tenFree(next) {
			if next += 10; next > 32000 {
				t.Fatal("no ten ports in a row are free")
			}
		}
		script = strings.ReplaceAll(script, ports, fmt.Sprintf("127.0.0.1:%d", next/10))
		next += 10
	}
	return script
}

func tenFree(first int) bool {
	for port := first; port < first+10; port++ {
		l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
		if err != nil {
			return false
		}
		l.Close()
	}
	return true
}

func TestPattern(t *testing.T) {
	for _, c := range []struct {
		shown, printed string
		want           bool
	}{
		{"shard 0: 10000 in 3 coins, at height 1", "total 3\nshard 1: 7 in 2 coins, at height 12\n", true},
		{"shard 0: 10000 in 3 coins", "shard 0: unknown\n", false},
		{"exit code 3", "exit code 3\n", true},
		{"exit code 3", "exit code 1\n", false},
		{"chain …", "chain 0123\n", true},
		{"supply ok: …", "supply NOT OK: value\n", false},
		{"total 5", "total 5, of which 3\n", false},
	} {
		if got := pattern(c.shown).MatchString(c.printed); got != c.want {
			t.Errorf("%q for %q: %v", c.printed, c.shown, got)
		}
	}
}
