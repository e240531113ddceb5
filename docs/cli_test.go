package docs_test

import (
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// command is what the program's help says of one command.
type command struct {
	path  string
	subs  map[string]*command
	flags map[string]bool // to whether it takes a value
}

var (
	helpSub  = regexp.MustCompile(`^  ([a-z]+) +\S`)
	helpFlag = regexp.MustCompile(`^ +(?:-[a-z], |    )--([a-z-]+)( [a-zA-Z]+)? {2,}`)
)

var tree struct {
	sync.Once
	root *command
}

// theCommands are those of the program. Asking for them takes a process each.
func theCommands(t *testing.T) *command {
	t.Helper()
	tree.Do(func() { tree.root = commands(t, binary(t)) })
	if tree.root == nil {
		t.Fatal("the program does not tell its commands")
	}
	return tree.root
}

// commands asks the program for its whole tree.
func commands(t *testing.T, ios string, path ...string) *command {
	t.Helper()
	help, err := exec.Command(ios, append(slices.Clone(path), "--help")...).Output()
	if err != nil {
		t.Fatalf("ios %v --help: %v", path, err)
	}
	c := &command{path: strings.Join(path, " "), subs: make(map[string]*command), flags: map[string]bool{"help": false}}
	part := ""
	for _, line := range strings.Split(string(help), "\n") {
		if line != "" && line[0] != ' ' {
			part = line
			continue
		}
		if m := helpSub.FindStringSubmatch(line); m != nil && part == "Available Commands:" && m[1] != "help" && m[1] != "completion" {
			c.subs[m[1]] = commands(t, ios, append(slices.Clone(path), m[1])...)
		}
		if m := helpFlag.FindStringSubmatch(line); m != nil && strings.HasSuffix(part, "lags:") {
			c.flags[m[1]] = m[2] != ""
		}
	}
	return c
}

// all is c and everything below.
func (c *command) all() []*command {
	list := []*command{c}
	for _, s := range c.subs {
		list = append(list, s.all()...)
	}
	return list
}

// anywhere reports whether a command has the flag.
func (c *command) anywhere(flag string) bool {
	return slices.ContainsFunc(c.all(), func(s *command) bool { _, ok := s.flags[flag]; return ok })
}

// fault is what is wrong with the words behind "ios", or nothing.
func (c *command) fault(words []string) string {
	at := c
	var used []string
	for i := 0; i < len(words); i++ {
		w := words[i]
		if flag, ok := strings.CutPrefix(w, "--"); ok {
			name, _, given := strings.Cut(flag, "=")
			used = append(used, name)
			if value := slices.ContainsFunc(at.all(), func(s *command) bool { return s.flags[name] }); value && !given {
				i++
			}
			continue
		}
		if sub := at.subs[w]; sub != nil {
			at = sub
		} else if len(at.subs) > 0 && plain.MatchString(w) {
			return "there is no command " + strings.TrimSpace(at.path+" "+w)
		}
	}
	for _, name := range used {
		if _, ok := at.flags[name]; !ok {
			if len(at.subs) > 0 && at.anywhere(name) {
				continue // of a command that the text leaves open
			}
			return "ios " + at.path + " has no flag --" + name
		}
	}
	return ""
}

var (
	plain    = regexp.MustCompile(`^[a-z]+$`)
	splitter = regexp.MustCompile(`[|;&()\n` + "`" + `]|>+|<`)
	aFlag    = regexp.MustCompile(`^--[a-z-]+$`)
)

// invocations are the words behind each "ios" in a piece of code.
func invocations(code string) (list [][]string) {
	code = strings.ReplaceAll(code, "\\\n", " ")
	for _, piece := range splitter.Split(code, -1) {
		words := strings.Fields(piece)
		if i := slices.IndexFunc(words, func(w string) bool { return w == "ios" || w == "bin/ios" }); i >= 0 && i < 3 {
			list = append(list, words[i+1:])
		}
	}
	return list
}

// TestCommandsExist holds every command line and flag that is shown to what the
// program's help says, whether the test runs it or not.
func TestCommandsExist(t *testing.T) {
	ios := theCommands(t)
	if len(ios.all()) < 15 {
		t.Fatalf("the help shows %d commands only", len(ios.all()))
	}
	seen := 0
	for _, d := range documents(t) {
		var code []string
		for _, f := range d.fence {
			if f.info == "" || f.info == "sh" || strings.HasPrefix(f.info, "sh ") {
				code = append(code, f.text)
			}
		}
		for _, span := range d.spans() {
			code = append(code, span)
			if aFlag.MatchString(span) && !ios.anywhere(span[2:]) {
				t.Errorf("%s: no command has a flag %s", d.name, span)
			}
		}
		for _, c := range code {
			for _, words := range invocations(c) {
				seen++
				if fault := ios.fault(words); fault != "" {
					t.Errorf("%s: %q: %s", d.name, "ios "+strings.Join(words, " "), fault)
				}
			}
		}
	}
	if seen < 30 {
		t.Errorf("only %d command lines were found", seen)
	}
}

func TestFaultsOfCommandLines(t *testing.T) {
	ios := theCommands(t)
	for line, wrong := range map[string]bool{
		"ios devnet up --dir d --detach":                   false,
		"ios devnet up --dir d --detached":                 true,
		"ios devnet start":                                 true,
		"ios wallet --home up new --shard 1":               false,
		"ios wallet --home w new --shards 1":               true,
		"ios walet new":                                    true,
		"ios genesis make --name n v0/validator.toml":      false,
		"until ios node status --dir v0":                   false,
		"ios node start --dir v --json --profile=host:1 x": false,
	} {
		for _, words := range invocations(line) {
			if got := ios.fault(words) != ""; got != wrong {
				t.Errorf("%s: %q", line, ios.fault(words))
			}
		}
	}
}
