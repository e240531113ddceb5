package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestTheDocumentsCommandsWork runs what the README and the documents tell the
// reader to type: all blocks of a file that begin with "```sh tested", one after
// the other, in an empty directory.
func TestTheDocumentsCommandsWork(t *testing.T) {
	files, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	tested := 0
	for _, file := range append(files, "../../README.md") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		script := testedBlocks(string(text))
		if script == "" {
			continue
		}
		tested++
		t.Run(filepath.Base(file), func(t *testing.T) { runScript(t, script) })
	}
	if tested == 0 {
		t.Error("no document has a block that is tested")
	}
}

func testedBlocks(text string) string {
	var script strings.Builder
	inside := false
	for line := range strings.Lines(text) {
		switch {
		case strings.HasPrefix(line, "```sh tested"):
			inside = true
		case strings.HasPrefix(line, "```"):
			inside = false
		case inside:
			script.WriteString(line)
		}
	}
	return script.String()
}

func runScript(t *testing.T, script string) {
	dir := t.TempDir()
	t.Cleanup(func() { stopNetworks(t, dir) })
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("there is no bash")
	}
	cmd := exec.Command(bash, "-euo", "pipefail", "-c", script)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s\n%s", err, script, out)
	}
}
