package wallet

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"ios/chain"
	"ios/chain/sig"
)

// Options are for tests and unusual machines; the zero value will do.
type Options struct {
	WorkFactor int       // log2 of scrypt's cost for a file that is written
	Random     io.Reader // for the words
}

func (o Options) withDefaults() Options {
	if o.WorkFactor == 0 {
		o.WorkFactor = DefaultWorkFactor
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	return o
}

// Network is what a wallet is bound to: the chain whose coins it spends.
type Network struct {
	Name   string
	Chain  chain.Hash
	Prefix string
	Shards int
}

// NetworkOf is the network of a genesis.
func NetworkOf(g *chain.Genesis) Network {
	return Network{Name: g.Name, Chain: g.ID(), Prefix: g.Prefix(), Shards: g.Shards}
}

// AnyNetwork is no network yet: a wallet that is made for it is bound to the first
// network with the addresses' prefix that it is opened on.
func AnyNetwork(prefix string) Network { return Network{Prefix: prefix} }

// Wallet is an open wallet. It is safe for use by many goroutines, and so are
// its files for many processes.
type Wallet struct {
	dir        string
	options    Options
	passphrase string
	network    Network
	branch     extended
	journal    *journal

	mu    sync.Mutex
	data  *content
	keys  map[chain.Address]*Key
	order []*Key // by index
	stamp fs.FileInfo
}

// Create makes a wallet in a directory that has none. Without words it makes
// new ones.
func Create(dir, passphrase, words string, network Network, o Options) (*Wallet, error) {
	o = o.withDefaults()
	if passphrase == "" {
		return nil, chain.Rule(ErrPassphrase, "an empty passphrase protects nothing; give one")
	}
	var err error
	if words == "" {
		words, err = NewWords(o.Random)
	} else {
		words, err = CheckWords(words)
	}
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the wallet's directory: %w", err)
	}
	unlock, err := lock(dir)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if _, err := os.Lstat(filepath.Join(dir, fileName)); !errors.Is(err, fs.ErrNotExist) {
		return nil, chain.Rule(ErrExists, "there is a wallet in %s already; choose another directory, or move it away", dir)
	}
	w := &Wallet{dir: dir, options: o, passphrase: passphrase, network: network}
	c := &content{Version: fileVersion, Network: network.Name, Chain: network.Chain, Prefix: network.Prefix, Words: words}
	if err := errors.Join(c.check(), w.load(c)); err != nil {
		return nil, err
	}
	if err := w.save(w.data); err != nil {
		return nil, err
	}
	w.journal = &journal{dir: dir}
	return w, nil
}

// Open opens the wallet in a directory. It refuses one of another network, and
// binds one that has none yet. With the zero Network it opens any wallet, which
// then has addresses and words, but nothing that takes a network.
func Open(dir, passphrase string, network Network, o Options) (*Wallet, error) {
	w := &Wallet{dir: dir, options: o.withDefaults(), passphrase: passphrase, network: network, journal: &journal{dir: dir}}
	raw, stamp, err := readFile(dir)
	if err != nil {
		return nil, err
	}
	c, err := decrypt(raw, passphrase)
	if errors.Is(err, ErrDamaged) {
		err = fmt.Errorf("%s: %w", filepath.Join(dir, fileName), err)
	}
	if err != nil {
		return nil, err
	}
	w.stamp = stamp
	switch {
	case network == Network{}:
		w.network = Network{Name: c.Network, Chain: c.Chain, Prefix: c.Prefix}
	case c.Chain.IsZero():
		return w, w.bind(c)
	case c.Chain != network.Chain:
		return nil, chain.Rule(chain.ErrWrongChain, "the wallet in %s is of network %q (chain %s), and this is %q (chain %s); name the right network, or make a wallet for this one", dir, c.Network, c.Chain.Short(), network.Name, network.Chain.Short())
	}
	return w, w.load(c)
}

// bind binds a wallet without a network to the one that it is opened on.
func (w *Wallet) bind(c *content) error {
	n := w.network
	if c.Prefix != n.Prefix {
		return chain.Rule(chain.ErrWrongChain, "the wallet in %s is for networks whose addresses begin with %s1, and those of %q begin with %s1; make another wallet for it", w.dir, c.Prefix, n.Name, n.Prefix)
	}
	if err := w.load(c); err != nil {
		return err
	}
	return w.change(func(c *content) error {
		if !c.Chain.IsZero() && c.Chain != n.Chain { // another process was quicker
			return chain.Rule(chain.ErrWrongChain, "the wallet in %s is of network %q since a moment ago, and this is %q", w.dir, c.Network, n.Name)
		}
		c.Network, c.Chain = n.Name, n.Chain
		return nil
	})
}

// on checks that the wallet was opened on the network that r is.
func (w *Wallet) on(r *Remote) error {
	if w.network.Chain != r.Params.ChainID || w.network.Shards != r.Params.Shards {
		return chain.Rule(chain.ErrWrongChain, "the wallet in %s was opened on network %q and is used on %q; open it there", w.dir, w.network.Name, r.Genesis.Name)
	}
	return nil
}

// load derives the keys of a content.
func (w *Wallet) load(c *content) error {
	seed, err := wordsSeed(c.Words, "")
	if err != nil {
		return err
	}
	defer clear(seed)
	w.branch = branch(seed, c.Prefix)
	w.data, w.order, w.keys = c, nil, make(map[chain.Address]*Key)
	for _, n := range c.Indexes {
		k, err := w.branch.keyAt(n)
		if err != nil {
			return err
		}
		w.order = append(w.order, k)
		w.keys[k.Address] = k
	}
	return nil
}

// save writes a content.
func (w *Wallet) save(c *content) error {
	raw, err := encrypt(c, w.passphrase, w.options.WorkFactor)
	if err != nil {
		return err
	}
	w.stamp, err = writeFile(w.dir, raw)
	return err
}

// change edits the content under the lock, on the version that is on disk.
func (w *Wallet) change(edit func(*content) error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	unlock, err := lock(w.dir)
	if err != nil {
		return err
	}
	defer unlock()
	info, err := os.Stat(filepath.Join(w.dir, fileName))
	if err != nil {
		return fmt.Errorf("opening the wallet: %w", err)
	}
	c := *w.data
	if !same(info, w.stamp) { // another process was here
		raw, _, err := readFile(w.dir)
		if err != nil {
			return err
		}
		other, err := decrypt(raw, w.passphrase)
		if err != nil {
			return err
		}
		if other.Words != c.Words {
			return chain.Rule(ErrDamaged, "another wallet has taken the place of the one in %s; open it anew", w.dir)
		}
		c = *other
	}
	c.Indexes = append([]uint32(nil), c.Indexes...)
	if err := edit(&c); err != nil {
		return err
	}
	if err := c.check(); err != nil {
		return err
	}
	if err := w.save(&c); err != nil {
		return err
	}
	return w.load(&c)
}

// Network is what the wallet is bound to.
func (w *Wallet) Network() Network { return w.network }

// Words are the wallet's secret: whoever has them has its coins.
func (w *Wallet) Words() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.data.Words
}

// String hides the secrets.
func (w *Wallet) String() string { return "wallet in " + w.dir }

// Format hides the secrets from every verb.
func (w *Wallet) Format(f fmt.State, _ rune) { io.WriteString(f, w.String()) }

// Keys are the addresses in use, oldest first.
func (w *Wallet) Keys() []*Key {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]*Key(nil), w.order...)
}

// key is the one of an address, or nil.
func (w *Wallet) key(a chain.Address) *Key {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.keys[a]
}

// Signer is what signs for an address of the wallet: a stake is paid by a key, see
// package transepoch/identity.
func (w *Wallet) Signer(a chain.Address) (*sig.Key, error) {
	k := w.key(a)
	if k == nil {
		return nil, chain.Rule(chain.ErrWitness, "the wallet has no key for %s", a.Text(w.network.Prefix))
	}
	return k.signer, nil
}

// AnyShard lets NewAddress take the next address, wherever it lives.
const AnyShard = -1

// NewAddress takes the next address that lives in the shard into use.
func (w *Wallet) NewAddress(shard int) (*Key, error) {
	if shard != AnyShard && w.network.Shards == 0 {
		return nil, chain.Rule(chain.ErrWrongShard, "no network says how many shards there are; name it, or take an address in any shard")
	}
	if shard != AnyShard && (shard < 0 || shard >= w.network.Shards) {
		return nil, chain.Rule(chain.ErrWrongShard, "there is no shard %d; the network has shards 0 to %d", shard, w.network.Shards-1)
	}
	var got *Key
	err := w.change(func(c *content) error {
		if len(c.Indexes) >= MaxAddresses {
			return chain.Rule(chain.ErrFull, "the wallet has %d addresses, and no more are allowed", MaxAddresses)
		}
		var next uint32
		if n := len(c.Indexes); n > 0 {
			next = c.Indexes[n-1] + 1
		}
		for ; ; next++ {
			if next >= hardened {
				return chain.Rule(chain.ErrFull, "the wallet's indexes are used up")
			}
			k, err := w.branch.keyAt(next)
			if err != nil {
				return err
			}
			if shard == AnyShard || int(k.Address.Shard(w.network.Shards)) == shard {
				got, c.Indexes = k, append(c.Indexes, next)
				return nil
			}
		}
	})
	return got, err
}
