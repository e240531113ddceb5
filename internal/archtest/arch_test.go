package archtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// pkg is what "go list" tells of a package.
type pkg struct {
	ImportPath string
	Dir        string
	GoFiles    []string
	Imports    []string
	Deps       []string
}

const module = "ios/"

func packages(t *testing.T) map[string]*pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps", "-json=ImportPath,Dir,GoFiles,Imports,Deps", module+"...")
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &problems)
	}
	all := make(map[string]*pkg)
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		p := new(pkg)
		if err := dec.Decode(p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if path, ok := strings.CutPrefix(p.ImportPath, module); ok {
			all[path] = p
		}
	}
	if len(all) < 10 {
		t.Fatalf("go list tells of %d packages of this module only", len(all))
	}
	return all
}

// top is the top-level part of a package's path.
func top(path string) string {
	first, _, _ := strings.Cut(path, "/")
	return first
}

// below says what each part of the tree may import of the others.
var below = map[string][]string{
	"chain":      {"internal"},
	"eds":        {"chain", "internal"},
	"drp":        {"chain", "internal"},
	"transepoch": {"chain", "eds", "drp", "internal"},
	"atomix":     {"chain", "internal"},
	"pob":        {"chain", "internal"},
	"msb":        {"chain", "internal"},
	"node":       {"chain", "eds", "drp", "transepoch", "atomix", "pob", "msb", "internal"},
	"simul":      {"chain", "eds", "drp", "transepoch", "atomix", "pob", "msb", "internal", "node"},
	"cmd":        {"chain", "eds", "drp", "transepoch", "atomix", "pob", "msb", "internal", "node", "simul"},
	"docs":       {}, // tests only
	"internal":   {"chain"},
}

func TestImportsPointDown(t *testing.T) {
	for path, p := range packages(t) {
		allowed, ok := below[top(path)]
		if !ok {
			t.Errorf("%s is in no known part of the tree", path)
		}
		for _, imp := range p.Imports {
			dep, ours := strings.CutPrefix(imp, module)
			if !ours || top(dep) == top(path) {
				continue
			}
			found := false
			for _, a := range allowed {
				found = found || a == top(dep)
			}
			if !found {
				t.Errorf("%s imports %s: that arrow points up", path, dep)
			}
		}
	}
}

// TestWhatStaysApart keeps single packages free of what they must not bring
// along, at any depth.
func TestWhatStaysApart(t *testing.T) {
	all := packages(t)
	for _, c := range []struct {
		pkg       string
		forbidden []string // prefixes
		why       string
	}{
		{"node/wallet", []string{module + "node/onetnet", module + "node/validator", module + "pob", "go.dedis.ch/", "go.etcd.io/"}, "a wallet is importable without the node"},
		{"node/api", []string{module + "node/onetnet", module + "node/validator", module + "pob", module + "atomix", "go.dedis.ch/", "go.etcd.io/"}, "clients import it"},
		{"node/load", []string{module + "node/onetnet", module + "node/validator", module + "pob", "go.dedis.ch/", "go.etcd.io/"}, "it is a client"},
		{"node/validator", []string{"go.dedis.ch/", "go.etcd.io/", "net/http"}, "it is a protocol machine"},
		{"node/council", []string{"go.dedis.ch/", "go.etcd.io/", "net/http", module + "node/validator"}, "it is a protocol machine"},
		{"chain", []string{"go.dedis.ch/", "go.etcd.io/", "net/http", module + "internal/sim"}, "everything stands on it"},
		{"atomix", []string{"go.dedis.ch/", "go.etcd.io/", "net/http", module + "chain/store"}, "it is a protocol"},
		{"drp", []string{"go.dedis.ch/", "go.etcd.io/", "net/http", module + "chain/store"}, "it is a protocol, and clients verify with it"},
		{"drp/pvss", []string{"go.dedis.ch/", "go.etcd.io/", "net/http", module + "internal/sim"}, "it is arithmetic"},
		{"transepoch", []string{"go.dedis.ch/", "go.etcd.io/", "net/http", module + "chain/store", module + "drp"}, "it is a protocol"},
		{"transepoch/beacon", []string{"go.dedis.ch/", "go.etcd.io/", "net/http", module + "chain/store", module + "pob", module + "node", module + "transepoch/beacon/beacontest"}, "third parties verify with it"},
		{"chain/vrf", []string{"go.dedis.ch/", "go.etcd.io/", "net/http", module + "internal/sim"}, "it is arithmetic"},
		{"eds", []string{"go.dedis.ch/", "go.etcd.io/", "net/http", module + "chain/store", module + "internal/sim"}, "it is a protocol"},
		{"eds/safety", []string{"go.dedis.ch/", "go.etcd.io/", "net/http", module + "chain/store", module + "internal/sim"}, "it is arithmetic"},
		{"transepoch/identity", []string{module + "node", module + "pob", "go.dedis.ch/", "go.etcd.io/", "net/http", module + "chain/store"}, "wallets and light clients import it"},
		{"pob/byzcoin", []string{"go.dedis.ch/", "go.etcd.io/", "net/http", module + "chain/store"}, "it is a protocol"},
	} {
		p, ok := all[c.pkg]
		if !ok {
			t.Errorf("there is no package %s", c.pkg)
			continue
		}
		for _, dep := range p.Deps {
			for _, f := range c.forbidden {
				if dep == f || strings.HasPrefix(dep, strings.TrimSuffix(f, "/")+"/") {
					t.Errorf("%s depends on %s, but %s", c.pkg, dep, c.why)
				}
			}
		}
		// node itself shares its prefix with what is allowed.
		for _, dep := range p.Deps {
			if dep == module+"node" {
				t.Errorf("%s depends on the node's shell, but %s", c.pkg, c.why)
			}
		}
	}
}

func TestOnlyTheTransportImportsOnet(t *testing.T) {
	for path, p := range packages(t) {
		if path == "node/onetnet" || top(path) == "simul" {
			continue
		}
		for _, imp := range p.Imports {
			if path == "drp/ristretto" && strings.HasPrefix(imp, "go.dedis.ch/kyber/") {
				continue // it is that group for kyber
			}
			if strings.HasPrefix(imp, "go.dedis.ch/") {
				t.Errorf("%s imports %s; only node/onetnet and simul may", path, imp)
			}
		}
	}
}

// pure reports whether a package is a protocol: a function of its inputs.
func pure(path string) bool {
	switch top(path) {
	case "chain":
		return path != "chain/store" && path != "chain/cosi/cositest"
	case "pob", "atomix", "eds", "drp", "transepoch", "msb":
		return true
	}
	return path == "node/validator" || path == "internal/sm"
}

func TestProtocolsArePure(t *testing.T) {
	checked := 0
	for path, p := range packages(t) {
		if !pure(path) {
			continue
		}
		checked++
		for _, imp := range p.Imports {
			switch imp {
			case "os", "os/exec", "os/signal", "syscall", "net/http", "math/rand", "math/rand/v2", "crypto/rand", "log", "log/slog",
				"github.com/sirupsen/logrus", "golang.org/x/sys/unix":
				t.Errorf("%s imports %s", path, imp)
			}
		}
		for _, file := range p.GoFiles {
			checkFile(t, path, filepath.Join(p.Dir, file))
		}
	}
	if checked < 6 {
		t.Errorf("only %d protocol packages were found", checked)
	}
}

// clocks are the functions of package time that ask the world.
var clocks = map[string]bool{"Now": true, "Since": true, "Until": true, "Sleep": true, "After": true, "AfterFunc": true, "Tick": true, "NewTimer": true, "NewTicker": true}

func checkFile(t *testing.T, path, file string) {
	t.Helper()
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			t.Errorf("%s: %v starts a goroutine", path, set.Position(n.Pos()))
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && x.Name == "time" && clocks[n.Sel.Name] {
				t.Errorf("%s: %v asks the clock", path, set.Position(n.Pos()))
			}
		}
		return true
	})
}
