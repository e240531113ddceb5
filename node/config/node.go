package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"

	"ios/chain"
)

// maxFile bounds the small files of a home.
const maxFile = 64 << 10

// Home is a validator's directory.
type Home string

// The files of a home.
func (h Home) ConfigFile() string    { return filepath.Join(string(h), "node.toml") }
func (h Home) KeysFile() string      { return filepath.Join(string(h), "keys.toml") }
func (h Home) ValidatorFile() string { return filepath.Join(string(h), "validator.toml") }
func (h Home) DataDir() string       { return filepath.Join(string(h), "data") }
func (h Home) LogFile() string       { return filepath.Join(string(h), "node.log") }

// Node is the configuration of one validator's process.
type Node struct {
	Name     string `toml:"name"`      // of the validator in the genesis
	Listen   string `toml:"listen"`    // host:port for the other validators
	API      string `toml:"api"`       // host:port for clients; loopback unless it is meant to be public
	Genesis  string `toml:"genesis"`   // file; relative to the home
	LogLevel string `toml:"log_level"` // error, warn, info or debug
}

// SettingError is a setting that cannot be used.
type SettingError struct {
	Key  string // as in node.toml; address and api_url are told to others only
	Text string
}

// Error names the key.
func (e *SettingError) Error() string { return e.Key + ": " + e.Text }

func settingf(key, format string, args ...any) error {
	return &SettingError{key, fmt.Sprintf(format, args...)}
}

// Check reports the first setting that cannot be used, as a [SettingError].
func (n *Node) Check() error {
	if err := chain.CheckName(n.Name); err != nil {
		return settingf("name", "%s", strings.TrimPrefix(err.Error(), "name "))
	}
	for _, f := range []struct{ key, value string }{{"listen", n.Listen}, {"api", n.API}} {
		if _, _, err := hostPort(f.value); err != nil {
			return settingf(f.key, "%q: %v", f.value, err)
		}
	}
	if n.Listen == n.API {
		return settingf("api", "listen and api are both %s; give them different ports", n.API)
	}
	if n.Genesis == "" {
		return settingf("genesis", "the path of the genesis file is wanted")
	}
	switch n.LogLevel {
	case "error", "warn", "info", "debug":
		return nil
	}
	return settingf("log_level", "%q: error, warn, info or debug is wanted", n.LogLevel)
}

// hostPort takes an address apart.
func hostPort(text string) (host string, port uint16, err error) {
	host, digits, err := net.SplitHostPort(text)
	if err != nil {
		return "", 0, errors.New("write it as host:port")
	}
	n, err := strconv.ParseUint(digits, 10, 16)
	if err != nil {
		return "", 0, errors.New("write it as host:port, with a port of 1 to 65535")
	}
	return host, uint16(n), nil
}

// checkReachable refuses an address that others cannot connect to, wherever they are.
func checkReachable(address string) error {
	host, port, err := hostPort(address)
	switch ip := net.ParseIP(host); {
	case err != nil:
		return err
	case host == "" || ip != nil && ip.IsUnspecified():
		return errors.New("others cannot connect to it; name the host by which they reach it")
	case port == 0:
		return errors.New("others cannot connect to it; name a port")
	}
	return nil
}

// Load reads the configuration of a home.
func (h Home) Load() (*Node, error) {
	n := new(Node)
	if err := load(h.ConfigFile(), n); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("no validator lives in %s: %w; make one with: ios node init --dir %s", h, err, h)
		}
		return nil, err
	}
	if err := n.Check(); err != nil {
		return nil, fmt.Errorf("%s: %w", h.ConfigFile(), err)
	}
	return n, nil
}

// Save writes the configuration of a home, which it makes if need be.
func (h Home) Save(n *Node) error {
	if err := n.Check(); err != nil {
		return err
	}
	if err := h.make(); err != nil {
		return err
	}
	text, err := encode(n)
	if err != nil {
		return err
	}
	return WriteFile(h.ConfigFile(), text, 0o600)
}

// GenesisFile is the path of the node's genesis.
func (h Home) GenesisFile(n *Node) string {
	if filepath.IsAbs(n.Genesis) {
		return n.Genesis
	}
	return filepath.Join(string(h), n.Genesis)
}

func (h Home) make() error {
	if err := os.MkdirAll(string(h), 0o700); err != nil {
		return fmt.Errorf("making the home of a validator: %w", err)
	}
	return nil
}

// load decodes a small TOML file strictly.
func load(path string, into any) error {
	text, err := readFile(path, maxFile)
	if err != nil {
		return err
	}
	meta, err := toml.Decode(string(text), into)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if extra := meta.Undecoded(); len(extra) > 0 {
		return fmt.Errorf("%s: %q is not a known key; take it out or correct its spelling", path, extra[0].String())
	}
	return nil
}

func encode(doc any) ([]byte, error) {
	var buf bytes.Buffer
	if err := toml.NewEncoder(&buf).Encode(doc); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// At is the home in a directory, with an absolute path.
func At(dir string) (Home, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("finding directory %s: %w", dir, err)
	}
	return Home(abs), nil
}
