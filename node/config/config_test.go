package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"ios/chain"
	"ios/chain/cosi"
	"ios/chain/sig"
	"ios/chain/vrf"
)

func TestAHomeComesBackAsItWasWritten(t *testing.T) {
	home := Home(filepath.Join(t.TempDir(), "v0"))
	want := &Node{Name: "v0", Listen: "127.0.0.1:7000", API: "127.0.0.1:7001", Genesis: "../genesis.toml", LogLevel: "info"}
	if err := home.Save(want); err != nil {
		t.Fatal(err)
	}
	got, err := home.Load()
	if err != nil || *got != *want {
		t.Fatalf("%v: wrote %+v, read %+v", err, want, got)
	}
	if file := home.GenesisFile(got); file != filepath.Join(filepath.Dir(string(home)), "genesis.toml") {
		t.Fatalf("the genesis is at %s", file)
	}

	keys, err := NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	if err := home.SaveKeys(keys); err != nil {
		t.Fatal(err)
	}
	back, err := home.LoadKeys()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(back.Identity, keys.Identity) || back.Signing.Public() != keys.Signing.Public() || !back.Cosi.Equal(keys.Cosi) || back.VRF.Public() != keys.VRF.Public() || !back.PVSS.Equal(keys.PVSS) {
		t.Fatal("other keys came back")
	}
	for file, mode := range map[string]fs.FileMode{string(home): 0o700, home.KeysFile(): 0o600, home.ConfigFile(): 0o600} {
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, mode %v, %v is wanted", file, err, info.Mode().Perm(), mode)
		}
	}
	if err := home.SaveKeys(keys); !errors.Is(err, fs.ErrExist) {
		t.Fatalf("keys were overwritten: %v", err)
	}
}

func TestThePublicSideOfKeysIsProven(t *testing.T) {
	mine, err := NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	v, err := mine.Validator("v0", "127.0.0.1:7000", "http://127.0.0.1:7001")
	if err != nil {
		t.Fatal(err)
	}
	if err := (cosi.BLS{}).VerifyPossession(v.Cosi, v.Possession); err != nil {
		t.Fatal(err)
	}
	others, err := NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	w, err := others.Validator("v0", "127.0.0.1:7000", "http://127.0.0.1:7001")
	if err != nil {
		t.Fatal(err)
	}
	if v.Identity == w.Identity || v.Signing == w.Signing || v.Cosi == w.Cosi || v.VRF == w.VRF || v.PVSS == w.PVSS {
		t.Fatal("two validators got one key")
	}
}

func TestWhatAHomeRefuses(t *testing.T) {
	home := Home(t.TempDir())
	if _, err := home.Load(); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "ios node init") {
		t.Fatalf("an empty home: %v", err)
	}
	if _, err := home.LoadKeys(); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "ios node init") {
		t.Fatalf("a home without keys: %v", err)
	}
	good := Node{Name: "v0", Listen: "127.0.0.1:7000", API: "127.0.0.1:7001", Genesis: "g", LogLevel: "info"}
	for want, spoil := range map[string]func(*Node){
		"name":       func(n *Node) { n.Name = "" },
		"listen":     func(n *Node) { n.Listen = "localhost" },
		"api":        func(n *Node) { n.API = "7001" },
		"both":       func(n *Node) { n.API = n.Listen },
		"genesis":    func(n *Node) { n.Genesis = "" },
		"65535":      func(n *Node) { n.Listen = "127.0.0.1:99999" },
		"log_level":  func(n *Node) { n.LogLevel = "loud" },
		"or debug":   func(n *Node) { n.LogLevel = "trace" },
		"misspelled": nil,
	} {
		n := good
		if spoil == nil {
			if err := home.Save(&good); err != nil {
				t.Fatal(err)
			}
			f, err := os.OpenFile(home.ConfigFile(), os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			f.WriteString("misspelled = 1\n")
			f.Close()
			if _, err := home.Load(); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("an unknown key: %v", err)
			}
			continue
		}
		spoil(&n)
		if err := home.Save(&n); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	keys, err := NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	if err := home.SaveKeys(keys); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(home.KeysFile(), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := home.LoadKeys(); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Fatalf("keys that others may read: %v", err)
	}
}

func TestBadKeysAreNotRepeatedInErrors(t *testing.T) {
	home := Home(t.TempDir())
	const leak = "5ec2e75ec2e7"
	text := "identity = \"" + leak + "\"\nsigning = \"\"\ncosi = \"\"\n"
	if err := os.WriteFile(home.KeysFile(), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := home.LoadKeys(); err == nil || strings.Contains(err.Error(), leak) {
		t.Fatalf("short keys: %v", err)
	}
}

func TestWritingIsAllOrNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	if err := WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "taken"), 0o700); err != nil {
		t.Fatal(err)
	}
	// A rename onto a directory fails after the content was written.
	if err := WriteFile(filepath.Join(dir, "taken"), []byte("new"), 0o600); err == nil {
		t.Fatal("a directory was replaced")
	}
	if err := CreateFile(path, []byte("new"), 0o600); !errors.Is(err, fs.ErrExist) {
		t.Fatalf("creating over a file: %v", err)
	}
	if b, _ := os.ReadFile(path); string(b) != "old" {
		t.Fatalf("the file holds %q", b)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Fatalf("left behind: %v, %v", entries, err)
	}
}

func TestLoadGenesisChecksIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "genesis.toml")
	if _, err := LoadGenesis(path); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("no file: %v", err)
	}
	keys, err := NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	v, err := keys.Validator("v0", "127.0.0.1:7000", "")
	if err != nil {
		t.Fatal(err)
	}
	g := &chain.Genesis{Name: "n", TestNetwork: true, Shards: 1, Policy: chain.DefaultPolicy(), Validators: []chain.Validator{*v}, Allocations: []chain.Output{{Amount: 1}}}
	write := func() {
		text, err := g.TOML()
		if err != nil {
			t.Fatal(err)
		}
		if err := WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write()
	if back, err := LoadGenesis(path); err != nil || back.ID() != g.ID() {
		t.Fatalf("%v", err)
	}
	for wants, spoil := range map[string]func(*chain.Validator){
		"cosi key":     func(v *chain.Validator) { v.Possession = cosi.Signature{} },
		"identity key": func(v *chain.Validator) { v.Identity = [32]byte{2} }, // no point
		"signing key":  func(v *chain.Validator) { v.Signing = sig.PublicKey{1} },
		"name":         func(v *chain.Validator) { v.Name = "../v1" }, // it is a folder's name
		"address":      func(v *chain.Validator) { v.Address = ":7000" },
		"vrf key":      func(v *chain.Validator) { v.VRFProof[0] ^= 1 },
		"pvss key":     func(v *chain.Validator) { v.PVSSProof[40] ^= 1 },
		"three":        func(v *chain.Validator) { v.VRF = vrf.PublicKey(v.Signing) },
	} {
		g.Validators[0] = *v
		spoil(&g.Validators[0])
		write()
		if _, err := LoadGenesis(path); !errors.Is(err, chain.ErrGenesis) || !strings.Contains(err.Error(), wants) {
			t.Errorf("%s: %v", wants, err)
		}
	}
	g.Validators[0], g.Name = *v, "two\nlines"
	write()
	if _, err := LoadGenesis(path); !errors.Is(err, chain.ErrGenesis) || !strings.Contains(err.Error(), "printed") {
		t.Errorf("a name of two lines: %v", err)
	}
}

// Of many that create a file at once one does, and no other replaces what it wrote.
func TestOnlyOneCreatesAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	won := make(chan string, 16)
	var all sync.WaitGroup
	for i := range cap(won) {
		all.Go(func() {
			if text := fmt.Sprint(i); CreateFile(path, []byte(text), 0o600) == nil {
				won <- text
			}
		})
	}
	all.Wait()
	if content, err := os.ReadFile(path); err != nil || len(won) != 1 || string(content) != <-won {
		t.Fatalf("%d wrote it, it has %q: %v", len(won), content, err)
	}
	if names, err := os.ReadDir(filepath.Dir(path)); err != nil || len(names) != 1 {
		t.Fatalf("%d files are left: %v", len(names), err)
	}
}

// TestInitRefusesWhatOthersCannotReach before it makes anything.
func TestInitRefusesWhatOthersCannotReach(t *testing.T) {
	for _, c := range []struct{ key, listen, api, address, url string }{
		{"address", ":7600", "127.0.0.1:7700", "", ""},
		{"address", "0.0.0.0:7600", "127.0.0.1:7700", "", ""},
		{"address", "[::]:7600", "127.0.0.1:7700", "", ""},
		{"address", "127.0.0.1:0", "127.0.0.1:7700", "", ""},
		{"address", "127.0.0.1:7600", "127.0.0.1:7700", "v0.example.org", ""},
		{"address", "127.0.0.1:7600", "127.0.0.1:7700", "v0.example.org:http", ""},
		{"api_url", "127.0.0.1:7600", ":7700", "", ""},
		{"api_url", "127.0.0.1:7600", "127.0.0.1:7700", "", "v0.example.org:7700"},
		{"api_url", "127.0.0.1:7600", "127.0.0.1:7700", "", "http://:7700"},
		{"", "0.0.0.0:7600", ":7700", "v0.example.org:7600", "https://v0.example.org/ios"},
		{"", "127.0.0.1:7600", "127.0.0.1:7700", "", "http://[::1]:7700"},
	} {
		home := Home(filepath.Join(t.TempDir(), "v0"))
		_, err := Init(home, &Node{Name: "v0", Listen: c.listen, API: c.api, Genesis: "g", LogLevel: "info"}, c.address, c.url)
		if c.key == "" {
			if err != nil {
				t.Errorf("%+v: %v", c, err)
			}
			continue
		}
		var setting *SettingError
		if !errors.As(err, &setting) || setting.Key != c.key {
			t.Errorf("%+v: %v", c, err)
		}
		if _, err := os.Stat(string(home)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%+v: the home was made", c)
		}
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Init(Home(file), &Node{Name: "v0", Listen: "127.0.0.1:7600", API: "127.0.0.1:7700", Genesis: "g", LogLevel: "info"}, "", ""); err == nil || errors.Is(err, fs.ErrExist) {
		t.Errorf("a home that is a file: %v", err)
	}
}
