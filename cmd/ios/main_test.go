package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"ios/chain"
	"ios/node/devnet"
)

// TestMain lets the test's own program be the command ios, also for the
// validators that it starts.
func TestMain(m *testing.M) { testscript.Main(m, map[string]func(){"ios": main}) }

func TestCommandLine(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"code": exitsWith, "json": fromJSON, "epochs": makeEpochs,
			"network": makeNetwork, "home": makeHome, "until": until, "kill9": kill9,
		},
		Setup: func(env *testscript.Env) error {
			env.Setenv("ADDRESS", chain.Address{7}.Text(chain.PrefixTest))
			// A program with the race detector waits a second before it ends, unless told
			// otherwise, and nobody would read what validators in the background report.
			races := filepath.Join(env.WorkDir, "race")
			env.Setenv("GORACE", "atexit_sleep_ms=50 log_path="+races)
			env.Defer(func() {
				stopNetworks(t, env.WorkDir)
				noRaces(t, races)
			})
			return nil
		},
	})
}

// stopNetworks ends the validators of every network in a directory.
func stopNetworks(t *testing.T, dir string) {
	files, _ := filepath.Glob(filepath.Join(dir, "*", "genesis.toml"))
	for _, f := range files {
		n, err := devnet.Open(filepath.Dir(f))
		if err != nil {
			t.Error(err)
			continue
		}
		if _, err := n.Stop(); err != nil {
			t.Error(err)
		}
	}
}

// noRaces shows the data races that the script's programs have met.
func noRaces(t *testing.T, path string) {
	files, _ := filepath.Glob(path + ".*")
	for _, f := range files {
		text, _ := os.ReadFile(f)
		t.Errorf("%s", text)
	}
}

// exitsWith runs a program and wants an exit code: code 2 ios bogus.
func exitsWith(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, %d was wanted", got, want)
	}
}

// fromJSON sets a variable to a value of the last output, which must be one
// object: json ID id, json STATE shards.0.state.
func fromJSON(ts *testscript.TestScript, _ bool, args []string) {
	var value any
	d := json.NewDecoder(strings.NewReader(ts.ReadFile("stdout")))
	d.UseNumber()
	ts.Check(d.Decode(&value))
	if d.More() {
		ts.Fatalf("more than one JSON object")
	}
	for part := range strings.SplitSeq(args[1], ".") {
		switch v := value.(type) {
		case map[string]any:
			inner, ok := v[part]
			if !ok {
				ts.Fatalf("there is no %q in %v", args[1], v)
			}
			value = inner
		case []any:
			i, err := strconv.Atoi(part)
			ts.Check(err)
			value = v[i]
		default:
			ts.Fatalf("there is no %q", args[1])
		}
	}
	ts.Setenv(args[0], fmt.Sprint(value))
}
