package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"sync"

	"ios/chain"
	"ios/chain/sig"
)

// Keyring has all keys of a validator: those of keys.toml, and those of keys-1.toml,
// keys-2.toml and so on, which replace them, each when the registry says so. It may be
// used by many goroutines.
type Keyring struct {
	home Home // empty if the keys are not on disk

	mu   sync.Mutex
	list []ringed // the oldest first
}

// ringed are keys on a ring.
type ringed struct {
	*Keys
	public *chain.Validator
	file   string
}

// NewKeyring is a ring of keys that are not on disk, the oldest first.
func NewKeyring(list ...*Keys) (*Keyring, error) {
	r := new(Keyring)
	for _, k := range list {
		public, err := k.public()
		if err != nil {
			return nil, err
		}
		r.list = append(r.list, ringed{k, public, ""})
	}
	return r, r.check()
}

// LoadKeyring reads all keys of a home.
func (h Home) LoadKeyring() (*Keyring, error) {
	r := &Keyring{home: h}
	return r, r.load()
}

// check refuses a ring that is none.
func (r *Keyring) check() error {
	for _, k := range r.list {
		if k.public.Identity != r.list[0].public.Identity {
			return fmt.Errorf("%s has another identity key than %s; it never changes, take the file of another validator away", k.file, r.list[0].file)
		}
	}
	return nil
}

var ringFile = regexp.MustCompile(`^keys-([1-9][0-9]{0,8})\.toml$`)

// files are those with keys, the oldest first, and the number for the next one.
func (h Home) keyFiles() (files []string, next int, err error) {
	entries, err := os.ReadDir(string(h))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, 0, err
	}
	var numbers []int
	for _, e := range entries {
		if m := ringFile.FindStringSubmatch(e.Name()); m != nil {
			n, _ := strconv.Atoi(m[1])
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	files, next = []string{h.KeysFile()}, 1
	for _, n := range numbers {
		files, next = append(files, h.numbered(n)), n+1
	}
	return files, next, nil
}

func (h Home) numbered(n int) string {
	return filepath.Join(string(h), fmt.Sprintf("keys-%d.toml", n))
}

// load reads the files anew.
func (r *Keyring) load() error {
	files, _, err := r.home.keyFiles()
	if err != nil {
		return err
	}
	fresh := &Keyring{home: r.home}
	for _, file := range files {
		k, err := r.home.loadKeys(file)
		if err != nil {
			return err
		}
		public, err := k.public()
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		fresh.list = append(fresh.list, ringed{k, public, file})
	}
	if err := fresh.check(); err != nil {
		return err
	}
	r.list = fresh.list
	return nil
}

// Reload reads the home again, since another process may have put keys into it.
func (r *Keyring) Reload() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.home == "" {
		return nil
	}
	return r.load()
}

// Oldest are the keys that are on the ring for the longest time.
func (r *Keyring) Oldest() *Keys {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.list[0].Keys
}

// Len is how many keys the ring has.
func (r *Keyring) Len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.list)
}

// Signing are the public signing keys, the newest first.
func (r *Keyring) Signing() (list []sig.PublicKey) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, k := range slices.Backward(r.list) {
		list = append(list, k.public.Signing)
	}
	return list
}

// Find are the keys with a signing key. If it is not on the ring the home is read
// again, since another process may have made it meanwhile.
func (r *Keyring) Find(signing sig.PublicKey) (*Keys, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := r.find(signing)
	if i < 0 && r.home != "" {
		if err := r.load(); err != nil {
			return nil, err
		}
		i = r.find(signing)
	}
	if i < 0 {
		return nil, fmt.Errorf("no file with keys in %q has the signing key %x", r.home, signing[:4])
	}
	return r.list[i].Keys, nil
}

func (r *Keyring) find(signing sig.PublicKey) int {
	return slices.IndexFunc(r.list, func(k ringed) bool { return k.public.Signing == signing })
}

// Owns checks that the ring has the keys of a registration.
func (r *Keyring) Owns(v *chain.Validator) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := max(0, r.find(v.Signing))
	return owns(r.list[at].public, v)
}

// Successor are the keys that shall replace those with a signing key: the newest ones,
// if these are newer, or else new ones, which are on disk then.
func (r *Keyring) Successor(of sig.PublicKey) (*Keys, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at, last := r.find(of), len(r.list)-1
	if at < 0 {
		return nil, fmt.Errorf("no file with keys in %q has the signing key %x that is registered", r.home, of[:4])
	}
	if at < last {
		return r.list[last].Keys, nil
	}
	_, next, err := r.home.keyFiles()
	if err != nil {
		return nil, err
	}
	k, err := NewKeys()
	if err != nil {
		return nil, err
	}
	k.Identity = slices.Clone(r.list[last].Identity)
	if err := r.home.saveKeys(r.home.numbered(next), k); err != nil {
		return nil, err
	}
	return k, r.load()
}

// Retire deletes all keys that are older than those with a signing key, if none of
// them is used any more; these take the name keys.toml then. A crash at any moment
// leaves all keys that count.
func (r *Keyring) Retire(now sig.PublicKey, used func(sig.PublicKey) bool) (gone int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := r.find(now)
	if at <= 0 || r.home == "" || slices.ContainsFunc(r.list[:at], func(k ringed) bool { return used(k.public.Signing) }) {
		return 0, nil
	}
	for _, k := range r.list[1:at] {
		if err := os.Remove(k.file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return 0, err
		}
	}
	if err := os.Rename(r.list[at].file, r.home.KeysFile()); err != nil {
		return 0, err
	}
	if err := syncDir(string(r.home)); err != nil {
		return 0, err
	}
	return at, r.load()
}
