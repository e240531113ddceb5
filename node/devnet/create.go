package devnet

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	mathrand "math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"ios/chain"
	"ios/chain/cosi"
	"ios/eds"
	"ios/node/config"
	"ios/node/epochs"
	"ios/transepoch/identity"
)

// Options say what network Create makes.
type Options struct {
	Name       string
	Shards     int
	Validators int // of the whole network
	Policy     chain.Policy
	LogLevel   string
}

// Policy is that of a network on one machine, with epochs of a length, or with one
// that never ends if it is 0. Batches do not wait for longer than fits into it.
func Policy(epoch time.Duration) chain.Policy {
	p := chain.DefaultPolicy()
	if p.EpochLength = epoch; epoch > 0 {
		p.BatchDeadline = min(p.BatchDeadline, max(epoch/4, 2*time.Second))
	}
	return p
}

// The allocations of a network. The supply stays below 2^53, so that every
// reader of JSON holds it exactly, and is in many coins, so that payments from
// the faucet need not wait for each other.
const (
	supply      = 1_000_000_000_000_000
	faucetCoins = 64 // a shard
)

// MaxValidators bounds the processes that Create plans for one machine.
const MaxValidators = 256

// Network is a network's folder.
type Network struct {
	Dir     string // absolute
	Genesis *chain.Genesis
	Homes   []config.Home // by validator of the genesis; see also Joined

	asking sync.Mutex
	book   *epochs.Book // as far as Status has seen
}

// Create makes the folder of a network. A folder that has one already is left
// alone, with an error that errors.Is finds as fs.ErrExist.
func Create(dir string, o Options) (*Network, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := checkNew(dir, &o); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the network's folder: %w", err)
	}
	g := &chain.Genesis{Name: o.Name, TestNetwork: true, Shards: o.Shards, Policy: o.Policy}
	var faucet [32]byte
	for _, b := range [][]byte{g.Seed[:], faucet[:]} {
		if _, err := rand.Read(b); err != nil {
			return nil, fmt.Errorf("reading randomness: %w", err)
		}
	}
	n := &Network{Dir: dir, Genesis: g}
	if err := n.fill(&o, faucet[:]); err != nil {
		for _, home := range n.Homes { // made just now
			os.RemoveAll(string(home))
		}
		return nil, err
	}
	text, err := g.TOML()
	if err != nil {
		return nil, err
	}
	if err := config.CreateFile(n.faucetFile(), []byte(hex.EncodeToString(faucet[:])+"\n"), 0o600); err != nil {
		return nil, err
	}
	// The genesis comes last: with it the folder is complete.
	return n, config.CreateFile(n.genesisFile(), text, 0o644)
}

// fill makes the homes, and completes the genesis.
func (n *Network) fill(o *Options, faucet []byte) error {
	if err := n.addValidators(o); err != nil {
		return err
	}
	keys, err := FaucetKeys(faucet, o.Shards)
	if err != nil {
		return err
	}
	g := n.Genesis
	for _, k := range keys {
		public := k.Public()
		for range faucetCoins {
			g.Allocations = append(g.Allocations, chain.Output{Owner: chain.AddressOf((*[32]byte)(&public)), Amount: supply / uint64(o.Shards) / faucetCoins})
		}
	}
	return identity.CheckGenesis(g, cosi.BLS{})
}

func checkNew(dir string, o *Options) error {
	switch {
	case o.Shards < 1 || o.Shards&(o.Shards-1) != 0:
		return &config.SettingError{Key: "shards", Text: fmt.Sprintf("a power of two is wanted, not %d", o.Shards)}
	case o.Validators < o.Shards || o.Validators > MaxValidators:
		return &config.SettingError{Key: "validators", Text: fmt.Sprintf("at least one for each shard and at most %d on one machine are wanted, not %d", MaxValidators, o.Validators)}
	}
	if _, err := os.Lstat(filepath.Join(dir, "genesis.toml")); err == nil {
		return fmt.Errorf("%s holds a network already: %w", dir, fs.ErrExist)
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("looking into the network's folder: %w", err)
	}
	if len(entries) > 0 {
		return fmt.Errorf("%s holds %s and other things, but no genesis.toml; choose an empty or new folder, or remove what a creation that was interrupted left", dir, entries[0].Name())
	}
	return nil
}

func (n *Network) addValidators(o *Options) error {
	ports, err := freePorts(2 * o.Validators)
	if err != nil {
		return err
	}
	for i := range o.Validators {
		name := fmt.Sprintf("v%d", i)
		home := config.Home(filepath.Join(n.Dir, name))
		cfg := &config.Node{Name: name, Listen: ports[2*i], API: ports[2*i+1], Genesis: "../genesis.toml", LogLevel: o.LogLevel}
		v, err := config.Init(home, cfg, "", "")
		if err != nil {
			return err
		}
		n.Genesis.Validators = append(n.Genesis.Validators, *v)
		n.Homes = append(n.Homes, home)
	}
	return nil
}

// The ports that are chosen from. They lie below those that the kernel gives to
// outgoing connections: a validator that is down must find its port free when it
// comes back.
const (
	firstPort = 10_240
	endPort   = 32_000
)

// freePorts finds n addresses on loopback that nobody listens on. It begins
// anywhere, so that networks that are down seldom have the same.
func freePorts(n int) ([]string, error) {
	addresses := make([]string, 0, n)
	const span = endPort - firstPort
	for i, at := 0, mathrand.IntN(span); len(addresses) < n; i, at = i+1, (at+1)%span {
		if i == span {
			return nil, fmt.Errorf("%d free ports are wanted between %d and %d, there are %d", n, firstPort, endPort, len(addresses))
		}
		address := fmt.Sprintf("127.0.0.1:%d", firstPort+at)
		l, err := net.Listen("tcp", address)
		if err != nil {
			continue // taken
		}
		defer l.Close()
		addresses = append(addresses, address)
	}
	return addresses, nil
}

// Open reads the folder of a network.
func Open(dir string) (*Network, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	n := &Network{Dir: dir}
	if n.Genesis, err = config.LoadGenesis(n.genesisFile()); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("no network in %s: %w; make one with: ios devnet up --dir %s", dir, fs.ErrNotExist, dir)
		}
		return nil, err
	}
	for i := range n.Genesis.Validators {
		n.Homes = append(n.Homes, config.Home(filepath.Join(dir, n.Genesis.Validators[i].Name)))
	}
	return n, nil
}

// Members are the validators of each shard.
func (n *Network) Members() [][]chain.ValidatorID {
	return eds.Assign(n.Genesis.Seed, len(n.Genesis.Validators), n.Genesis.Shards)
}

func (n *Network) genesisFile() string { return filepath.Join(n.Dir, "genesis.toml") }
func (n *Network) faucetFile() string  { return filepath.Join(n.Dir, "faucet.key") }

// Add makes the home of one more validator, which is not in the genesis.
func (n *Network) Add(name, logLevel string) (config.Home, error) {
	ports, err := freePorts(2)
	if err != nil {
		return "", err
	}
	home := config.Home(filepath.Join(n.Dir, name))
	if _, err := config.Init(home, &config.Node{Name: name, Listen: ports[0], API: ports[1], Genesis: "../genesis.toml", LogLevel: logLevel}, "", ""); err != nil {
		return "", err
	}
	return home, nil
}

// Joined are the homes in the folder of validators that the genesis does not have, as
// they are now.
func (n *Network) Joined() (homes []config.Home) {
	entries, _ := os.ReadDir(n.Dir) // in a folder that is gone nobody lives
	for _, e := range entries {
		home := config.Home(filepath.Join(n.Dir, e.Name()))
		if _, err := os.Stat(home.ConfigFile()); err == nil && !slices.Contains(n.Homes, home) {
			homes = append(homes, home)
		}
	}
	return homes
}

// home is where a validator lives, if that is in the folder.
func (n *Network) home(id chain.ValidatorID, name string) config.Home {
	if int(id) < len(n.Homes) {
		return n.Homes[id]
	}
	for _, home := range n.Joined() {
		if cfg, err := home.Load(); err == nil && cfg.Name == name {
			return home
		}
	}
	return config.Home(filepath.Join(n.Dir, name))
}
