// Package docs_test holds the documentation to what the program does: the
// commands in it are run, their output has the shape that is shown, and what it
// names is there.
package docs_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

const root = ".." // of the repository

// document is one page.
type document struct {
	name  string // relative to the root
	text  string
	fence []fence
}

// fence is a fenced block.
type fence struct {
	line int
	info string // behind the backquotes
	text string
}

// documents reads the README and everything in docs.
func documents(t *testing.T) []document {
	t.Helper()
	files, err := filepath.Glob("*.md")
	if err != nil || len(files) < 5 {
		t.Fatalf("%d pages are in docs: %v", len(files), err)
	}
	files = append(files, filepath.Join(root, "README.md"))
	var list []document
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		d := document{name: filepath.ToSlash(filepath.Join("docs", file)), text: string(raw)}
		if d.fence, err = fences(d.text); err != nil {
			t.Fatalf("%s: %v", d.name, err)
		}
		list = append(list, d)
	}
	return list
}

// page is the document of a name.
func page(t *testing.T, name string) document {
	t.Helper()
	list := documents(t)
	i := slices.IndexFunc(list, func(d document) bool { return d.name == name })
	if i < 0 {
		t.Fatalf("there is no %s", name)
	}
	return list[i]
}

var inline = regexp.MustCompile("`([^`\n]+)`")

// spans are the pieces of code within the text, without the fenced blocks.
func (d *document) spans() (list []string) {
	for _, m := range inline.FindAllStringSubmatch(d.prose(), -1) {
		list = append(list, m[1])
	}
	return list
}

// prose is the text without the fenced blocks.
func (d *document) prose() string {
	text := d.text
	for _, f := range d.fence {
		text = strings.Replace(text, "```"+f.info+"\n"+f.text+"```", "", 1)
	}
	return text
}

var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "ios-docs")
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "ios")
	build := exec.Command("go", "build", "-o", file, "ios/cmd/ios")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	if err != nil {
		os.Stderr.Write(out)
	}
	return file, err
})

// binary builds the program once, without the race detector. IOS_PROGRAM names
// one that is built already.
func binary(t *testing.T) string {
	t.Helper()
	if file := os.Getenv("IOS_PROGRAM"); file != "" {
		return file
	}
	file, err := program()
	if err != nil {
		t.Fatalf("building the program: %v", err)
	}
	return file
}

func TestMain(m *testing.M) {
	code := m.Run()
	if os.Getenv("IOS_PROGRAM") == "" {
		if file, err := program(); err == nil {
			os.RemoveAll(filepath.Dir(file))
		}
	}
	os.Exit(code)
}

// sources are the texts of all Go files that are not tests, by path.
func sources(t *testing.T) map[string]string {
	t.Helper()
	all := make(map[string]string)
	err := filepath.WalkDir(root, func(path string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() && strings.HasPrefix(e.Name(), ".") && path != root {
			return filepath.SkipDir
		}
		if strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
			raw, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			rel, _ := filepath.Rel(root, path)
			all[filepath.ToSlash(rel)] = string(raw)
		}
		return nil
	})
	if err != nil || len(all) < 50 {
		t.Fatalf("%d source files: %v", len(all), err)
	}
	return all
}
